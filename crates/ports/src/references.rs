//! Which reference served when, as `foretide.artefacts` tells: what is usual among shoppers, by version.

use std::{sync::Arc, time::Duration};

use foretide_events::{EpochMs, Text};
use foretide_features::Reference;
use serde::{Deserialize, Serialize};

use crate::{Artefact, ArtefactRefused, LogError, ReadOnlyLog, Record, Versioned, Versions};

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

impl Versioned for ReferenceVersion {
    const PREFIX: &'static str = "reference/";

    fn name(&self) -> String {
        self.version.to_string()
    }

    fn since(&self) -> EpochMs {
        self.since
    }

    fn check(&self) -> Result<(), ArtefactRefused> {
        if self.reference.version() == &*self.version {
            Ok(())
        } else {
            Err(ArtefactRefused::OtherName)
        }
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

/// All versions that are known, by when they serve, and the prior before the first.
#[derive(Debug)]
pub struct References {
    versions: Versions<ReferenceVersion>,
    prior: Arc<Reference>,
}

impl Default for References {
    fn default() -> Self {
        Self {
            versions: Versions::default(),
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
        Ok(Self {
            versions: Versions::load(log, patience).await?,
            ..Self::default()
        })
    }

    /// The reference of `instant`: the newest version that serves since then or earlier, the prior before the first.
    pub fn at(&self, instant: EpochMs) -> Arc<Reference> {
        match self.versions.at(instant) {
            Some(version) => Arc::clone(&version.reference),
            None => Arc::clone(&self.prior),
        }
    }

    /// The same, with since when it serves and what it rests on.
    pub fn serving(&self, instant: EpochMs) -> Serving {
        match self.versions.at(instant) {
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

    /// The reference of this name, the prior included; `None` if it is not kept.
    pub fn named(&self, name: &str) -> Option<Arc<Reference>> {
        if name == self.prior.version() {
            return Some(Arc::clone(&self.prior));
        }
        let version = self.versions.get(name)?;
        Some(Arc::clone(&version.reference))
    }

    /// The newest version, whether it serves already or not.
    pub fn newest(&self) -> Option<Arc<ReferenceVersion>> {
        self.versions.newest()
    }

    /// All versions, the earliest first.
    pub fn all(&self) -> Vec<Arc<ReferenceVersion>> {
        self.versions.all()
    }

    /// Takes note of a record of `foretide.artefacts`, as [`Versions::take`] does.
    pub fn take(&self, record: &Record) -> Option<Artefact<ReferenceVersion>> {
        self.versions.take(record)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::{Log as _, NewRecord, foretide_topics, memory::MemoryLog};

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
        assert_eq!(references.named("b").unwrap().version(), "b");
        assert_eq!(references.named("prior-1").unwrap().version(), "prior-1");
        assert!(references.named("never").is_none());
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
}
