//! What of one pseudonym's observations is settled, and what may still be corrected.

use std::collections::VecDeque;

use foretide_events::{EpochMs, Fate};

use crate::{
    DecodeError, FoldRules, IdHash, Key, LATE_AFTER_MS, Observation, RECENT_LIMIT, SETTLE_AFTER_MS,
    State,
    codec::{Reader, Writer},
};

/// The most bytes the recents may take together, so that a stored profile with all that four others contribute stays below a
/// megabyte, the usual limit of a record: reached only by hundreds of views of very long carts.
const RECENT_BYTES: usize = 160 * 1024;

/// How a stored history says what is settled. Its owner may use the other bits of the byte.
const NOT_SETTLED: u8 = 0;
/// It is settled and rounded, and nothing as old may still come.
const SETTLED: u8 = 1;
const SETTLED_WITH_ID: u8 = 2;
/// The same of a state whose sums are not rounded.
const EXACT: u8 = 3;
const EXACT_WITH_ID: u8 = 4;
/// The bits of that byte that are used here.
pub(crate) const SETTLED_BITS: u32 = 3;

/// The state in which observations are for good, and the last of them. Its id is zero once nothing can come any more that
/// happened in the same millisecond.
#[derive(Clone, Debug, PartialEq)]
struct Settled {
    last: Key,
    state: State,
}

/// A settled state and the recent observations, in canonical order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct History {
    /// Observations that may still be joined or corrected. The last is the newest.
    recents: VecDeque<Observation>,
    /// Which ids those may have.
    ids: Ids,
    recent_bytes: usize,
    settled: Option<Box<Settled>>,
}

impl History {
    /// The newest observation.
    pub(crate) fn newest(&self) -> Option<Key> {
        let settled = || self.settled.as_ref().map(|settled| settled.last);
        self.recents.back().map(Observation::key).or_else(settled)
    }

    /// Number of observations that may still be joined or corrected.
    pub(crate) fn recent_len(&self) -> usize {
        self.recents.len()
    }

    /// The recent observations, oldest first.
    pub(crate) fn recents(&self) -> impl Iterator<Item = &Observation> {
        self.recents.iter()
    }

    /// The settled state.
    pub(crate) fn settled(&self) -> Option<&State> {
        self.settled.as_ref().map(|settled| &settled.state)
    }

    /// Whether it can be told what was known at `at`, which `is_old` if it lies more than 25 hours back: what is settled then has
    /// been rounded, and forgets what counts nothing any more.
    pub(crate) fn reaches_back_to(&self, at: EpochMs, is_old: bool) -> bool {
        let settled = self.settled.as_ref();
        settled.is_none_or(|settled| !is_old && at >= settled.last.at)
    }

    pub(crate) fn judge(&self, observation: &Observation) -> Fate {
        let Key { at, id } = observation.key;
        let newest = self.newest();
        let old = newest.is_some_and(|newest| newest.at.since(at) > LATE_AFTER_MS);
        let settled = self.settled.as_ref();
        if old || settled.is_some_and(|settled| observation.key <= settled.last) {
            Fate::Late
        } else if self.ids.may_hold(id) && self.recents.iter().any(|recent| recent.key.id == id) {
            Fate::Duplicate
        } else {
            Fate::Folded
        }
    }

    /// Whether an observation with this key would be the newest.
    pub(crate) fn is_next(&self, key: Key) -> bool {
        self.recents.back().is_none_or(|newest| newest.key < key)
    }

    pub(crate) fn insert(&mut self, observation: Observation) {
        self.recent_bytes += observation.size();
        self.ids.add(observation.key.id);
        if self.is_next(observation.key) {
            self.recents.push_back(observation);
            return;
        }
        let place = self
            .recents
            .partition_point(|recent| recent.key < observation.key);
        self.recents.insert(place, observation);
    }

    /// Puts `copy` in the place of the observation with the same id, if it wins over it; whether it did.
    pub(crate) fn replace(&mut self, copy: Observation) -> bool {
        let mut recents = self.recents.iter();
        let Some(place) = recents.position(|recent| recent.key.id == copy.key.id) else {
            return false;
        };
        if !copy.wins_over(&self.recents[place]) {
            return false;
        }
        if let Some(former) = self.recents.remove(place) {
            self.recent_bytes -= former.size();
        }
        self.insert(copy);
        true
    }

