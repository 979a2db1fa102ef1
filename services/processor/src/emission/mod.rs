//! What follows from profiles and is told with them, in the same commit: examples, from which models learn
//! (`foretide.examples`), and moves between cohorts (`foretide.transitions`).
//!
//! * **Examples are features at an instant of the past**, worked out of the state at that instant, which holds nothing that
//!   happened later, against the reference of that instant. Of *abandonment* there are up to four [moments](visit) of each session
//!   that is over, three of them actions and one a pause, labelled with what came of them; of *drift* there is one point a day of each shopper with a habit, at the
//!   shopper's own [time of day](schedule), and one at a drawn [moment](visit) of a session, because that is when it is predicted.
//!   Their label follows from the point that lies the horizon later. Those of a shopper of one day count as one for who learns.
//! * **Live sessions** are told when they are announced (see [`sessions`](crate::sessions)). **History** has no timer: a session is
//!   over when the shopper's next event begins another, and the last one when nothing more came for a [while](tails).
//! * **Points of drift** are told when the shopper's own next event passes them; of who is away, when the newest event of the
//!   partition has passed them: time is that of the events, so that the end of an import is not taken for everyone's end.
//! * **Ids are derived and revisions count.** An event out of order tells again what lies behind it, with a higher revision: the
//!   highest counts. What is told twice is the same twice.
//! * **Little is kept.** Up to which instant points are told of everyone is part of the partition's [counts](EmissionProgress), with
//!   the offset from which on shoppers with untold history have changed: a start finds them by that.
//! * **Moves** are told when a commit leaves a shopper in another cohort than the last did, and when the cohorts form anew, piece by
//!   piece over the commits that follow: see [`moves`]. History moves nobody.
//! * **Linked shoppers** have no examples and no moves of their own: those of the known one hold all, and name the devices, because
//!   what was shown to a device was shown to the known one. What a device contributes later changes no example of before.
//!
//! What a profile does not tell apart any more (25 hours, 256 events) is not told either: a session that lasted longer has no
//! points, and an event that comes so late that it changes such a session leaves its points as they were.
//!
//! Replays, refolding, digests and followers emit nothing.

mod course;
mod moves;
mod out;
mod progress;
mod rounds;
mod schedule;
mod tails;
mod teller;
#[cfg(test)]
mod tests;
mod visit;

use std::{
    hash::BuildHasher as _,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use foldhash::fast::FixedState;
use foretide_events::EpochMs;
use foretide_features::Profile;
use foretide_ports::{Artefacts, ProfileWalk};
use parking_lot::Mutex;

pub use self::progress::EmissionProgress;
pub(crate) use self::{
    course::Course,
    moves::{Formerly, Placing},
    out::{Emitted, Out},
    teller::{Teller, Telling},
};
use self::{
    moves::Moves,
    rounds::{BEHIND_MS, Rounds},
    tails::Tails,
};
use crate::{ExamplesMode, fold::Folder, sessions::HISTORY_AFTER_MS};

/// About so many examples of history and of who is away are told of a partition with one commit; the rest follows with the next.
const EXAMPLES_AT_ONCE: usize = 500;
/// So many shoppers of a partition are looked at with one commit when the cohorts have formed anew.
const MOVES_AT_ONCE: usize = 1_000;
/// At a start all profiles are looked through, so many with one commit of those that are not in memory.
pub(crate) const COLD_LOOKS_AT_ONCE: usize = 1_000;
/// Stands for an instant before everything that adding days to does not change.
const NEVER_TOLD: EpochMs = EpochMs(i64::MIN / 2);
/// There is nothing to do before something is said.
const NEVER: i64 = i64::MAX;
/// No version of the cohorts.
const NO_COHORTS: u64 = 0;

/// What is emitted of each partition. The default emits nothing.
#[derive(Clone, Default)]
pub(crate) struct Emission(Option<Arc<Shared>>);

struct Shared {
    mode: ExamplesMode,
    artefacts: Artefacts,
    partitions: Vec<Partition>,
}

struct Partition {
    state: Mutex<State>,
    /// When there may be something to tell, in epoch milliseconds.
    due_at: AtomicI64,
    /// Names the version of the cohorts that shoppers are in, or are being moved to.
    cohorts: AtomicU64,
}

/// The state of one partition.
#[derive(Debug)]
struct State {
    rounds: Rounds,
    tails: Tails,
    moves: Moves,
    /// Where all profiles are yet to be looked through.
    look_through: Option<LookThrough>,
}

/// That all profiles are to be looked through.
#[derive(Clone, Debug)]
struct LookThrough {
    /// How far that is.
    walk: ProfileWalk,
    /// From which offset on those with untold history have changed, if there are any.
    untold_from: Option<u64>,
}

impl Default for Partition {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                rounds: Rounds::default(),
                tails: Tails::default(),
                moves: Moves::default(),
                look_through: None,
            }),
            due_at: AtomicI64::new(NEVER),
            cohorts: AtomicU64::new(NO_COHORTS),
        }
    }
}

