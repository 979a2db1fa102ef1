//! What is kept by version on `foretide.artefacts`, and which version served when.
//!
//! A version is a record of its own, `<kind>/<name>`, and never changes. It serves from the instant that it states until the
//! next one does, so whoever reads the topic later, from wherever, applies to a past instant what was applied then.
//!
//! What cannot be used is refused, told, and passed over: the last good one stays.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use foretide_events::EpochMs;
use parking_lot::RwLock;
use serde::{Serialize, de::DeserializeOwned};

use crate::{ARTEFACTS, LogError, NewRecord, ReadOnlyLog, Record, TopicPartition};

const AT: TopicPartition = TopicPartition {
    topic: ARTEFACTS,
    partition: 0,
};

/// How long after its record was stored a version may begin to serve at the latest, in milliseconds. Whoever publishes names an instant a
/// few seconds ahead; one far ahead comes of a wrong clock or is garbage, and would keep everything that follows waiting for it.
const AHEAD_MS: i64 = 60_000;

/// A kind of artefact that is kept by version.
pub trait Versioned: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What the keys of its records begin with.
    const PREFIX: &'static str;

    /// What its key says behind [`PREFIX`](Self::PREFIX): no two versions have the same.
    fn name(&self) -> String;

    /// From when on it serves.
    fn since(&self) -> EpochMs;

    /// Refuses one that makes no sense. What serde does not accept never comes here.
    fn check(&self) -> Result<(), ArtefactRefused>;

    /// The record that publishes it.
    ///
    /// # Errors
    /// It cannot be written as JSON, which no sound one does.
    fn record(&self) -> Result<NewRecord, LogError> {
        let key = key_of::<Self>(&self.name());
        let value = serde_json::to_vec(self).map_err(|error| {
            let key = String::from_utf8_lossy(&key);
            LogError::Damaged(format!("writing {key}: {error}"))
        })?;
        Ok(NewRecord {
            at: AT,
            key,
            value: Some(value.into()),
        })
    }

    /// The record that takes it away.
    fn tombstone(&self) -> NewRecord {
        NewRecord {
            at: AT,
            key: key_of::<Self>(&self.name()),
            value: None,
        }
    }
}

fn key_of<T: Versioned>(name: &str) -> Bytes {
    format!("{}{name}", T::PREFIX).into()
}

/// Why a record under the key of an artefact is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArtefactRefused {
    /// It is not of the needed shape, or a number of it makes no sense.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// The names in it differ.
    #[error("its key and the names in it are not the same")]
    OtherName,
    /// It would serve from much later on than it was stored.
    #[error(
        "it is of {since}, more than a minute after it was stored at {stored_at}: set the clock of the host that published it"
    )]
    TooFarAhead {
        /// From when on it would serve.
        since: EpochMs,
        /// When its record was stored.
        stored_at: EpochMs,
    },
    /// It can be read, and must not be used.
    #[error("it must not be used: {0}")]
    Unsound(String),
}

/// What a record of `foretide.artefacts` is to those who follow artefacts of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Artefact<T> {
    /// A version.
    Version(Arc<T>),
    /// The version of this name is not kept any more.
    Gone(String),
    /// What claims to be the version of this name and cannot be used.
    Refused(String, ArtefactRefused),
}

impl<T: Versioned> Artefact<T> {
    /// What `record` is; `None` if it is about something else.
    pub fn of(record: &Record) -> Option<Self> {
        let name = std::str::from_utf8(&record.key)
            .ok()?
            .strip_prefix(T::PREFIX)?;
        let Some(value) = &record.value else {
            return Some(Self::Gone(name.to_owned()));
        };
        Some(match read::<T>(name, value, record.appended_at) {
            Ok(version) => Self::Version(Arc::new(version)),
            Err(cause) => Self::Refused(name.to_owned(), cause),
        })
    }

    /// Whether it cannot be used.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(..))
    }
}

/// `stored_at` is 1970 where the log does not say when.
fn read<T: Versioned>(name: &str, value: &[u8], stored_at: EpochMs) -> Result<T, ArtefactRefused> {
    let read: T = serde_json::from_slice(value)
        .map_err(|error| ArtefactRefused::Unreadable(error.to_string()))?;
    if read.name() != name {
        return Err(ArtefactRefused::OtherName);
    }
    read.check()?;
    if stored_at > EpochMs(0) && read.since().since(stored_at) > AHEAD_MS {
        return Err(ArtefactRefused::TooFarAhead {
            since: read.since(),
            stored_at,
        });
    }
    Ok(read)
}

/// All versions of one kind that are known, by when they serve.
#[derive(Debug)]
pub struct Versions<T> {
    known: RwLock<Known<T>>,
}

