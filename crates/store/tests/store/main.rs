//! The store in SQLite and on a real PostgreSQL, which is started through `deploy/postgres/server`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test support panics with what was expected"
)]

mod common;
mod postgres;
mod proxy;
mod schema;
mod sqlite;
#[cfg(feature = "tls")]
mod tls;
mod trouble;