impl Emission {
    /// Emits what `mode` says of `partitions` partitions, by what `artefacts` know.
    pub(crate) fn of(partitions: u32, mode: ExamplesMode, artefacts: Artefacts) -> Self {
        let partitions = (0..partitions).map(|_| Partition::default()).collect();
        Self(Some(Arc::new(Shared {
            mode,
            artefacts,
            partitions,
        })))
    }

    fn partition(&self, partition: u32) -> Option<(&Shared, &Partition)> {
        let shared = self.0.as_deref()?;
        Some((shared, shared.partitions.get(partition as usize)?))
    }

    /// What tells the examples of `partition`, if any are told.
    pub(crate) fn teller<'a>(&'a self, partition: u32, folder: &'a Folder) -> Option<Teller<'a>> {
        let shared = self.0.as_deref()?;
        (shared.mode != ExamplesMode::Off).then(|| shared.teller(partition, folder))
    }

    /// To be asked before some of `partition` is folded. `None` where nothing is emitted.
    pub(crate) fn begin<'a>(&'a self, partition: u32, folder: &'a Folder) -> Option<Course<'a>> {
        let (shared, state) = self.partition(partition)?;
        Some(Course::begin(shared, state, partition, folder))
    }

    /// Takes note of a profile of `partition` that changed since the last commit. `as_of` is when the newest record applied was
    /// appended. A shopper of whom history came is told when nothing more comes.
    pub(crate) fn note(&self, partition: u32, profile: &Profile, as_of: EpochMs, now: EpochMs) {
        let Some((shared, partition)) = self.partition(partition) else {
            return;
        };
        let Some(newest) = profile.newest_at().filter(|_| profile.link().is_none()) else {
            return;
        };
        let is_history = as_of.since(newest) > HISTORY_AFTER_MS;
        let is_told = match shared.mode {
            ExamplesMode::All => true,
            ExamplesMode::Live => !is_history,
            ExamplesMode::Off => false,
        };
        if !is_told || now.since(newest) <= BEHIND_MS {
            return;
        }
        let mut state = partition.state.lock();
        if is_history || state.rounds.is_behind(newest) {
            let shopper = profile.shopper();
            state.tails.note(shopper, profile.next_offset(), now);
            let due_at = state.tails.due_at();
            partition.due_at.fetch_min(due_at, Ordering::AcqRel);
        }
    }

    /// Says that `partition` was restored: there may be something to tell since.
    pub(crate) fn restored(&self, number: u32, progress: &EmissionProgress) {
        let Some((shared, partition)) = self.partition(number) else {
            return;
        };
        let mut state = partition.state.lock();
        state.look_through = Some(LookThrough {
            walk: ProfileWalk::over(number),
            untold_from: progress.untold_from,
        });
        if shared.mode != ExamplesMode::Off {
            state.rounds = Rounds::from(progress.told_until());
        }
        state.moves = Moves::restored(progress, &shared.artefacts);
        partition
            .cohorts
            .store(name_of(state.moves.version()), Ordering::Release);
        partition.due_at.store(0, Ordering::Release);
    }

    /// Drops everything about `partition`.
    pub(crate) fn forget(&self, partition: u32) {
        if let Some((_, partition)) = self.partition(partition) {
            *partition.state.lock() = Partition::default().state.into_inner();
            partition.due_at.store(NEVER, Ordering::Release);
            partition.cohorts.store(NO_COHORTS, Ordering::Release);
        }
    }

    /// The partitions that may have something to tell.
    pub(crate) fn due(&self, now: EpochMs) -> impl Iterator<Item = u32> {
        let shared = self.0.as_deref();
        let serving = shared.and_then(|shared| shared.artefacts.cohorts.at(now));
        let serving = name_of(serving.as_ref().map(|serving| &*serving.version));
        let due = move |partition: &Partition| {
            let cohorts = partition.cohorts.load(Ordering::Acquire);
            partition.due_at.load(Ordering::Acquire) <= now.0
                || serving != NO_COHORTS && cohorts != serving
        };
        let partitions = shared.map_or(&[][..], |shared| &shared.partitions[..]);
        (0..)
            .zip(partitions)
            .filter(move |(_, partition)| due(partition))
            .map(|(number, _)| number)
    }

    /// Which version of the cohorts holds for whom in `partition`.
    pub(crate) fn placing(&self, partition: u32) -> Option<Placing> {
        let (_, partition) = self.partition(partition)?;
        partition.state.lock().moves.placing().cloned()
    }

