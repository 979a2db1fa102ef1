//! The window: the newest examples of the stream, and what of them may be learnt from.
//!
//! Three traps lie between a stream and an honest training set, and each is closed here rather than in the heads of those who train.
//!
//! # The future
//!
//! Features come as a [`Snapshot`](foretide_models::example::Snapshot), which cannot rest on anything later than its instant, and
//! they are features of the catalogue and nothing else. What became of a point is no part of its row but a label beside it.
//!
//! # Early labels
//!
//! A purchase is known at once, that nobody bought only when the session is over; a window of what is known is full of purchases. So
//! a point counts from an instant on that does not depend on its label: the longest session and a grace after it, or the horizon and the
//! time for which late events may still come. What has not come so far does not count, *whatever its label*. An event out of
//! order revises a point, and the highest revision counts.
//!
//! # Treatment
//!
//! Probabilities mean *if no offer is shown*. A point in whose session an offer was served, or of drift less than a horizon before it or
//! after it, is *treated*: what became of it is not what would have become of it, so it is left out, and counted. That alone would bias what is left: those who were not
//! offered anything are those who did not seem to need it. So what is left is weighted by 1 / P(no offer was served), by the
//! propensities of the decisions that were made and the share of shoppers who never get offers; see [`Decided`]. What was shown to a
//! device before it was known whose it is was shown to the shopper: a point names the devices that turned out to be the shopper's.
//!
//! The same records give the same rows, in whatever order they come and however often.

mod devices;
mod exposure;
mod points;
mod row;
mod settings;
#[cfg(test)]
mod tests;

pub use self::{
    exposure::Decided,
    points::Taken,
    row::{LeftOut, Row, Rows, Unit},
    settings::{DriftRule, WindowSettings},
};

use foretide_events::{EpochMs, ShopperId};
use foretide_models::{Target, example::Example};

use self::{devices::Devices, exposure::Exposures, points::Points};

/// The newest examples of both targets, and the decisions that bear on them.
#[derive(Clone, Debug)]
pub struct Window {
    settings: WindowSettings,
    drift: Kept,
    abandonment: Kept,
    /// What was decided for those of whom no points are held: whose device they are turns out later.
    strangers: Exposures,
}

/// What is held of one target.
#[derive(Clone, Debug)]
struct Kept {
    points: Points,
    exposures: Exposures,
    devices: Devices,
}

impl Kept {
    fn new(settings: &WindowSettings) -> Self {
        Self {
            points: Points::new(settings.most_points),
            exposures: Exposures::new(settings.most_decisions),
            devices: Devices::new(settings.most_decisions),
        }
    }
}

impl Window {
    /// An empty window.
    pub fn new(settings: WindowSettings) -> Self {
        Self {
            drift: Kept::new(&settings),
            abandonment: Kept::new(&settings),
            strangers: Exposures::new(settings.most_decisions),
            settings,
        }
    }

    /// What it goes by.
    pub fn settings(&self) -> &WindowSettings {
        &self.settings
    }

    /// Takes in an example of `partition`.
    pub fn take(&mut self, partition: u32, example: Example) -> Taken {
        let (target, shopper) = (example.kind, example.shopper_id);
        let devices = example.point.as_ref().map(|point| point.devices.clone());
        let taken = self.of_mut(target).points.take(partition, example);
        if matches!(taken, Taken::New | Taken::Revised) {
            for device in devices.into_iter().flatten() {
                self.belongs(target, device, shopper);
            }
        }
        taken
    }

    /// `device` turned out to be one of `shopper`: what was decided for it bears on points of `shopper`, and its own points tell nothing
    /// of drift, for it goes on under another name.
    pub fn belongs(&mut self, target: Target, device: ShopperId, shopper: ShopperId) {
        let strangers = std::mem::replace(&mut self.strangers, Exposures::new(0));
        let kept = self.of_mut(target);
        if kept.devices.note(shopper, device) {
            kept.exposures.take_from(&strangers, &device);
        }
        self.strangers = strangers;
    }

    /// Whether `shopper` is a device of someone of whom points of `target` are held.
    pub fn is_device(&self, target: Target, shopper: &ShopperId) -> bool {
        self.of(target).devices.is_one(shopper)
    }

    /// Takes in a decision, for all targets.
    pub fn decided(&mut self, decided: &Decided) {
        for target in Target::ALL {
            self.decided_for(target, decided);
        }
    }

    /// Takes in a decision that bears on points of `target` alone: each target holds so many of its own, for each may hold the
    /// points of other shoppers.
    pub fn decided_for(&mut self, target: Target, decided: &Decided) {
        self.of_mut(target).exposures.take(decided);
    }

    /// Takes in a decision for someone of whom no points of some target are held. It counts once that one turns out to be a device of
    /// somebody of whom there are, if it is not let go before.
    pub fn decided_for_stranger(&mut self, decided: &Decided) {
        self.strangers.take(decided);
    }

    /// How many points of `target` it holds.
    pub fn held(&self, target: Target) -> usize {
        self.of(target).points.len()
    }

    /// What may be learnt from at `now`, by the instant of the point: untreated, certain and weighted.
    pub fn rows(&self, target: Target, now: EpochMs) -> Rows {
        row::rows(self.of(target), &self.settings, target, now)
    }

    /// How long after a point of `target` what became of it is certain, in milliseconds: the least gap between what is learnt from
    /// and what is judged.
    pub fn certain_after_ms(&self, target: Target) -> i64 {
        self.settings.certain_after_ms(target)
    }

    fn of(&self, target: Target) -> &Kept {
        match target {
            Target::Drift => &self.drift,
            Target::Abandonment => &self.abandonment,
        }
    }

    fn of_mut(&mut self, target: Target) -> &mut Kept {
        match target {
            Target::Drift => &mut self.drift,
            Target::Abandonment => &mut self.abandonment,
        }
    }
}
