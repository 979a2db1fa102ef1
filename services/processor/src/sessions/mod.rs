//! Announcing sessions that are over, on `foretide.sessions`: in the same commit as the profiles, keyed by shopper.
//!
//! A session is over when half an hour passes without an action (`session_gap_ms` of the fold rules), and nothing happens then
//! that a fold would see. So a timer looks: for each shopper whose session goes on it holds the moment at which that would be
//! over. A timer changes no profile.
//!
//! * **Names.** A session's id says whose it is and when it began, so that announcing it again is harmless. Its revision is what
//!   the profile had applied, events and contributions: an event out of order that changes a session that was announced raises
//!   it, and the highest revision counts. Where such an event joins two sessions, or begins one earlier, the id that no session has any more
//!   is withdrawn.
//! * **History is not announced.** What is appended to the log more than [a day](HISTORY_AFTER_MS) after it happened, such as an
//!   import, announces no session.
//! * **Hardly anything is kept beside the profiles.** Every commit announces what is over by then, so all that may be missing after a
//!   restart are sessions that went on when the newest record was folded: the profiles are looked through once, those on disk piece
//!   by piece over the commits that follow, and what is over since is announced, be it again. A start that comes before that is done
//!   finds in the partition's counts as of when it began, and begins with that.
//! * **Linked shoppers.** The sessions of an anonymous shopper who turned out to be a known one are that one's. Where that comes out
//!   late, one that was announced is withdrawn, be it the device's or the known one's, if it is part of another one now.
//!
//! Replays, refolding, digests and followers announce nothing.

mod back;
mod record;
#[cfg(test)]
mod tests;
mod waiting;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use foretide_events::{EpochMs, ShopperId};
use foretide_features::{FoldRules, Profile};
use foretide_ports::ProfileWalk;
use parking_lot::Mutex;

pub(crate) use self::back::{latest_start, sessions_from};
use self::{
    back::{is_gone, next_start, session_around},
    record::Writer,
    waiting::{LookThrough, Waiting},
};
use crate::{
    emission::{COLD_LOOKS_AT_ONCE, Out, Teller, Telling},
    fold::Folder,
};

/// What is appended so long after it happened is history, in milliseconds.
pub(crate) const HISTORY_AFTER_MS: i64 = 24 * 60 * 60 * 1000;
/// The most shoppers whose sessions one commit announces of a partition; the rest follow with the next.
const AT_ONCE: usize = 5_000;
/// There is nothing to do before something is said.
const NEVER: i64 = i64::MAX;

/// What is to be announced of each partition. The default announces nothing.
#[derive(Clone, Default)]
pub(crate) struct Sessions(Arc<[Partition]>);

struct Partition {
    waiting: Mutex<Waiting>,
    /// When there may be something to announce, in epoch milliseconds.
    due_at: AtomicI64,
}

/// What was known of a shopper's sessions before an event was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    latest: Option<EpochMs>,
    /// When the first session after the event began, where the event lies before the latest one.
    next: Option<EpochMs>,
}

/// What an event did to the sessions of a shopper besides going on with the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Touched {
    /// Sessions that ended at this instant or later may have changed.
    from: EpochMs,
    /// When a session began that there is no more.
    gone: Option<EpochMs>,
    /// The shopper came back, and nothing of before changed.
    is_return: bool,
}

impl Touched {
    /// Sessions that ended at this instant or later may have changed.
    pub(crate) fn from(self) -> EpochMs {
        self.from
    }

    /// When a session began that there is no more.
    pub(crate) fn gone(self) -> Option<EpochMs> {
        self.gone
    }
}

impl Sessions {
    /// Announces those of `partitions` partitions.
    pub(crate) fn announced(partitions: u32) -> Self {
        let partition = |_| Partition {
            waiting: Mutex::default(),
            due_at: AtomicI64::new(NEVER),
        };
        Self((0..partitions).map(partition).collect())
    }

    /// To be asked before an event that happened at `at`, and was appended at `appended_at`, is applied to `profile`. `None`
    /// where nothing is announced.
    pub(crate) fn before(
        &self,
        profile: &Profile,
        at: EpochMs,
        appended_at: EpochMs,
        rules: &FoldRules,
    ) -> Option<Before> {
        if self.0.is_empty() || appended_at.since(at) > HISTORY_AFTER_MS {
            return None;
        }
        Some(Before::of(profile, at, rules))
    }

