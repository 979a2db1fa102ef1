//! `foretide simulate`: pretend shoppers as load on any server, or as a file.
//!
//! ```text
//!   shoppers ─ as many as are due ─▶ lanes, by shopper ─ batches, one at a time ─▶ POST ─▶ receipts ─▶ tally
//!       ▲  └─ questions ─▶ decisions ─▶ POST ─┐                  until answered
//!       └───────────────── offers ◀───────────┘
//! ```

mod args;
mod decisions;
mod file;
mod lanes;
mod latency;
mod load;
mod summary;
mod tally;
mod timeline;

use std::sync::Arc;

pub(crate) use self::args::{EXAMPLES, SimulateArgs};
use self::{summary::Summary, tally::Tally, timeline::Timeline};
use crate::{output::Output, stop};

/// Runs the command until the summary is out.
///
/// # Errors
/// The server refuses what is sent, something could not be sent, or not one question was answered.
pub(crate) async fn run(args: SimulateArgs, output: Output) -> anyhow::Result<()> {
    let timeline = Timeline::of(&args);
    if let Some(out) = &args.out {
        let (args, out) = (args.clone(), out.clone());
        let written = tokio::task::spawn_blocking(move || file::write(&args, timeline, &out));
        return written.await?;
    }
    let tally = Arc::new(Tally::default());
    let played = load::play(&args, timeline, &tally, stop::when_asked()).await;
    let summary = Summary::of(&args, &tally);
    output.answer(&summary, || summary.to_string())?;
    played?;
    summary.verdict()
}
