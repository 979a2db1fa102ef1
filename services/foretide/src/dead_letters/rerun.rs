//! Running dead letters again, and dismissing those that nothing can be made of.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::{Args, builder::FalseyValueParser};
use foretide_host::{config::Checked, key_file};
use foretide_ports::{Log, ReadOnlyLog};
use foretide_privacy::Pseudonymiser;
use foretide_processor::dead_letter::{DeadLetter, Origin, Settled, settlement};
use serde::Serialize;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{
    correct::{self, Corrected},
    differ,
    letters::{self, Letters},
    list::tell_foreign,
    script,
};
use crate::{
    look::{Patience, WhichLog},
    output::{Output, note},
    stop,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  # What would become of each, and nothing is written
  foretide dead-letters rerun --all --dry-run --data-dir /var/lib/foretide

  # Set right by jq what a producer of our own wrote wrong; over Kafka beside the running services
  foretide dead-letters rerun --all --cause not_an_event --fix 'jq -c \".at = .received_at\"' --log kafka:127.0.0.1:9092

  # Two of them, by a script of your own
  foretide dead-letters rerun 3/1200 3/1207 --fix ./repair.py --data-dir /var/lib/foretide

--fix is a command for the shell: it reads the content of one record on its standard input and writes the corrected one on \
its standard output. DEAD_LETTER_CAUSE, DEAD_LETTER_KEY and DEAD_LETTER_APPENDED_AT tell it more. Without --fix the record \
is taken as it is: what lay in a wrong partition, or what this version can read by now.

What comes out is read as ingest reads it: an event in the stored form, or an action as POST /v1/actions takes it (for that \
the pseudonym key is needed). If it is right it is appended to foretide.actions, in its shopper's partition and under its own \
id, so that running it twice counts once; then the letter is settled. One that is not right stays open, and the exit status \
is 1. An event that comes more than 24 hours behind its shopper's newest is late: it is counted, and folded in a shadow alone \
(`foretide replay --into NAME --with-late`).

The embedded log belongs to one process: stop the server first. It folds what was run again when it starts.";

pub(super) const DISMISS_EXAMPLES: &str = "\
Examples:
  foretide dead-letters dismiss 3/1200 --data-dir /var/lib/foretide
  foretide dead-letters dismiss --all --cause empty --log kafka:127.0.0.1:9092

The letters stay on foretide.dead-letters for as long as that is kept, and are no longer listed as open.";

/// Which dead letters.
#[derive(Args, Debug)]
pub(super) struct Which {
    /// The dead letters, each PARTITION/OFFSET
    #[arg(value_name = "ID", required_unless_present = "all")]
    ids: Vec<Origin>,

    /// All that are open
    #[arg(long, env = "FORETIDE_DEAD_LETTERS_ALL", conflicts_with = "ids", value_parser = FalseyValueParser::new())]
    all: bool,

    /// Of all, those with this cause: `empty`, `not_an_event` or `wrong_partition`
    #[arg(
        long,
        env = "FORETIDE_DEAD_LETTERS_CAUSE",
        value_name = "CAUSE",
        requires = "all"
    )]
    cause: Option<String>,
}

impl Which {
    /// The letters meant. One that is settled is refused unless `again`.
    fn of<'a>(&self, found: &'a Letters, again: bool) -> anyhow::Result<Vec<&'a DeadLetter>> {
        if self.all {
            let is_asked =
                |letter: &DeadLetter| self.cause.as_ref().is_none_or(|c| *c == letter.cause);
            let open = found
                .all()
                .filter(|(letter, settled)| is_asked(letter) && (again || settled.is_none()));
            return Ok(open.map(|(letter, _)| letter).collect());
        }
        let mut chosen = Vec::new();
        for id in &self.ids {
            let (letter, settled) = found.get(*id)?;
            if settled.is_some() && !again {
                bail!(
                    "the dead letter {id} is settled already: `foretide dead-letters show {id}` tells how"
                );
            }
            chosen.push(letter);
        }
        Ok(chosen)
    }
}