    /// Takes note of what an event did to the sessions of `shopper`, whose profile had changed since the last commit or not.
    pub(crate) fn touch(
        &self,
        partition: u32,
        shopper: ShopperId,
        touched: Touched,
        had_changed: bool,
    ) {
        let Some(partition) = self.0.get(partition as usize) else {
            return;
        };
        let mut waiting = partition.waiting.lock();
        if touched.is_return && !had_changed && !waiting.awaits(&shopper) {
            // The session before was announced when it was over.
            return;
        }
        let is_anew = !touched.is_return;
        waiting.touch(shopper, touched.from, touched.gone, is_anew);
        partition.due_at.store(0, Ordering::Release);
    }

    /// Takes note of a device of `partition` that turned out to be someone's, by an event at `at`: its session of then, if it was over
    /// and announced by `now`, is part of one of the known shopper.
    pub(crate) fn linked(
        &self,
        partition: u32,
        profile: &Profile,
        at: EpochMs,
        now: EpochMs,
        rules: &FoldRules,
    ) {
        let Some(waiting) = self.0.get(partition as usize) else {
            return;
        };
        let newest = profile.newest_at();
        if newest.is_none_or(|newest| now.since(newest) > HISTORY_AFTER_MS) {
            return;
        }
        let Some((start, last)) = session_around(profile, at, rules) else {
            return;
        };
        // The device may be in use again since.
        let ago = now.since(last);
        if ago > rules.session_gap_ms && ago <= HISTORY_AFTER_MS {
            let mut of_partition = waiting.waiting.lock();
            of_partition.touch(profile.shopper(), start, Some(start), true);
            waiting.due_at.store(0, Ordering::Release);
        }
    }

    /// Takes note of what a contribution did to the sessions of `profile`, whose latest one began at `former`: where it belongs to an
    /// earlier one now, that is another session, which has not been announced. Where it cannot be told any more whether it does, what
    /// was announced stays.
    pub(crate) fn contributed(
        &self,
        partition: u32,
        profile: &Profile,
        former: Option<EpochMs>,
        rules: &FoldRules,
    ) {
        let (Some(waiting), Some(former)) = (self.0.get(partition as usize), former) else {
            return;
        };
        if latest_start(profile) == Some(former) || !is_gone(profile, former, rules) {
            return;
        }
        let mut of_partition = waiting.waiting.lock();
        of_partition.touch(profile.shopper(), former, Some(former), true);
        waiting.due_at.store(0, Ordering::Release);
    }

    /// Whether a session of `shopper` that was there at the last commit may not have been announced.
    pub(crate) fn awaits(&self, partition: u32, shopper: &ShopperId) -> bool {
        let partition = self.0.get(partition as usize);
        partition.is_some_and(|partition| partition.waiting.lock().awaits(shopper))
    }

    /// Takes note of a profile of `partition` that changed since the last commit. `as_of` is when the newest record applied was
    /// appended.
    pub(crate) fn note(
        &self,
        partition: u32,
        profile: &Profile,
        as_of: EpochMs,
        now: EpochMs,
        rules: &FoldRules,
    ) {
        let (Some(partition), Some(session)) = (
            self.0.get(partition as usize),
            profile.state().latest_session(),
        ) else {
            return;
        };
        let over_at = session.last().plus(rules.session_gap_ms + 1);
        if over_at > now {
            if partition
                .waiting
                .lock()
                .wait(profile.shopper(), session.start(), over_at)
            {
                partition.due_at.fetch_min(over_at.0, Ordering::AcqRel);
            }
        } else if as_of.since(session.last()) <= HISTORY_AFTER_MS {
            partition
                .waiting
                .lock()
                .touch(profile.shopper(), session.start(), None, false);
            partition.due_at.store(0, Ordering::Release);
        }
    }

    /// Says that `partition` was restored, and as of when sessions that went on may not have been announced: of the newest record it
    /// had applied, or earlier where not all was looked through since.
    pub(crate) fn restored(&self, partition: u32, as_of: Option<EpochMs>) {
        let walk = ProfileWalk::over(partition);
        if let (Some(partition), Some(as_of)) = (self.0.get(partition as usize), as_of) {
            let look = LookThrough { as_of, walk };
            partition.waiting.lock().look_through(look);
            partition.due_at.store(0, Ordering::Release);
        }
    }

    /// Drops everything about `partition`.
    pub(crate) fn forget(&self, partition: u32) {
        if let Some(partition) = self.0.get(partition as usize) {
            *partition.waiting.lock() = Waiting::default();
            partition.due_at.store(NEVER, Ordering::Release);
        }
    }

    /// The partitions that may have something to announce.
    pub(crate) fn due(&self, now: EpochMs) -> impl Iterator<Item = u32> {
        let due = move |partition: &Partition| partition.due_at.load(Ordering::Acquire) <= now.0;
        (0..)
            .zip(self.0.iter())
            .filter(move |(_, partition)| due(partition))
            .map(|(number, _)| number)
    }

