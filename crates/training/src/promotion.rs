//! Which model serves: a challenger is promoted on evidence, and what serves is rolled back on evidence.
//!
//! Every few minutes there may be another challenger, and every few minutes somebody looks. A test that is meant to be looked at once would
//! promote by luck within a day. So the comparison here is *anytime-valid* ([`Evidence`]): both models score the same points, which neither was
//! trained on, and the evidence that one has the smaller log-loss may be looked at after every point and for as long as one likes.
//!
//! # What is compared
//!
//! Untreated points whose label is certain, in the order in which it became so, weighted for who was offered something
//! ([`crate::window`]). The points of one session count as one, and of drift a shopper counts once a horizon, because they share a fate.
//! Probabilities are cut to 0.005 and 0.995, so that one odd point cannot decide.
//!
//! Each is scored [as it was served](Scores::served): corrected for cohorts only until another version of them took over.
//!
//! A comparison begins [after the data](judged_from) of both models, so what the challenger was evaluated on counts: neither has
//! seen it.
//!
//! # When a challenger is promoted
//!
//! * It is *superior*: the evidence that its loss is smaller reaches what its part of the error allows.
//! * It is *fresher and not inferior*: trained on later data, or bound to the cohorts that serve where the other is not, the evidence that its loss is larger by no more than a margin
//!   reaches that, and as far as is seen it is not larger at all. The latter keeps a row of such promotions from leading downwards.
//!
//! # What that promises
//!
//! The error is split over comparisons: the n-th that is begun for a target gets a [part](error_part) of it, all parts together are all
//! of it. A challenger beside another model that serves is another comparison, and so is one of whose points some had to leave the
//! window; a [`Ledger`] numbers them from the target's beginning on. So however long the system lives, however many challengers there
//! are and however often what serves changes, the chance that *any* is ever promoted on a claim that is not true is at most the error
//! in [`PromotionSettings`], 5 % by default. The parts fall slowly: the ten-thousandth comparison needs about four times the evidence
//! of the first.
//!
//! # When what serves is rolled back
//!
//! From the moment that a model serves, whoever decided that, it is [watched](watch()) beside what would be gone back to: it goes back
//! when the evidence says that the former has the smaller loss, or that what serves is not calibrated any more where the former is. The
//! error of that is split over all watches likewise.
//!
//! Everything is a function of the models, the points and the ledger: whoever has the log, where the ledger is kept as well, can
//! compute it again.

mod compare;
mod error_budget;
mod evidence;
mod ledger;
mod look;
mod score;
#[cfg(test)]
mod tests;
mod watch;

pub use self::{
    compare::{Comparison, Pair, Verdict, compare},
    error_budget::error_part,
    evidence::Evidence,
    ledger::{Ledger, Pairing, Stretch},
    look::{Challenger, Decision, Field, Figures, Look, Watched, judged_from, look},
    score::Scores,
    watch::{Watch, Worse, watch},
};

/// What promotion goes by.
#[derive(Clone, Debug, PartialEq)]
pub struct PromotionSettings {
    /// The chance, over the whole life of a target, that any challenger is promoted on a claim that is not true; above 0 and below 1.
    pub error: f64,
    /// By how much more log-loss, in nats, a fresher challenger is not inferior; above 0.
    pub margin: f64,
    /// How far a mean probability may be from what happens before a model is not calibrated any more; above 0 and below 1.
    pub calibration_tolerance: f64,
    /// The fewest units that anything is concluded from.
    pub least_units: u64,
    /// How much later the data of a fresher model end, in milliseconds.
    pub fresher_by_ms: i64,
}

impl Default for PromotionSettings {
    fn default() -> Self {
        Self {
            error: 0.05,
            margin: 0.005,
            calibration_tolerance: 0.05,
            least_units: 50,
            fresher_by_ms: 60 * 60 * 1000,
        }
    }
}
