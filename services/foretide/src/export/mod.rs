//! `foretide export`: the features of shoppers at instants of the past, as frames that models learn from.

mod asked;
mod cells;
mod draft;
mod rows;
mod summary;
mod table;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use anyhow::{Context as _, bail};
use clap::Args;
use foretide_events::{EpochMs, ShopperId};
use foretide_features::{CATALOGUE, FeatureSpec, FoldRules};
use foretide_frame::Format;
use foretide_host::{FoldRulesArgs, config::Checked, key_file};
use foretide_ports::{Log, ReadOnlyLog, References};
use foretide_processor::frames::{Framed, Seen, Wanted, frames};
use foretide_runtime::CancellationToken;
use uuid::Uuid;

use self::{asked::Asked, draft::Draft, rows::Rows, summary::Summary, table::Table};
use crate::{
    instant::instant,
    look::{Patience, WhichLog},
    output::{Output, note},
    progress::Meter,
    stop,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  # Every shopper as known at noon
  foretide export --as-of 2026-11-22T12:00:00Z --out shoppers.parquet --data-dir ./data

  # A row for each of a list: who, when, and whatever else is in it, such as labels
  #   user_id,event_timestamp,bought
  #   ann,2026-11-20T10:00:00Z,1
  foretide export --at labels.csv --out train.parquet --data-dir ./data

  # Some features only, over Kafka, for a program that reads lines of JSON
  foretide export --at labels.csv --out train.ndjson --features engagement_7d,cart_value \\
    --log kafka:127.0.0.1:9092 --pseudonym-key-file pseudonym.key

Each row holds what had happened by its instant, by the times of the events, and nothing that happened later (an event that was \
sent late counts at the time it happened): the log is folded by the code that serves, \
so the numbers are those of `GET /v1/shoppers/ID/features?at=TIME` and of Feast's get-online-features. What is \
missing or older than its greatest age is null. Devices that the shopper was known to use by then are part of the row; with --as-of each has a row of its own, too.

The columns: shopper_id, event_timestamp, the other columns of the list as they are, status (PRESENT, or NOT_FOUND if \
nothing was known of the shopper), as_of (the newest action that the row rests on), reference (the version of what is \
usual among shoppers), then every feature by its name in the catalogue. Parquet also says in its metadata what each \
feature means, its unit and formula.

A list names shoppers by a column user_id or anonymous_id, with the shop's ids, or shopper_id, with pseudonyms; ids of \
the shop are replaced and not written. Times are RFC 3339, or milliseconds since 1970.

An embedded log that a server has open cannot be read beside it: stop the server first. It is read from its \
beginning: of what retention took from it, profiles know nothing.";

/// What the key is for here.
pub(crate) const KEY_HELP: &str = "The key of the pseudonyms, for a list with the shop's own ids; DATA_DIR/pseudonym.key by default";

/// Writes features at instants of the past into a file, right for each instant
#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// A row for every shopper known at this instant, RFC 3339
    #[arg(long, env = "FORETIDE_EXPORT_AS_OF", value_name = "TIME", value_parser = instant)]
    as_of: Option<EpochMs>,

    /// A row for each row of this CSV file: a shopper and an `event_timestamp` (or `at`), besides anything else
    #[arg(long, env = "FORETIDE_EXPORT_AT", value_name = "EVENTS.csv")]
    at: Option<PathBuf>,

    /// The file to write; it is there whole or not at all
    #[arg(long, env = "FORETIDE_EXPORT_OUT", value_name = "FILE")]
    out: PathBuf,

    /// parquet, csv or ndjson; what the name of the file ends with by default
    #[arg(long, env = "FORETIDE_EXPORT_FORMAT", value_name = "FORMAT")]
    format: Option<Format>,

    /// These features only, in this order
    #[arg(long, env = "FORETIDE_EXPORT_FEATURES", value_name = "NAME,…", value_delimiter = ',', value_parser = feature)]
    features: Vec<&'static FeatureSpec>,

    #[command(flatten)]
    log: WhichLog,

    #[command(flatten)]
    patience: Patience,

    #[command(flatten)]
    rules: FoldRulesArgs,
}

impl ExportArgs {
    fn format(&self) -> Option<Format> {
        self.format.or_else(|| Format::of_file(&self.out))
    }

    /// Each once, all where none is named.
    fn features(&self) -> Vec<&'static FeatureSpec> {
        let mut features: Vec<&'static FeatureSpec> = Vec::new();
        for spec in &self.features {
            if !features.iter().any(|known| known.name == spec.name) {
                features.push(spec);
            }
        }
        if features.is_empty() {
            features.extend(&CATALOGUE);
        }
        features
    }
}

impl Checked for ExportArgs {
    fn faults(&self) -> Vec<String> {
        let mut faults = self.log.faults();
        if self.as_of.is_some() == self.at.is_some() {
            faults.push(
                "give one of --as-of TIME (every shopper at an instant) and --at EVENTS.csv (a list of shoppers and instants)"
                    .to_owned(),
            );
        }
        if self.format().is_none() {
            faults.push(format!(
                "--format must be given: {} (--out) does not end with .parquet, .csv or .ndjson",
                self.out.display()
            ));
        }
        faults
    }
}

