//! What is predicted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Prediction, Predictions};

/// What a model predicts, if no offer is shown.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// That engagement falls: the shopper comes back less, or no more.
    Drift,
    /// That what is in the cart is not bought in this session.
    Abandonment,
}

impl Target {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Drift, Self::Abandonment];

    /// Its name in keys, paths and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::Abandonment => "abandonment",
        }
    }

    /// The one called `name`; `None` for anything else.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.as_str() == name)
    }

    /// What `predictions` say of it.
    pub fn of(self, predictions: &Predictions) -> &Prediction {
        match self {
            Self::Drift => &predictions.drift,
            Self::Abandonment => &predictions.abandonment,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
