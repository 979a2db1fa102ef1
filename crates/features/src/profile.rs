//! The rolling state of one shopper, exact whatever the order of arrival.

use std::{borrow::Cow, collections::VecDeque};

use foretide_events::{EpochMs, Event, Fate, ShopperId};

use crate::{
    DecodeError, FoldRules, IdHash, Key, Observation, State,
    codec::{Header, Reader, Writer},
};

const HOUR_MS: i64 = 3_600_000;

/// An event older than the shopper's newest by more than this is late: 24 hours, in milliseconds.
pub const LATE_AFTER_MS: i64 = 24 * HOUR_MS;

/// An observation older than the newest by more than this settles: 25 hours, in milliseconds. The hour between
/// catches copies of an event that were sent again and whose corrected time moved meanwhile: a copy whose time
/// moved by an hour or less is found among the recents or is late. One that moved further can fold twice.
pub const SETTLE_AFTER_MS: i64 = 25 * HOUR_MS;

/// The most recent observations kept apart: the oldest beyond it settle early.
pub const RECENT_LIMIT: usize = 256;

/// The most bytes they may take together, so that a stored profile stays well below a megabyte, the usual limit of a
/// record: reached only by hundreds of views of very long carts.
const RECENT_BYTES: usize = 512 * 1024;

/// What came of applying an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Applied {
    /// The event's fate.
    pub fate: Fate,
    /// Observations that settled before their time because there were too many: copies of them can no longer be told.
    pub settled_early: u32,
}

/// How a stored profile says what is settled.
const NOT_SETTLED: u8 = 0;
const SETTLED: u8 = 1;
const SETTLED_WITH_ID: u8 = 2;

/// How large the stored form of a profile is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredSize {
    /// Version, rules, shopper and offset.
    pub head: usize,
    /// The settled state.
    pub settled: usize,
    /// The recent observations.
    pub recents: usize,
}

/// The state in which observations are for good, and the last of them. Its id is zero once nothing can come any more that
/// happened in the same millisecond.
#[derive(Clone, Debug, PartialEq)]
struct Settled {
    last: Key,
    state: State,
}

impl Settled {
    fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        let with_id = match reader.byte()? {
            NOT_SETTLED => return Ok(None),
            SETTLED => false,
            SETTLED_WITH_ID => true,
            _ => return Err(DecodeError::Corrupt("neither settled nor not")),
        };
        let at = reader.time(EpochMs(0))?;
        let id = if with_id { reader.id()? } else { IdHash::NONE };
        Ok(Some(Self {
            last: Key { at, id },
            state: State::read(reader, at)?,
        }))
    }
}

/// The rolling state of one shopper and the log position it has applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    shopper: ShopperId,
    next_offset: u64,
    /// The fold of all that counts: of the settled state and then the recents, in canonical order.
    current: State,
    /// Observations that may still be joined or corrected, in canonical order. The last is the newest.
    recents: VecDeque<Observation>,
    recent_bytes: usize,
    settled: Option<Box<Settled>>,
}

impl Profile {
    /// The profile of a shopper of whom nothing is known.
    pub fn new(shopper: ShopperId) -> Self {
        Self {
            shopper,
            next_offset: 0,
            current: State::default(),
            recents: VecDeque::new(),
            recent_bytes: 0,
            settled: None,
        }
    }

    /// Whose it is.
    pub fn shopper(&self) -> ShopperId {
        self.shopper
    }

    /// The offset after the last applied one, in the shopper's partition of `foretide.actions`.
    pub fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// The state after everything applied.
    pub fn state(&self) -> &State {
        &self.current
    }

    /// When the newest event happened.
    pub fn newest_at(&self) -> Option<EpochMs> {
        let settled = || self.settled.as_ref().map(|settled| settled.last);
        self.recents
            .back()
            .map(Observation::key)
            .or_else(settled)
            .map(|key| key.at)
    }

    /// Number of observations that may still be joined or corrected.
    pub fn recent_len(&self) -> usize {
        self.recents.len()
    }

