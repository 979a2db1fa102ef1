//! Which comparisons are under way: from when on each is made, and how many there were before it.

use foretide_events::{EpochMs, Text};
use serde::{Deserialize, Serialize};

use crate::window::Rows;

/// Two that are compared; `None` is the prior.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    /// What serves.
    pub serving: Option<Text<64>>,
    /// What it is compared with.
    pub other: Option<Text<64>>,
    /// The earliest instant of a point that both may be judged on. It is part of what the comparison is: from another one on it is
    /// another.
    pub earliest: EpochMs,
}

/// A comparison, as it is gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// How many comparisons were begun before it, ever.
    pub earlier: u64,
    /// From when on the points lie that it is made on. It stays what it was.
    pub from: EpochMs,
}

/// The comparisons of one target. It has to be kept for as long as the target is predicted, for what was spent of the error is spent.
///
/// A comparison is made anew at each look from the points that are held. That is the same comparison only as long as these begin
/// where it began: from a later beginning, or on points of other shoppers, the evidence is another, and to choose among many
/// beginnings is to look for luck. So where points had to leave that it rests on, it has ended, and another one begins, which
/// takes a part of the error of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// How many were begun, ever.
    #[serde(default)]
    begun: u64,
    /// Those that are under way.
    #[serde(default)]
    under_way: Vec<UnderWay>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct UnderWay {
    pairing: Pairing,
    earlier: u64,
    from: EpochMs,
    choice: u32,
}

impl Ledger {
    /// Counts at least so many as begun: what it is kept in may have been lost, and other signs are left of how many there were.
    pub fn at_least(&mut self, begun: u64) {
        self.begun = self.begun.max(begun);
    }

    /// How many were begun, ever.
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// Goes on with `pairings`, on `rows`, which are of the shoppers of this `choice`; all others have ended. In the order of
    /// `pairings`.
    pub fn go_on(&mut self, pairings: &[Pairing], rows: &Rows, choice: u32) -> Vec<Stretch> {
        let goes_on = |known: &&UnderWay| known.choice == choice && known.from >= rows.whole_from;
        let under_way: Vec<UnderWay> = pairings
            .iter()
            .map(|pairing| {
                let mut known = self.under_way.iter().filter(goes_on);
                let known = known.find(|known| known.pairing == *pairing).cloned();
                known.unwrap_or_else(|| {
                    let earlier = self.begun;
                    self.begun = self.begun.saturating_add(1);
                    UnderWay {
                        pairing: pairing.clone(),
                        earlier,
                        from: beginning(pairing.earliest, rows),
                        choice,
                    }
                })
            })
            .collect();
        self.under_way = under_way;
        let stretch = |known: &UnderWay| Stretch {
            earlier: known.earlier,
            from: known.from,
        };
        self.under_way.iter().map(stretch).collect()
    }
}

