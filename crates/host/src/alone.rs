//! The `main` of a process that runs one service.

use std::{process::ExitCode, sync::Arc};

use clap::{Args, Command};
use foretide_runtime::{Lifecycle, SharedClock, SystemClock, telemetry};

use crate::{Host, ProcessArgs, config, config::Checked};

/// A service that can run as a process of its own, as its settings.
pub trait Alone: Args + Checked + Sized {
    /// The program, such as `foretide-ingest`.
    const PROGRAM: &'static str;
    /// What it is, in one line.
    const ABOUT: &'static str;
    /// Examples and advice for `--help`.
    const EXAMPLES: &'static str;

    /// How the process speaks and ends.
    fn process(&self) -> &ProcessArgs;

    /// Starts it. What is returned is held until the process ends; `None` when it was told to end before it was up.
    fn start(
        &self,
        lifecycle: &Lifecycle,
        clock: SharedClock,
    ) -> impl Future<Output = anyhow::Result<Option<Host>>>;
}

/// The command line of `A`.
pub fn command<A: Alone>() -> Command {
    let command = Command::new(A::PROGRAM)
        .version(env!("CARGO_PKG_VERSION"))
        .max_term_width(110);
    A::augment_args(command)
        .about(A::ABOUT)
        .long_about(None)
        .after_help(A::EXAMPLES)
        // Of an embedded log, which a service alone has none of.
        .mut_arg("disk_reserve_bytes", |arg| arg.hide(true))
        .mut_arg("log", |arg| {
            arg.help("The log, which all services share: `kafka:HOST:PORT[,HOST:PORT…]`")
        })
}

/// Runs `A` until the process is told to end.
pub fn main<A: Alone>() -> ExitCode {
    let parsed = match config::parse::<A>(command::<A>()) {
        Ok(parsed) => parsed,
        Err(refusal) => return refusal.tell(),
    };
    match run(&parsed.config, &parsed.settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Also where the log of the process could not be set up.
            tell(&format!("{}: {error:#}", A::PROGRAM));
            ExitCode::FAILURE
        }
    }
}

fn run<A: Alone>(alone: &A, settings: &config::Settings) -> anyhow::Result<()> {
    let process = alone.process();
    telemetry::init(&process.telemetry)?;
    settings.log(A::PROGRAM);
    // Holds the data directory until everything has ended.
    let mut held = None;
    foretide_runtime::run(&process.lifecycle, async |lifecycle| {
        held = alone.start(&lifecycle, Arc::new(SystemClock)).await?;
        Ok(())
    })
}

#[expect(clippy::print_stderr, reason = "the last words of a process")]
fn tell(words: &str) {
    eprintln!("{words}");
}
