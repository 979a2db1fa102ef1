//! The store in a database: SQLite in one file, or PostgreSQL for several instances, through sqlx.
//!
//! One set of statements and one set of migrations (`migrations/` at the root of the project) serves both. Texts go through
//! an escape, because PostgreSQL holds no U+0000.
//!
//! # Why changes are exact
//!
//! Every change of an offer, a key or a setting is one transaction that first raises the revision. That locks the
//! revision's one row (SQLite: the file), so changes take turns over all instances: what is compared with
//! [`Expected`](foretide_ports::Expected) cannot change before the commit, and the revisions that readers see rise in the
//! order of the changes.
//!
//! # A database that goes away
//!
//! Getting a connection and every statement has a deadline, after which the answer is
//! [`StoreError::Away`](foretide_ports::StoreError::Away). A connection on which something went wrong, or whose caller was
//! dropped half way, is closed and never used again, so a database that comes back is used again without more ado. Nothing
//! is tried again here: whoever asked knows whether that is right.
//!
//! This crate never migrates unasked ([`SqlStore::connect`] does not), never reads a clock, logs or counts.

mod connection;
mod errors;
mod escape;
mod hexadecimal;
mod keys;
mod offers;
mod rejections;
mod schema;
mod session;
mod settings;
mod store;
mod url;

pub use schema::{Migrated, SchemaState};
pub use store::SqlStore;
pub use url::{DatabaseUrl, InvalidDatabaseUrl};