fn feature(name: &str) -> Result<&'static FeatureSpec, String> {
    let known = CATALOGUE.iter().find(|spec| spec.name == name.trim());
    known.ok_or_else(|| {
        let near = |spec: &&FeatureSpec| {
            let mut parts = name.split('_').filter(|part| part.len() > 3);
            parts.any(|part| spec.name.contains(part))
        };
        let near: Vec<_> = CATALOGUE
            .iter()
            .filter(near)
            .map(|spec| spec.name)
            .collect();
        match &near[..] {
            [] => {
                "there is no such feature; `GET /v1/features` of a server lists them all".to_owned()
            }
            near => format!("there is no such feature; there are {}", near.join(", ")),
        }
    })
}

/// Runs the command.
///
/// # Errors
/// The list cannot be used, the log cannot be read, or the file cannot be written. Then there is no file.
pub(crate) async fn run(args: ExportArgs, output: Output) -> anyhow::Result<()> {
    let began = Instant::now();
    let stop = stop::when_asked();
    let Some(format) = args.format() else {
        bail!("--format must be given");
    };
    let draft = Draft::create(&args.out)?;
    let features = args.features();
    let list = args.at.as_deref().map(asked::List::open).transpose()?;
    if let Some(list) = &list {
        list.check_names(&features)?;
    }
    let member = format!("export-{}", Uuid::new_v4());
    let log = tokio::select! {
        log = args.log.open_existing_log(&member) => log?,
        () = stop.cancelled() => bail!("asked to end before the log was open"),
    };
    let asked = asked(&args, list, &*log).await?;
    // From here on nothing can be written to the log.
    let log = ReadOnlyLog::new(log);
    let references = References::load(&log, args.patience.time()).await;
    let references = Arc::new(references.context("reading the references")?);

    let rules = args.rules.rules();
    let parts = rows::Parts {
        features: features.clone(),
        rules,
        references: Arc::clone(&references),
    };
    let rows = Rows::beside(&args.out, parts, &asked)?;
    let (rows, framed) = fold(&args, &log, rules, &asked, rows, &stop).await?;
    if framed.missing > 0 {
        let gone = framed.missing;
        note(&format!(
            "the log has let go of its first {gone} actions: profiles that rest on them come out otherwise"
        ));
    }
    let table = Table {
        format,
        features: &features,
        rules: &rules,
        references: &references,
        framed: &framed,
    };
    let written = tokio::task::block_in_place(|| table.write(&asked, &rows, draft, &stop))?;
    let summary = Summary::of(&args.out, &table, &asked, written, began.elapsed());
    output.answer(&summary, || summary.to_string())
}

/// What is asked for, with the shop's ids replaced.
async fn asked(
    args: &ExportArgs,
    list: Option<asked::List>,
    log: &dyn Log,
) -> anyhow::Result<Asked> {
    let Some(list) = list else {
        key_file::check_if_given(&args.log, log).await?;
        return Ok(Asked::Everyone(args.as_of.unwrap_or_default()));
    };
    let key = if list.has_raw_ids() {
        let key = key_file::pseudonymiser(&args.log, log).await?;
        Some(key.context(
            "the list names shoppers by the shop's own ids, and only the log's pseudonym key tells who they are: give it with \
             --pseudonym-key-file, or name them by shopper_id",
        )?)
    } else {
        key_file::check_if_given(&args.log, log).await?;
        None
    };
    let events = tokio::task::block_in_place(|| list.read(key.as_ref()))?;
    Ok(Asked::Events(events))
}

/// Folds the log, and shows how far it is.
async fn fold(
    args: &ExportArgs,
    log: &ReadOnlyLog,
    rules: FoldRules,
    asked: &Asked,
    rows: Rows,
    stop: &CancellationToken,
) -> anyhow::Result<(Arc<Rows>, Framed)> {
    let rows = Arc::new(rows);
    let taking = Arc::clone(&rows);
    let take = Arc::new(move |seen: &Seen<'_>| taking.put(seen));
    let wanted = match asked {
        Asked::Everyone(at) => Wanted::Everyone(*at),
        Asked::Events(events) => Wanted::Rows(events.rows.clone()),
    };
    let meter = Meter::new("{bar:30} {percent}%  {msg}  {eta} to go");
    let folding = args.patience.with(|pulse| {
        let meter = &meter;
        frames(
            log,
            args.log.partitions,
            rules,
            wanted,
            take,
            move |progress| {
                pulse.beat();
                meter.show(progress.done, Some(progress.total), || {
                    format!(
                        "{} of {} actions read",
                        progress.done / 2,
                        progress.total / 2
                    )
                });
            },
        )
    });
    let framed = tokio::select! {
        framed = folding => framed?.with_context(|| reading(&args.out))?,
        () = stop.cancelled() => bail!("asked to end before the log was folded: nothing was written"),
    };
    Ok((rows, framed))
}

fn reading(out: &Path) -> String {
    format!("folding the log for {}", out.display())
}

/// What cannot be written, and where.
fn writing(path: &Path) -> String {
    format!("writing {} (--out)", path.display())
}

/// The folder of a file.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A shopper and an instant.
type Row = (ShopperId, EpochMs);

/// What an error of a frame is to a command.
fn frame_error(error: foretide_frame::FrameError) -> anyhow::Error {
    match error {
        foretide_frame::FrameError::Io(error) => anyhow::Error::from(error),
        other => anyhow::Error::from(io::Error::other(other.to_string())),
    }
}

#[cfg(test)]
mod tests;
