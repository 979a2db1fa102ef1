//! The trainer's section of the configuration.

use std::{str::FromStr, time::Duration};

use clap::{Args, ValueEnum};
use foretide_cohorts::{Algorithm, Counts, Settings};
use foretide_features::{Feature, FoldRules};
use foretide_training::window::{DriftRule, WindowSettings};

const DAY_MS: i64 = 24 * 3_600_000;

/// When the trainer learns, and how.
#[derive(Args, Clone, Copy, Debug, PartialEq)]
#[command(next_help_heading = "Trainer")]
pub struct TrainerConfig {
    /// How often price levels and habits that are usual among shoppers are learnt from all profiles, in seconds; the first time
    /// as soon as 100 shoppers are known
    #[arg(long, env = "FORETIDE_REFERENCE_INTERVAL_S", value_name = "S", default_value_t = 3600,
          value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub reference_interval_s: u64,

    /// How often the cohorts re-form over all shoppers, in seconds, 60 to 3600 in earnest; the first time as soon as there are
    /// shoppers enough for the fewest cohorts
    #[arg(long, env = "FORETIDE_COHORTS_INTERVAL_S", value_name = "S", default_value_t = 300,
          value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub cohorts_interval_s: u64,

    /// How cohorts are formed
    #[arg(long, env = "FORETIDE_COHORTS_ALGORITHM", value_name = "NAME", value_enum,
          default_value_t = CohortAlgorithm::KMeans)]
    pub cohorts_algorithm: CohortAlgorithm,

    /// The fewest cohorts that k-means forms; as many as this and --cohorts-most at once fix their number
    #[arg(long, env = "FORETIDE_COHORTS_LEAST", value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u16).range(2..=256))]
    pub cohorts_least: u16,

    /// The most cohorts that k-means forms; how many there are between the two follows from the shoppers
    #[arg(long, env = "FORETIDE_COHORTS_MOST", value_name = "N", default_value_t = 12,
          value_parser = clap::value_parser!(u16).range(2..=256))]
    pub cohorts_most: u16,

    /// From how many shoppers cohorts are formed; all shoppers are assigned to them, however many there are
    #[arg(long, env = "FORETIDE_COHORTS_SAMPLE", value_name = "N", default_value_t = 50_000,
          value_parser = clap::value_parser!(u32).range(500..=5_000_000))]
    pub cohorts_sample: u32,

    /// The fewest shoppers that a cohort may have: a re-forming with a smaller one is refused, so that none says something of
    /// single shoppers
    #[arg(long, env = "FORETIDE_COHORTS_MINIMUM_SIZE", value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u64).range(2..=1_000_000))]
    pub cohorts_minimum_size: u64,

    /// How often models are trained and compared with those that serve, in seconds
    #[arg(long, env = "FORETIDE_TRAINING_INTERVAL_S", value_name = "S", default_value_t = 300,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub training_interval_s: u64,

    /// From how many of the newest examples of drift, and as many of abandonment, models are trained. They are held in memory, less
    /// than a kilobyte each; of a shop with more the examples of some shoppers are held, so that they go back far enough
    #[arg(long, env = "FORETIDE_TRAINING_WINDOW", value_name = "N", default_value_t = 100_000,
          value_parser = clap::value_parser!(u32).range(500..=2_000_000))]
    pub training_window: u32,

    /// What a shopper does less of who drifts, a sum with a half-life of 30 days: `engagement_30d`, `actions_30d`, `sessions_30d`,
    /// `product_views_30d`, `dwell_seconds_30d`, `purchases_30d` or `spend_30d`. `auto` is `engagement_30d`, or `actions_30d` where
    /// hardly anyone has engagement, as in a shop that only sends purchases
    #[arg(
        long,
        env = "FORETIDE_DRIFT_MEASURE",
        value_name = "FEATURE",
        default_value = "auto"
    )]
    pub drift_measure: DriftMeasure,

    /// Over how many days a shopper drifts
    #[arg(long, env = "FORETIDE_DRIFT_HORIZON_DAYS", value_name = "DAYS", default_value_t = 7,
          value_parser = clap::value_parser!(u16).range(1..=38))]
    pub drift_horizon_days: u16,

    /// A shopper drifts who does less than this share of what is usual for the shopper over the horizon
    #[arg(long, env = "FORETIDE_DRIFT_SHARE", value_name = "SHARE", default_value = "0.5",
          value_parser = share)]
    pub drift_share: f64,

    /// The least of the measure that a shopper has who can drift: who did next to nothing cannot do much less. Unless given it is 3,
    /// and 1 where `auto` came to `actions_30d`
    #[arg(long, env = "FORETIDE_DRIFT_MINIMUM", value_name = "X", value_parser = minimum)]
    pub drift_minimum: Option<f64>,

    /// Threads that learn, at the lowest priority; what they learn does not depend on it
    #[arg(long, env = "FORETIDE_TRAINING_THREADS", value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub training_threads: u16,

    /// What all draws follow from: the same examples and the same seed teach the same model, and the same profiles at the same
    /// instant form the same cohorts
    #[arg(
        long,
        env = "FORETIDE_LEARNING_SEED",
        value_name = "N",
        default_value_t = 1
    )]
    pub learning_seed: u64,
}