/// Runs dead letters again as events, set right by a script where that is needed
#[derive(Args, Debug)]
pub(super) struct RerunArgs {
    #[command(flatten)]
    which: Which,

    /// A command that reads a record's content and writes the corrected one, such as `jq -c '.at = .received_at'`
    #[arg(long, env = "FORETIDE_DEAD_LETTERS_FIX", value_name = "SCRIPT")]
    fix: Option<String>,

    /// Show what would change, and what ingest says of it; nothing is written
    #[arg(short = 'n', long, env = "FORETIDE_DEAD_LETTERS_DRY_RUN", value_parser = FalseyValueParser::new())]
    dry_run: bool,

    /// Those that are settled already, too
    #[arg(long, env = "FORETIDE_DEAD_LETTERS_AGAIN", value_parser = FalseyValueParser::new())]
    again: bool,

    #[command(flatten)]
    log: WhichLog,

    #[command(flatten)]
    patience: Patience,
}

impl Checked for RerunArgs {
    fn faults(&self) -> Vec<String> {
        self.log.faults()
    }
}

/// Settles dead letters without running them again
#[derive(Args, Debug)]
pub(super) struct DismissArgs {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    log: WhichLog,

    #[command(flatten)]
    patience: Patience,
}

impl Checked for DismissArgs {
    fn faults(&self) -> Vec<String> {
        self.log.faults()
    }
}

/// What became of one letter.
#[derive(Debug, Serialize)]
struct Outcome {
    id: String,
    /// The id of the event that it is now, or would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shopper_id: Option<String>,
    /// Where on `foretide.actions` it is now; nothing in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    /// What the script changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<String>,
    /// Why it stays open.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl Outcome {
    fn in_words(&self) -> String {
        let id = &self.id;
        let head = match (&self.problem, &self.event_id, self.partition, self.offset) {
            (Some(problem), ..) => format!("{id}  stays open: {problem}"),
            (None, Some(event), Some(partition), Some(offset)) => {
                format!("{id}  is the event {event} now, at {partition}/{offset}")
            }
            (None, event, ..) => {
                let event = event.as_deref().unwrap_or_default();
                format!("{id}  is right, and would be the event {event}")
            }
        };
        self.changes
            .iter()
            .fold(head, |text, change| format!("{text}\n    {change}"))
    }
}

/// The log, to be written to, and its letters.
async fn open(log: &WhichLog, patience: Patience) -> anyhow::Result<(Arc<dyn Log>, Letters)> {
    let instance = format!("dead-letters-{}", Uuid::new_v4());
    let log = log.open_existing_log(&instance).await?;
    let found = Letters::read(&ReadOnlyLog::new(Arc::clone(&log)), patience).await?;
    tell_foreign(&found);
    Ok((log, found))
}

pub(super) async fn run(args: RerunArgs, output: Output) -> anyhow::Result<()> {
    let stop = stop::when_asked();
    let (log, found) = open(&args.log, args.patience).await?;
    let pseudonymiser = pseudonymiser(&args.log, &*log).await?;
    let chosen = args.which.of(&found, args.again)?;
    if chosen.is_empty() {
        note("no dead letters are open");
    }
    let mut still_open = 0;
    for letter in &chosen {
        if stop.is_cancelled() {
            bail!("asked to end; what is above is done, the others stay as they were");
        }
        let outcome = rerun(&args, letter, &log, pseudonymiser.as_ref()).await?;
        still_open += usize::from(outcome.problem.is_some());
        output.answer(&outcome, || outcome.in_words())?;
    }
    if still_open > 0 {
        bail!(
            "{still_open} of {} dead letters stay open, for the reasons above: --fix sets them right (--dry-run shows how), \
             `foretide dead-letters dismiss` settles what nothing can be made of",
            chosen.len()
        );
    }
    Ok(())
}

