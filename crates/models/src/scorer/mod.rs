//! From a row of inputs to log-odds.

mod logistic;
pub(crate) mod trees;

pub use logistic::{Logistic, Shape, Term};
pub use trees::{Leaf, Node, Split, Test, Tree, Trees};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most inputs that a scorer takes.
pub const INPUT_LIMIT: usize = 4096;

/// Which kind of scorer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScorerKind {
    /// Logistic regression.
    Logistic,
    /// Gradient-boosted trees.
    Boosted,
}

impl ScorerKind {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logistic => "logistic",
            Self::Boosted => "boosted",
        }
    }
}

impl std::fmt::Display for ScorerKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Makes the *margin* of a row: log-odds as they were learnt, before any calibration.
///
/// A row is `(n_inputs,)`: its inputs in the order the scorer was trained on. NaN is a missing value; an input beyond the end of
/// a row that is too short is missing, and whatever a row has too many is not looked at.
#[derive(Clone, Debug, PartialEq)]
pub enum Scorer {
    /// A weighted sum.
    Logistic(Logistic),
    /// A sum of regression trees.
    Boosted(Trees),
}

impl Scorer {
    /// Its kind.
    pub fn kind(&self) -> ScorerKind {
        match self {
            Self::Logistic(_) => ScorerKind::Logistic,
            Self::Boosted(_) => ScorerKind::Boosted,
        }
    }

    /// How many inputs a row has.
    pub fn width(&self) -> usize {
        match self {
            Self::Logistic(logistic) => logistic.width(),
            Self::Boosted(trees) => trees.width(),
        }
    }

    /// The margin of `row`. Always finite.
    pub fn margin(&self, row: &[f64]) -> f64 {
        match self {
            Self::Logistic(logistic) => logistic.margin(row),
            Self::Boosted(trees) => trees.margin(row),
        }
    }

    /// Takes the margin of `row` apart: adds to `contributions`, of shape `(n_inputs,)`, what each input adds to it, and returns
    /// what every row begins with. The sum of both is the margin, up to rounding.
    pub fn explain(&self, row: &[f64], contributions: &mut [f64]) -> f64 {
        match self {
            Self::Logistic(logistic) => logistic.explain(row, contributions),
            Self::Boosted(trees) => trees.explain(row, contributions),
        }
    }
}
