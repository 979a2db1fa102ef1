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
//! Probabilities mean *if no offer is shown*. A point after whose beginning an offer was served is *treated*: what became of it is
//! not what would have become of it, so it is left out, and counted. That alone would bias what is left: those who were not
//! offered anything are those who did not seem to need it. So what is left is weighted by 1 / P(no offer was served), by the
//! propensities of the decisions that were made and the share of shoppers who never get offers; see [`Decided`].
//!
//! The same records give the same rows, in whatever order they come and however often.

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

use foretide_events::EpochMs;
use foretide_models::{Target, example::Example};

use self::{exposure::Exposures, points::Points};

/// The newest examples of both targets, and the decisions that bear on them.
#[derive(Clone, Debug)]
pub struct Window {
    settings: WindowSettings,
    drift: Points,
    abandonment: Points,
    exposures: Exposures,
}

impl Window {
    /// An empty window.
    pub fn new(settings: WindowSettings) -> Self {
        Self {
            drift: Points::new(settings.most_points),
            abandonment: Points::new(settings.most_points),
            exposures: Exposures::new(settings.most_decisions),
            settings,
        }
    }

    /// What it goes by.
    pub fn settings(&self) -> &WindowSettings {
        &self.settings
    }

    /// Takes in an example of `partition`.
    pub fn take(&mut self, partition: u32, example: Example) -> Taken {
        match example.kind {
            Target::Drift => self.drift.take(partition, example),
            Target::Abandonment => self.abandonment.take(partition, example),
        }
    }

    /// Takes in a decision.
    pub fn decided(&mut self, decided: Decided) {
        self.exposures.take(decided);
    }

    /// How many points of `target` it holds.
    pub fn held(&self, target: Target) -> usize {
        self.points(target).len()
    }

    /// What may be learnt from at `now`, by the instant of the point: untreated, certain and weighted.
    pub fn rows(&self, target: Target, now: EpochMs) -> Rows {
        row::rows(
            self.points(target),
            &self.exposures,
            &self.settings,
            target,
            now,
        )
    }

    /// How long after a point of `target` what became of it is certain, in milliseconds: the least gap between what is learnt from
    /// and what is judged.
    pub fn certain_after_ms(&self, target: Target) -> i64 {
        self.settings.certain_after_ms(target)
    }

    fn points(&self, target: Target) -> &Points {
        match target {
            Target::Drift => &self.drift,
            Target::Abandonment => &self.abandonment,
        }
    }
}