/// By what cohorts are formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CohortAlgorithm {
    /// Everyone is in the cohort with the nearest centroid
    #[value(name = "kmeans")]
    KMeans,
    /// Cohorts are dense regions of any shape; who is in none is in a cohort of those who are like nobody
    Dbscan,
}

/// What a shopper does less of who drifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftMeasure {
    /// Engagement, or actions where hardly anyone has engagement.
    Auto,
    /// This feature.
    Feature(Feature),
}

/// The features that drift can be measured by: plain sums with a half-life of 30 days.
const MEASURES: [Feature; 7] = [
    Feature::Engagement30d,
    Feature::Actions30d,
    Feature::Sessions30d,
    Feature::ProductViews30d,
    Feature::DwellSeconds30d,
    Feature::Purchases30d,
    Feature::Spend30d,
];

impl FromStr for DriftMeasure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let known = MEASURES
            .into_iter()
            .find(|feature| feature.spec().name == text);
        known.map(Self::Feature).ok_or_else(|| {
            let names = MEASURES.map(|feature| feature.spec().name);
            format!("it is auto or one of {}", names.join(", "))
        })
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text
        .parse()
        .ok()
        .filter(|share| (0.01..=0.99).contains(share));
    share.ok_or_else(|| "it lies between 0.01 and 0.99".to_owned())
}

fn minimum(text: &str) -> Result<f64, String> {
    let minimum = text
        .parse()
        .ok()
        .filter(|minimum: &f64| minimum.is_finite() && *minimum > 0.0);
    minimum.ok_or_else(|| "it is a number above zero".to_owned())
}

impl Default for TrainerConfig {
    fn default() -> Self {
        Self {
            reference_interval_s: 3600,
            cohorts_interval_s: 300,
            cohorts_algorithm: CohortAlgorithm::KMeans,
            cohorts_least: 4,
            cohorts_most: 12,
            cohorts_sample: 50_000,
            cohorts_minimum_size: 50,
            training_interval_s: 300,
            training_window: 100_000,
            drift_measure: DriftMeasure::Auto,
            drift_horizon_days: 7,
            drift_share: 0.5,
            drift_minimum: None,
            training_threads: 1,
            learning_seed: 1,
        }
    }
}

impl TrainerConfig {
    /// What is wrong between settings that are each possible.
    pub fn faults(&self) -> Vec<String> {
        let (least, most) = (self.cohorts_least, self.cohorts_most);
        let mut faults = Vec::new();
        if least > most {
            faults.push(format!(
                "--cohorts-least is {least} and --cohorts-most is {most}: give a range, or the same number twice to fix it"
            ));
        }
        faults
    }

    /// Time from one reference to the next.
    pub(crate) fn reference_interval(&self) -> Duration {
        Duration::from_secs(self.reference_interval_s)
    }

    /// Time from one re-forming to the next.
    pub(crate) fn cohorts_interval(&self) -> Duration {
        Duration::from_secs(self.cohorts_interval_s)
    }

    /// Time from one training to the next.
    pub(crate) fn training_interval(&self) -> Duration {
        Duration::from_secs(self.training_interval_s)
    }

    /// What is held to learn from.
    pub(crate) fn window(&self, rules: &FoldRules) -> WindowSettings {
        let usual = WindowSettings::default();
        WindowSettings {
            most_points: self.training_window as usize,
            session_gap_ms: rules.session_gap_ms,
            session_certain_after_ms: usual.session_certain_after_ms - usual.session_gap_ms
                + rules.session_gap_ms,
            drift: DriftRule {
                measure: match self.drift_measure {
                    DriftMeasure::Auto => usual.drift.measure,
                    DriftMeasure::Feature(feature) => feature,
                },
                horizon_ms: i64::from(self.drift_horizon_days) * DAY_MS,
                share: self.drift_share,
                minimum: self.drift_minimum.unwrap_or(usual.drift.minimum),
                ..usual.drift
            },
            ..usual
        }
    }

