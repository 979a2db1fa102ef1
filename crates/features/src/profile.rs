//! The rolling state of one shopper, exact whatever the order of arrival.

use std::borrow::Cow;

use foretide_events::{EpochMs, Event, Fate, Lean, ShopperId};

use crate::{
    Contributed, Contribution, DecodeError, FoldRules, Key, Link, Linked, Observation, State,
    codec::{Header, Reader, Writer},
    combine::fold_together,
    contribution::Contributions,
    history::History,
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

/// What came of applying an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Applied {
    /// The event's fate.
    pub fate: Fate,
    /// Observations that settled before their time because there were too many: copies of them can no longer be told.
    pub settled_early: u32,
}

/// How large the stored form of a profile is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredSize {
    /// Version, rules, shopper and offset.
    pub head: usize,
    /// The settled state.
    pub settled: usize,
    /// The recent observations.
    pub recents: usize,
    /// The link and what others contribute.
    pub linked: usize,
}

/// What is there besides the own history.
const LINK: u8 = 1;
const CONTRIBUTIONS: u8 = 2;

/// The rolling state of one shopper and the log position it has applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    shopper: ShopperId,
    next_offset: u64,
    /// The fold of all that counts: of the settled state and then the recents, in canonical order, with what others
    /// contribute.
    current: State,
    own: History,
    link: Option<Link>,
    contributions: Contributions,
    /// Where something is contributed: the oldest observation that was folded together with those of the others.
    oldest_together: Option<EpochMs>,
}

