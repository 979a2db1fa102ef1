//! What a re-forming rests on: the features of a sample of shoppers, and of how many of all each cohort is.

use foretide_cohorts::{Cohorts, Rows, Sample};
use foretide_events::EpochMs;
use foretide_features::{Feature, FoldRules, Profile, Reading, Reference};
use foretide_ports::ProfileTable;
use foretide_runtime::CancellationToken;

use crate::{
    aside::unhurried,
    sample::{Chosen, is_held_out},
};

/// How many shoppers are assigned at once.
const BLOCK: usize = 4096;

/// How features are read: as those will be who are assigned.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) table: &'a ProfileTable,
    pub(super) rules: &'a FoldRules,
    pub(super) reference: &'a Reference,
    /// At which instant; who was seen later is read as of then.
    pub(super) at: EpochMs,
    /// Cancelled when there is no use in going on.
    pub(super) stop: &'a CancellationToken,
}

/// Features of some shoppers, apart: those to learn from, and those to judge by.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
    pub(super) train: Sample,
    pub(super) held_out: Sample,
}

/// When the newest that `chosen` did was done; `None` if they did nothing, or if asked to end.
pub(super) fn newest_of(
    table: &ProfileTable,
    chosen: &Chosen,
    stop: &CancellationToken,
) -> Option<EpochMs> {
    let mut newest = None;
    let whole = unhurried(chosen.shoppers(), stop, |shopper| {
        table.read(shopper, |profile| {
            newest = newest.max(Some(profile.state().as_of()));
        });
    });
    newest.filter(|_| whole)
}

impl View<'_> {
    /// Gathers `features` of those who are `chosen`; `None` if asked to end.
    pub(super) fn gather(self, features: &[Feature], chosen: &Chosen) -> Option<Gathered> {
        let (mut train, mut held_out) = (Sample::new(features), Sample::new(features));
        let mut taken = 0;
        let whole = unhurried(chosen.shoppers(), self.stop, |shopper| {
            self.table.read(shopper, |profile| {
                self.look(profile, |reading| {
                    let sample = if is_held_out(taken) {
                        &mut held_out
                    } else {
                        &mut train
                    };
                    sample.push(|feature| reading.get(feature));
                    taken += 1;
                });
            });
        });
        // Of those who were looked at as many count as of all.
        let share = taken as f64 / chosen.shoppers().len().max(1) as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of shoppers"
        )]
        let all = (share * self.table.len() as f64).round() as u64;
        whole.then(|| Gathered {
            train: train.stands_for(all),
            held_out: held_out.stands_for(all),
        })
    }

    /// How many of all shoppers are in each cohort, in the order of members; `None` if asked to end.
    pub(super) fn count(self, cohorts: &Cohorts) -> Option<Vec<u64>> {
        let width = cohorts.space.len();
        let mut sizes = vec![0; cohorts.members.len()];
        for partition in 0..self.table.partitions() {
            let of_partition: Vec<_> = self.table.shoppers(partition).flatten().collect();
            for some in of_partition.chunks(BLOCK) {
                let mut places = Vec::with_capacity(some.len() * width);
                let whole = unhurried(some, self.stop, |shopper| {
                    self.table.read(shopper, |profile| {
                        self.look(profile, |reading| {
                            let from = places.len();
                            places.resize(from + width, 0.0);
                            cohorts
                                .space
                                .place(|feature| reading.get(feature), &mut places[from..]);
                        });
                    });
                });
                if !whole {
                    return None;
                }
                for index in cohorts.assign_rows(&Rows::new(width, places), 1) {
                    if let Some(size) = sizes.get_mut(usize::from(index)) {
                        *size += 1;
                    }
                }
            }
        }
        Some(sizes)
    }

    /// Shows `take` the features of a shopper who counts. One who is known under another name, or did nothing yet, does not.
    fn look(self, profile: &Profile, take: impl FnOnce(&Reading<'_>)) {
        let state = profile.state();
        if profile.link().is_some() || state.actions() == 0 {
            return;
        }
        let at = self.at.max(state.as_of());
        take(&state.reading(at, self.rules, self.reference));
    }
}
