//! What the topic `foretide.profiles` holds: a profile under the key of its shopper, and the counts of each partition under
//! a key that no shopper has.
//!
//! Both are in the partition of the actions they were folded from and are committed together, so the counts' own position
//! always is that of the profiles beside them.

use bytes::Bytes;
use foretide_events::{EpochMs, ShopperId, SourceId};
use foretide_features::{DecodeError, FoldRules, Profile};
use foretide_ports::{NewRecord, PROFILES, TopicPartition};
use serde::{Deserialize, Serialize};

use crate::{EmissionProgress, Fates, PartitionCounts, SourceCount};

/// What a key on `foretide.profiles` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The profile of this shopper.
    Profile(ShopperId),
    /// The counts of this partition.
    Counts(u32),
}

/// Why a record's value cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishedError {
    /// The profile cannot be read.
    #[error(transparent)]
    Profile(#[from] DecodeError),
    /// The counts are of a version that is not known here.
    #[error("counts of version {0} are not known here")]
    UnknownCounts(u8),
    /// The counts cannot be read.
    #[error("the counts are damaged")]
    DamagedCounts,
}

const COUNTS_VERSION: u8 = 3;
/// Counts from before there were examples.
const COUNTS_WITHOUT_EXAMPLES: u8 = 2;
/// Counts from before there were links.
const COUNTS_WITHOUT_LINKS: u8 = 1;
const COUNTS_PREFIX: &str = "counts/";

/// Reads a key; `None` if it is neither kind and the record is someone else's.
pub fn parse_key(key: &[u8]) -> Option<Key> {
    let text = std::str::from_utf8(key).ok()?;
    match text.strip_prefix(COUNTS_PREFIX) {
        Some(partition) => partition.parse().ok().map(Key::Counts),
        None => text.parse().ok().map(Key::Profile),
    }
}

/// Reads the profile stored for `shopper`, which was folded by `rules`.
pub fn decode_profile(
    shopper: &ShopperId,
    value: &[u8],
    rules: &FoldRules,
) -> Result<Profile, PublishedError> {
    Ok(Profile::decode(*shopper, value, rules)?)
}

/// The record of the counts of `partition`.
pub fn counts_record(partition: u32, counts: &PartitionCounts) -> NewRecord {
    NewRecord {
        at: TopicPartition {
            topic: PROFILES,
            partition,
        },
        key: Bytes::from(format!("{COUNTS_PREFIX}{partition}")),
        value: Some(encode_counts(counts).into()),
    }
}

/// Counts as stored: a version byte, then how far what follows is told (from version 3 on), then the position in
/// `foretide.links` (not in version 1), then the rest, in postcard.
/// Sources are sorted, so equal counts are equal bytes.
/// Behind all that, where a start is not done with announcing what it found, as of when it began to look, in epoch milliseconds. A
/// version that does not know of this passes it over, and where it is missing there is nothing left to announce.
#[derive(Serialize, Deserialize)]
struct StoredCounts {
    next_offset: u64,
    as_of_ms: i64,
    dead_letters: u64,
    sources: Vec<StoredSource>,
}

#[derive(Serialize, Deserialize)]
struct StoredSource {
    source: SourceId,
    folded: u64,
    duplicate: u64,
    late: u64,
    last_offset: u64,
}

/// The stored form of `counts`.
pub fn encode_counts(counts: &PartitionCounts) -> Vec<u8> {
    let sources = counts.sources().map(|(source, count)| StoredSource {
        source: source.clone(),
        folded: count.fates.folded,
        duplicate: count.fates.duplicate,
        late: count.fates.late,
        last_offset: count.last_offset,
    });
    let stored = StoredCounts {
        next_offset: counts.next_offset,
        as_of_ms: counts.as_of.0,
        dead_letters: counts.dead_letters,
        sources: sources.collect(),
    };
    // Serialising numbers and texts into memory has nothing that could fail.
    let all = (&counts.emission, counts.next_link, stored);
    let bytes = postcard::to_extend(&all, vec![COUNTS_VERSION]).unwrap_or_default();
    match counts.unannounced_as_of {
        None => bytes,
        Some(as_of) => postcard::to_extend(&as_of.0, bytes).unwrap_or_default(),
    }
}