    /// Takes what `partition` has to tell besides what events told.
    pub(crate) fn take(&self, number: u32, folder: &Folder, now: EpochMs, out: &mut Out) {
        let Some((shared, partition)) = self.partition(number) else {
            return;
        };
        let mut state = partition.state.lock();
        let state = &mut *state;
        shared.take_examples(number, state, folder, now, out);
        if let Some(serving) = shared.artefacts.cohorts.at(now) {
            // One whose reference is not known is not asked for again and again.
            let name = name_of(Some(&serving.version));
            state.moves.follow(serving, &shared.artefacts);
            if !state.moves.is_moving() {
                partition.cohorts.store(name, Ordering::Release);
            }
        }
        let most = MOVES_AT_ONCE;
        state
            .moves
            .step(&folder.table, number, &folder.rules, most, out);
        folder.counts.update(number, |counts| {
            let progress = &mut counts.emission;
            progress.set_told_until(state.rounds.told_until());
            progress.untold_from = state.untold_from();
            state.moves.note(progress);
        });
        partition.due_at.store(state.due_at(now), Ordering::Release);
    }
}

impl Shared {
    fn teller<'a>(&'a self, partition: u32, folder: &'a Folder) -> Teller<'a> {
        Teller {
            partition,
            rules: &folder.rules,
            references: &self.artefacts.references,
            next_link: folder.counts.next_link(partition),
        }
    }

    fn take_examples(
        &self,
        number: u32,
        state: &mut State,
        folder: &Folder,
        now: EpochMs,
        out: &mut Out,
    ) {
        if self.mode == ExamplesMode::Off {
            state.look_through = None;
            return;
        }
        // Until all were seen it is not known up to when points are to be told.
        if !state.look_on(folder, now) {
            return;
        }
        let teller = self.teller(number, folder);
        let enough = out.records.len() + EXAMPLES_AT_ONCE;
        state.tails.ring(now);
        while out.records.len() < enough
            && let Some(shopper) = state.tails.pop()
        {
            let until = state.rounds.told_or_listed().plus(1);
            folder.table.read_in(number, &shopper, |profile| {
                let history = self.mode == ExamplesMode::All;
                tell_last(&teller, profile, until, history.then_some(now), out);
            });
        }
        state.rounds.step(&teller, &folder.table, now, enough, out);
    }
}

/// Tells what follows the newest event of a profile: the points of drift before `until`, and at `now`, where history is told, the
/// latest session if it is that.
fn tell_last(
    teller: &Teller<'_>,
    profile: &Profile,
    until: EpochMs,
    now: Option<EpochMs>,
    out: &mut Out,
) {
    let (state, Some(newest)) = (profile.state(), profile.newest_at()) else {
        return;
    };
    let session = state.latest_session();
    if let (Some(session), Some(now)) = (session, now)
        && now.since(session.last()) > HISTORY_AFTER_MS
    {
        teller.session(profile, state, session, Telling::Usual, out);
    }
    teller.drift(profile, newest, until, Telling::Usual, out);
}

impl State {
    /// Goes on looking through all profiles, if that is to be done. Says whether it is done.
    fn look_on(&mut self, folder: &Folder, now: EpochMs) -> bool {
        let Self {
            rounds,
            tails,
            look_through,
            ..
        } = self;
        let Some(LookThrough { walk, untold_from }) = look_through else {
            return true;
        };
        let table = &folder.table;
        let is_done = table.look_on(walk, COLD_LOOKS_AT_ONCE, |profile| {
            let Some(newest) = profile.newest_at() else {
                return;
            };
            rounds.came(newest.min(now));
            let is_untold = untold_from.is_some_and(|from| profile.next_offset() >= from)
                && now.since(newest) > BEHIND_MS;
            if is_untold {
                tails.note_ready(profile.shopper(), profile.next_offset());
            }
        });
        if is_done {
            *look_through = None;
        }
        is_done
    }

    fn untold_from(&self) -> Option<u64> {
        let unlooked = self.look_through.as_ref();
        let unlooked = unlooked.and_then(|look| look.untold_from);
        self.tails.untold_from().into_iter().chain(unlooked).min()
    }

    fn due_at(&self, now: EpochMs) -> i64 {
        if self.look_through.is_some() || self.moves.is_moving() {
            return 0;
        }
        self.tails.due_at().min(self.rounds.due_at(now))
    }
}

/// A number for the name of a version of the cohorts.
fn name_of(version: Option<&str>) -> u64 {
    version.map_or(NO_COHORTS, |name| {
        FixedState::default().hash_one(name).max(1)
    })
}
