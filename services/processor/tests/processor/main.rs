//! The processor over a log in memory that can be made to fail.
#![expect(clippy::unwrap_used, reason = "tests may")]
#![expect(
    clippy::cast_possible_truncation,
    reason = "the numbers here are small"
)]

mod checkpoints;
mod crashes;
mod examples;
mod fates;
mod following;
mod identity;
mod members;
mod memory;
mod owners;
mod refold;
mod replay;
mod sessions;
mod shadows;
mod support;
mod trouble;
mod watched;
