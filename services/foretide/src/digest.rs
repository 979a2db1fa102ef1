//! `foretide digest`: one short text that says which profiles a log folds to.

use clap::Args;
use foretide_features::FoldRules;
use indicatif::{ProgressBar, ProgressStyle};
use uuid::Uuid;

use crate::{output::Output, store::StoreArgs};

/// Prints the digest of all profiles
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foretide digest --data-dir /var/lib/foretide
  foretide digest --data-dir /var/lib/foretide --log kafka:127.0.0.1:9092 --json

Equal digests mean equal profiles, wherever and however they were folded. Everything on the log is folded \
to its end; nothing is published. An embedded log that a server has open cannot be read beside it: stop \
the server first.")]
pub(crate) struct DigestArgs {
    #[command(flatten)]
    store: StoreArgs,
}

/// Runs the command.
pub(crate) async fn run(args: DigestArgs, output: Output) -> anyhow::Result<()> {
    let log = args
        .store
        .open_existing_log(&format!("digest-{}", Uuid::new_v4()))
        .await?;
    let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template(
        "{pos} records  {elapsed_precise}",
    )?);
    let report = foretide_processor::digest(
        log,
        args.store.partitions,
        FoldRules::default(),
        |records| {
            bar.set_position(records);
        },
    )
    .await?;
    bar.finish_and_clear();
    Ok(output.answer(&report, || {
        format!(
            "{}  {} shoppers, {} events folded",
            report.digest, report.shoppers, report.events
        )
    })?)
}
