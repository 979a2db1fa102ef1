//! The parity gauge: does what is served equal what the log says?
//!
//! ```text
//!  answers ── vector served, with its profile's position ──▶ bounded queue ─▶ compare, bit for bit
//!  foretide.actions, from its beginning ── sampled shoppers' events alone ──▶ profiles of its own ─┘
//! ```
//!
//! Shoppers are drawn by a hash with a salt of this process, so that over restarts others are looked at. What they are served is
//! held against a profile that nobody else ever touched: folded from the log by the same code, up to exactly the position of the
//! profile that was served. So whatever goes wrong between the log and an answer shows: a profile that was damaged, lost, mixed
//! up or restored to the wrong state. No answer waits for it; what cannot be compared is counted by cause.

mod compare;
mod follow;
mod tracked;

use std::{collections::hash_map::RandomState, hash::BuildHasher as _, str::FromStr, sync::Arc};

use foretide_events::{EpochMs, ShopperId};
use foretide_features::{FeatureVector, FoldRules, Reference, State};
use foretide_ports::References;
use foretide_runtime::prometheus;
use tokio::sync::mpsc;

pub(crate) use self::follow::Follower;

/// How many vectors may wait to be compared.
const QUEUE: usize = 1_024;

/// The share of shoppers whose served features are compared with recomputed ones, from 0 for none to 1 for all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(f64);

impl Share {
    /// The share.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Share {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let share = text
            .parse()
            .ok()
            .filter(|share| (0.0..=1.0).contains(share));
        share
            .map(Self)
            .ok_or("a share is a number from 0 to 1, such as 0.001")
    }
}

foretide_runtime::metrics! {
    /// What the parity gauge counts.
    pub(crate) struct ParityMetrics {
        /// Served vectors compared with recomputed ones.
        pub(crate) compared: IntCounter = "foretide_parity_compared_total",
        /// Those that were not the same, bit for bit.
        pub(crate) different: IntCounter = "foretide_parity_different_total",
        /// Served vectors of sampled shoppers that could not be compared, by cause.
        pub(crate) skipped: IntCounterVec = "foretide_parity_skipped_total" by ["cause"],
        /// Shoppers whose profiles are recomputed.
        pub(crate) shoppers: IntGauge = "foretide_parity_shoppers",
    }
}

/// Why a vector is not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skipped {
    /// Too many wait already.
    QueueFull,
    /// The log has let go of events that the profile rests on.
    LogBeginsLater,
    /// Other pseudonyms of the person contribute to the profile.
    Linked,
    /// The recomputed profile is further than the one served was.
    Passed,
    /// More shoppers than are kept were served.
    TooManyShoppers,
}

impl Skipped {
    /// What metrics call it.
    fn label(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::LogBeginsLater => "log_begins_later",
            Self::Linked => "linked",
            Self::Passed => "passed",
            Self::TooManyShoppers => "too_many_shoppers",
        }
    }
}

/// Draws shoppers.
#[derive(Clone, Debug)]
struct Sample {
    salt: RandomState,
    /// The greatest hash of those drawn; `None` where nobody is.
    up_to: Option<u64>,
}

impl Sample {
    fn new(Share(share): Share) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share is from 0 to 1, and a cast stays within bounds"
        )]
        let up_to = (share * u64::MAX as f64) as u64;
        Self {
            salt: RandomState::new(),
            up_to: (share > 0.0).then_some(up_to),
        }
    }

    fn holds(&self, shopper: &ShopperId) -> bool {
        self.up_to
            .is_some_and(|up_to| self.salt.hash_one(shopper) <= up_to)
    }
}

/// A vector that was served, and what it was made of.
#[derive(Clone, Debug)]
struct Vector {
    shopper: ShopperId,
    /// The instant that was asked for; `None` for the newest state.
    asked_at: Option<EpochMs>,
    /// The instant of the features.
    at: EpochMs,
    /// The position of the profile.
    next_offset: u64,
    /// Of the profile, to tell whether the log holds all that it rests on.
    first_seen: Option<EpochMs>,
    actions: u64,
    reference: Arc<Reference>,
    values: FeatureVector,
}

/// Where answers say what they served.
#[derive(Clone)]
pub(crate) struct Parity {
    sample: Sample,
    queue: mpsc::Sender<Vector>,
    metrics: ParityMetrics,
}

/// What an answer was made of.
pub(crate) struct Served<'a> {
    /// Whom it is about.
    pub(crate) shopper: &'a ShopperId,
    /// The instant that was asked for; `None` for the newest state.
    pub(crate) asked_at: Option<EpochMs>,
    /// The instant of the features.
    pub(crate) at: EpochMs,
    /// What was read of the profile.
    pub(crate) state: &'a State,
    /// The position of the profile.
    pub(crate) next_offset: u64,
}

impl Parity {
    /// What `share` of shoppers is served, and the queue of it. Fails when the name of a metric is taken.
    pub(crate) fn new(
        share: Share,
        registry: &prometheus::Registry,
    ) -> prometheus::Result<(Self, Compared)> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let parity = Self {
            sample: Sample::new(share),
            queue,
            metrics: ParityMetrics::register(registry)?,
        };
        let compared = Compared {
            sample: parity.sample.clone(),
            waiting,
            metrics: parity.metrics.clone(),
        };
        Ok((parity, compared))
    }

    /// Takes note of what was served. Costs a hash unless the shopper is sampled, and never waits. Of one who is, all features are
    /// worked out, whichever of them the answer needs.
    pub(crate) fn served(&self, served: &Served<'_>, rules: &FoldRules, references: &References) {
        if !self.sample.holds(served.shopper) {
            return;
        }
        let reference = references.at(served.at);
        let vector = Vector {
            shopper: *served.shopper,
            asked_at: served.asked_at,
            at: served.at,
            next_offset: served.next_offset,
            first_seen: served.state.first_seen(),
            actions: served.state.actions(),
            values: served.state.features(served.at, rules, &reference),
            reference,
        };
        if self.queue.try_send(vector).is_err() {
            skip(&self.metrics, Skipped::QueueFull);
        }
    }
}

/// The other end of the queue.
pub(crate) struct Compared {
    sample: Sample,
    waiting: mpsc::Receiver<Vector>,
    metrics: ParityMetrics,
}

fn skip(metrics: &ParityMetrics, cause: Skipped) {
    metrics.skipped.with_label_values(&[cause.label()]).inc();
}

#[cfg(test)]
mod tests;
