//! How cohorts are formed.

use foretide_features::Feature;
use serde::{Deserialize, Serialize};

use crate::{MAX_DIMENSIONS, Space, feature_name};

/// By what cohorts are formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// k-means: everyone is in the cohort with the nearest centroid.
    KMeans,
    /// DBSCAN: cohorts are dense regions of any shape, and who is in none is in the cohort of those like nobody.
    Dbscan,
}

/// How many cohorts k-means forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// So many.
    Fixed(usize),
    /// As many as shoppers ask for, by the variance ratio and by gaps between cohorts.
    Between {
        /// The fewest.
        least: usize,
        /// The most.
        most: usize,
    },
}

impl Counts {
    /// The most cohorts that may be asked for.
    pub const MOST: usize = 256;

    /// The fewest and the most.
    pub fn range(self) -> (usize, usize) {
        match self {
            Self::Fixed(k) => (k, k),
            Self::Between { least, most } => (least, most),
        }
    }
}

/// How cohorts are formed. Shares and margins are fractions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// By what.
    pub algorithm: Algorithm,
    /// In which features shoppers are compared.
    #[serde(with = "feature_name::list")]
    pub features: Vec<Feature>,
    /// How many cohorts k-means forms; DBSCAN finds as many as there are.
    pub cohorts: Counts,
    /// The fewest shoppers that a cohort may have.
    pub minimum_size: u64,
    /// The largest share of shoppers that one cohort may hold before the forming counts as collapsed.
    pub maximum_share: f64,
    /// How far k-means goes from a serving centroid to the new one in one re-forming, above 0; 1 is all the way.
    pub damping: f64,
    /// Fresh starts beside the one from the serving centroids; at least one is made where nothing serves.
    pub restarts: usize,
    /// By what part of the inertia a fresh start must be better than the one from the serving centroids to be taken.
    pub restart_gain: f64,
    /// By what part the variance ratio must be better for another number of cohorts than that which serves.
    pub count_gain: f64,
    /// By what part a candidate may be worse than what serves: its inertia, or its variance ratio if it has fewer cohorts.
    pub worse_margin: f64,
    /// The most shoppers that DBSCAN looks at, for it takes time by their square.
    pub dbscan_sample: usize,
    /// Threads to form with; the outcome does not depend on it.
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::KMeans,
            features: Space::default_features().to_vec(),
            cohorts: Counts::Between { least: 4, most: 12 },
            minimum_size: 50,
            maximum_share: 0.98,
            damping: 0.3,
            restarts: 1,
            restart_gain: 0.01,
            count_gain: 0.02,
            worse_margin: 0.02,
            dbscan_sample: 4_000,
            threads: 1,
        }
    }
}

/// Why settings are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// There are no features, too many, or one twice.
    #[error("`features` must name 1 to {} distinct features", MAX_DIMENSIONS / 2)]
    Features,
    /// No such number of cohorts can be formed.
    #[error(
        "`cohorts` must be 2 to {}, and the fewest not above the most",
        Counts::MOST
    )]
    Counts,
    /// A fraction is none.
    #[error("`{0}` must lie between 0 and 1")]
    Fraction(&'static str),
    /// DBSCAN looks at too few shoppers to see anything, or at so many that it would not end.
    #[error("`dbscan_sample` must be 200 to 20000")]
    DbscanSample,
    /// Nobody would do the work.
    #[error("`threads` must be 1 to 256")]
    Threads,
}

impl Settings {
    /// Whether cohorts can be formed so.
    pub fn check(&self) -> Result<(), SettingsError> {
        let distinct: std::collections::BTreeSet<_> = self.features.iter().collect();
        let features = self.features.len();
        if features == 0 || features > MAX_DIMENSIONS / 2 || distinct.len() != features {
            return Err(SettingsError::Features);
        }
        let (least, most) = self.cohorts.range();
        if least < 2 || least > most || most > Counts::MOST {
            return Err(SettingsError::Counts);
        }
        let fractions = [
            ("maximum_share", self.maximum_share),
            ("damping", self.damping),
            ("restart_gain", self.restart_gain),
            ("count_gain", self.count_gain),
            ("worse_margin", self.worse_margin),
        ];
        for (name, fraction) in fractions {
            let least = if name == "damping" { 1e-3 } else { 0.0 };
            if !(least..=1.0).contains(&fraction) {
                return Err(SettingsError::Fraction(name));
            }
        }
        if !(200..=20_000).contains(&self.dbscan_sample) {
            return Err(SettingsError::DbscanSample);
        }
        if !(1..=256).contains(&self.threads) {
            return Err(SettingsError::Threads);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound_and_settings_that_are_not_are_told_by_name() {
        let sound = Settings::default();
        assert_eq!(sound.check(), Ok(()));
        let unsound = [
            (
                Settings {
                    features: vec![Feature::Spend30d; 2],
                    ..sound.clone()
                },
                SettingsError::Features,
            ),
            (
                Settings {
                    cohorts: Counts::Fixed(1),
                    ..sound.clone()
                },
                SettingsError::Counts,
            ),
            (
                Settings {
                    damping: 0.0,
                    ..sound.clone()
                },
                SettingsError::Fraction("damping"),
            ),
            (
                Settings {
                    worse_margin: f64::NAN,
                    ..sound.clone()
                },
                SettingsError::Fraction("worse_margin"),
            ),
            (
                Settings {
                    dbscan_sample: 3,
                    ..sound.clone()
                },
                SettingsError::DbscanSample,
            ),
            (
                Settings {
                    threads: 0,
                    ..sound.clone()
                },
                SettingsError::Threads,
            ),
        ];
        for (settings, error) in unsound {
            assert_eq!(settings.check(), Err(error));
        }
    }

    #[test]
    fn settings_are_written_by_the_names_of_features() {
        let text = serde_json::to_string(&Settings::default()).unwrap();
        assert!(
            text.contains("\"engagement_30d\"") && text.contains("\"k_means\""),
            "{text}"
        );
        assert_eq!(
            serde_json::from_str::<Settings>(&text).unwrap(),
            Settings::default()
        );
        let unknown = r#"{"features":["nonsense"]}"#;
        let error = serde_json::from_str::<Settings>(unknown).unwrap_err();
        assert!(error.to_string().contains("there is no feature `nonsense`"));
    }
}
