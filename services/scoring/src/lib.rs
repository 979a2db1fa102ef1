//! Answers: what a shopper is offered, what is known of a shopper, what became of a source's events.
//!
//! The way of a decision:
//!
//! ```text
//!  POST /v1/decisions ─▶ shopper's pseudonym ─▶ profile in the table ─▶ features at now ─▶ cohort ─▶ probabilities
//!                                                                                        │ rule over them
//!            answer ◀── degraded? ◀── queue of records (bounded) ◀── record ◀──┘
//!                                          └─▶ foretide.decisions, in the background
//! ```
//!
//! A decision is never an error because something behind is down: the log away, its queue full, profiles stale or still
//! being restored all make an answer that says it is degraded, and why. It never waits for the log.
//!
//! The table of profiles is filled by whoever folds: the processor in the same process, or a follower of the profiles'
//! topic. This service only reads it. Raw ids of shoppers are replaced at once and never echoed, stored or logged.

mod alone;
mod api;
mod cart;
mod config;
mod decide;
mod freshness;
mod instant;
mod knowledge;
mod metrics;
mod movements;
mod page;
mod parity;
mod popular;
mod profiles_age;
mod recorder;
mod reference;
mod routes;
mod rulebook;
mod served;
mod serving;
mod shopper;
mod sources;
mod start;
mod stored;
mod whole;

pub use alone::ScoringAlone;
pub use api::{Background, Parts, Scoring};
pub use config::ScoringConfig;
pub use served::{Served, Status};
pub use sources::{
    LocalSources, Rejections, SourceAnswer, SourceError, SourceReader, StoredRejections,
};
pub use start::start;

#[cfg(test)]
mod testing;
