//! The trainer: learns from all shoppers what no shopper's own profile can tell, and publishes it for everyone to apply.
//!
//! ```text
//!   table of profiles ── every interval ──▶ learn ──▶ hardly different from what serves? nothing is published
//!                                             │ else
//!                                             └─▶ foretide.artefacts, under a version's name and with the time it serves from
//!                                                       └─▶ every process that reads features
//! ```
//!
//! So far it learns the *reference*: the levels of prices and the habits that are usual ([`foretide_features::Reference`]).
//! A version never changes and its name says what is in it. Any number of trainers may work on one log: each sees what
//! another has published, and if two publish at once there are two versions that are much alike, one after the other.
//!
//! It reads profiles and changes none; it never answers a request.

mod alone;
mod config;
mod learn;
mod metrics;
mod publish;
mod start;
mod trainer;

pub use alone::TrainerAlone;
pub use config::TrainerConfig;
pub use metrics::TrainerMetrics;
pub use start::start;
pub use trainer::{Trainer, TrainerParts};
