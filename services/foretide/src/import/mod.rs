//! `foretide import`: sends a historical file through the same door as everything else, and says what became of it.
//!
//! ```text
//!   file ─ lines ─ reader ─▶ rows ─ by shopper ─▶ lanes ─ batches, one at a time ─▶ POST ─▶ receipts ─▶ summary
//!                                                               ▲   until answered │            fates ──┘
//!                                                               └──────────────────┘
//! ```

mod completejourney;
mod csv_line;
mod fates;
mod ids;
mod json_lines;
mod lanes;
mod lines;
mod progress;
mod read;
mod rees46;
mod retentioneering;
mod row;
mod summary;
mod tally;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use foretide_events::Currency;
use foretide_runtime::Secret;
use reqwest::Url;
use tokio::task::JoinSet;
use uuid::Uuid;

use self::{
    fates::{Fates, FatesClient},
    json_lines::JsonLines,
    lanes::Lanes,
    lines::Lines,
    progress::Progress,
    rees46::Rees46,
    retentioneering::Retentioneering,
    row::Reader,
    summary::Summary,
    tally::Tally,
};
use crate::{
    output::{Output, note},
    sending::{Sender, server_url},
    stop,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  # A real clickstream into a server on this machine
  foretide import --format rees46 2019-Oct.csv.gz --write-key KEY --admin-key ADMIN

  # A year of purchases in stores, from the folder of its Parquet files
  foretide import --format completejourney data/completejourney --write-key KEY --admin-key ADMIN

  # Segment calls, one JSON object a line, to another machine, with the summary for a script
  foretide import --format segment calls.ndjson --to http://10.0.0.7:8080 \\
    --write-key KEY --admin-key ADMIN --json

  # Into services that run alone
  foretide import --format ndjson actions.ndjson --to http://ingest:8080 --scoring http://scoring:8080 \\
    --write-key KEY --admin-key ADMIN

Importing a file again, after a crash or by mistake, changes nothing: ids are made from what a row says \
and how many equal rows came before it. Each shopper's events stay in the order of the file, so a file \
should be ordered by time.

Of completejourney (dunnhumby's Complete Journey 2.0: transactions, products, coupons and coupon_redemptions as \
Parquet) each basket becomes a purchase of its household with its lines, and each coupon a coupon_attempt that was \
applied, at the instant of its basket. Revenue is the sum of sales_value, in US dollars; the price of a piece is \
(sales_value + coupon_match_disc) / quantity, its list price that with retail_disc; the category is department > \
product_category. Fuel and items without a count are one piece each. A redemption names the coupon of the line it \
belongs to, by household, day (of the stores: five hours behind UTC) and product; those without a basket count at noon. \
Demographics, which need consent, and the campaigns that were mailed are left out. Rows of the summary are baskets and \
coupons.

The summary counts what ingest said of each row (accepted, rejected) and what the fold did with each \
event on the log (folded, duplicate, late); resent are copies whose first reply was lost.

https:// needs a build with TLS: `cargo build --release --features tls`; the container image is one. It trusts \
whom the system trusts; SSL_CERT_FILE can name a file of others.";

/// Sends a historical file to a running server
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// What the file holds
    #[arg(long, env = "FORETIDE_IMPORT_FORMAT", value_enum)]
    format: Format,

    /// The file, plain or gzip; of completejourney the folder of its Parquet files
    file: PathBuf,

    /// The server's public address
    #[arg(long, env = "FORETIDE_TO", value_name = "URL", default_value = "http://127.0.0.1:8080", value_parser = server_url)]
    to: Url,

    /// Where scoring answers, when the services run alone and --to is ingest's address
    #[arg(long, env = "FORETIDE_SCORING", value_name = "URL", value_parser = server_url)]
    scoring: Option<Url>,

    /// The server's write key
    #[arg(
        long,
        env = "FORETIDE_WRITE_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    write_key: Secret,

    /// The server's admin key; without it the fates of the events stay unknown
    #[arg(
        long,
        env = "FORETIDE_ADMIN_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    admin_key: Option<Secret>,

    /// The currency of prices that come without one (rees46)
    #[arg(long, env = "FORETIDE_CURRENCY", value_name = "CODE", default_value = "EUR", value_parser = currency)]
    currency: Currency,

    /// Events in one request
    #[arg(long, env = "FORETIDE_IMPORT_BATCH", value_name = "N", default_value_t = 500,
        value_parser = clap::value_parser!(u16).range(1..=2500))]
    batch: u16,

    /// Requests under way at once; each shopper's events travel in one lane
    #[arg(long, env = "FORETIDE_IMPORT_LANES", value_name = "N", default_value_t = 8,
        value_parser = clap::value_parser!(u16).range(1..=256))]
    lanes: u16,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The REES46 clickstream: CSV with `event_time`, `event_type`, `product_id` and so on
    Rees46,
    /// The Retentioneering click log: CSV with `user_id`, `session_id`, `event`, `timestamp`
    Retentioneering,
    /// The Complete Journey: a year of purchases of households, as a folder of Parquet files with `transactions.parquet` and
    /// `products.parquet`
    Completejourney,
    /// Segment calls, one item of a batch a line as a JSON object; each needs a `timestamp`
    Segment,
    /// Native actions as `POST /v1/actions` takes them, one a line as a JSON object; each needs an `at`
    Ndjson,
}