/// From when on to compare: from `earliest` on where all is held since. Otherwise from the middle of what is held, so that it is some
/// time until that has to leave, too.
fn beginning(earliest: EpochMs, rows: &Rows) -> EpochMs {
    if rows.whole_from <= earliest {
        return earliest;
    }
    let whole = rows.rows.partition_point(|row| row.at < rows.whole_from);
    let middle = rows.rows.get(whole.midpoint(rows.rows.len()));
    let middle = middle.map_or(rows.whole_from, |row| row.at);
    earliest.max(middle)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use foretide_events::ShopperId;

    use super::*;
    use crate::{promotion::error_part, window::Row};

    /// One point at each of `instants`, of which none before has left but those before `whole_from`.
    fn rows(instants: std::ops::Range<i64>, whole_from: i64) -> Rows {
        let row = |at: i64| {
            let id = Text::new(&at.to_string()).unwrap();
            let instants = (EpochMs(at), EpochMs(at));
            Row::new(id, ShopperId([1; 16]), instants, true, Arc::from([]))
        };
        Rows {
            rows: instants.map(row).collect(),
            whole_from: EpochMs(whole_from),
            ..Rows::default()
        }
    }

    fn pairing(serving: &str, other: &str, earliest: i64) -> Pairing {
        Pairing {
            serving: Some(Text::new(serving).unwrap()),
            other: Some(Text::new(other).unwrap()),
            earliest: EpochMs(earliest),
        }
    }

    fn stretch(earlier: u64, from: i64) -> Stretch {
        Stretch {
            earlier,
            from: EpochMs(from),
        }
    }

    #[test]
    fn a_comparison_keeps_its_number_and_its_beginning() {
        let mut ledger = Ledger::default();
        let one = [pairing("a", "b", 10)];
        assert_eq!(ledger.go_on(&one, &rows(0..50, 0), 0), [stretch(0, 10)]);
        let two = [pairing("a", "c", 20), pairing("a", "b", 10)];
        let expected = [stretch(1, 20), stretch(0, 10)];
        assert_eq!(ledger.go_on(&two, &rows(5..90, 5), 0), expected);
        let written = serde_json::to_string(&ledger).unwrap();
        let mut read: Ledger = serde_json::from_str(&written).unwrap();
        assert_eq!(read.go_on(&two, &rows(10..99, 10), 0), expected);
        assert_eq!(read.begun(), 2);
    }

    #[test]
    fn beside_another_model_it_is_another_comparison() {
        let mut ledger = Ledger::default();
        for (earlier, serving) in (0..).zip(["a", "d", "a"]) {
            let found = ledger.go_on(&[pairing(serving, "b", 10)], &rows(0..50, 0), 0);
            assert_eq!(found, [stretch(earlier, 10)], "{serving}");
        }
    }

    #[test]
    fn where_its_points_have_left_or_others_are_held_another_one_begins() {
        let mut ledger = Ledger::default();
        let pairings = [pairing("a", "b", 10)];
        ledger.go_on(&pairings, &rows(0..50, 0), 0);
        let anew = ledger.go_on(&pairings, &rows(11..100, 11), 0);
        assert_eq!(anew, [stretch(1, 55)]);
        assert_eq!(ledger.go_on(&pairings, &rows(50..150, 55), 0), anew);
        // Points may be there of which it is not known whether an offer was shown.
        let later = ledger.go_on(&pairings, &rows(50..150, 100), 0);
        assert_eq!(later, [stretch(2, 125)]);
        let others = ledger.go_on(&pairings, &rows(0..200, 0), 1);
        assert_eq!(others, [stretch(3, 10)]);
    }

    #[test]
    fn what_was_lost_is_made_up_from_what_is_left() {
        let mut ledger = Ledger::default();
        ledger.at_least(7);
        let found = ledger.go_on(&[pairing("a", "b", 0)], &rows(0..9, 0), 0);
        assert_eq!(found, [stretch(7, 0)]);
        ledger.at_least(3);
        assert_eq!(ledger.begun(), 8);
    }

    /// Whatever serves, whatever wants to, and whatever leaves the window: no part of the error is spent on two comparisons.
    #[test]
    fn over_a_whole_life_no_more_is_spent_than_there_is() {
        let mut ledger = Ledger::default();
        let mut spent_on: BTreeMap<u64, (Pairing, EpochMs)> = BTreeMap::new();
        for day in 0..500_i64 {
            let serving = format!("m-{}", day / 9);
            let pairings: Vec<Pairing> = (0..8)
                .map(|back| pairing(&serving, &format!("m-{}", day - back), day - back))
                .collect();
            let held = rows(day - 3..day + 40, day - 3);
            let found = ledger.go_on(&pairings, &held, 0);
            for (pairing, stretch) in pairings.into_iter().zip(found) {
                let own = (pairing, stretch.from);
                let before = spent_on.entry(stretch.earlier).or_insert(own.clone());
                assert_eq!(*before, own, "{day}");
            }
        }
        assert_eq!(spent_on.len() as u64, ledger.begun());
        let spent: f64 = spent_on.into_keys().map(error_part).sum();
        assert!(spent <= 1.0, "{spent}");
    }
}
