//! `foretide refold`: profiles made anew from the log, in the place of those that another version made.

use std::sync::Arc;

use anyhow::bail;
use clap::{Args, builder::FalseyValueParser};
use foretide_features::FoldRules;
use foretide_host::{config::Checked, key_file};
use foretide_ports::ReadOnlyLog;
use foretide_processor::Refold;
use uuid::Uuid;

use crate::{
    look::{Patience, WhichLog},
    output::Output,
    progress::Meter,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  # The server of this directory is stopped, and its new version says that profiles were made by another
  foretide refold --data-dir /var/lib/foretide

  # The same over Kafka: all of foretide-ingest, foretide-processor and foretide-scoring are stopped
  foretide refold --log kafka:127.0.0.1:9092

Some versions fold or store profiles in another way. This folds every action on the log by this version and \
publishes the profiles in the place of the old ones; then the services of this version start. Actions, decisions, \
offers, keys and settings stay as they are. If it is cut short, run it again.

Profiles can be no better than the actions that the log still holds: where retention has taken some, it ends with \
exit status 1, says how much would be lost and changes nothing, unless --accept-loss is given. All profiles are in \
memory while it runs.";

/// Makes all profiles anew from the log, after an upgrade that folds in another way
#[derive(Args, Debug)]
pub(crate) struct RefoldArgs {
    /// Go on though the log has let go of actions that profiles rest on
    #[arg(long, env = "FORETIDE_REFOLD_ACCEPT_LOSS", value_parser = FalseyValueParser::new())]
    accept_loss: bool,

    #[command(flatten)]
    log: WhichLog,

    #[command(flatten)]
    patience: Patience,
}

impl Checked for RefoldArgs {
    fn faults(&self) -> Vec<String> {
        self.log.faults()
    }
}

/// Runs the command.
///
/// # Errors
/// The log cannot be read or written, something would be lost, or a processor is at work.
pub(crate) async fn run(args: RefoldArgs, output: Output) -> anyhow::Result<()> {
    let member = format!("refold-{}", Uuid::new_v4());
    let log = args.log.open_existing_log(&member).await?;
    key_file::check_if_given(&args.log, &*log).await?;
    let meter = Meter::new("{msg}  {elapsed_precise}");
    let read = ReadOnlyLog::new(Arc::clone(&log));
    let folding = args.patience.with(|pulse| {
        let (read, meter) = (&read, &meter);
        Refold::fold(read, args.log.partitions, FoldRules::default(), move |n| {
            pulse.beat();
            meter.show(n, None, || format!("{n} records read"));
        })
    });
    let refold = folding.await??;
    let (missing, gone) = (refold.missing(), refold.gone());
    if missing + gone > 0 && !args.accept_loss {
        bail!(
            "the log has let go of its first {missing} actions: {gone} shoppers would have no profile any more, and others one \
             without what those actions said. Nothing was changed. With --accept-loss it is done nevertheless; or go on with the \
             version that made the profiles"
        );
    }
    let done = refold.publish(&*log, |n| {
        meter.show(n, None, || format!("{n} records written"));
    });
    let done = done.await?;
    drop(meter);
    output.answer(&done, || {
        let gone = match done.gone {
            0 => String::new(),
            gone => format!("; {gone} shoppers have no profile any more"),
        };
        format!(
            "{}  {} shoppers, {} events folded anew{gone}",
            done.digest, done.shoppers, done.events
        )
    })
}