    /// When a shopper drifts where hardly anyone has any of the usual measure; `None` where the measure is given.
    pub(crate) fn other_drift(&self, usual: &DriftRule) -> Option<DriftRule> {
        (self.drift_measure == DriftMeasure::Auto).then(|| DriftRule {
            measure: Feature::Actions30d,
            minimum: self.drift_minimum.unwrap_or(1.0),
            ..*usual
        })
    }

    /// How cohorts are formed.
    pub(crate) fn cohorts(&self) -> Settings {
        let (least, most) = (
            usize::from(self.cohorts_least),
            usize::from(self.cohorts_most),
        );
        Settings {
            algorithm: match self.cohorts_algorithm {
                CohortAlgorithm::KMeans => Algorithm::KMeans,
                CohortAlgorithm::Dbscan => Algorithm::Dbscan,
            },
            cohorts: if least == most {
                Counts::Fixed(most)
            } else {
                Counts::Between { least, most }
            },
            minimum_size: self.cohorts_minimum_size,
            threads: usize::from(self.training_threads),
            ..Settings::default()
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
        trainer: TrainerConfig,
    }

    fn parsed(words: &[&str]) -> Result<TrainerConfig, clap::Error> {
        let words = ["x"].iter().chain(words);
        Ok(Command::try_parse_from(words)?.trainer)
    }

    #[test]
    fn the_defaults_of_the_command_line_are_the_defaults() {
        let config = parsed(&[]).unwrap();
        assert_eq!(config, TrainerConfig::default());
        assert_eq!(config.cohorts(), Settings::default());
        assert!(config.faults().is_empty());
    }

    #[test]
    fn a_setting_that_makes_no_sense_is_refused() {
        for (flag, wrong) in [
            ("--reference-interval-s", "0"),
            ("--reference-interval-s", "604801"),
            ("--reference-interval-s", "daily"),
            ("--cohorts-interval-s", "0"),
            ("--cohorts-interval-s", "3601"),
            ("--cohorts-algorithm", "by-hand"),
            ("--cohorts-least", "1"),
            ("--cohorts-most", "257"),
            ("--cohorts-sample", "10"),
            ("--cohorts-minimum-size", "1"),
            ("--training-interval-s", "0"),
            ("--training-window", "10"),
            ("--drift-measure", "cart_items"),
            ("--drift-horizon-days", "39"),
            ("--drift-share", "1"),
            ("--drift-share", "NaN"),
            ("--drift-minimum", "0"),
            ("--training-threads", "0"),
            ("--learning-seed", "x"),
        ] {
            assert!(parsed(&[flag, wrong]).is_err(), "{flag} {wrong}");
        }
    }

    #[test]
    fn what_drift_is_can_be_said_and_what_is_not_said_is_as_usual() {
        let rules = FoldRules::default();
        assert_eq!(
            parsed(&[]).unwrap().window(&rules),
            WindowSettings::default()
        );
        let said = [
            "--drift-measure",
            "spend_30d",
            "--drift-horizon-days",
            "28",
            "--drift-share",
            "0.4",
        ];
        let drift = parsed(&said).unwrap().window(&rules).drift;
        assert_eq!(
            (drift.measure, drift.horizon_ms),
            (Feature::Spend30d, 28 * DAY_MS)
        );
        let longer = FoldRules {
            session_gap_ms: 3_600_000,
            ..rules
        };
        let window = parsed(&[]).unwrap().window(&longer);
        assert_eq!(window.session_gap_ms, 3_600_000);
        assert_eq!(window.session_certain_after_ms, 2 * 3_600_000 + 70 * 60_000);
    }

    #[test]
    fn a_range_of_cohorts_that_is_none_is_told() {
        let turned = parsed(&["--cohorts-least", "9", "--cohorts-most", "5"]).unwrap();
        let faults = turned.faults();
        assert!(faults[0].contains("--cohorts-least is 9"), "{faults:?}");
        let fixed = parsed(&["--cohorts-least", "8", "--cohorts-most", "8"]).unwrap();
        assert!(fixed.faults().is_empty());
        assert_eq!(fixed.cohorts().cohorts, Counts::Fixed(8));
        assert_eq!(fixed.cohorts().check(), Ok(()));
    }
}
