//! `foretide digest`: one short text that says which profiles a log folds to.

use clap::Args;
use foretide_host::{FoldRulesArgs, config::Checked, key_file};
use uuid::Uuid;

use crate::{
    look::{Patience, WhichLog},
    output::Output,
    progress::Meter,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  foretide digest --data-dir /var/lib/foretide
  foretide digest --log kafka:127.0.0.1:9092 --json

Equal digests mean equal profiles, wherever and however they were folded. The published profiles are read, \
and what follows them on the log is folded to its end; nothing is published. `foretide replay` folds all of \
the log anew instead. Where a pseudonym key is given it must be the log's own.

An embedded log that a server has open cannot be read beside it: stop the server first.";

/// Prints the digest of all profiles
#[derive(Args, Debug)]
pub(crate) struct DigestArgs {
    #[command(flatten)]
    log: WhichLog,

    #[command(flatten)]
    rules: FoldRulesArgs,

    #[command(flatten)]
    patience: Patience,
}

impl Checked for DigestArgs {
    fn faults(&self) -> Vec<String> {
        self.log.faults()
    }
}

/// Runs the command.
pub(crate) async fn run(args: DigestArgs, output: Output) -> anyhow::Result<()> {
    let log = args
        .log
        .open_existing_log(&format!("digest-{}", Uuid::new_v4()))
        .await?;
    key_file::check_if_given(&args.log, &*log).await?;
    let meter = Meter::new("{msg}  {elapsed_precise}");
    let digesting = args.patience.with(|pulse| {
        let (partitions, meter) = (args.log.partitions, &meter);
        foretide_processor::digest(log, partitions, args.rules.rules(), move |records| {
            pulse.beat();
            meter.show(records, None, || format!("{records} records read"));
        })
    });
    let report = digesting.await??;
    drop(meter);
    output.answer(&report, || {
        format!(
            "{}  {} shoppers, {} events folded",
            report.digest, report.shoppers, report.events
        )
    })
}
