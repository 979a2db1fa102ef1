//! What came of a re-forming, and why it may or may not take over.

use foretide_events::Text;
use serde::{Deserialize, Serialize};

use crate::Cohorts;

/// What came of a re-forming.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reforming {
    /// The cohorts as they would be; `None` where none could be formed.
    pub candidate: Option<Cohorts>,
    /// Whether they may take over.
    pub verdict: Verdict,
    /// How they compare with what serves, on shoppers whom neither was formed from.
    pub comparison: Option<Comparison>,
    /// What was tried to find how many cohorts there are.
    pub trials: Vec<Trial>,
}

impl Reforming {
    /// The candidate, if it may take over.
    pub fn accepted(self) -> Option<Cohorts> {
        self.candidate.filter(|_| self.verdict == Verdict::Accepted)
    }

    pub(crate) fn impossible(cause: Refusal) -> Self {
        Self {
            candidate: None,
            verdict: Verdict::Refused {
                causes: vec![cause],
            },
            comparison: None,
            trials: Vec::new(),
        }
    }
}

/// Whether a candidate may take over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It may.
    Accepted,
    /// What serves goes on serving.
    Refused {
        /// Why, all of it.
        causes: Vec<Refusal>,
    },
}

/// Why a candidate is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Refusal {
    /// There are too few shoppers for two cohorts.
    #[error("{shoppers} shoppers are too few: cohorts need {needed}")]
    TooFewShoppers {
        /// How many there are.
        shoppers: u64,
        /// How many there must be.
        needed: u64,
    },
    /// All shoppers are the same in every feature.
    #[error("no feature tells shoppers apart")]
    NothingVaries,
    /// DBSCAN found no dense region.
    #[error("there is no region with enough shoppers close together")]
    NoRegion,
    /// A cohort says something of single shoppers.
    #[error("cohort {} would have {size} shoppers, fewer than {minimum}", .id.to_string())]
    TooSmall {
        /// Which.
        id: Text<32>,
        /// How many shoppers it would have.
        size: u64,
        /// How many it must have.
        minimum: u64,
    },
    /// One cohort holds nearly all.
    #[error("cohort {} would hold {share:.3} of all shoppers, more than {maximum:.3}", .id.to_string())]
    TooLarge {
        /// Which.
        id: Text<32>,
        /// Its part of all shoppers.
        share: f64,
        /// What part it may have.
        maximum: f64,
    },
    /// Two cohorts are the same.
    #[error("cohorts {} and {} would be at the same place", .one.to_string(), .other.to_string())]
    OnePlace {
        /// The one.
        one: Text<32>,
        /// The other.
        other: Text<32>,
    },
    /// It tells shoppers apart less well than what serves.
    #[error("its {} is {candidate:.4}, worse than {serving:.4} of what serves by more than is allowed", .measure.to_string())]
    Worse {
        /// By which measure.
        measure: Text<32>,
        /// The candidate's.
        candidate: f64,
        /// That of what serves.
        serving: f64,
    },
    /// A number of it is none.
    #[error("it cannot serve: {reason}")]
    Unsound {
        /// Why.
        reason: String,
    },
}

/// How a partition of shoppers does, measured around the middles of these shoppers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// How many cohorts there are.
    pub cohorts: usize,
    /// The mean squared distance to the middle of the own cohort.
    pub inertia: f64,
    /// The part of the variance that is between cohorts.
    pub explained: f64,
    /// The mean simplified silhouette.
    pub silhouette: f64,
    /// The part of shoppers in the largest cohort.
    pub largest_share: f64,
    /// The part of shoppers in the smallest cohort, that of those like nobody aside.
    pub smallest_share: f64,
    /// How many shoppers it was measured on.
    pub measured_on: u64,
}

impl Measured {
    /// The variance between cohorts over that within, each by its degrees of freedom (Caliński & Harabasz 1974). It is larger for
    /// one cohort more only where that takes away more than its share of the variance within.
    pub fn variance_ratio(&self) -> f64 {
        let cohorts = self.cohorts as f64;
        let free = (self.measured_on as f64 - cohorts) / (cohorts - 1.0);
        let within = 1.0 - self.explained;
        if self.cohorts < 2 || free <= 0.0 || within <= 0.0 {
            return 0.0;
        }
        self.explained / within * free
    }
}

/// A candidate and what serves, on the same held-out shoppers in one scale: the candidate's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The candidate.
    pub candidate: Measured,
    /// What serves, if anything does.
    pub serving: Option<Measured>,
    /// The part of these shoppers whose cohort has another id under the candidate.
    pub moved: Option<f64>,
}

/// A number of cohorts that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// How many.
    pub cohorts: usize,
    /// From where: `warm`, `fresh`, `one more`, `one less`.
    pub start: Text<16>,
    /// The mean squared distance to the own centroid, of the shoppers that were fit to.
    pub inertia: f64,
    /// The [variance ratio](Measured::variance_ratio) of others.
    pub variance_ratio: f64,
    /// The mean simplified silhouette of others.
    pub silhouette: f64,
}
