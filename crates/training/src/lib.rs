//! Learning from examples: frames in, scorers, calibrations and honest figures out.
//!
//! [`fit`](fit()) learns a model of one kind from [`Examples`], and [`evaluate`](report::evaluate) says how good it is on
//! data that it never saw. The trainer and `foretide models evaluate` call the same two functions.
//!
//! How a fit goes, whatever the kind:
//! 1. Folds within the training rows: forward in time with a gap where the examples have times (what is judged always
//!    comes after what was learnt from), by group where they have none.
//! 2. What there is to choose (the penalty; the number and size of trees) is chosen by log-loss over those folds.
//! 3. The margins of the folds' judged rows, none of which was learnt from, calibrate the model.
//! 4. The model is fitted once more to all rows.
//!
//! Missing values and categories, in short ([`Encoding`] has the details): a missing number stays missing, and each scorer
//! learns what that means; a category becomes one 0/1 input for each of its frequent levels, and one input with the rate of
//! positives of its level, learnt out of fold. Groups and times are never inputs.
//!
//! Everything is a function of its arguments: no clock, no I/O, no randomness but the seed's. Equal data, settings and seed give
//! the same model, on any number of threads.
//!
//! ```
//! use foretide_training::{Column, Examples, FitSettings, Frame, Kind, fit};
//!
//! let x: Vec<f64> = (0..400).map(|i| f64::from(i % 40)).collect();
//! let bought: Vec<bool> = (0..400).map(|i| i % 40 + (i * 7) % 31 > 35).collect();
//! let frame = Frame::new(vec![("views".to_owned(), Column::Numbers(x))]).unwrap();
//! let examples = Examples::new(frame, bought).unwrap();
//! let fitted = fit(&examples, &FitSettings::of(Kind::Logistic)).unwrap();
//! let probabilities = fitted.probabilities(&examples.frame).unwrap();
//! assert!(probabilities[39] > probabilities[0]);
//! ```

mod boosted;
pub mod calibrate;
pub mod cohort_models;
pub mod encoding;
mod error;
pub mod examples;
mod fit;
pub mod folds;
pub mod frame;
pub mod leak;
mod logistic;
mod matrix;
pub mod metrics;
pub mod promotion;
pub mod registry;
pub mod report;
mod seeded;
mod train;
pub mod window;

pub use encoding::Encoding;
pub use error::FitError;
pub use examples::Examples;
pub use fit::{Counts, FitSettings, Fitted, Importance, Kind, Tuned, fit};
pub use foretide_models::{example, shift};
pub use frame::{Column, Frame};
pub use matrix::Matrix;
pub use train::{NotTrained, TrainSettings, Trained, Training, train};
