//! In which cohort shoppers are, and who moves.
//!
//! It is worked out and kept nowhere: the cohort of a shopper follows from the profile, as of its newest event or of when the
//! cohorts' own shoppers were read if that is later, and from one version of the cohorts. What is kept is which version that
//! is, for all shoppers of a partition; while they are being moved to another one, piece by piece in the order of their
//! pseudonyms, for those before and those after a place.

use std::{collections::BTreeSet, sync::Arc};

use foretide_events::ShopperId;
use foretide_features::{FoldRules, Profile, Reference};
use foretide_ports::{Artefacts, CohortsVersion, ProfileTable, Transition, TransitionCause};

use super::{out::Out, progress::EmissionProgress};

/// A version of the cohorts with the reference that it rests on.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    version: Arc<CohortsVersion>,
    reference: Arc<Reference>,
}

/// Which version holds for which shopper.
#[derive(Clone, Debug)]
pub(crate) struct Placing {
    current: Placed,
    former: Option<Former>,
}

/// Where shoppers come from while they are being moved.
#[derive(Clone, Debug)]
struct Former {
    placed: Placed,
    /// The last who was moved.
    done: Option<ShopperId>,
}

/// Where a shopper was before a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Formerly {
    /// Nothing was known of the shopper.
    Nowhere,
    /// In the cohort at this place.
    At(u16),
}

/// The state of one partition.
#[derive(Debug, Default)]
pub(super) struct Moves {
    placing: Option<Placing>,
    /// Who is yet to be moved, once that was listed.
    left: Option<BTreeSet<ShopperId>>,
}

impl Placed {
    /// `None` if its reference is not kept any more.
    fn of(version: Arc<CohortsVersion>, artefacts: &Artefacts) -> Option<Self> {
        let reference = artefacts.references.named(&version.cohorts.reference)?;
        Some(Self { version, reference })
    }

    fn name(&self) -> String {
        (*self.version.version).to_owned()
    }

    /// The place of the cohort of `profile`; `None` of whom nothing is known.
    fn place(&self, profile: &Profile, rules: &FoldRules) -> Option<u16> {
        let newest = profile.newest_at()?;
        profile.state().first_seen()?;
        let at = newest.max(self.version.read_at());
        let reading = profile.state().reading(at, rules, &self.reference);
        let membership = self.version.cohorts.assign(|feature| reading.get(feature));
        Some(membership.index)
    }
}

impl Placing {
    fn of(&self, shopper: &ShopperId) -> &Placed {
        match &self.former {
            Some(former) if former.done.is_none_or(|done| *shopper > done) => &former.placed,
            _ => &self.current,
        }
    }

    /// Where `profile` is now, before something happens.
    pub(crate) fn formerly(&self, profile: &Profile, rules: &FoldRules) -> Formerly {
        let place = self.of(&profile.shopper()).place(profile, rules);
        place.map_or(Formerly::Nowhere, Formerly::At)
    }

    /// Tells the move of a shopper who was at place `before`, if it is one. `next_link` is up to where the partition's profiles have
    /// taken in what others contribute.
    pub(crate) fn moved(
        &self,
        profile: &Profile,
        before: u16,
        next_link: u64,
        rules: &FoldRules,
        partition: u32,
        out: &mut Out,
    ) {
        let placed = self.of(&profile.shopper());
        let (Some(after), Some(at)) = (placed.place(profile, rules), profile.newest_at()) else {
            return;
        };
        if after == before || profile.link().is_some() {
            return;
        }
        let cohorts = &placed.version.cohorts;
        let (Some(from), Some(to)) = (cohorts.get(before), cohorts.get(after)) else {
            return;
        };
        let shopper_id = profile.shopper();
        let transition = Transition {
            v: Transition::VERSION,
            id: format!("{shopper_id}/cohort/{}-{next_link}", profile.next_offset()),
            shopper_id,
            at,
            from: from.id.clone(),
            to: to.id.clone(),
            cause: TransitionCause::Behaviour,
            cohorts: placed.version.version.clone(),
        };
        out.records.push(transition.record(partition));
        out.emitted.behaviour += 1;
    }

