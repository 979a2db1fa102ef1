//! Which reference served when, as `foretide.artefacts` tells: what is usual among shoppers, by version.
//!
//! A version is a record of its own, `reference/<version>`, and never changes. It serves from the instant that it states
//! until the next one does, so whoever reads the topic later, from wherever, applies to a past instant what was applied then.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use foretide_events::{EpochMs, Text};
use foretide_features::Reference;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::{ARTEFACTS, LogError, NewRecord, ReadOnlyLog, Record, TopicPartition};

/// What the keys of versions begin with.
const PREFIX: &str = "reference/";
const AT: TopicPartition = TopicPartition {
    topic: ARTEFACTS,
    partition: 0,
};

/// A reference with the time from which it serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReferenceVersion {
    /// Its name, which is the reference's own.
    pub version: Text<64>,
    /// From when on it serves.
    pub since: EpochMs,
    /// How many shoppers it rests on.
    #[serde(default)]
    pub shoppers: u64,
    /// What it says.
    pub reference: Arc<Reference>,
}

/// Why a record under the key of a reference is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceRefused {
    /// It is no JSON of a reference, or a number of it makes no sense.
    #[error("it is no reference: {0}")]
    Unreadable(String),
    /// The names in it differ.
    #[error("its key, its name and the name of the reference in it are not the same")]
    OtherName,
}

impl ReferenceVersion {
    /// The record that publishes it.
    ///
    /// # Errors
    /// It cannot be written as JSON, which no sound reference does.
    pub fn record(&self) -> Result<NewRecord, LogError> {
        let value = serde_json::to_vec(self)
            .map_err(|error| LogError::Damaged(format!("writing a reference: {error}")))?;
        Ok(NewRecord {
            at: AT,
            key: key_of(&self.version),
            value: Some(value.into()),
        })
    }

    /// The record that takes it away.
    pub fn tombstone(&self) -> NewRecord {
        NewRecord {
            at: AT,
            key: key_of(&self.version),
            value: None,
        }
    }

    /// Reads the content of a record under the key of version `name`.
    fn read(name: &str, value: &[u8]) -> Result<Self, ReferenceRefused> {
        let read: Self = serde_json::from_slice(value)
            .map_err(|error| ReferenceRefused::Unreadable(error.to_string()))?;
        if *read.version != *name || read.reference.version() != name {
            return Err(ReferenceRefused::OtherName);
        }
        Ok(read)
    }
}

fn key_of(version: &str) -> Bytes {
    format!("{PREFIX}{version}").into()
}

/// What a record of `foretide.artefacts` is to those who read references.
#[derive(Clone, Debug, PartialEq)]
pub enum ReferenceRecord {
    /// A version.
    Version(Arc<ReferenceVersion>),
    /// This version is not kept any more.
    Gone(String),
    /// What claims to be this version and cannot be used.
    Refused(String, ReferenceRefused),
}

impl ReferenceRecord {
    /// What `record` is; `None` if it is about something else than references.
    pub fn of(record: &Record) -> Option<Self> {
        let name = std::str::from_utf8(&record.key)
            .ok()?
            .strip_prefix(PREFIX)?;
        let Some(value) = &record.value else {
            return Some(Self::Gone(name.to_owned()));
        };
        Some(match ReferenceVersion::read(name, value) {
            Ok(version) => Self::Version(Arc::new(version)),
            Err(cause) => Self::Refused(name.to_owned(), cause),
        })
    }
}

/// What serves at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Serving {
    /// The reference.
    pub reference: Arc<Reference>,
    /// From when on; `None` of the prior, which serves before the first version.
    pub since: Option<EpochMs>,
    /// How many shoppers it rests on: none of the prior.
    pub shoppers: u64,
}

/// All versions that are known, by when they serve. What cannot be used is passed over: the last good one stays.
#[derive(Debug)]
pub struct References {
    /// By (since, name), the earliest first.
    versions: RwLock<Vec<Arc<ReferenceVersion>>>,
    prior: Arc<Reference>,
}

impl Default for References {
    fn default() -> Self {
        Self {
            versions: RwLock::default(),
            prior: Arc::new(Reference::prior()),
        }
    }
}

impl References {
    /// Reads all versions that `log` holds, for a command that looks at a log. What cannot be used is logged and passed over.
    ///
    /// # Errors
    /// The log cannot be read, or says nothing for `patience`.
    pub async fn load(log: &ReadOnlyLog, patience: Duration) -> Result<Self, LogError> {
        let known = Self::default();
        let end = log.end_offsets(ARTEFACTS).await?.first().copied();
        let mut at = 0;
        let mut reader = log.reader(ARTEFACTS, &[(0, at)]).await?;
        while end.is_some_and(|end| at < end) {
            let silent = || LogError::Away(format!("{ARTEFACTS} could not be read to its end"));
            let chunk = reader.next(patience).await?.ok_or_else(silent)?;
            for record in &chunk.records {
                known.take(record);
            }
            at = chunk.next_offset;
        }
        Ok(known)
    }

    /// The reference of `instant`: the newest version that serves since then or earlier, the prior before the first.
    pub fn at(&self, instant: EpochMs) -> Arc<Reference> {
        self.serving(instant).reference
    }

