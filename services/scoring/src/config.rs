//! How the service decides and what it bounds.

use clap::Args;
use foretide_decision::{Thresholds, UntreatedShare};
use foretide_models::Probability;

use crate::parity::Share;

/// When to offer what, and what to bound.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Decisions")]
pub struct ScoringConfig {
    /// A probability of abandonment above this gets a discount, unless the setting `discount_threshold` says otherwise
    #[arg(
        long,
        env = "FORETIDE_DISCOUNT_THRESHOLD",
        value_name = "P",
        default_value = "0.7"
    )]
    pub discount_threshold: Probability,

    /// Otherwise, a probability of drift above this gets recommendations, unless the setting `drift_threshold` says otherwise
    #[arg(
        long,
        env = "FORETIDE_DRIFT_THRESHOLD",
        value_name = "P",
        default_value = "0.8"
    )]
    pub drift_threshold: Probability,

    /// Answers that rest on features older than this, in milliseconds, say that they are degraded, unless the setting
    /// `max_features_age_ms` says otherwise
    #[arg(
        long,
        env = "FORETIDE_MAX_FEATURES_AGE_MS",
        value_name = "MS",
        default_value_t = 10_000,
        value_parser = clap::value_parser!(i64).range(0..)
    )]
    pub max_features_age_ms: i64,

    /// Share of shoppers who never get an offer, 0 to 0.5: what they do tells models what happens without one, and offers what
    /// they are worth. Who they are follows from their pseudonyms, so it stays; give every instance the same share
    #[arg(
        long,
        env = "FORETIDE_UNTREATED_SHARE",
        value_name = "SHARE",
        default_value = "0.05"
    )]
    pub untreated_share: UntreatedShare,

    /// How many decisions may wait for the log; beyond, answers say that they are degraded and the decision is not recorded
    #[arg(
        long,
        env = "FORETIDE_DECISION_QUEUE",
        value_name = "N",
        default_value_t = 10_000
    )]
    pub decision_queue: usize,

    /// From how many of the newest actions of each partition popular products are learnt at the start
    #[arg(
        long,
        env = "FORETIDE_POPULARITY_ACTIONS",
        value_name = "N",
        default_value_t = 5_000
    )]
    pub popularity_actions: u64,

    /// Share of shoppers whose served features are compared, bit for bit, with features recomputed from the log; 0 for none.
    /// `foretide_parity_different_total` counts those that differ. Shoppers whom other devices are linked to are left out
    #[arg(
        long,
        env = "FORETIDE_PARITY_SAMPLE",
        value_name = "SHARE",
        default_value = "0.001"
    )]
    pub parity_sample: Share,
}

impl ScoringConfig {
    /// The numbers of the rule, unless the store holds others.
    pub(crate) fn thresholds(&self) -> Thresholds {
        Thresholds {
            abandonment: self.discount_threshold,
            drift: self.drift_threshold,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        scoring: ScoringConfig,
    }

    #[test]
    fn the_defaults_are_the_default_rule() {
        let thresholds = Command::parse_from(["serve"]).scoring.thresholds();
        let numbers = (thresholds.abandonment.get(), thresholds.drift.get());
        assert_eq!(numbers, (0.7, 0.8));
    }

    #[test]
    fn a_number_out_of_range_is_refused() {
        for bad in [
            "--discount-threshold=1.2",
            "--drift-threshold=x",
            "--max-features-age-ms=-1",
            "--parity-sample=1.5",
            "--parity-sample=NaN",
            "--untreated-share=0.6",
        ] {
            assert!(Command::try_parse_from(["serve", bad]).is_err(), "{bad}");
        }
    }
}
