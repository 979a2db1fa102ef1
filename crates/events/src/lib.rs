//! What happened in the shop: actions, the events that carry them, and what became of each.
//!
//! An [`Action`] is what a shopper did. An [`Event`] is an action on the log with its ids and times. Ingest gives every
//! event a [`Receipt`], the processor gives every event on the log a [`Fate`]. This crate knows the wire format v1 (what
//! `POST /v1/actions` takes and what the topic `foretide.actions` holds) and the mapping from Segment calls.
//!
//! It never reads a clock, makes an id or draws a random number: the caller passes them in. Raw shopper ids exist only
//! inside the parsing functions; what they return carries pseudonyms.

mod action;
mod apart;
mod body;
mod bounded;
mod currency_codes;
mod decimal;
mod event;
mod fault;
mod flat;
mod ids;
mod instant;
mod intake;
mod lean;
pub mod limits;
mod link;
mod location;
mod money;
pub mod native;
mod object;
mod schema;
pub mod segment;
mod text;
mod verdict;
pub mod wire;

pub use action::*;
pub use bounded::{Finite, Fraction, List, Text};
pub use decimal::Decimal;
pub use event::{Event, Identity};
pub use ids::{Category, EventId, InvalidId, SessionId, ShopperId, SourceId};
pub use instant::EpochMs;
pub use intake::{Intake, TimeBasis, Timing};
pub use lean::{Lean, LeanAction, LeanProduct};
pub use link::LinkRecord;
pub use money::{Currency, Money, MoneyError};
pub use schema::actions_schema;
pub use verdict::{BatchRefusal, Fate, Receipt, Rejection, RejectionReason};
