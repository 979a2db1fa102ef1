//! What events tell while they are folded.

use foretide_events::EpochMs;
use foretide_features::{Profile, Session};

use super::{
    Partition, Shared,
    moves::{Formerly, Placing},
    out::Out,
    rounds::BEHIND_MS,
    schedule::{DAY_MS, Schedule},
    teller::{Teller, Telling},
};
use crate::{
    ExamplesMode,
    fold::Folder,
    sessions::{self, HISTORY_AFTER_MS, Sessions},
};

/// The folding of some records of one partition, as far as it tells something.
pub(crate) struct Course<'a> {
    shared: &'a Shared,
    partition: &'a Partition,
    sessions: &'a Sessions,
    teller: Teller<'a>,
    placing: Option<Placing>,
    /// Up to where points of drift are told of everyone.
    told_until: EpochMs,
    /// Up to where they are told, or will be in the round that goes on.
    listed_until: EpochMs,
    /// The newest event of those folded.
    newest: EpochMs,
    is_moving: bool,
    out: Out,
}

/// An event on its way into a profile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passing {
    at: EpochMs,
    appended_at: EpochMs,
    /// When the newest event before it happened.
    former: EpochMs,
    /// Whether the last points of before are not told.
    is_untold: bool,
    /// What was known of the sessions, where the event is out of order.
    sessions: Option<sessions::Before>,
}

impl<'a> Course<'a> {
    pub(super) fn begin(
        shared: &'a Shared,
        partition: &'a Partition,
        number: u32,
        folder: &'a Folder,
    ) -> Self {
        let state = partition.state.lock();
        Self {
            shared,
            partition,
            sessions: &folder.sessions,
            teller: shared.teller(number, folder),
            placing: state.moves.placing().cloned(),
            told_until: state.rounds.told_until().unwrap_or(super::NEVER_TOLD),
            listed_until: state.rounds.told_or_listed(),
            newest: super::NEVER_TOLD,
            is_moving: state.moves.is_moving(),
            out: Out::default(),
        }
    }

    /// The place of the cohort that `profile` is in before an event that happened at `at`, if that may move it and nothing is
    /// known of it since the last commit.
    pub(crate) fn place(
        &self,
        profile: &Profile,
        at: EpochMs,
        appended_at: EpochMs,
        is_known: impl FnOnce() -> bool,
    ) -> Option<Formerly> {
        if appended_at.since(at) > HISTORY_AFTER_MS {
            return None;
        }
        self.place_now(profile, is_known)
    }

    /// The same, before something changes `profile` that may move it.
    pub(crate) fn place_now(
        &self,
        profile: &Profile,
        is_known: impl FnOnce() -> bool,
    ) -> Option<Formerly> {
        let placing = self.placing.as_ref()?;
        (!is_known()).then(|| placing.formerly(profile, self.teller.rules))
    }

    /// Goes on with the contribution at `offset` of `foretide.links`.
    pub(crate) fn contribution(&mut self, offset: u64) {
        self.teller.next_link = offset.saturating_add(1);
    }

    /// To be asked before an event is applied to `profile`; tells what it passes. `sessions` are those of before, if they are known,
    /// and `is_changed` says whether the profile changed since the last commit. `None` where nothing more is to be done.
    pub(crate) fn before(
        &mut self,
        profile: &Profile,
        at: EpochMs,
        appended_at: EpochMs,
        sessions: Option<sessions::Before>,
        is_changed: impl FnOnce() -> bool,
    ) -> Option<Passing> {
        let mode = self.shared.mode;
        if self.is_moving && profile.newest_at().is_none() {
            self.partition.state.lock().moves.came(profile.shopper());
        }
        let is_history = appended_at.since(at) > HISTORY_AFTER_MS;
        if mode == ExamplesMode::Off || mode == ExamplesMode::Live && is_history {
            return None;
        }
        self.newest = self.newest.max(at.min(appended_at));
        let Some(former) = profile.newest_at() else {
            // Nothing was told of a shopper whose first event this is.
            return None;
        };
        let mut passing = Passing {
            at,
            appended_at,
            former,
            is_untold: is_history,
            sessions: None,
        };
        if at < former {
            passing.is_untold = is_changed() || self.is_waiting(profile);
            let of_profile = || sessions::Before::of(profile, at, self.teller.rules);
            passing.sessions = Some(sessions.unwrap_or_else(of_profile));
            return Some(passing);
        }
        let shopper = profile.shopper();
        let crosses = Schedule::of(&shopper).next(former) < at;
        let over = profile
            .state()
            .latest_session()
            .filter(|session| at.since(session.last()) > self.teller.rules.session_gap_ms);
        if crosses || over.is_some() {
            let is_live = |at: EpochMs| appended_at.since(at) <= HISTORY_AFTER_MS;
            let is_untold = is_history || is_changed() || self.is_waiting(profile);
            if crosses {
                let from = if is_untold {
                    former
                } else {
                    former.max(self.told_until.plus(1))
                };
                let (from, telling) = (self.not_before(from, appended_at), Telling::Usual);
                self.teller.drift(profile, from, at, telling, &mut self.out);
            }
            // One that is to be announced may be out of sight by then.
            let is_due = |session: &&Session| {
                let told = mode == ExamplesMode::All || is_live(session.last());
                told && is_untold
            };
            if let Some(session) = over.filter(is_due) {
                let (state, telling) = (profile.state(), Telling::Usual);
                self.teller
                    .session(profile, state, session, telling, &mut self.out);
            }
        }
        (at <= self.listed_until).then_some(passing)
    }