impl Profile {
    /// The profile of a shopper of whom nothing is known.
    pub fn new(shopper: ShopperId) -> Self {
        Self {
            shopper,
            next_offset: 0,
            current: State::default(),
            own: History::default(),
            link: None,
            contributions: Contributions::default(),
            oldest_together: None,
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

    /// The state after everything applied, what other pseudonyms contribute included.
    pub fn state(&self) -> &State {
        &self.current
    }

    /// When the newest event happened.
    pub fn newest_at(&self) -> Option<EpochMs> {
        self.histories()
            .filter_map(History::newest)
            .max()
            .map(|key| key.at)
    }

    /// Number of observations of its own that may still be joined or corrected.
    pub fn recent_len(&self) -> usize {
        self.own.recent_len()
    }

    /// The state as it was at `at`, events at that very millisecond included. `None`: `at` lies before the last settled
    /// observation, or more than 25 hours before the newest where any is settled, and what was known then is no longer told. Where
    /// the shopper was away at `at` and nothing is left but what is settled, its sums are rounded already, which they were not
    /// when it was the current state: features read then and now agree to 1e-9 of themselves.
    pub fn state_at(&self, at: EpochMs, rules: &FoldRules) -> Option<Cow<'_, State>> {
        let Some(newest) = self.newest_at().filter(|newest| at < *newest) else {
            return Some(Cow::Borrowed(&self.current));
        };
        let is_old = newest.since(at) > SETTLE_AFTER_MS;
        let known = self
            .histories()
            .all(|history| history.reaches_back_to(at, is_old));
        known.then(|| Cow::Owned(self.fold_until(at, rules)))
    }

    /// Shows `visit` the state after each of the observations from `from` on, in their order, as far as they are told apart: several
    /// at one millisecond come to one state. Where other pseudonyms contribute, sums may differ in their last digits from those of
    /// [`state_at`](Self::state_at), which is exact.
    pub fn each_state_from(&self, from: EpochMs, rules: &FoldRules, mut visit: impl FnMut(&State)) {
        let histories: Vec<_> = self.histories().collect();
        if let [own] = histories[..] {
            own.each_state_from(from, rules, visit);
        } else {
            fold_together(&histories, EpochMs(i64::MAX), rules, |state| {
                if state.as_of() >= from {
                    visit(state);
                }
            });
        }
    }

    /// Applies the event at `offset`. `None`: it was applied before, and nothing changed.
    ///
    /// The event must be of this shopper, and all events must come in the order of their offsets; their times may
    /// be in any order.
    pub fn apply(&mut self, event: &Event, offset: u64, rules: &FoldRules) -> Option<Applied> {
        self.advance(offset)?;
        let observation = Observation::of_next(&Lean::of(event), &self.current);
        Some(self.observe(observation, rules))
    }

    /// The same of an event of which no more was read than the fold needs.
    pub fn apply_observation(
        &mut self,
        observation: Observation,
        offset: u64,
        rules: &FoldRules,
    ) -> Option<Applied> {
        self.advance(offset)?;
        Some(self.observe(observation, rules))
    }

    /// Applies the link at `offset`. `None`: it was applied before, and nothing changed.
    pub fn apply_link(&mut self, link: Link, offset: u64) -> Option<Linked> {
        self.advance(offset)?;
        Some(self.learn_link(link))
    }

    /// Takes in a link that has no offset of its own: one that follows from events of another shopper, where the whole log is
    /// folded at once.
    pub fn learn_link(&mut self, link: Link) -> Linked {
        let former = self.link;
        match former {
            Some(former) if former <= link => Linked::Later,
            _ => {
                self.link = Some(link);
                former.map_or(Linked::First, |former| Linked::Earlier {
                    former: (former.known != link.known).then_some(former.known),
                })
            }
        }
    }

    /// The known shopper that this anonymous one turned out to be.
    pub fn link(&self) -> Option<&Link> {
        self.link.as_ref()
    }

    /// What this anonymous profile contributes to that of its known shopper; `None` if it is not linked, or nothing was ever done
    /// under its own name: a device that was used by a named shopper alone takes no [place](crate::SOURCE_LIMIT) of one with a
    /// history.
    pub fn contribution(&self) -> Option<Contribution> {
        self.link?;
        self.own.newest()?;
        let history = self.own.clone();
        Some(Contribution::of(self.shopper, self.next_offset, history))
    }

    /// Takes in what another pseudonym of the same person contributes. In whatever order and however often contributions come, the
    /// latest of each source counts, as long as there are no more than [four](crate::SOURCE_LIMIT) of them.
    pub fn contribute(&mut self, contribution: Contribution, rules: &FoldRules) -> Contributed {
        if contribution.source() == self.shopper {
            return Contributed::Refused;
        }
        let contributed = self.contributions.put(contribution);
        if contributed == Contributed::Applied {
            self.rebuild(rules);
        }
        contributed
    }

    /// Takes in what a source contributes in the place of whatever is there of it, newer or not: for who holds both profiles, and
    /// folds some of them anew.
    pub fn contribute_anew(
        &mut self,
        contribution: Contribution,
        rules: &FoldRules,
    ) -> Contributed {
        if self.contributions.holds(&contribution) {
            return Contributed::Older;
        }
        if contribution.source() != self.shopper {
            self.contributions.forget(contribution.source());
        }
        self.contribute(contribution, rules)
    }

    /// Forgets whatever `source` contributed, as if it had never been.
    pub fn forget_contribution(&mut self, source: ShopperId, rules: &FoldRules) {
        if self.contributions.forget(source) {
            self.rebuild(rules);
        }
    }

    /// Whose contributions count here, in their order.
    pub fn sources(&self) -> impl Iterator<Item = ShopperId> {
        self.contributions.sources()
    }

    fn advance(&mut self, offset: u64) -> Option<()> {
        let new = offset >= self.next_offset;
        new.then(|| self.next_offset = offset.saturating_add(1))
    }

    fn observe(&mut self, observation: Observation, rules: &FoldRules) -> Applied {
        let fate = self.own.judge(&observation);
        let (mut changed, mut in_order) = (true, false);
        match fate {
            Fate::Late => changed = false,
            Fate::Folded => {
                in_order = self.goes_on(observation.key);
                if in_order {
                    if self.contributions.histories().next().is_none() {
                        self.own.settle_before(observation.key.at, &self.current);
                    }
                    self.current.fold(&observation, rules);
                }
                self.own.insert(observation);
            }
            Fate::Duplicate => changed = self.own.replace(observation),
        }
        if fate == Fate::Late {
            return Applied {
                fate,
                settled_early: 0,
            };
        }
        let settled_early = self.own.settle(rules);
        let regroups = settled_early > 0 && self.contributions.histories().next().is_some();
        if changed && !in_order || regroups {
            self.rebuild(rules);
        }
        Applied {
            fate,
            settled_early,
        }
    }

    /// Whether an observation with this key comes after all others, so that folding it is one more step.
    fn goes_on(&self, key: Key) -> bool {
        if !self.own.is_next(key) {
            return false;
        }
        let mut others = self.contributions.histories().peekable();
        if others.peek().is_none() {
            return true;
        }
        let together = self.oldest_together;
        let none_falls_behind =
            together.is_some_and(|oldest| key.at.since(oldest) <= SETTLE_AFTER_MS);
        none_falls_behind && others.all(|other| other.newest().is_none_or(|newest| newest < key))
    }

    fn histories(&self) -> impl Iterator<Item = &History> {
        std::iter::once(&self.own).chain(self.contributions.histories())
    }

    fn rebuild(&mut self, rules: &FoldRules) {
        let histories: Vec<_> = self.histories().collect();
        if let [own] = histories[..] {
            self.current = own.fold(own.recent_len(), rules);
            self.oldest_together = None;
        } else {
            let combined = fold_together(&histories, EpochMs(i64::MAX), rules, |_| ());
            self.current = combined.state;
            self.oldest_together = combined.oldest_together;
        }
    }

    fn fold_until(&self, at: EpochMs, rules: &FoldRules) -> State {
        let histories: Vec<_> = self.histories().collect();
        if let [own] = histories[..] {
            own.fold(own.count_until(at), rules)
        } else {
            fold_together(&histories, at, rules, |_| ()).state
        }
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
        Header {
            rules: rules.version(),
            shopper: self.shopper,
            next_offset: self.next_offset,
        }
        .write(&mut writer);
        let head = writer.len() - begin;
        let mut beside = if self.link.is_some() { LINK } else { 0 };
        if !self.contributions.is_empty() {
            beside |= CONTRIBUTIONS;
        }
        self.own.write_settled(beside, &mut writer);
        let settled = writer.len() - begin - head;
        self.own.write_recents(&mut writer);
        let recents = writer.len() - begin - head - settled;
        if let Some(Link { known, at, id }) = self.link {
            writer.bytes(known.as_bytes());
            writer.time(EpochMs(0), at);
            writer.id(id);
        }
        if !self.contributions.is_empty() {
            self.contributions.write(&mut writer);
        }
        StoredSize {
            head,
            settled,
            recents,
            linked: writer.len() - begin - head - settled - recents,
        }
    }

    /// Reads the stored form of the profile of `shopper`, and folds the recents in again under `rules`.
    pub fn decode(
        shopper: ShopperId,
        bytes: &[u8],
        rules: &FoldRules,
    ) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let header = Header::read(&mut reader, shopper, rules)?;
        let mut profile = Self {
            next_offset: header.next_offset,
            ..Self::new(shopper)
        };
        let beside;
        (profile.own, beside) = History::read_settled(&mut reader)?;
        if beside & !(LINK | CONTRIBUTIONS) != 0 {
            return Err(DecodeError::Corrupt("an unknown part of a profile"));
        }
        profile.own.read_recents(&mut reader)?;
        if beside & LINK != 0 {
            profile.link = Some(Link {
                known: ShopperId(reader.array()?),
                at: reader.time(EpochMs(0))?,
                id: reader.id()?,
            });
        }
        if beside & CONTRIBUTIONS != 0 {
            profile.contributions = Contributions::read(&mut reader)?;
        }
        reader.end()?;
        profile.rebuild(rules);
        Ok(profile)
    }
}