/// Reads stored counts.
pub fn decode_counts(value: &[u8]) -> Result<PartitionCounts, PublishedError> {
    let (version, stored) = value.split_first().ok_or(PublishedError::DamagedCounts)?;
    let mut unannounced_ms: Option<i64> = None;
    let read: postcard::Result<(EmissionProgress, u64, StoredCounts)> = match *version {
        COUNTS_VERSION => postcard::take_from_bytes(stored).and_then(|(read, beyond)| {
            if !beyond.is_empty() {
                unannounced_ms = Some(postcard::from_bytes(beyond)?);
            }
            Ok(read)
        }),
        COUNTS_WITHOUT_EXAMPLES => {
            let read = postcard::from_bytes(stored);
            read.map(|(next_link, stored)| (EmissionProgress::default(), next_link, stored))
        }
        COUNTS_WITHOUT_LINKS => {
            let read = postcard::from_bytes(stored);
            read.map(|stored| (EmissionProgress::default(), 0, stored))
        }
        unknown => return Err(PublishedError::UnknownCounts(unknown)),
    };
    let (emission, next_link, stored) = read.map_err(|_| PublishedError::DamagedCounts)?;
    let sources = stored.sources.into_iter().map(|stored| {
        let fates = Fates {
            folded: stored.folded,
            duplicate: stored.duplicate,
            late: stored.late,
        };
        (
            stored.source,
            SourceCount {
                fates,
                last_offset: stored.last_offset,
            },
        )
    });
    let mut counts = PartitionCounts::restored(
        stored.next_offset,
        EpochMs(stored.as_of_ms),
        stored.dead_letters,
        next_link,
        emission,
        sources.collect(),
    );
    counts.unannounced_as_of = unannounced_ms.map(EpochMs);
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use foretide_ports::shopper_key;

    use super::*;

    fn source(name: &str) -> SourceId {
        SourceId::new(name).unwrap()
    }

    fn counts() -> PartitionCounts {
        let as_of = EpochMs(1_763_000_000_000);
        let emission = EmissionProgress {
            untold_from: Some(990),
            cohorts: Some("0a1b2c".to_owned()),
            moving: Some(("9f8e7d".to_owned(), Some(ShopperId([7; 16])))),
            ..EmissionProgress::told(EpochMs(1_762_999_000_000))
        };
        let mut counts = PartitionCounts::restored(1_000, as_of, 2, 300, emission, BTreeMap::new());
        counts.add(
            &source("key:0a1b2c3d"),
            Fates {
                folded: 900,
                duplicate: 50,
                late: 3,
            },
            999,
        );
        counts.add(
            &source("import:2026-11"),
            Fates {
                folded: 45,
                duplicate: 0,
                late: 0,
            },
            44,
        );
        counts
    }

    /// What is on topics of running shops: these files never change, a new version gets one of its own.
    const GOLDEN_V1: &str = include_str!("../golden/counts-v1.hex");
    const GOLDEN_V2: &str = include_str!("../golden/counts-v2.hex");
    const GOLDEN_V3: &str = include_str!("../golden/counts-v3.hex");

    fn golden(text: &str) -> Vec<u8> {
        let digits =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        text.trim().as_bytes().chunks(2).map(digits).collect()
    }

    #[test]
    fn counts_are_stored_as_they_always_were() {
        assert_eq!(encode_counts(&counts()), golden(GOLDEN_V3));
        assert_eq!(decode_counts(&golden(GOLDEN_V3)), Ok(counts()));
    }

    #[test]
    fn counts_from_before_there_were_examples_know_nothing_of_what_was_told() {
        let mut without = counts();
        without.emission = EmissionProgress::default();
        assert_eq!(decode_counts(&golden(GOLDEN_V2)), Ok(without));
    }

    #[test]
    fn counts_from_before_there_were_links_begin_to_read_them_at_the_beginning() {
        let mut without = counts();
        without.next_link = 0;
        without.emission = EmissionProgress::default();
        assert_eq!(decode_counts(&golden(GOLDEN_V1)), Ok(without));
    }

    #[test]
    fn who_knows_nothing_of_an_unfinished_start_reads_the_counts_all_the_same() {
        let mut unfinished = counts();
        unfinished.unannounced_as_of = Some(EpochMs(1_762_990_000_000));
        let stored = encode_counts(&unfinished);
        let known_before = golden(GOLDEN_V3);
        assert_eq!(stored[..known_before.len()], known_before);
        let read: postcard::Result<(EmissionProgress, u64, StoredCounts)> =
            postcard::from_bytes(&stored[1..]);
        let (emission, next_link, rest) = read.unwrap();
        assert_eq!((&emission, next_link), (&unfinished.emission, 300));
        assert_eq!((rest.next_offset, rest.sources.len()), (1_000, 2));
        assert_eq!(decode_counts(&stored), Ok(unfinished));
        for length in known_before.len() + 1..stored.len() {
            assert!(decode_counts(&stored[..length]).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn damaged_and_unknown_counts_are_refused() {
        let stored = encode_counts(&counts());
        for length in 0..stored.len() {
            assert!(decode_counts(&stored[..length]).is_err(), "cut to {length}");
        }
        assert_eq!(
            decode_counts(&[9, 1, 2]),
            Err(PublishedError::UnknownCounts(9))
        );
    }

    #[test]
    fn keys_tell_profiles_from_counts_and_both_from_what_is_foreign() {
        let shopper = ShopperId([0xab; 16]);
        assert_eq!(
            parse_key(&shopper_key(&shopper)),
            Some(Key::Profile(shopper))
        );
        let record = counts_record(7, &counts());
        assert_eq!(
            record.at,
            TopicPartition {
                topic: PROFILES,
                partition: 7
            }
        );
        assert_eq!(parse_key(&record.key), Some(Key::Counts(7)));
        for foreign in [&b"counts/x"[..], b"counts/", b"", b"someone", b"\xff"] {
            assert_eq!(parse_key(foreign), None);
        }
    }

    #[test]
    fn a_profile_under_another_shoppers_key_is_refused() {
        let rules = FoldRules::default();
        let mut stored = Vec::new();
        Profile::new(ShopperId([1; 16])).encode(&rules, &mut stored);
        assert!(decode_profile(&ShopperId([1; 16]), &stored, &rules).is_ok());
        assert_eq!(
            decode_profile(&ShopperId([2; 16]), &stored, &rules),
            Err(PublishedError::Profile(DecodeError::OtherShopper))
        );
    }
}
