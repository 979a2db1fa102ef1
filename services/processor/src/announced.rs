//! Which links were announced lately, so that not every event announces its own again.

use std::{collections::HashMap, mem};

use foldhash::fast::FixedState;
use foretide_events::{EpochMs, LinkRecord, ShopperId};
use foretide_features::Link;

use crate::links;

/// How many pairs of shoppers a generation remembers. Two are kept: at most twice as many, of about a hundred bytes each.
const GENERATION: usize = 8_192;

type Pairs = HashMap<(ShopperId, ShopperId), Link, FixedState>;

/// The smallest link announced of each pair of shoppers, as far as is remembered. Pairs that nothing is heard of for long
/// are forgotten, and announced again when something is: that costs a record and changes nothing.
#[derive(Default)]
pub(crate) struct Announced {
    young: Pairs,
    old: Pairs,
}

impl Announced {
    /// Whether one of `known` and `anonymous` that happened before `at` is known to have been announced: most events need no closer
    /// look.
    pub(crate) fn has_earlier(&self, known: ShopperId, anonymous: ShopperId, at: EpochMs) -> bool {
        let announced = self.young.get(&(known, anonymous));
        announced.is_some_and(|announced| announced.at < at)
    }

    /// Whether `record` is to be announced: nothing as early is known to have been. From now on it counts as announced.
    pub(crate) fn is_news(&mut self, record: &LinkRecord) -> bool {
        let (pair, link) = ((record.known, record.anonymous), links::link(record));
        if let Some(known) = self.young.get_mut(&pair) {
            let is_news = link < *known;
            *known = link.min(*known);
            return is_news;
        }
        if self.young.len() >= GENERATION {
            self.old = mem::take(&mut self.young);
        }
        let known = self.old.get(&pair).copied();
        self.young
            .insert(pair, known.map_or(link, |known| link.min(known)));
        known.is_none_or(|known| link < known)
    }
}

#[cfg(test)]
mod tests {
    use foretide_events::EventId;

    use super::*;

    fn record(device: u64, at: i64, id: &str) -> LinkRecord {
        let mut anonymous = [9; 16];
        anonymous[..8].copy_from_slice(&device.to_be_bytes());
        LinkRecord {
            id: EventId::new(id).unwrap(),
            at: EpochMs(at),
            anonymous: ShopperId(anonymous),
            known: ShopperId([1; 16]),
        }
    }

    #[test]
    fn only_the_first_and_what_is_earlier_is_news() {
        let mut announced = Announced::default();
        assert!(announced.is_news(&record(1, 50, "a")));
        assert!(!announced.is_news(&record(1, 50, "a")));
        assert!(!announced.is_news(&record(1, 60, "b")));
        assert!(announced.is_news(&record(1, 40, "c")));
        assert!(!announced.is_news(&record(1, 45, "d")));
        assert!(announced.is_news(&record(2, 60, "e")));
        let earlier = |device, at| {
            let LinkRecord {
                known, anonymous, ..
            } = record(device, at, "f");
            announced.has_earlier(known, anonymous, EpochMs(at))
        };
        assert_eq!(
            [earlier(1, 41), earlier(1, 40), earlier(3, 99)],
            [true, false, false]
        );
    }

    #[test]
    fn what_is_heard_of_stays_known_and_memory_is_bounded() {
        let mut announced = Announced::default();
        assert!(announced.is_news(&record(0, 50, "a")));
        for device in 1..40_000 {
            assert!(announced.is_news(&record(device, 50, "a")));
            if device % 1_000 == 0 {
                assert!(!announced.is_news(&record(0, 51, "b")), "{device}");
            }
            assert!(announced.young.len() + announced.old.len() <= 2 * GENERATION);
        }
        assert!(
            announced.is_news(&record(1, 50, "a")),
            "long forgotten: once more"
        );
    }
}
