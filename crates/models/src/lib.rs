//! What is likely to happen with a shopper, and why: probabilities from features.
//!
//! A [`Prediction`] carries its probability and the [`Contribution`] of every feature to it, in log-odds, so that an
//! answer can explain itself. Probabilities mean *if no offer is shown*.
//!
//! Until models are trained, [`prior`] answers: a transparent sum of documented terms, named [`prior::NAME`] in every
//! answer that rests on it. A trained [`Model`] blends it out as evidence comes in: a [`Scorer`] (logistic regression or
//! boosted trees), a [`Calibration`], a [`Correction`] for each cohort with enough examples. Models are trained elsewhere; here they are
//! kept, checked, scored and explained. Its [`ModelCard`] says what people are told of it. What they are trained on is an [`example`].
//!
//! This crate never reads a clock, does no I/O and holds no state.
//!
//! ```
//! use foretide_models::prior::{self, Inputs};
//!
//! let browsing = Inputs::default();
//! let hesitating = Inputs { has_cart: true, seconds_since_seen: Some(600.0), ..browsing };
//! let predictions = prior::predict(&hesitating);
//! assert!(predictions.abandonment.probability.get() > 0.7);
//! assert_eq!(predictions.source, "prior-1");
//! ```

mod calibration;
mod card;
mod correction;
pub mod example;
mod model;
mod prediction;
pub mod prior;
mod probability;
mod refused;
mod scorer;
pub mod shift;
mod target;

pub use calibration::{Calibration, Knot};
pub use card::{CalibrationBin, DataCard, Importance, InputSummary, Interval, Metrics, ModelCard};
pub use correction::Correction;
pub use model::{Explanation, Margin, Model, ModelParts, TERMS_SHOWN, Window, evidence_weight};
pub use prediction::{AND, Contribution, Prediction, Predictions};
pub use probability::{NotAProbability, Probability};
pub use refused::Refused;
pub use scorer::{
    INPUT_LIMIT, Leaf, Logistic, Node, Scorer, ScorerKind, Shape, Split, Term, Test, Tree, Trees,
};
pub use target::Target;