/// Runs one letter again. What is wrong with it is part of the outcome; an error is of the log.
async fn rerun(
    args: &RerunArgs,
    letter: &DeadLetter,
    log: &Arc<dyn Log>,
    pseudonymiser: Option<&Pseudonymiser>,
) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome {
        id: letter.origin.to_string(),
        event_id: None,
        shopper_id: None,
        partition: None,
        offset: None,
        changes: Vec::new(),
        problem: None,
    };
    let read_only = ReadOnlyLog::new(Arc::clone(log));
    let content = match letters::content(&read_only, letter, args.patience).await {
        Ok(content) => content,
        Err(problem) => {
            outcome.problem = Some(format!("{problem:#}"));
            return Ok(outcome);
        }
    };
    let after = match corrected_by(args.fix.as_deref(), letter, &content).await {
        Ok(after) => after,
        Err(problem) => {
            outcome.problem = Some(format!("{problem:#}"));
            return Ok(outcome);
        }
    };
    outcome.changes = differ::lines(&content, &after);
    let event = match correct::read(&after, letter, pseudonymiser) {
        Ok(event) => event,
        Err(problem) => {
            outcome.problem = Some(problem);
            return Ok(outcome);
        }
    };
    outcome.event_id = Some(event.id.to_string());
    outcome.shopper_id = Some(event.shopper.to_string());
    if !args.dry_run {
        let (partition, offset) = append(&**log, letter, &event, args.log.partitions).await?;
        (outcome.partition, outcome.offset) = (Some(partition), Some(offset));
    }
    Ok(outcome)
}

/// What the script makes of `content`, if there is one.
async fn corrected_by(
    fix: Option<&str>,
    letter: &DeadLetter,
    content: &Bytes,
) -> anyhow::Result<Bytes> {
    let Some(fix) = fix else {
        return Ok(content.clone());
    };
    let (fix, letter, content) = (fix.to_owned(), letter.clone(), content.clone());
    let running = spawn_blocking(move || script::run(&fix, &letter, &content));
    Ok(running.await.context("running the script (--fix)")??.into())
}

/// Appends the event and settles the letter, in this order: cut short in between, the letter stays open, and run again the
/// event counts once.
async fn append(
    log: &dyn Log,
    letter: &DeadLetter,
    event: &Corrected,
    partitions: u32,
) -> anyhow::Result<(u32, u64)> {
    let record = event.record(partitions);
    let partition = record.at.partition;
    let offsets = log.append(vec![record]).await?;
    let settled = Settled::Rerun(event.id.to_string());
    log.append(vec![settlement(letter.origin, settled)])
        .await
        .context("settling the dead letter: run it again, and the event counts once")?;
    Ok((partition, offsets.first().copied().unwrap_or_default()))
}

/// Makes pseudonyms by the log's key, if that is known.
async fn pseudonymiser(args: &WhichLog, log: &dyn Log) -> anyhow::Result<Option<Pseudonymiser>> {
    if args.pseudonym_key_file.is_none() && args.data_dir().is_none() {
        return Ok(None);
    }
    key_file::pseudonymiser(args, log).await
}

pub(super) async fn dismiss(args: DismissArgs, output: Output) -> anyhow::Result<()> {
    let (log, found) = open(&args.log, args.patience).await?;
    let chosen = args.which.of(&found, false)?;
    let records = chosen
        .iter()
        .map(|letter| settlement(letter.origin, Settled::Dismissed));
    let records: Vec<_> = records.collect();
    if !records.is_empty() {
        log.append(records).await?;
    }
    let ids: Vec<String> = chosen.iter().map(|l| l.origin.to_string()).collect();
    let dismissed = serde_json::json!({ "dismissed": ids });
    output.answer(&dismissed, || {
        format!("{} dead letters dismissed", ids.len())
    })
}