    /// The state as it was at `at`, events at that very millisecond included. `None`: `at` lies before the last
    /// settled observation, and what was known then is no longer told apart.
    pub fn state_at(&self, at: EpochMs, rules: &FoldRules) -> Option<Cow<'_, State>> {
        if self.newest_at().is_none_or(|newest| at >= newest) {
            return Some(Cow::Borrowed(&self.current));
        }
        if self
            .settled
            .as_ref()
            .is_some_and(|settled| at < settled.last.at)
        {
            return None;
        }
        let known = self
            .recents
            .partition_point(|observation| observation.key.at <= at);
        Some(Cow::Owned(self.fold_recents(known, rules)))
    }

    /// Applies the event at `offset`. `None`: it was applied before, and nothing changed.
    ///
    /// The event must be of this shopper, and all events must come in the order of their offsets; their times may
    /// be in any order.
    pub fn apply(&mut self, event: &Event, offset: u64, rules: &FoldRules) -> Option<Applied> {
        if offset < self.next_offset {
            return None;
        }
        self.next_offset = offset.saturating_add(1);
        Some(self.observe(Observation::of(event), rules))
    }

    fn observe(&mut self, observation: Observation, rules: &FoldRules) -> Applied {
        let fate = self.judge(&observation);
        match fate {
            Fate::Late => {
                return Applied {
                    fate,
                    settled_early: 0,
                };
            }
            Fate::Folded => self.insert(observation, rules),
            Fate::Duplicate => self.replace(observation, rules),
        }
        Applied {
            fate,
            settled_early: self.settle(rules),
        }
    }

    fn judge(&self, observation: &Observation) -> Fate {
        let Key { at, id } = observation.key;
        let old = self
            .newest_at()
            .is_some_and(|newest| newest.since(at) > LATE_AFTER_MS);
        if old
            || self
                .settled
                .as_ref()
                .is_some_and(|settled| observation.key <= settled.last)
        {
            Fate::Late
        } else if self.recents.iter().any(|recent| recent.key.id == id) {
            Fate::Duplicate
        } else {
            Fate::Folded
        }
    }

    fn insert(&mut self, mut observation: Observation, rules: &FoldRules) {
        if let Some(topic) = &mut observation.topic
            && let Some(kept) = self.current.kept_topic(topic)
        {
            *topic = kept.clone();
        }
        self.recent_bytes += observation.size();
        let in_order = self
            .recents
            .back()
            .is_none_or(|newest| newest.key < observation.key);
        if in_order {
            self.current.fold(&observation, rules);
            self.recents.push_back(observation);
        } else {
            let place = self
                .recents
                .partition_point(|recent| recent.key < observation.key);
            self.recents.insert(place, observation);
            self.current = self.fold_recents(self.recents.len(), rules);
        }
    }

    /// Puts `copy` in the place of the observation with the same id, if it wins over it.
    fn replace(&mut self, copy: Observation, rules: &FoldRules) {
        let Some(place) = self
            .recents
            .iter()
            .position(|recent| recent.key.id == copy.key.id)
        else {
            return;
        };
        if !copy.wins_over(&self.recents[place]) {
            return;
        }
        if let Some(former) = self.recents.remove(place) {
            self.recent_bytes -= former.size();
        }
        self.recent_bytes += copy.size();
        let place = self.recents.partition_point(|recent| recent.key < copy.key);
        self.recents.insert(place, copy);
        self.current = self.fold_recents(self.recents.len(), rules);
    }

    /// The settled state with the first `count` recents folded in.
    fn fold_recents(&self, count: usize, rules: &FoldRules) -> State {
        let mut state = self
            .settled
            .as_ref()
            .map(|settled| settled.state.clone())
            .unwrap_or_default();
        self.recents
            .iter()
            .take(count)
            .for_each(|observation| state.fold(observation, rules));
        state
    }

    /// Settles what is old enough, and the oldest of what is too much; returns how many of the latter.
    fn settle(&mut self, rules: &FoldRules) -> u32 {
        let Some(newest) = self.newest_at() else {
            return 0;
        };
        let mut early = 0;
        while let Some(oldest) = self.recents.front() {
            let due = newest.since(oldest.key.at) > SETTLE_AFTER_MS;
            let crowded = self.recents.len() > RECENT_LIMIT || self.recent_bytes > RECENT_BYTES;
            if !due && (!crowded || self.recents.len() == 1) {
                break;
            }
            let Some(oldest) = self.recents.pop_front() else {
                break;
            };
            early += u32::from(!due);
            self.recent_bytes -= oldest.size();
            let settled = self.settled.get_or_insert_with(|| {
                Box::new(Settled {
                    last: oldest.key,
                    state: State::default(),
                })
            });
            settled.last = oldest.key;
            settled.state.fold(&oldest, rules);
        }
        if let Some(settled) = &mut self.settled
            && newest.since(settled.last.at) > SETTLE_AFTER_MS
        {
            settled.last.id = IdHash::NONE;
        }
        early
    }

    /// Appends its stored form to `out`. `rules` are those it was folded under.
    pub fn encode(&self, rules: &FoldRules, out: &mut Vec<u8>) {
        let _ = self.write(rules, out);
    }

    /// How large its stored form is.
    pub fn stored_size(&self, rules: &FoldRules) -> StoredSize {
        self.write(rules, &mut Vec::new())
    }

    fn write(&self, rules: &FoldRules, out: &mut Vec<u8>) -> StoredSize {
        let begin = out.len();
        let mut writer = Writer::new(out);
        let Self {
            shopper,
            next_offset,
            ..
        } = *self;
        Header {
            rules: rules.version(),
            shopper,
            next_offset,
        }
        .write(&mut writer);
        let head = writer.len() - begin;
        let mut before = EpochMs(0);
        if let Some(settled) = &self.settled {
            let with_id = settled.last.id != IdHash::NONE;
            writer.bytes(&[if with_id { SETTLED_WITH_ID } else { SETTLED }]);
            writer.time(EpochMs(0), settled.last.at);
            if with_id {
                writer.id(settled.last.id);
            }
            settled.state.write(&mut writer);
            before = settled.last.at;
        } else {
            writer.bytes(&[NOT_SETTLED]);
        }
        let settled = writer.len() - begin - head;
        writer.length(self.recents.len());
        for observation in &self.recents {
            writer.later(before, observation.key.at);
            writer.id(observation.key.id);
            writer.deed(&observation.deed, observation.topic.as_ref());
            before = observation.key.at;
        }
        StoredSize {
            head,
            settled,
            recents: writer.len() - begin - head - settled,
        }
    }

    /// Reads the stored form, and folds the recents in again under `rules`.
    pub fn decode(bytes: &[u8], rules: &FoldRules) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let Header {
            rules: found,
            shopper,
            next_offset,
        } = Header::read(&mut reader)?;
        let expected = rules.version();
        if found != expected {
            return Err(DecodeError::OtherRules { found, expected });
        }
        let mut profile = Self {
            next_offset,
            ..Self::new(shopper)
        };
        profile.settled = Settled::read(&mut reader)?.map(Box::new);
        profile.read_recents(&mut reader)?;
        reader.end()?;
        profile.current = profile.fold_recents(profile.recents.len(), rules);
        Ok(profile)
    }

    fn read_recents(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let mut before = self.settled.as_ref().map(|settled| settled.last);
        let count = reader.length(RECENT_LIMIT)?;
        for _ in 0..count {
            let base = before.map_or(EpochMs(0), |before| before.at);
            let key = Key {
                at: reader.later(base)?,
                id: reader.id()?,
            };
            if before.is_some_and(|before| key <= before) {
                return Err(DecodeError::Corrupt("observations out of order"));
            }
            let (deed, topic) = reader.deed()?;
            let observation = Observation { key, topic, deed };
            self.recent_bytes += observation.size();
            self.recents.push_back(observation);
            before = Some(key);
        }
        Ok(())
    }
}