    /// Takes what `partition` has to announce, and the examples that follow from it.
    pub(crate) fn take(&self, partition: u32, folder: &Folder, now: EpochMs, out: &mut Out) {
        let (number, rules) = (partition, &folder.rules);
        let Some(partition) = self.0.get(partition as usize) else {
            return;
        };
        if partition.due_at.load(Ordering::Acquire) > now.0 {
            return;
        }
        let mut waiting = partition.waiting.lock();
        if let Some(mut look) = waiting.take_look_through() {
            // Once more as long as a session may last over its last action: clocks differ.
            let since = look.as_of.plus(-2 * rules.session_gap_ms);
            let walk = &mut look.walk;
            let is_done = folder.table.look_on(walk, COLD_LOOKS_AT_ONCE, |profile| {
                look_at(profile, since, now, rules, &mut waiting);
            });
            if !is_done {
                waiting.look_through(look);
            }
        }
        waiting.ring(now);
        let next_link = folder.counts.next_link(number);
        let teller = folder.emission.teller(number, folder);
        for touched in waiting.take_touched(AT_ONCE) {
            folder.table.read_in(number, &touched.shopper, |profile| {
                let announcing = Announcing {
                    writer: Writer {
                        partition: number,
                        profile,
                        next_link,
                    },
                    teller: teller.as_ref(),
                    now,
                    rules,
                };
                announcing.announce(&touched, &mut waiting, out);
            });
        }
        let unannounced = waiting.unannounced();
        folder
            .counts
            .update(number, |counts| counts.unannounced_as_of = unannounced);
        partition.due_at.store(waiting.due_at(), Ordering::Release);
    }
}

impl Before {
    /// What is known before an event that happened at `at` is applied to `profile`.
    pub(crate) fn of(profile: &Profile, at: EpochMs, rules: &FoldRules) -> Self {
        Self {
            latest: latest_start(profile),
            next: next_start(profile, at, rules),
        }
    }

    /// What an event that happened at `at` did, now that it is applied to `profile`.
    pub(crate) fn touched(
        self,
        profile: &Profile,
        at: EpochMs,
        rules: &FoldRules,
    ) -> Option<Touched> {
        let latest = latest_start(profile)?;
        let former = self.latest?;
        if latest == former && at >= latest {
            return None;
        }
        let gone = if latest < former {
            Some(former)
        } else {
            self.next
                .filter(|next| next_start(profile, at, rules) != Some(*next))
        };
        Some(Touched {
            from: at.min(former),
            gone,
            is_return: latest > former,
        })
    }
}

/// Takes note of a profile that was restored, if its latest session may not have been announced.
fn look_at(
    profile: &Profile,
    since: EpochMs,
    now: EpochMs,
    rules: &FoldRules,
    waiting: &mut Waiting,
) {
    let Some(session) = profile.state().latest_session() else {
        return;
    };
    let over_at = session.last().plus(rules.session_gap_ms + 1);
    if over_at > now {
        waiting.wait(profile.shopper(), session.start(), over_at);
    } else if session.last() >= since {
        waiting.touch(profile.shopper(), session.start(), None, false);
    }
}

/// Announces sessions of one profile.
struct Announcing<'a> {
    writer: Writer<'a>,
    teller: Option<&'a Teller<'a>>,
    now: EpochMs,
    rules: &'a FoldRules,
}

impl Announcing<'_> {
    /// Announces the sessions that were `touched` and are over, with their examples, and withdraws those that are gone. One
    /// that goes on is waited for.
    fn announce(&self, touched: &waiting::Touched, waiting: &mut Waiting, out: &mut Out) {
        let (profile, now, rules) = (self.writer.profile, self.now, self.rules);
        for start in &touched.gone {
            if now.since(*start) > rules.session_gap_ms {
                out.records.push(self.writer.withdrawal(*start));
            }
            if let Some(teller) = self.teller {
                teller.gone(profile, *start, out);
            }
        }
        if profile.link().is_some() {
            return;
        }
        let telling = if touched.is_anew {
            Telling::Anew
        } else {
            Telling::Usual
        };
        sessions_from(profile, touched.from, rules, |state, session| {
            if session.is_open(now, rules) {
                let over_at = session.last().plus(rules.session_gap_ms + 1);
                waiting.wait(profile.shopper(), session.start(), over_at);
                return;
            }
            out.records.push(self.writer.announcement(state, session));
            if let Some(teller) = self.teller {
                teller.session(profile, state, session, telling, out);
            }
        });
    }
}
