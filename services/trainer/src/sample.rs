//! A sample of all shoppers, the same for the same shoppers and the same seed.

use foretide_events::ShopperId;
use foretide_ports::ProfileTable;
use foretide_runtime::CancellationToken;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// One of so many shoppers of a sample is held out: on them it is told how good is what was learnt from the others.
const HELD_OUT_ONE_IN: usize = 5;
/// How many shoppers beyond the size of a sample are looked at, as a share of it: those with no profile of their own fall out.
const MARGIN: f64 = 0.25;

/// Some shoppers, chosen by a hash of their pseudonyms: in the order of that hash, which is no order at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chosen(Vec<ShopperId>);

impl Chosen {
    /// Chooses about `most` of the shoppers of `table`, all where there are no more; `None` if `stop` came first.
    ///
    /// Each lock is held for as long as it takes to list the shoppers behind it.
    pub(crate) fn of(
        table: &ProfileTable,
        most: usize,
        seed: u64,
        stop: &CancellationToken,
    ) -> Option<Self> {
        let wanted = (most as f64 * (1.0 + MARGIN)).ceil();
        let limit = bound(wanted, table.len());
        let mut ranked = Vec::new();
        for partition in 0..table.partitions() {
            for some in table.shoppers(partition) {
                if stop.is_cancelled() {
                    return None;
                }
                let rank = |shopper: &ShopperId| xxh3_64_with_seed(shopper.as_bytes(), seed);
                let with_rank = some.iter().map(|shopper| (rank(shopper), *shopper));
                ranked.extend(with_rank.filter(|(rank, _)| *rank <= limit));
            }
        }
        ranked.sort_unstable();
        Some(Self(
            ranked.into_iter().map(|(_, shopper)| shopper).collect(),
        ))
    }

    /// The shoppers, in no order that means anything.
    pub(crate) fn shoppers(&self) -> &[ShopperId] {
        &self.0
    }
}

/// Whether the sample's member at `place` is held out.
pub(crate) fn is_held_out(place: usize) -> bool {
    place % HELD_OUT_ONE_IN == HELD_OUT_ONE_IN - 1
}

/// The largest hash of about `wanted` of `all`.
fn bound(wanted: f64, all: usize) -> u64 {
    let share = wanted / all.max(1) as f64;
    if share >= 1.0 {
        return u64::MAX;
    }
    // Below 2^64, so that nothing is cut off.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let limit = (share * u64::MAX as f64) as u64;
    limit
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use foretide_features::Profile;

    use super::*;

    fn table(partitions: u32, shoppers: u64) -> std::sync::Arc<ProfileTable> {
        let table = ProfileTable::new(partitions);
        for n in 0..shoppers {
            let (low, high) = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15), n);
            let id = [low.to_be_bytes(), high.to_be_bytes()].concat();
            table.insert(Profile::new(ShopperId(id.try_into().unwrap())));
        }
        table
    }

    fn chosen(table: &ProfileTable, most: usize, seed: u64) -> Chosen {
        Chosen::of(table, most, seed, &CancellationToken::new()).unwrap()
    }

    #[test]
    fn the_same_shoppers_and_seed_give_the_same_sample_however_they_are_spread() {
        let one = chosen(&table(1, 5000), 1000, 7);
        assert_eq!(one, chosen(&table(4, 5000), 1000, 7));
        assert!((1100..1400).contains(&one.0.len()), "{}", one.0.len());
        let other = chosen(&table(1, 5000), 1000, 8);
        let of_one: HashSet<_> = one.0.iter().collect();
        let common = other
            .0
            .iter()
            .filter(|shopper| of_one.contains(shopper))
            .count();
        assert!(common < 500, "a quarter by chance: {common}");
    }

    #[test]
    fn where_there_are_few_all_are_in_it() {
        assert_eq!(chosen(&table(3, 100), 1000, 7).0.len(), 100);
        assert_eq!(chosen(&table(3, 0), 1000, 7), Chosen::default());
    }

    #[test]
    fn a_fifth_is_held_out() {
        let held_out = (0..100).filter(|place| is_held_out(*place)).count();
        assert_eq!(held_out, 20);
    }

    #[test]
    fn asked_to_end_it_ends() {
        let stop = CancellationToken::new();
        stop.cancel();
        assert_eq!(Chosen::of(&table(1, 10), 5, 7, &stop), None);
    }
}
