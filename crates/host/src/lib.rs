//! What every process that hosts services shares: its settings, which log and database and where data live, whose key and
//! which instance it is, its ports, and waiting for what is away.
//!
//! ```text
//!   settings ─▶ Frame: ports answer, not ready ─▶ Host: log open ───────────────┐
//!                                              └▶ Edge: database, keys, limits ─┴▶ start of each service ─▶ Frame::wire
//! ```
//!
//! It knows no service: each has a `start` that takes what this crate opened, and adds itself. A process of one service is
//! an [`Alone`]; `foretide serve` composes the same starts.

mod alone;
mod args;
mod artefacts;
pub mod config;
mod database;
pub mod durable;
mod fold_rules;
mod frame;
mod host;
pub mod instance;
pub mod key_file;
mod log;
mod ports;
mod profile_memory;
mod public;
mod waiting;
mod watch;

pub use self::{
    alone::{Alone, command, main},
    args::{EdgeArgs, HostArgs, ProcessArgs},
    artefacts::follow_artefacts,
    database::{DatabaseArgs, valid_keys},
    fold_rules::FoldRulesArgs,
    frame::{Frame, Routes},
    host::{Edge, Host},
    instance::Instance,
    log::{LogArgs, LogChoice},
    ports::{Ports, bind_admin},
    profile_memory::ProfileMemoryArgs,
    public::PublicRoutes,
    waiting::{until_answers, until_there},
    watch::{LogHealth, LogState, watch_log},
};