    /// The same, with since when it serves and what it rests on.
    pub fn serving(&self, instant: EpochMs) -> Serving {
        let versions = self.versions.read();
        let next = versions.partition_point(|version| version.since <= instant);
        match versions[..next].last() {
            Some(version) => Serving {
                reference: Arc::clone(&version.reference),
                since: Some(version.since),
                shoppers: version.shoppers,
            },
            None => Serving {
                reference: Arc::clone(&self.prior),
                since: None,
                shoppers: 0,
            },
        }
    }

    /// The newest version, whether it serves already or not.
    pub fn newest(&self) -> Option<Arc<ReferenceVersion>> {
        self.versions.read().last().cloned()
    }

    /// All versions, the earliest first.
    pub fn all(&self) -> Vec<Arc<ReferenceVersion>> {
        self.versions.read().clone()
    }

    /// Takes note of a record of `foretide.artefacts`, and says what it was. Records that are about something else change
    /// nothing; neither does what cannot be used, which is logged.
    pub fn take(&self, record: &Record) -> Option<ReferenceRecord> {
        let read = ReferenceRecord::of(record)?;
        match &read {
            ReferenceRecord::Version(version) => self.insert(Arc::clone(version)),
            ReferenceRecord::Gone(name) => {
                self.versions
                    .write()
                    .retain(|known| *known.version != **name);
            }
            ReferenceRecord::Refused(version, cause) => tracing::error!(
                version,
                offset = record.offset,
                %cause,
                "a reference on {ARTEFACTS} cannot be used: the last good one stays"
            ),
        }
        Some(read)
    }

    fn insert(&self, version: Arc<ReferenceVersion>) {
        let mut versions = self.versions.write();
        versions.retain(|known| known.version != version.version);
        let place = versions.partition_point(|known| {
            (known.since, &*known.version) <= (version.since, &*version.version)
        });
        versions.insert(place, version);
    }
}

#[cfg(test)]
mod tests {
    use crate::{Log as _, foretide_topics, memory::MemoryLog};

    use super::*;

    fn version(name: &str, since: i64) -> ReferenceVersion {
        let version = Text::new(name).unwrap();
        ReferenceVersion {
            reference: Arc::new(Reference::prior().named(version.clone())),
            version,
            since: EpochMs(since),
            shoppers: 100,
        }
    }

    async fn log_with(records: Vec<NewRecord>) -> ReadOnlyLog {
        let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
        log.declare(&foretide_topics(1)).await.unwrap();
        log.append(records).await.unwrap();
        ReadOnlyLog::new(Arc::new(log))
    }

    async fn load(records: Vec<NewRecord>) -> References {
        let log = log_with(records).await;
        References::load(&log, Duration::from_secs(1))
            .await
            .unwrap()
    }

    fn published(versions: &[(&str, i64)]) -> Vec<NewRecord> {
        let record = |(name, since): &(&str, i64)| version(name, *since).record().unwrap();
        versions.iter().map(record).collect()
    }

    #[tokio::test]
    async fn each_instant_has_the_version_that_served_then_in_whatever_order_they_came() {
        let references = load(published(&[("c", 300), ("a", 100), ("b", 200)])).await;
        for (instant, name) in [
            (i64::MIN, "prior-1"),
            (99, "prior-1"),
            (100, "a"),
            (299, "b"),
            (300, "c"),
            (i64::MAX, "c"),
        ] {
            assert_eq!(references.at(EpochMs(instant)).version(), name, "{instant}");
        }
        assert_eq!(references.newest().unwrap().since, EpochMs(300));
        assert_eq!(references.all().len(), 3);
    }

    #[tokio::test]
    async fn a_version_that_is_taken_away_leaves_its_time_to_the_one_before() {
        let mut records = published(&[("a", 100), ("b", 200)]);
        records.push(version("b", 200).tombstone());
        let references = load(records).await;
        assert_eq!(references.at(EpochMs(300)).version(), "a");
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_passed_over_and_the_last_good_one_stays() {
        let good = version("a", 100).record().unwrap();
        let text = String::from_utf8(good.value.clone().unwrap().into()).unwrap();
        let damaged = [
            text.replace("\"scale\":0.8", "\"scale\":-0.8"),
            text.replace("\"scale\":0.8", "\"scale\":1e999"),
            text.replace("\"scale\":0.8", "\"scale\":null"),
            text.replacen("\"a\"", "\"b\"", 1),
            text[..text.len() / 2].to_owned(),
            String::new(),
        ];
        let mut records = vec![good.clone()];
        for text in damaged {
            let value = Some(text.into());
            records.push(NewRecord {
                value,
                ..good.clone()
            });
        }
        // What is about something else is no reference.
        records.push(NewRecord {
            key: Bytes::from_static(b"pseudonym-key"),
            ..good
        });
        let references = load(records).await;
        assert_eq!(references.all().len(), 1);
        assert_eq!(references.at(EpochMs(100)).version(), "a");
    }

    #[tokio::test]
    async fn a_log_that_says_nothing_is_no_log_without_references() {
        let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
        log.declare(&foretide_topics(1)).await.unwrap();
        log.faults().set_away(true);
        let log = ReadOnlyLog::new(Arc::new(log));
        assert!(
            References::load(&log, Duration::from_secs(1))
                .await
                .is_err()
        );
    }
}
