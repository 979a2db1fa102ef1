//! Keeping shoppers pseudonymous from the edge on.
//!
//! A raw id of a shopper is replaced by a keyed hash before anything is stored: [`Pseudonymiser`]. Whoever holds the log
//! but not the key cannot tell who is who, nor test a guess. This crate does no I/O: reading and making the key file is
//! the caller's work.

mod pseudonym;

pub use pseudonym::{IdKind, KeyError, PseudonymKey, Pseudonymiser};