    /// To be asked when the event is applied to `profile`: tells anew what it changed.
    pub(crate) fn after(&mut self, profile: &Profile, passing: Passing) {
        let Passing {
            at,
            appended_at,
            former,
            ..
        } = passing;
        let newest = profile.newest_at().unwrap_or(at);
        // What follows the newest event of who is behind is told when no more history comes.
        let until = if self.told_until.since(newest) > BEHIND_MS {
            former
        } else {
            former.max(self.listed_until.plus(1))
        };
        let from = self.not_before(at, appended_at);
        self.teller
            .drift(profile, from, until, Telling::Anew, &mut self.out);
        if let Some(before) = passing.sessions {
            self.sessions_after(profile, &passing, before);
        }
    }

    /// Tells anew the sessions that an event out of order changed: until those that are live are announced they may be out of sight.
    fn sessions_after(&mut self, profile: &Profile, passing: &Passing, before: sessions::Before) {
        let (teller, out) = (self.teller, &mut self.out);
        if profile.link().is_some() {
            return;
        }
        let Some(touched) = before.touched(profile, passing.at, teller.rules) else {
            return;
        };
        if let Some(start) = touched.gone() {
            teller.gone(profile, start, out);
        }
        let latest = sessions::latest_start(profile);
        sessions::sessions_from(profile, touched.from(), teller.rules, |state, session| {
            // The latest goes on, or is told when it is over.
            if Some(session.start()) != latest || !passing.is_untold {
                teller.session(profile, state, session, Telling::Anew, out);
            }
        });
    }

    /// Tells the points that a contribution to `profile` passed, whose newest event was at `former`.
    pub(crate) fn contributed(&mut self, profile: &Profile, former: Option<EpochMs>) {
        let (Some(former), Some(newest)) = (former, profile.newest_at()) else {
            return;
        };
        if self.shared.mode == ExamplesMode::Off || newest <= former {
            return;
        }
        let told = self.told_until.plus(1);
        let is_behind = self.told_until.since(newest) > BEHIND_MS;
        let (from, until) = if is_behind {
            (former, newest)
        } else {
            // Those that were told while the shopper seemed to be away as well.
            (
                former.max(told).min(newest),
                newest.max(self.listed_until.plus(1)),
            )
        };
        let from = if self.shared.mode == ExamplesMode::Live {
            from.max(newest.plus(-DAY_MS))
        } else {
            from
        };
        self.teller
            .drift(profile, from, until, Telling::Usual, &mut self.out);
    }

    /// Ends it; returns what was told.
    pub(crate) fn end(self, now: EpochMs) -> Out {
        if self.newest > super::NEVER_TOLD {
            let mut state = self.partition.state.lock();
            state.rounds.came(self.newest);
            let due_at = state.due_at(now);
            let (slot, order) = (&self.partition.due_at, std::sync::atomic::Ordering::AcqRel);
            slot.fetch_min(due_at, order);
        }
        self.out
    }

    /// Where only what is live is told, nothing of what lies a day before it is.
    fn not_before(&self, from: EpochMs, appended_at: EpochMs) -> EpochMs {
        match self.shared.mode {
            ExamplesMode::Live => from.max(appended_at.plus(-DAY_MS)),
            ExamplesMode::All | ExamplesMode::Off => from,
        }
    }

    /// Whether the last points of `profile` are to be told yet.
    fn is_waiting(&self, profile: &Profile) -> bool {
        let shopper = profile.shopper();
        let state = self.partition.state.lock();
        state.look_through.is_some()
            || state.tails.holds(&shopper)
            || self.sessions.awaits(self.teller.partition, &shopper)
    }
}
