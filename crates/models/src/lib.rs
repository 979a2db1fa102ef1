//! What is likely to happen with a shopper, and why: probabilities from features.
//!
//! A [`Prediction`] carries its probability and the [`Contribution`] of every feature to it, in log-odds, so that an
//! answer can explain itself. Probabilities mean *if no offer is shown*.
//!
//! Until models are trained, [`prior`] answers: a transparent sum of documented terms, named [`prior::NAME`] in every
//! answer that rests on it.
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

mod prediction;
pub mod prior;
mod probability;

pub use prediction::{Contribution, Prediction, Predictions};
pub use probability::{NotAProbability, Probability};
