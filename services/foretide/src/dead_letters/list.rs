//! The commands that only look at dead letters.

use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::{Args, builder::FalseyValueParser};
use foretide_events::EpochMs;
use foretide_ports::{ACTIONS, ReadOnlyLog};
use foretide_processor::dead_letter::{DeadLetter, Origin, Settled};
use serde::Serialize;
use uuid::Uuid;

use super::letters::{self, Letters};
use crate::{
    look::{Patience, WhichLog},
    output::{Output, note},
};

/// How much of a content is shown in a list, in characters.
const EXCERPT_CHARS: usize = 100;

pub(super) const LIST_EXAMPLES: &str = "\
Examples:
  # What is open, with its cause and the beginning of what it says
  foretide dead-letters list --data-dir /var/lib/foretide
  foretide dead-letters list --log kafka:127.0.0.1:9092 --cause wrong_partition --json

A dead letter is a record of foretide.actions that is no event: ingest writes none such, so something else did, or an older \
version reads what a newer one wrote. It is named by where its record lies, PARTITION/OFFSET. Once it was run again or \
dismissed it is settled and no longer shown, unless with --settled.";
pub(super) const SHOW_EXAMPLES: &str = "\
Examples:
  foretide dead-letters show 3/1200 --data-dir /var/lib/foretide

  # Its content alone, to try a correction on
  foretide dead-letters show 3/1200 --raw --log kafka:127.0.0.1:9092 | jq '.at = .received_at'";

/// Lists dead letters with their causes
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// Only those with this cause: `empty`, `not_an_event` or `wrong_partition`
    #[arg(long, env = "FORETIDE_DEAD_LETTERS_CAUSE", value_name = "CAUSE")]
    cause: Option<String>,

    /// Those that are settled, too
    #[arg(long, env = "FORETIDE_DEAD_LETTERS_SETTLED", value_parser = FalseyValueParser::new())]
    settled: bool,

    /// Stop after this many
    #[arg(long, env = "FORETIDE_DEAD_LETTERS_LIMIT", value_name = "N")]
    limit: Option<usize>,

    #[command(flatten)]
    pub(super) log: WhichLog,

    #[command(flatten)]
    patience: Patience,
}

/// Shows one dead letter whole
#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    /// The dead letter, PARTITION/OFFSET
    #[arg(value_name = "ID")]
    id: Origin,

    /// Its content alone, as it is
    #[arg(long, env = "FORETIDE_DEAD_LETTERS_RAW", value_parser = FalseyValueParser::new())]
    raw: bool,

    #[command(flatten)]
    pub(super) log: WhichLog,

    #[command(flatten)]
    patience: Patience,
}

#[derive(Serialize)]
struct Shown<'a> {
    id: String,
    topic: &'static str,
    partition: u32,
    offset: u64,
    appended_at: EpochMs,
    cause: &'a str,
    message: &'a str,
    key: String,
    /// The content as text, in a list its beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    /// The content, where it is not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_base64: Option<String>,
    bytes: usize,
    settled: Option<&'a Settled>,
}

impl<'a> Shown<'a> {
    fn of(letter: &'a DeadLetter, settled: Option<&'a Settled>, content: &[u8]) -> Self {
        let text = std::str::from_utf8(content).ok();
        Self {
            id: letter.origin.to_string(),
            topic: ACTIONS,
            partition: letter.origin.partition,
            offset: letter.origin.offset,
            appended_at: letter.appended_at,
            cause: &letter.cause,
            message: &letter.message,
            key: String::from_utf8_lossy(&letter.key).into_owned(),
            content: text.map(str::to_owned),
            content_base64: text.is_none().then(|| STANDARD.encode(content)),
            bytes: letter
                .cut_from
                .unwrap_or_else(|| letter.payload.as_ref().map_or(0, Vec::len)),
            settled,
        }
    }

    fn in_words(&self) -> String {
        let Self {
            id,
            appended_at,
            cause,
            message,
            bytes,
            ..
        } = self;
        let settled = match self.settled {
            None => String::new(),
            Some(Settled::Dismissed) => ", dismissed".to_owned(),
            Some(Settled::Rerun(event)) => format!(", run again as {event}"),
        };
        let content = match (&self.content, &self.content_base64) {
            (Some(text), _) => text,
            (None, Some(base64)) => base64,
            (None, None) => "",
        };
        let (cause, message, content) = (plain(cause), plain(message), plain(content));
        format!("{id}  {appended_at}  {cause}: {message}  ({bytes} bytes{settled})\n    {content}")
    }
}

/// `text` with nothing in it that a terminal would obey.
fn plain(text: &str) -> String {
    let is_harmless = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    let shown = |c| Some(c).filter(is_harmless).unwrap_or(' ');
    text.chars().map(shown).collect()
}

/// The beginning of `content` as a list shows it: on one line, and nothing that a terminal would obey.
pub(super) fn excerpt(content: &[u8]) -> String {
    let text = String::from_utf8_lossy(content);
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().map(plain).take(EXCERPT_CHARS).collect();
    if text.chars().nth(EXCERPT_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

pub(super) async fn list(args: ListArgs, output: Output) -> anyhow::Result<()> {
    let (_, found) = open(&args.log, args.patience).await?;
    let is_asked = |letter: &DeadLetter| args.cause.as_ref().is_none_or(|c| *c == letter.cause);
    let asked = found
        .all()
        .filter(|(letter, settled)| is_asked(letter) && (args.settled || settled.is_none()));
    let mut shown = 0;
    for (letter, settled) in asked.take(args.limit.unwrap_or(usize::MAX)) {
        let content = excerpt(letter.payload.as_deref().unwrap_or_default());
        let line = Shown::of(letter, settled, content.as_bytes());
        output.answer(&line, || line.in_words())?;
        shown += 1;
    }
    if shown == 0 && !output.json() {
        let settled = found.all().filter(|(_, settled)| settled.is_some()).count();
        note(&format!(
            "no dead letters are open; {settled} are settled (--settled)"
        ));
    }
    Ok(())
}

pub(super) async fn show(args: ShowArgs, output: Output) -> anyhow::Result<()> {
    let (log, found) = open(&args.log, args.patience).await?;
    let (letter, settled) = found.get(args.id)?;
    let content = letters::content(&log, letter, args.patience).await?;
    if args.raw {
        std::io::stdout().write_all(&content)?;
        return Ok(());
    }
    let shown = Shown::of(letter, settled, &content);
    output.answer(&shown, || shown.in_words())
}

/// The log, to be looked at, and its letters.
async fn open(log: &WhichLog, patience: Patience) -> anyhow::Result<(ReadOnlyLog, Letters)> {
    let instance = format!("dead-letters-{}", Uuid::new_v4());
    let log = ReadOnlyLog::new(log.open_existing_log(&instance).await?);
    let found = Letters::read(&log, patience).await?;
    tell_foreign(&found);
    Ok((log, found))
}

/// Says how many records are no letters.
pub(super) fn tell_foreign(found: &Letters) {
    if found.foreign > 0 {
        note(&format!(
            "{} records of foretide.dead-letters are no letters: `foretide topics tail dead-letters` shows them",
            found.foreign
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_line_that_no_terminal_obeys() {
        assert_eq!(excerpt(b"{\"a\":\n1}"), "{\"a\": 1}");
        assert_eq!(excerpt(b"\x1b[2Jx"), " [2Jx");
        let long = excerpt("é".repeat(500).as_bytes());
        assert_eq!(long.chars().count(), EXCERPT_CHARS + 1);
    }
}
