//! The log on a real broker, which is started through `deploy/kafka/broker`.

#![allow(
    clippy::unwrap_used,
    reason = "test support panics with what was expected"
)]

mod common;
mod conformance;
mod exactly_once;
mod ranges;
mod topics;
mod trouble;
