//! What the end-to-end tests share: the real binaries, a real broker, a file layer that can lose power.
//!
//! Everything binds to 127.0.0.1 on free ports, lives in throw-away directories and ends with the test.

// Test support: a broken surrounding should stop the test where it shows.
#![allow(
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

pub mod broker;
pub mod data;
pub mod faults;
pub mod haproxy;
pub mod learning;
pub mod postgres;
pub mod power_cut;
pub mod scenario;
pub mod sdk;
pub mod segment;
pub mod server;

use std::{net::TcpListener, path::PathBuf};

/// A port of 127.0.0.1 that nobody listens on at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port()
}

/// The root of the project.
pub fn project_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}
