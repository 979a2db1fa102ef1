//! What is different in one cohort.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::refused::{Refused, sensible};

/// A correction of the global model for one cohort: `offset + slope · log-odds`, both shrunk towards no correction, the more the
/// fewer examples the cohort has.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Correction {
    /// Added, in log-odds.
    pub offset: f64,
    /// What the global log-odds are multiplied by, above zero; 1 is no correction.
    pub slope: f64,
    /// How much of the correction that the cohort's own examples call for is left after shrinking, 0 to 1.
    pub trust: f64,
    /// How many examples of the cohort it was learnt from.
    pub examples: u64,
}

impl Correction {
    /// Changes nothing.
    pub const NONE: Self = Self {
        offset: 0.0,
        slope: 1.0,
        trust: 0.0,
        examples: 0,
    };

    /// The cohort's log-odds where the global model says `log_odds`.
    pub fn apply(&self, log_odds: f64) -> f64 {
        self.offset + self.slope * log_odds
    }

    /// Refuses numbers that make no sense.
    pub fn check(&self) -> Result<(), Refused> {
        sensible("correction.offset", self.offset)?;
        sensible("correction.slope", self.slope)?;
        if self.slope <= 0.0 {
            return Err(Refused::nonsense("correction.slope", "must be above zero"));
        }
        if !(0.0..=1.0).contains(&self.trust) {
            return Err(Refused::nonsense(
                "correction.trust",
                "must lie between 0 and 1",
            ));
        }
        Ok(())
    }
}