impl Format {
    /// What reads its lines; `None` where it has none.
    fn reader(self, currency: Currency) -> Option<Box<dyn Reader>> {
        Some(match self {
            Self::Rees46 => Box::new(Rees46::new(currency)),
            Self::Retentioneering => Box::new(Retentioneering::new()),
            Self::Completejourney => return None,
            Self::Segment => Box::new(JsonLines::segment()),
            Self::Ndjson => Box::new(JsonLines::native()),
        })
    }

    /// The file that tells how far its reading is.
    fn measure(self, file: &Path) -> PathBuf {
        match self {
            Self::Completejourney => file.join(completejourney::TRANSACTIONS),
            _ => file.to_owned(),
        }
    }

    /// The route that takes it, and the member of the body that lists the items.
    fn route(self) -> (&'static str, &'static str) {
        match self {
            Self::Segment => ("v1/import", "batch"),
            _ => ("v1/actions", "actions"),
        }
    }
}

/// Runs the command until the summary is out.
///
/// # Errors
/// The file or the server cannot be used, Ctrl-C was pressed, or the sums of the summary do not hold.
pub(crate) async fn run(args: ImportArgs, output: Output) -> anyhow::Result<()> {
    let stop = stop::when_asked();
    let run = Uuid::new_v4().simple().to_string();
    let source = format!("import:{run}");
    let progress = Progress::of(&args.format.measure(&args.file));
    let tally = Arc::new(Tally::new(|text| note(&text)));

    let outcome = tokio::select! {
        outcome = import(&args, &run, &source, &tally, &progress) => outcome,
        () = progress.follow(&tally) => Ok(None),
        () = stop.cancelled() => {
            Err(anyhow!("stopped; what was accepted is safe, and importing the file again will add what is missing"))
        }
    };
    drop(progress);
    let fates = outcome?;

    let totals = tally.totals();
    let summary = Summary::new(source, &totals, fates);
    output.answer(&summary, || summary.to_string())?;
    if totals.accepted == 0 {
        note(match totals.rows {
            0 => "the file holds no rows: is it the right one?",
            _ => "nothing was accepted: is that the file's format (--format)?",
        });
    } else if fates.is_none() {
        note("the fates are unknown: they are read with the admin key (--admin-key)");
    }
    Ok(summary.check(totals.retries)?)
}

/// Sends the file and returns the fates of its events, if the admin key is there to ask for them.
async fn import(
    args: &ImportArgs,
    run: &str,
    source: &str,
    tally: &Arc<Tally>,
    progress: &Progress,
) -> anyhow::Result<Option<Fates>> {
    let (path, member) = args.format.route();
    // The keys go to the server and nowhere else.
    let sender = Sender::new(&args.to, path, args.write_key.expose(), Some(run))?;
    let asking = args
        .admin_key
        .as_ref()
        .map(|key| {
            FatesClient::new(
                args.scoring.as_ref().unwrap_or(&args.to),
                source,
                key.expose(),
            )
        })
        .transpose()?;
    if let Some(asking) = &asking {
        asking.check_key().await?;
    }

    let reading = reading(args, tally, progress)?;
    let (lanes, sending) =
        Lanes::open(args.lanes.into(), args.batch.into(), member, &sender, tally);
    let reading = tokio::task::spawn_blocking(move || reading(&lanes));
    all_answered(sending).await?;
    reading
        .await?
        .with_context(|| format!("reading {}", args.file.display()))?;

    let Some(asking) = asking else {
        return Ok(None);
    };
    progress.waiting();
    asking.settled().await.map(Some)
}

/// Reads a file into lanes.
type Reading = Box<dyn FnOnce(&Lanes) -> anyhow::Result<()> + Send>;

/// What reads the file into lanes. A file of lines is opened at once, so that a wrong name is told before anything is sent.
fn reading(args: &ImportArgs, tally: &Arc<Tally>, progress: &Progress) -> anyhow::Result<Reading> {
    let tally = tally.clone();
    if let Some(reader) = args.format.reader(args.currency) {
        let file = Lines::open(&args.file, progress.read_bytes.clone())?;
        return Ok(Box::new(move |lanes| {
            read::into_lanes(file, reader, lanes, &tally)
        }));
    }
    let (folder, share) = (args.file.clone(), progress.share());
    Ok(Box::new(move |lanes| {
        completejourney::read(&folder, &tally, |row, done| {
            share.set(done);
            lanes.put(row)
        })
    }))
}

/// Waits for all lanes; the first that fails ends the others.
async fn all_answered(mut sending: JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    while let Some(lane) = sending.join_next().await {
        lane??;
    }
    Ok(())
}

fn currency(text: &str) -> Result<Currency, String> {
    text.parse()
        .map_err(|error: foretide_events::MoneyError| error.to_string())
}
