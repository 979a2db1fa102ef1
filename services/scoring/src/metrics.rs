//! What the service counts.

use foretide_decision::OfferKind;
use foretide_runtime::{metrics::SECONDS, prometheus::IntCounter};

/// Buckets for the age of features, in seconds: from 10 ms to an hour.
const AGES: &[f64] = &[
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0,
];

foretide_runtime::metrics! {
    /// What is counted of decisions and of features served.
    pub struct ScoringMetrics {
        /// Decisions answered, by kind of offer (`none` for no offer). Dry ones are not counted.
        pub decisions: IntCounterVec = "foretide_decisions_total" by ["offer"],
        /// Decisions answered as degraded, by cause.
        pub degraded: IntCounterVec = "foretide_decisions_degraded_total" by ["cause"],
        /// Time to decide, from the parsed request to the answer, in seconds.
        pub deciding: Histogram = "foretide_decision_duration_seconds" in SECONDS,
        /// Age of the features a decision rested on, in seconds.
        pub features_age: Histogram = "foretide_decision_features_age_seconds" in AGES,
        /// Decisions that wait for the log.
        pub queue_depth: IntGauge = "foretide_decision_queue_records",
        /// Decisions written to the log.
        pub recorded: IntCounter = "foretide_decisions_recorded_total",
        /// Decisions that never reached the log, by cause.
        pub lost: IntCounterVec = "foretide_decisions_lost_total" by ["cause"],
        /// Attempts to write decisions that the log refused.
        pub record_failures: IntCounter = "foretide_decisions_append_failures_total",
        /// Actions from which popular products were learnt.
        pub popularity_actions: IntCounter = "foretide_popularity_actions_total",
        /// Feature values served online, by status.
        pub online_features: IntCounterVec = "foretide_online_features_total" by ["status"],
        /// Age of the features of a request, of the shopper's where it is longest, in seconds.
        pub online_features_age: Histogram = "foretide_online_features_age_seconds" in AGES,
    }
}

/// The counters of decisions by kind of offer, found once and not for each decision.
#[derive(Clone, Debug)]
pub(crate) struct DecisionsByOffer {
    none: IntCounter,
    kinds: [IntCounter; OfferKind::ALL.len()],
}

impl DecisionsByOffer {
    pub(crate) fn of(metrics: &ScoringMetrics) -> Self {
        let counter = |offer| metrics.decisions.with_label_values(&[offer]);
        Self {
            none: counter("none"),
            kinds: OfferKind::ALL.map(|kind| counter(kind.as_str())),
        }
    }

    /// Counts a decision for an offer of `kind`, or for none.
    pub(crate) fn count(&self, kind: Option<OfferKind>) {
        let place = kind.and_then(|kind| OfferKind::ALL.iter().position(|known| *known == kind));
        place.map_or(&self.none, |place| &self.kinds[place]).inc();
    }
}
