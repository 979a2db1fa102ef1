//! The trainer: learns from all shoppers what no shopper's own profile can tell, and publishes it for everyone to apply.
//!
//! ```text
//!   table of profiles ─┬─ reference trainer ─▶ what is usual ───────┐
//!                      └─ cohort trainer ────▶ who behaves alike ───┼─▶ foretide.artefacts: versions, with the time from
//!   foretide.examples ─┬─ model trainer ─────▶ drift, abandonment ──┘   which they serve, and a report on each attempt
//!   foretide.decisions ┘                                                      └─▶ every process that reads features
//! ```
//!
//! Three loops, each at its interval:
//!
//! * the *reference* ([`foretide_features::Reference`]): the levels of prices and the habits that are usual;
//! * the *cohorts* ([`foretide_cohorts::Reformer`]): formed anew from a sample, compared with those that serve, refused where they
//!   are worse, published where they are others;
//! * the *models* ([`foretide_training`]): trained on what became of untreated shoppers, scored beside the model that serves on
//!   later ones, promoted where they prove better, and rolled back where they do worse than they should.
//!
//! # What is always true
//!
//! * **Nothing here is in the way of an answer.** It learns one thing at a time and fits at the lowest priority; it never answers a
//!   request, and whatever goes wrong here is told, and what serves goes on serving.
//! * **Everything is on the log.** A version never changes and its name says what is in it. A trainer that is killed at any moment
//!   goes on from what is published and from the examples, and any number of them may work on one log: each sees what another has
//!   published, and if two publish at once there are two versions, one after the other.
//! * **The same data and the same seed teach the same**: of models the data are the examples, of cohorts the profiles at an instant. The
//!   seed of each draw is told with what came of it.

mod alone;
mod aside;
mod cohorts;
mod config;
mod metrics;
mod models;
mod parts;
mod reference;
mod rhythm;
mod sample;
mod start;
#[cfg(test)]
mod testing;

pub use alone::TrainerAlone;
pub use config::{CohortAlgorithm, TrainerConfig};
pub use metrics::TrainerMetrics;
pub use start::start;

use cohorts::CohortTrainer;
use models::ModelTrainer;
use parts::TrainerParts;
use reference::ReferenceTrainer;
