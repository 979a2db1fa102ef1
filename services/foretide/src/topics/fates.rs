//! Telling the fates of actions, by folding the log from its beginning as the processor did.

use std::collections::HashMap;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use foretide_events::{Fate, ShopperId, wire};
use foretide_features::{FoldRules, Profile};
use foretide_ports::{Record, partition_for, shopper_key};

/// Every fate.
const FATES: [Fate; 3] = [Fate::Folded, Fate::Duplicate, Fate::Late];

/// Reads the name of a fate.
pub(super) fn fate() -> impl TypedValueParser<Value = Fate> {
    PossibleValuesParser::new(FATES.map(Fate::as_str)).try_map(|given: String| {
        let named = FATES.into_iter().find(|fate| fate.as_str() == given);
        named.ok_or("there is no such fate")
    })
}

/// The profiles so far. What it is asked about must come in the order of the log.
pub(super) struct Judge {
    wanted: Fate,
    rules: FoldRules,
    partitions: u32,
    profiles: HashMap<ShopperId, Profile>,
}

impl Judge {
    /// Knows nothing yet of the actions in `partitions` partitions.
    pub(super) fn new(wanted: Fate, rules: FoldRules, partitions: u32) -> Self {
        Self {
            wanted,
            rules,
            partitions,
            profiles: HashMap::new(),
        }
    }

    /// Whether `record` of `partition` has the fate that is wanted. What is no event, or lies in a wrong partition, has none.
    pub(super) fn wants(&mut self, partition: u32, record: &Record) -> bool {
        let event = record.value.as_deref().map(wire::decode);
        let Some(Ok(event)) = event else {
            return false;
        };
        if partition_for(&shopper_key(&event.shopper), self.partitions) != partition {
            return false;
        }
        let profile = self.profiles.entry(event.shopper);
        let profile = profile.or_insert_with(|| Profile::new(event.shopper));
        let applied = profile.apply(&event, record.offset, &self.rules);
        applied.is_some_and(|applied| applied.fate == self.wanted)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use foretide_events::EpochMs;

    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn record(offset: u64, id: &str, at: i64) -> Record {
        let value = format!(
            r#"{{"v":1,"type":"cart_view","id":"{id}","at":"{}","received_at":"2026-11-22T08:00:01.000Z","shopper":{{"user":"{}"}},"source":"key:0a1b2c3d","cart_id":"c-1"}}"#,
            EpochMs(at),
            "07".repeat(16)
        );
        Record {
            offset,
            appended_at: EpochMs(0),
            key: Bytes::new(),
            value: Some(value.into()),
        }
    }

    #[test]
    fn late_events_and_copies_are_told_from_those_that_count() {
        let start = 1_795_000_000_000;
        let records = [
            record(0, "a", start),
            record(1, "b", start + 2 * DAY_MS),
            record(2, "c", start + DAY_MS / 2),
            record(3, "b", start + 2 * DAY_MS),
        ];
        for (wanted, expected) in [
            (Fate::Folded, &[0, 1][..]),
            (Fate::Late, &[2]),
            (Fate::Duplicate, &[3]),
        ] {
            let mut judge = Judge::new(wanted, FoldRules::default(), 1);
            let found = records.iter().filter(|record| judge.wants(0, record));
            let found: Vec<_> = found.map(|record| record.offset).collect();
            assert_eq!(found, expected, "{wanted:?}");
        }
        let mut elsewhere = Judge::new(Fate::Folded, FoldRules::default(), 1);
        assert!(!elsewhere.wants(7, &records[0]));
    }
}
