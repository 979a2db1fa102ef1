//! Folding the shoppers that are wanted, and keeping their profiles at the instants wanted.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use foldhash::fast::RandomState;
use foretide_events::{EpochMs, Fate, Lean, ShopperId};
use foretide_features::{Applied, FoldRules, LATE_AFTER_MS, Observation, Profile, Texts};
use foretide_ports::{Chunk, Record, partition_for, shopper_key};

use super::{
    FramesError,
    gathering::Gathering,
    lanes::Work,
    plan::{Moment, Plan},
};
use crate::{Fates, fold::Content};

/// A shopper whose profile is wanted at some instants.
pub(super) struct Followed {
    profile: Profile,
    /// The instants that no event has passed yet, the earliest first.
    waiting: VecDeque<Moment>,
    /// Those that one has, each with the profile of what happened up to then. Several share one until it changes.
    kept: Vec<(Moment, Arc<Profile>)>,
}

impl Followed {
    pub(super) fn new(shopper: ShopperId, moments: Vec<Moment>) -> Self {
        Self {
            profile: Profile::new(shopper),
            waiting: moments.into(),
            kept: Vec::new(),
        }
    }

    /// Applies what was observed at `offset`, and gives `certain` the profiles that nothing can change any more.
    pub(super) fn apply<E>(
        &mut self,
        observation: &Observation,
        offset: u64,
        rules: &FoldRules,
        mut certain: impl FnMut(&Moment, &Profile) -> Result<(), E>,
    ) -> Result<Option<Applied>, E> {
        let at = observation.key().at;
        self.keep_before(at);
        let applied = self
            .profile
            .apply_observation(observation.clone(), offset, rules);
        let Some(applied) = applied else {
            return Ok(None);
        };
        if applied.fate != Fate::Late {
            for (moment, kept) in &mut self.kept {
                if at <= moment.at {
                    // What is not late there is not late here.
                    let kept = Arc::make_mut(kept);
                    let _ = kept.apply_observation(observation.clone(), offset, rules);
                }
            }
        }
        let newest = self.profile.newest_at();
        // From now on whatever happened at the instant or before is late.
        let is_certain =
            |moment: &Moment| newest.is_some_and(|newest| newest.since(moment.at) > LATE_AFTER_MS);
        // The earliest instants are kept first.
        let done = self.kept.partition_point(|(moment, _)| is_certain(moment));
        for (moment, kept) in self.kept.drain(..done) {
            certain(&moment, &kept)?;
        }
        Ok(Some(applied))
    }

    /// Keeps the profile as it is for all instants before `at`, which no event has passed yet.
    fn keep_before(&mut self, at: EpochMs) {
        let passed = self.waiting.partition_point(|moment| moment.at < at);
        if passed > 0 {
            let kept = Arc::new(self.profile.clone());
            let passed = self.waiting.drain(..passed);
            self.kept
                .extend(passed.map(|moment| (moment, Arc::clone(&kept))));
        }
    }

    /// Whether nothing of it is wanted any more.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.kept.is_empty()
    }

    /// Gives `certain` the profiles that are left: nothing comes any more.
    pub(super) fn finish<E>(
        self,
        mut certain: impl FnMut(&Moment, &Profile) -> Result<(), E>,
    ) -> Result<(), E> {
        for (moment, kept) in &self.kept {
            certain(moment, kept)?;
        }
        for moment in &self.waiting {
            certain(moment, &self.profile)?;
        }
        Ok(())
    }
}

/// Folds the wanted shoppers of some partitions.
pub(super) struct Fold {
    partitions: u32,
    rules: FoldRules,
    plan: Arc<Plan>,
    gathering: Arc<Gathering>,
    /// Everyone who was met; `None` of whom nothing is wanted, or nothing any more.
    met: HashMap<ShopperId, Option<Box<Followed>>, RandomState>,
    texts: Texts,
    fates: Fates,
}

impl Fold {
    pub(super) fn new(
        partitions: u32,
        rules: FoldRules,
        plan: &Arc<Plan>,
        gathering: &Arc<Gathering>,
    ) -> Self {
        Self {
            partitions,
            rules,
            plan: Arc::clone(plan),
            gathering: Arc::clone(gathering),
            met: HashMap::default(),
            texts: Texts::default(),
            fates: Fates::default(),
        }
    }

    fn record(&mut self, record: &Record, partition: u32) -> Result<(), FramesError> {
        let Some(value) = &record.value else {
            return Ok(());
        };
        // The key tells whose it is, so that most of what is not wanted need not be read.
        let key = std::str::from_utf8(&record.key).ok();
        let shopper = key.and_then(|key| key.parse().ok());
        if shopper.is_some_and(|shopper| !self.wants(shopper)) {
            return Ok(());
        }
        let Ok(content) = Content::of(value) else {
            return Ok(());
        };
        let shopper = content.shopper();
        let is_in_place = partition_for(&shopper_key(&shopper), self.partitions) == partition;
        if !is_in_place || !self.wants(shopper) {
            return Ok(());
        }
        match content {
            Content::Event(event) => self.fold(&event, record.offset),
            Content::Whole(event) => self.fold(&Lean::of(&event), record.offset),
            // It says nothing of what was done.
            Content::Link(_) => Ok(()),
        }
    }

    /// Whether anything is wanted of `shopper`, who is met now.
    fn wants(&mut self, shopper: ShopperId) -> bool {
        let plan = &self.plan;
        let met = self.met.entry(shopper).or_insert_with(|| {
            let moments = plan.moments(&shopper);
            (!moments.is_empty()).then(|| Box::new(Followed::new(shopper, moments)))
        });
        met.is_some()
    }

    fn fold(&mut self, event: &Lean<'_>, offset: u64) -> Result<(), FramesError> {
        let Some(slot) = self.met.get_mut(&event.shopper) else {
            return Ok(());
        };
        let Some(followed) = slot else { return Ok(()) };
        let gathering = &self.gathering;
        let observation = Observation::of_lean(event, &mut self.texts);
        let applied = followed.apply(&observation, offset, &self.rules, |moment, profile| {
            gathering.take(moment, profile)
        })?;
        if let Some(applied) = applied {
            self.fates.count(applied.fate);
        }
        if followed.is_done() {
            *slot = None;
        }
        Ok(())
    }

    /// Hands over the rows that are certain only because nothing follows.
    pub(super) fn finish(self) -> Result<Fates, FramesError> {
        for followed in self.met.into_values().flatten() {
            followed.finish(|moment, profile| self.gathering.take(moment, profile))?;
        }
        Ok(self.fates)
    }
}

impl Work for Fold {
    fn chunk(&mut self, chunk: &Chunk, end: u64) -> Result<(), FramesError> {
        let records = chunk.records.iter();
        for record in records.filter(|record| record.offset < end) {
            self.record(record, chunk.from.partition)?;
        }
        Ok(())
    }
}
