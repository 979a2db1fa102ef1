//! `foretide refold`: profiles made anew from the log, in the place of those that another version or other settings made.

use std::{fmt::Write as _, sync::Arc};

use anyhow::bail;
use clap::{Args, builder::FalseyValueParser};
use foretide_host::{FoldRulesArgs, config::Checked, key_file};
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

  # The same over Kafka: all services are stopped
  foretide refold --log kafka:127.0.0.1:9092

  # From now on a session ends after 20 minutes: all services are stopped, and started with the same setting
  foretide refold --session-gap-s 1200 --data-dir /var/lib/foretide

Some versions fold or store profiles in another way, and so do other settings of the section Profile. This folds every \
action on the log by this version and with these settings, and publishes the profiles in the place of the old ones; \
then the services of this version start, with these settings. Actions, decisions, \
offers, keys and settings stay as they are. If it is cut short, run it again.

Profiles can be no better than the actions that the log still holds: where retention has taken some, it ends with \
exit status 1, says how much would be lost and changes nothing, unless --accept-loss is given. All profiles are in \
memory while it runs.";

/// Makes all profiles anew from the log, after an upgrade or other settings that fold in another way
#[derive(Args, Debug)]
pub(crate) struct RefoldArgs {
    /// Go on though the log has let go of actions that profiles rest on
    #[arg(long, env = "FORETIDE_REFOLD_ACCEPT_LOSS", value_parser = FalseyValueParser::new())]
    accept_loss: bool,

    #[command(flatten)]
    log: WhichLog,

    #[command(flatten)]
    rules: FoldRulesArgs,

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
        Refold::fold(read, args.log.partitions, args.rules.rules(), move |n| {
            pulse.beat();
            meter.show(n, None, || format!("{n} records read"));
        })
    });
    let refold = folding.await??;
    let (missing, gone) = (refold.missing(), refold.gone());
    let letters = refold.letters_gone();
    if missing + gone + letters > 0 && !args.accept_loss {
        bail!(
            "the log has let go of its first {missing} records of actions: {gone} shoppers would have no profile any more, and \
             others one without what those said; {letters} dead letters would no longer be counted. Nothing was changed. With \
             --accept-loss it is done nevertheless; or go on with the version that made the profiles"
        );
    }
    // Longer than a broker takes to notice that a processor was killed.
    let done = refold.publish(&*log, &member, args.patience.time(), |n| {
        meter.show(n, None, || format!("{n} records written"));
    });
    let done = done.await?;
    drop(meter);
    output.answer(&done, || {
        let mut gone = match done.gone {
            0 => String::new(),
            gone => format!("; {gone} shoppers have no profile any more"),
        };
        if done.letters_gone > 0 {
            let _ = write!(
                gone,
                "; {} dead letters are counted no more",
                done.letters_gone
            );
        }
        format!(
            "{}  {} shoppers, {} events folded anew{gone}",
            done.digest, done.shoppers, done.events
        )
    })
}
