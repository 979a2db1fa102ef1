//! What every process needs whatever it does: configuration sections, telemetry, lifecycle, readiness, clock.
//!
//! It knows no domain crate. Every `main` has the same shape:
//!
//! ```no_run
//! use clap::Parser;
//! use foretide_runtime::{LifecycleConfig, TelemetryConfig, run, telemetry};
//!
//! #[derive(Parser)]
//! struct Config {
//!     #[command(flatten)]
//!     telemetry: TelemetryConfig,
//!     #[command(flatten)]
//!     lifecycle: LifecycleConfig,
//! }
//!
//! fn main() -> anyhow::Result<()> {
//!     let config = Config::parse();
//!     telemetry::init(&config.telemetry)?;
//!     run(&config.lifecycle, async move |lifecycle| {
//!         let soft = lifecycle.soft().clone();
//!         lifecycle.spawn("waiting", async move {
//!             soft.cancelled().await;
//!             Ok(())
//!         });
//!         Ok(())
//!     })
//! }
//! ```

mod clock;
mod gathered;
mod json_lines;
mod lifecycle;
pub mod metrics;
mod readiness;
mod secret;
pub mod telemetry;
mod timestamp;

pub use clock::{Clock, ManualClock, ScaledClock, SharedClock, SystemClock};
pub use lifecycle::{ComponentFailed, Lifecycle, LifecycleConfig, run};
/// The metrics library whose types [`metrics!`] speaks of.
pub use prometheus;
pub use readiness::{Component, ComponentReport, Readiness, ReadinessReport};
pub use secret::Secret;
pub use telemetry::{LogFormat, TelemetryConfig};
/// The token by which a component learns that it should stop.
pub use tokio_util::sync::CancellationToken;