    /// The settled state with the first `count` recents folded in; how many recents happened up to `at` says
    /// [`count_until`](Self::count_until).
    pub(crate) fn fold(&self, count: usize, rules: &FoldRules) -> State {
        let mut state = self.settled().cloned().unwrap_or_default();
        let recents = self.recents.iter().take(count);
        recents.for_each(|observation| state.fold(observation, rules));
        state
    }

    /// Shows `visit` the state after each instant from `from` on at which there are recents.
    pub(crate) fn each_state_from(
        &self,
        from: EpochMs,
        rules: &FoldRules,
        mut visit: impl FnMut(&State),
    ) {
        let mut state = self.settled().cloned().unwrap_or_default();
        let mut recents = self.recents.iter().peekable();
        while let Some(observation) = recents.next() {
            state.fold(observation, rules);
            let at = observation.key.at;
            if at >= from && recents.peek().is_none_or(|next| next.key.at > at) {
                visit(&state);
            }
        }
    }

    /// How many of the recents happened at `at` or before.
    pub(crate) fn count_until(&self, at: EpochMs) -> usize {
        self.recents.partition_point(|recent| recent.key.at <= at)
    }

    /// Settles all recents at once if what happens next, at `at`, lies so much later that each would settle. `current` is the state
    /// with all of them: taking it costs less than folding them a second time.
    pub(crate) fn settle_before(&mut self, at: EpochMs, current: &State) {
        let Some(last) = self.recents.back().map(Observation::key) else {
            return;
        };
        if at.since(last.at) <= SETTLE_AFTER_MS {
            return;
        }
        let state = current.clone();
        self.settled = Some(Box::new(Settled { last, state }));
        self.recents.clear();
        self.recent_bytes = 0;
        self.ids = Ids::default();
    }

    /// Settles what is old enough, and the oldest of what is too much; returns how many of the latter.
    pub(crate) fn settle(&mut self, rules: &FoldRules) -> u32 {
        let Some(newest) = self.newest() else {
            return 0;
        };
        let (mut early, mut settled_now) = (0, 0);
        while let Some(oldest) = self.recents.front() {
            let due = newest.at.since(oldest.key.at) > SETTLE_AFTER_MS;
            let crowded = self.recents.len() > RECENT_LIMIT || self.recent_bytes > RECENT_BYTES;
            if !due && (!crowded || self.recents.len() == 1) {
                break;
            }
            let Some(oldest) = self.recents.pop_front() else {
                break;
            };
            early += u32::from(!due);
            settled_now += 1;
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
        if self.ids.forget(settled_now, self.recents.len()) {
            self.ids = Ids::of(&self.recents);
        }
        let past = newest.at.plus(-SETTLE_AFTER_MS);
        if let Some(settled) = &mut self.settled
            && settled.last.at < past
        {
            settled.last.id = IdHash::NONE;
            if settled.state.is_pausing(past, rules) {
                settled.state.round();
                settled.state.forget_visit(past);
            }
        }
        early
    }

    /// Writes what is settled, `beside` in the free bits of its first byte.
    pub(crate) fn write_settled(&self, beside: u8, writer: &mut Writer<'_>) {
        let beside = beside << SETTLED_BITS;
        let Some(settled) = &self.settled else {
            return writer.bytes(&[NOT_SETTLED | beside]);
        };
        let with_id = settled.last.id != IdHash::NONE;
        let how = match (settled.state.rounded, with_id) {
            (true, false) => SETTLED,
            (true, true) => SETTLED_WITH_ID,
            (false, false) => EXACT,
            (false, true) => EXACT_WITH_ID,
        };
        writer.bytes(&[how | beside]);
        writer.time(EpochMs(0), settled.last.at);
        if with_id {
            writer.id(settled.last.id);
        }
        settled.state.write(writer);
    }

    pub(crate) fn write_recents(&self, writer: &mut Writer<'_>) {
        let settled = self.settled.as_ref();
        let mut before = settled.map_or(EpochMs(0), |settled| settled.last.at);
        writer.length(self.recents.len());
        for observation in &self.recents {
            writer.later(before, observation.key.at);
            writer.id(observation.key.id);
            writer.deed(&observation.deed, observation.topic.as_ref());
            before = observation.key.at;
        }
    }

    /// Reads what is settled, and the free bits of its first byte.
    pub(crate) fn read_settled(reader: &mut Reader<'_>) -> Result<(Self, u8), DecodeError> {
        let byte = reader.byte()?;
        let beside = byte >> SETTLED_BITS;
        let (rounded, with_id) = match byte & ((1 << SETTLED_BITS) - 1) {
            NOT_SETTLED => return Ok((Self::default(), beside)),
            SETTLED => (true, false),
            SETTLED_WITH_ID => (true, true),
            EXACT => (false, false),
            EXACT_WITH_ID => (false, true),
            _ => return Err(DecodeError::Corrupt("neither settled nor not")),
        };
        let at = reader.time(EpochMs(0))?;
        let id = if with_id { reader.id()? } else { IdHash::NONE };
        let settled = Some(Box::new(Settled {
            last: Key { at, id },
            state: State::read(reader, at, rounded)?,
        }));
        let history = Self {
            settled,
            ..Self::default()
        };
        Ok((history, beside))
    }

    pub(crate) fn read_recents(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
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
            self.ids.add(key.id);
            self.recents.push_back(observation);
            before = Some(key);
        }
        Ok(())
    }
}