    /// Tells where `profile` goes from `former`, if to another cohort.
    fn reformed(
        &self,
        former: &Placed,
        profile: &Profile,
        rules: &FoldRules,
        partition: u32,
        out: &mut Out,
    ) {
        let place = |placed: &Placed| {
            let index = placed.place(profile, rules)?;
            Some(placed.version.cohorts.get(index)?.id.clone())
        };
        let (Some(from), Some(to)) = (place(former), place(&self.current)) else {
            return;
        };
        if from == to {
            return;
        }
        let (shopper_id, version) = (profile.shopper(), &self.current.version);
        let transition = Transition {
            v: Transition::VERSION,
            id: format!("{shopper_id}/cohort/{}", &*version.version),
            shopper_id,
            at: version.since,
            from,
            to,
            cause: TransitionCause::Reforming,
            cohorts: version.version.clone(),
        };
        out.records.push(transition.record(partition));
        out.emitted.reforming += 1;
    }
}

impl Moves {
    /// Where `progress` left it.
    pub(super) fn restored(progress: &EmissionProgress, artefacts: &Artefacts) -> Self {
        let known = |name: &str| Placed::of(artefacts.cohorts.get(name)?, artefacts);
        let current = progress.cohorts.as_ref().and_then(|name| known(name));
        let former = progress.moving.as_ref().and_then(|(name, done)| {
            Some(Former {
                placed: known(name)?,
                done: *done,
            })
        });
        Self {
            placing: current.map(|current| Placing { current, former }),
            left: None,
        }
    }

    /// Which version holds for whom.
    pub(super) fn placing(&self) -> Option<&Placing> {
        self.placing.as_ref()
    }

    /// Whether shoppers are being moved.
    pub(super) fn is_moving(&self) -> bool {
        let placing = self.placing.as_ref();
        placing.is_some_and(|placing| placing.former.is_some())
    }

    /// The name of the version that shoppers are in, or are being moved to.
    pub(super) fn version(&self) -> Option<&str> {
        let placing = self.placing.as_ref()?;
        Some(&placing.current.version.version)
    }

    /// A shopper came of whom nothing was known.
    pub(super) fn came(&mut self, shopper: ShopperId) {
        let former = self
            .placing
            .as_ref()
            .and_then(|placing| placing.former.as_ref());
        let is_ahead = former.is_some_and(|former| former.done.is_none_or(|done| shopper > done));
        if let Some(left) = self.left.as_mut().filter(|_| is_ahead) {
            left.insert(shopper);
        }
    }

    /// Begins to move shoppers to `version`, unless they are in it or on their way to another. The first version moves nobody.
    pub(super) fn follow(&mut self, version: Arc<CohortsVersion>, artefacts: &Artefacts) {
        let is_new = self.version() != Some(&*version.version);
        if self.is_moving() || !is_new {
            return;
        }
        let Some(current) = Placed::of(version, artefacts) else {
            return;
        };
        let former = self.placing.take().map(|placing| Former {
            placed: placing.current,
            done: None,
        });
        self.placing = Some(Placing { current, former });
        self.left = None;
    }

    /// Moves the next `most` shoppers of `partition`.
    pub(super) fn step(
        &mut self,
        table: &ProfileTable,
        partition: u32,
        rules: &FoldRules,
        most: usize,
        out: &mut Out,
    ) {
        let Some(placing) = &mut self.placing else {
            return;
        };
        let Some(mut former) = placing.former.take() else {
            return;
        };
        let left = self.left.get_or_insert_with(|| {
            let all = table.shoppers(partition).flatten();
            all.filter(|shopper| former.done.is_none_or(|done| *shopper > done))
                .collect()
        });
        for _ in 0..most {
            let Some(shopper) = left.pop_first() else {
                self.left = None;
                return;
            };
            table.read_in(partition, &shopper, |profile| {
                if profile.link().is_none() {
                    placing.reformed(&former.placed, profile, rules, partition, out);
                }
            });
            former.done = Some(shopper);
        }
        placing.former = Some(former);
    }

    /// Notes in `progress` where it is.
    pub(super) fn note(&self, progress: &mut EmissionProgress) {
        let Some(placing) = &self.placing else {
            return;
        };
        progress.cohorts = Some(placing.current.name());
        let former = placing.former.as_ref();
        progress.moving = former.map(|former| (former.placed.name(), former.done));
    }
}