#[derive(Debug)]
struct Known<T> {
    /// By (since, name), the earliest first.
    versions: Vec<Arc<T>>,
    /// Since when each serves, by name.
    since: HashMap<String, EpochMs>,
}

impl<T> Default for Versions<T> {
    fn default() -> Self {
        let known = Known {
            versions: Vec::new(),
            since: HashMap::new(),
        };
        Self {
            known: RwLock::new(known),
        }
    }
}

impl<T: Versioned> Versions<T> {
    /// Reads all versions that `log` holds, for a command that looks at a log. What cannot be used is logged and passed over.
    ///
    /// # Errors
    /// The log cannot be read, or says nothing for `patience`.
    pub async fn load(log: &ReadOnlyLog, patience: Duration) -> Result<Self, LogError> {
        let known = Self::default();
        read_artefacts(log, patience, |record| {
            known.take(record);
        })
        .await?;
        Ok(known)
    }

    /// The version that serves at `instant`: the newest that serves since then or earlier. `None` before the first.
    pub fn at(&self, instant: EpochMs) -> Option<Arc<T>> {
        let known = self.known.read();
        let next = known
            .versions
            .partition_point(|version| version.since() <= instant);
        known.versions[..next].last().cloned()
    }

    /// The version of this name.
    pub fn get(&self, name: &str) -> Option<Arc<T>> {
        let known = self.known.read();
        let place = known.place(name)?;
        known.versions.get(place).cloned()
    }

    /// The version that takes over from the one of this name; `None` if that is the newest, or not known.
    pub fn after(&self, name: &str) -> Option<Arc<T>> {
        let known = self.known.read();
        let place = known.place(name)?;
        known.versions.get(place + 1).cloned()
    }

    /// The newest version, whether it serves already or not.
    pub fn newest(&self) -> Option<Arc<T>> {
        self.known.read().versions.last().cloned()
    }

    /// All versions, the earliest first.
    pub fn all(&self) -> Vec<Arc<T>> {
        self.known.read().versions.clone()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.known.read().versions.len()
    }

    /// Takes note of a record of `foretide.artefacts`, and says what it was. Records that are about something else change
    /// nothing; neither does what cannot be used, which is logged.
    pub fn take(&self, record: &Record) -> Option<Artefact<T>> {
        let read = Artefact::of(record)?;
        match &read {
            Artefact::Version(version) => self.known.write().insert(Arc::clone(version)),
            Artefact::Gone(name) => self.known.write().remove(name),
            Artefact::Refused(name, cause) => tracing::error!(
                artefact = format!("{}{name}", T::PREFIX),
                offset = record.offset,
                %cause,
                "an artefact on {ARTEFACTS} cannot be used: the last good one stays"
            ),
        }
        Some(read)
    }
}

impl<T: Versioned> Known<T> {
    fn insert(&mut self, version: Arc<T>) {
        let (since, name) = (version.since(), version.name());
        self.remove(&name);
        let place = self.place_of(since, &name);
        self.versions.insert(place, version);
        self.since.insert(name, since);
    }

    fn remove(&mut self, name: &str) {
        if let Some(place) = self.place(name) {
            self.versions.remove(place);
            self.since.remove(name);
        }
    }

    /// Where the version of this name is.
    fn place(&self, name: &str) -> Option<usize> {
        let since = *self.since.get(name)?;
        Some(self.place_of(since, name))
    }

    /// Where a version of this name and time is, or belongs.
    fn place_of(&self, since: EpochMs, name: &str) -> usize {
        self.versions.partition_point(|known| {
            let earlier = known.since();
            earlier < since || (earlier == since && known.name().as_str() < name)
        })
    }
}