/// Which ids there may be among the recents. Most events are no copies, and then nothing of those before has to be looked at, which
/// lie in memory far apart. It says nothing of what the recents are, so all are equal.
#[derive(Clone, Copy, Debug, Default)]
struct Ids {
    /// A bit for each id.
    bits: [u64; 4],
    /// How many were added of which nothing is there any more.
    gone: u32,
}

impl PartialEq for Ids {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Ids {
    fn of(recents: &VecDeque<Observation>) -> Self {
        let mut ids = Self::default();
        for recent in recents {
            ids.add(recent.key.id);
        }
        ids
    }

    /// The place of the bit of `id`: eight of the bits of its hash.
    fn place(id: IdHash) -> (usize, u32) {
        let [a, ..] = id.0.to_le_bytes();
        (usize::from(a >> 6), u32::from(a & 63))
    }

    fn add(&mut self, id: IdHash) {
        let (word, bit) = Self::place(id);
        self.bits[word] |= 1 << bit;
    }

    /// Whether there may be an observation with this id. If not, there is none.
    fn may_hold(&self, id: IdHash) -> bool {
        let (word, bit) = Self::place(id);
        self.bits[word] >> bit & 1 == 1
    }

    /// So many more are gone, and so many are left: whether it is time to begin anew.
    fn forget(&mut self, gone: u32, left: usize) -> bool {
        self.gone += gone;
        self.gone as usize > left.max(16)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Deed;

    #[test]
    fn most_ids_that_are_not_there_are_known_not_to_be() {
        let id = |number: u32| IdHash::of(&number.to_string());
        let mut ids = Ids::default();
        (0..20).for_each(|number| ids.add(id(number)));
        assert!((0..20).all(|number| ids.may_hold(id(number))));
        let mistaken = (20..1020).filter(|number| ids.may_hold(id(*number)));
        assert!(mistaken.count() < 200);
    }

    proptest! {
        /// What may still come as a copy is found, whatever has settled meanwhile.
        #[test]
        fn every_recent_id_is_found(steps in prop::collection::vec((0..40_000_i64, -20_000..1_i64), 1..400)) {
            let (mut history, mut newest) = (History::default(), 0);
            for (number, (step, back)) in (0_u32..).zip(steps) {
                newest += step * 1_000;
                let key = Key {
                    at: EpochMs(newest + back * 1_000),
                    id: IdHash::of(&number.to_string()),
                };
                let observation = Observation { key, topic: None, deed: Deed::Custom };
                if history.judge(&observation) == Fate::Folded {
                    history.insert(observation);
                    let _ = history.settle(&FoldRules::default());
                }
                prop_assert!(history.recents().all(|recent| history.ids.may_hold(recent.key.id)));
                prop_assert!(history.recents.iter().is_sorted_by_key(Observation::key));
                let anew = Ids::of(&history.recents);
                let stale = history.ids.gone as usize;
                prop_assert!(stale > 0 || history.ids.bits == anew.bits);
                prop_assert!(stale <= history.recents.len().max(16));
            }
        }
    }
}