/// Hands every record that `log` has on `foretide.artefacts` now to `take`, in their order.
///
/// # Errors
/// The log cannot be read, or says nothing for `patience`.
pub async fn read_artefacts(
    log: &ReadOnlyLog,
    patience: Duration,
    mut take: impl FnMut(&Record),
) -> Result<(), LogError> {
    let end = log.end_offsets(ARTEFACTS).await?.first().copied();
    let mut at = 0;
    let mut reader = log.reader(ARTEFACTS, &[(0, at)]).await?;
    while end.is_some_and(|end| at < end) {
        let silent = || LogError::Away(format!("{ARTEFACTS} could not be read to its end"));
        let chunk = reader.next(patience).await?.ok_or_else(silent)?;
        chunk.records.iter().for_each(&mut take);
        at = chunk.next_offset;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use crate::{Log as _, foretide_topics, memory::MemoryLog};

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Hat {
        name: String,
        since: EpochMs,
    }

    impl Versioned for Hat {
        const PREFIX: &'static str = "hat/";

        fn name(&self) -> String {
            self.name.clone()
        }

        fn since(&self) -> EpochMs {
            self.since
        }

        fn check(&self) -> Result<(), ArtefactRefused> {
            if self.name == "bad" {
                return Err(ArtefactRefused::Unsound("it is bad".to_owned()));
            }
            Ok(())
        }
    }

    fn hat(name: &str, since: i64) -> Hat {
        Hat {
            name: name.to_owned(),
            since: EpochMs(since),
        }
    }

    fn as_read(new: NewRecord) -> Record {
        Record {
            offset: 0,
            appended_at: EpochMs(0),
            key: new.key,
            value: new.value,
        }
    }

    fn publish(known: &Versions<Hat>, hat: &Hat) -> Option<Artefact<Hat>> {
        known.take(&as_read(hat.record().unwrap()))
    }

    #[test]
    fn what_cannot_be_used_is_told_by_its_cause_and_changes_nothing() {
        let known = Versions::default();
        publish(&known, &hat("a", 100));
        let good = hat("a", 100).record().unwrap();
        let refused = |value: &str| {
            let record = as_read(NewRecord {
                value: Some(value.to_owned().into()),
                ..good.clone()
            });
            match known.take(&record) {
                Some(Artefact::Refused(name, cause)) => (name, cause),
                other => panic!("{other:?}"),
            }
        };
        let (name, cause) = refused(r#"{"name":"b","since":"1970-01-01T00:00:00Z"}"#);
        assert_eq!((name.as_str(), cause), ("a", ArtefactRefused::OtherName));
        let (_, cause) = refused("garbage");
        assert!(matches!(cause, ArtefactRefused::Unreadable(_)));
        let unsound = publish(&known, &hat("bad", 200));
        assert!(unsound.unwrap().is_refused());
        let another = NewRecord {
            key: Bytes::from_static(b"pseudonym-key"),
            ..good.clone()
        };
        assert_eq!(known.take(&as_read(another)), None);
        assert_eq!(known.at(EpochMs(1_000)).unwrap().name, "a");
        assert_eq!(known.count(), 1);
    }

    #[test]
    fn a_version_that_is_published_again_counts_once_and_as_it_was_said_last() {
        let known = Versions::default();
        for (name, since) in [("a", 100), ("b", 200), ("a", 300)] {
            publish(&known, &hat(name, since));
        }
        assert_eq!(known.count(), 2);
        assert_eq!(known.after("b").unwrap().name, "a");
        assert_eq!((known.after("a"), known.after("c")), (None, None));
        assert_eq!(known.at(EpochMs(150)), None);
        assert_eq!(known.newest().unwrap().name, "a");
        assert_eq!(known.get("a").unwrap().since, EpochMs(300));
        known.take(&as_read(hat("a", 300).tombstone()));
        assert_eq!(known.get("a"), None);
        assert_eq!(known.newest().unwrap().name, "b");
    }

    #[test]
    fn what_would_serve_from_much_later_on_than_it_was_stored_is_refused_where_that_is_known() {
        for (stored_at, since, is_used) in [
            (1_000, 1_000 + AHEAD_MS, true),
            (1_000, 1_001 + AHEAD_MS, false),
            (1_000, 4_070_908_800_000, false),
            (0, 1_001 + AHEAD_MS, true),
        ] {
            let known = Versions::<Hat>::default();
            let record = Record {
                appended_at: EpochMs(stored_at),
                ..as_read(hat("a", since).record().unwrap())
            };
            known.take(&record);
            assert_eq!(known.count(), usize::from(is_used), "{stored_at} {since}");
        }
    }

    #[tokio::test]
    async fn a_log_that_says_nothing_is_no_log_without_artefacts() {
        let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
        log.declare(&foretide_topics(1)).await.unwrap();
        log.faults().set_away(true);
        let log = ReadOnlyLog::new(Arc::new(log));
        let loaded = Versions::<Hat>::load(&log, Duration::from_secs(1)).await;
        assert!(loaded.is_err());
    }

    proptest! {
        #[test]
        fn whatever_the_order_they_came_in_each_instant_has_the_newest_that_serves(
            sinces in proptest::collection::vec(0_i64..20, 0..12),
            instant in -1_i64..21,
        ) {
            let known = Versions::default();
            for (number, since) in sinces.iter().enumerate() {
                publish(&known, &hat(&format!("{number:02}"), *since));
            }
            let expected = (0..).zip(&sinces).filter(|(_, since)| **since <= instant);
            let expected = expected.max_by_key(|(number, since)| (**since, *number));
            let found = known.at(EpochMs(instant)).map(|hat| hat.name.clone());
            prop_assert_eq!(found, expected.map(|(number, _)| format!("{number:02}")));
        }
    }
}
