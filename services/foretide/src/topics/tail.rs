//! `foretide topics tail`: any topic as lines of JSON.

use std::{collections::BTreeMap, io::Write, time::Duration};

use anyhow::{Context as _, bail};
use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use foretide_events::{Fate, ShopperId};
use foretide_host::{FoldRulesArgs, config::Checked};
use foretide_ports::{
    ACTIONS, ARTEFACTS, Chunk, DECISIONS, EXAMPLES as EXAMPLE_RECORDS, LINKS, PROFILES,
    ReadOnlyLog, Reader, References, SESSIONS, TRANSITIONS, TopicName, foretide_topics,
    partition_for, shopper_key,
};
use foretide_runtime::CancellationToken;

use super::{
    fates::{Judge, fate},
    place::Place,
    readable::{self, Terms},
};
use crate::{
    look::{Patience, WhichLog},
    output::{Lines, Listener},
    stop,
};

/// How long to wait for records before looking around.
const MAX_WAIT: Duration = Duration::from_millis(200);
/// What the names of all topics begin with.
const PREFIX: &str = "foretide.";

pub(super) const EXAMPLES: &str = "\
Examples:
  # Watch actions come in, over Kafka beside the running services
  foretide topics tail actions --from end --follow --log kafka:127.0.0.1:9092

  # The profiles of one shopper as they were published, newest last
  foretide topics tail profiles --shopper 5f0c1d2e3b4a59687786950a1b2c3d4e --data-dir ./data

  # What could not be processed since this morning, and why
  foretide topics tail dead-letters --from 2026-11-22T06:00:00Z --data-dir ./data

  # Events that came too late to be part of a profile; `foretide replay --into NAME --with-late` shows what they would change
  foretide topics tail actions --fate late --data-dir ./data

  # Who moves from one cohort to another, as it happens
  foretide topics tail transitions --from end --follow --log kafka:127.0.0.1:9092

  # The last ten decisions of one partition
  foretide topics tail decisions --partition 0 --from -10 --data-dir ./data

Each line holds topic, partition, offset, appended_at, key and value. Actions, sessions, examples, transitions, \
decisions, artefacts and dead letters are shown as stored; profiles, the counts beside them and links are put into words, features \
as of when a profile was stored and against the reference of then. A record that cannot be read is shown in base64 \
(value_base64) with the problem, and the rest goes on. Lines of one partition keep their order.

An embedded log that a server has open cannot be read beside it: stop the server first, or use Kafka.";

/// Shows the records of a topic as lines of JSON
#[derive(Args, Debug)]
pub(crate) struct TailArgs {
    /// The topic, with or without `foretide.` before it
    #[arg(value_name = "TOPIC", value_parser = topic_names())]
    topic: TopicName,

    /// Where to begin in each partition: `beginning`, `end`, an offset, `-N` for N before the end, or a time (RFC 3339)
    #[arg(
        long,
        env = "FORETIDE_TAIL_FROM",
        value_name = "PLACE",
        default_value = "beginning",
        allow_hyphen_values = true
    )]
    from: Place,

    /// Where to stop, before that place; the end as it is now by default
    #[arg(
        long,
        env = "FORETIDE_TAIL_TO",
        value_name = "PLACE",
        allow_hyphen_values = true,
        conflicts_with = "follow"
    )]
    to: Option<Place>,

    /// Go on with what comes, until Ctrl-C
    #[arg(short, long, env = "FORETIDE_TAIL_FOLLOW", value_parser = clap::builder::FalseyValueParser::new())]
    follow: bool,

    /// Only this partition
    #[arg(long, env = "FORETIDE_TAIL_PARTITION", value_name = "N")]
    partition: Option<u32>,

    /// Only records of this shopper: the pseudonym, 32 hexadecimal digits, as `GET /v1/shoppers?user_id=…` tells it
    #[arg(long, env = "FORETIDE_TAIL_SHOPPER", value_name = "ID")]
    shopper: Option<ShopperId>,

    /// Only actions with this fate; to tell it, the log is folded from its beginning, in memory
    #[arg(long, env = "FORETIDE_TAIL_FATE", value_name = "FATE", value_parser = fate())]
    fate: Option<Fate>,

    /// Stop after this many lines
    #[arg(long, env = "FORETIDE_TAIL_LIMIT", value_name = "N")]
    limit: Option<u64>,

    #[command(flatten)]
    log: WhichLog,

    #[command(flatten)]
    rules: FoldRulesArgs,

    #[command(flatten)]
    patience: Patience,
}

impl Checked for TailArgs {
    fn faults(&self) -> Vec<String> {
        let mut faults = self.log.faults();
        faults.extend(self.to.and_then(|to| self.from.is_behind(&to)));
        if self.fate.is_some() && self.topic != ACTIONS {
            let topic = self.topic;
            faults.push(format!("--fate is of actions: {topic} has no fates"));
        }
        faults
    }
}

/// Reads a topic's name, and offers those there are.
fn topic_names() -> impl TypedValueParser<Value = TopicName> {
    let short = |name: TopicName| name.strip_prefix(PREFIX).unwrap_or(name);
    let values = foretide_topics(1)
        .into_iter()
        .map(move |spec| PossibleValue::new(short(spec.name)).alias(spec.name));
    PossibleValuesParser::new(values).try_map(move |given: String| {
        let topics = foretide_topics(1).into_iter().map(|spec| spec.name);
        let mut named = topics.filter(|name| *name == given || short(name) == given);
        named.next().ok_or("there is no such topic")
    })
}

/// Runs the command.
pub(super) async fn run(args: &TailArgs) -> anyhow::Result<()> {
    let stop = stop::when_asked();
    let log = tokio::select! {
        log = args.log.open_existing_log("topics-tail") => ReadOnlyLog::new(log?),
        () = stop.cancelled() => return Ok(()),
    };
    let stretch = Stretch::of(args, &log).await?;
    let mut lines = Lines::new();
    show(args, stretch, &log, &mut lines, &stop).await
}

/// What is to be shown: for each partition where to begin, and where to stop if anywhere.
struct Stretch {
    begins: BTreeMap<u32, u64>,
    /// Partitions that are not done, with the offset to stop before. `None`: never done.
    open: Option<BTreeMap<u32, u64>>,
    /// From where on the log is read: an offset beyond the end could not be.
    positions: Vec<(u32, u64)>,
}

impl Stretch {
    async fn of(args: &TailArgs, log: &ReadOnlyLog) -> anyhow::Result<Self> {
        let topic = args.topic;
        let ends = log.end_offsets(topic).await?;
        let chosen = chosen(args, ends.len())?;
        let begins = args.from.in_each(log, topic, &ends).await?;
        let stops = args.to.unwrap_or(Place::End);
        let stops = stops.in_each(log, topic, &ends).await?;
        // A fate is what came before it, too.
        let read_from = match args.fate {
            Some(_) => Place::Beginning.in_each(log, topic, &ends).await?,
            None => begins.clone(),
        };
        let mut stretch = Self {
            begins: BTreeMap::new(),
            open: (!args.follow).then(BTreeMap::new),
            positions: Vec::new(),
        };
        let stretches = begins.iter().zip(read_from).zip(stops).zip(&ends);
        for (partition, (((begin, from), stop), end)) in (0..).zip(stretches) {
            let stop = stop.min(*end);
            if chosen.is_some_and(|chosen| chosen != partition) {
                continue;
            }
            if let Some(open) = &mut stretch.open {
                if *begin >= stop {
                    continue;
                }
                open.insert(partition, stop);
            }
            stretch.begins.insert(partition, *begin);
            stretch.positions.push((partition, from.min(*end)));
        }
        Ok(stretch)
    }

    fn is_done(&self) -> bool {
        self.open.as_ref().is_some_and(BTreeMap::is_empty)
    }

    /// Whether the record at `offset` of `partition` is part of it.
    fn holds(&self, partition: u32, offset: u64) -> bool {
        let is_begun = self.begins.get(&partition).is_some_and(|b| offset >= *b);
        let is_open = |open: &BTreeMap<u32, u64>| open.get(&partition).is_some_and(|s| offset < *s);
        is_begun && self.open.as_ref().is_none_or(is_open)
    }

    /// Takes note that `partition` was read up to `next_offset`.
    fn passed(&mut self, partition: u32, next_offset: u64) {
        if let Some(open) = &mut self.open
            && open
                .get(&partition)
                .is_some_and(|stop| next_offset >= *stop)
        {
            open.remove(&partition);
        }
    }
}

/// The one partition that is asked for, by its number or its shopper, of `count`.
fn chosen(args: &TailArgs, count: usize) -> anyhow::Result<Option<u32>> {
    let topic = args.topic;
    let count = u32::try_from(count)?;
    if let Some(partition) = args.partition.filter(|partition| *partition >= count) {
        bail!("{topic} has no partition {partition} (--partition): it has {count}, from 0");
    }
    let Some(shopper) = &args.shopper else {
        return Ok(args.partition);
    };
    let by_shopper = [
        ACTIONS,
        PROFILES,
        LINKS,
        SESSIONS,
        EXAMPLE_RECORDS,
        TRANSITIONS,
        DECISIONS,
    ];
    if !by_shopper.contains(&topic) {
        bail!("{topic} is not kept by shopper: leave --shopper away and search its lines");
    }
    let partition = partition_for(&shopper_key(shopper), count);
    if let Some(other) = args.partition.filter(|other| *other != partition) {
        bail!(
            "the records of this shopper are in partition {partition}, not in {other} (--partition)"
        );
    }
    Ok(Some(partition))
}

/// Shows what is asked for, until it is done, `stop`, or nobody reads it any more.
async fn show<W: Write>(
    args: &TailArgs,
    mut stretch: Stretch,
    log: &ReadOnlyLog,
    lines: &mut Lines<W>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut left = args.limit.unwrap_or(u64::MAX);
    if stretch.is_done() || left == 0 {
        return Ok(());
    }
    let mut usual = Usual::of(args, log).await?;
    let judge = |fate| Judge::new(fate, args.rules.rules(), args.log.partitions);
    let mut judge = args.fate.map(judge);
    let mut reader = log.reader(args.topic, &stretch.positions).await?;
    let mut silent_for = Duration::ZERO;
    while !stretch.is_done() && left > 0 {
        let chunk = tokio::select! {
            chunk = reader.next(MAX_WAIT) => chunk?,
            () = stop.cancelled() => break,
        };
        let Some(chunk) = chunk else {
            silent_for += MAX_WAIT;
            if !args.follow && silent_for >= args.patience.time() {
                let cause = args.patience.over();
                bail!("{cause}. What is shown is whole; --from goes on behind it");
            }
            continue;
        };
        silent_for = Duration::ZERO;
        usual.catch_up().await?;
        let shown = show_chunk(
            args,
            &stretch,
            &chunk,
            left,
            &usual.terms,
            &mut judge,
            lines,
        );
        let (shown, listener) = shown.context("writing to standard output")?;
        if listener == Listener::Gone {
            break;
        }
        left -= shown;
        stretch.passed(chunk.from.partition, chunk.next_offset);
    }
    Ok(())
}

/// What profiles are read by, where profiles are shown.
struct Usual {
    terms: Terms,
    /// What is published on the way.
    news: Option<Box<dyn Reader>>,
}

impl Usual {
    async fn of(args: &TailArgs, log: &ReadOnlyLog) -> anyhow::Result<Self> {
        let mut usual = Self {
            terms: Terms {
                rules: args.rules.rules(),
                references: References::default(),
            },
            news: None,
        };
        if args.topic == PROFILES {
            let end = log.end_offsets(ARTEFACTS).await?;
            usual.terms.references = References::load(log, args.patience.time()).await?;
            let positions: Vec<_> = (0..).zip(end).collect();
            usual.news = Some(log.reader(ARTEFACTS, &positions).await?);
        }
        Ok(usual)
    }

    /// Takes note of what was published meanwhile: without waiting, for it is there before it serves.
    async fn catch_up(&mut self) -> anyhow::Result<()> {
        let Some(news) = &mut self.news else {
            return Ok(());
        };
        while let Some(chunk) = news.next(Duration::ZERO).await? {
            for record in &chunk.records {
                let _ = self.terms.references.take(record);
            }
        }
        Ok(())
    }
}

/// Shows what of `chunk` is asked for, at most `at_most` records. Returns how many it showed.
fn show_chunk<W: Write>(
    args: &TailArgs,
    stretch: &Stretch,
    chunk: &Chunk,
    at_most: u64,
    terms: &Terms,
    judge: &mut Option<Judge>,
    lines: &mut Lines<W>,
) -> std::io::Result<(u64, Listener)> {
    let key = args.shopper.as_ref().map(shopper_key);
    let mut shown = 0;
    for record in &chunk.records {
        // What is contributed to a shopper's profile has the contributing one behind that key.
        let is_of = |key: &[u8; 32]| record.key.starts_with(key);
        let is_asked = key.as_ref().is_none_or(is_of);
        if !is_asked {
            continue;
        }
        // Asked of every one, for what comes later depends on it.
        let is_wanted = judge
            .as_mut()
            .is_none_or(|judge| judge.wants(chunk.from.partition, record));
        if !is_wanted || !stretch.holds(chunk.from.partition, record.offset) {
            continue;
        }
        if shown == at_most {
            break;
        }
        if lines.put(&readable::line(chunk.from, record, terms))? == Listener::Gone {
            return Ok((shown, Listener::Gone));
        }
        shown += 1;
    }
    Ok((shown, lines.flush()?))
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    };

    use bytes::Bytes;
    use clap::Parser;
    use foretide_events::EpochMs;
    use foretide_ports::{Log as _, NewRecord, TopicPartition, memory::MemoryLog};
    use serde_json::{Value, json};

    use super::*;
    use crate::output::Gone;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: TailArgs,
    }

    fn args(words: &str) -> TailArgs {
        let words = ["tail", "--data-dir", "x"]
            .into_iter()
            .chain(words.split(' '));
        Cli::try_parse_from(words).unwrap().args
    }

    fn record(partition: u32, key: Bytes, value: &Value) -> NewRecord {
        NewRecord {
            at: TopicPartition {
                topic: DECISIONS,
                partition,
            },
            key,
            value: Some(value.to_string().into()),
        }
    }

    /// A log whose two partitions of decisions hold ten numbered records each, appended a second apart from the epoch on.
    async fn log() -> MemoryLog {
        let clock = Arc::new(AtomicI64::new(0));
        let now = Arc::clone(&clock);
        let log = MemoryLog::new(Arc::new(move || EpochMs(now.load(Ordering::Relaxed))));
        log.declare(&foretide_topics(2)).await.unwrap();
        for n in 0..10 {
            clock.store(n * 1000, Ordering::Relaxed);
            let records = [0, 1].map(|p| record(p, Bytes::from_static(b"k"), &json!({ "n": n })));
            log.append(records.into()).await.unwrap();
        }
        log
    }

    async fn shown(log: &MemoryLog, words: &str, stop: &CancellationToken) -> Vec<Value> {
        let log = ReadOnlyLog::new(Arc::new(log.clone()));
        let args = args(words);
        let stretch = Stretch::of(&args, &log).await.unwrap();
        let mut out = Vec::new();
        let mut lines = Lines::to(&mut out);
        show(&args, stretch, &log, &mut lines, stop).await.unwrap();
        drop(lines);
        let text = String::from_utf8(out).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    async fn numbers(words: &str) -> Vec<(u64, u64)> {
        let never = CancellationToken::new();
        let number = |line: &Value| {
            let of = |value: &Value| value.as_u64().unwrap();
            (of(&line["partition"]), of(&line["value"]["n"]))
        };
        let mut found: Vec<_> = shown(&log().await, words, &never)
            .await
            .iter()
            .map(number)
            .collect();
        found.sort_unstable();
        found
    }

    #[tokio::test]
    async fn a_stretch_is_shown_by_offsets_by_times_and_by_partition() {
        assert_eq!(numbers("decisions").await.len(), 20);
        assert_eq!(
            numbers("foretide.decisions --partition 1 --from 8").await,
            [(1, 8), (1, 9)]
        );
        assert_eq!(numbers("decisions --from -1").await, [(0, 9), (1, 9)]);
        let times = "decisions --partition 0 --from 1970-01-01T00:00:02Z --to 1970-01-01T00:00:04Z";
        assert_eq!(numbers(times).await, [(0, 2), (0, 3)]);
        assert_eq!(numbers("decisions --to 1").await, [(0, 0), (1, 0)]);
        assert_eq!(numbers("decisions --limit 3").await.len(), 3);
        for nothing in ["--from end", "--from 99", "--limit 0", "--to beginning"] {
            assert!(
                numbers(&format!("decisions {nothing}")).await.is_empty(),
                "{nothing}"
            );
        }
        assert!(numbers("dead-letters").await.is_empty());
    }

    #[tokio::test]
    async fn a_shopper_is_looked_for_in_one_partition_only() {
        let log = log().await;
        let shopper = ShopperId([7; 16]);
        let key = Bytes::copy_from_slice(&shopper_key(&shopper));
        let partition = partition_for(&key, 2);
        log.append(vec![record(partition, key, &json!({ "n": 77 }))])
            .await
            .unwrap();
        let never = CancellationToken::new();
        let found = shown(&log, &format!("decisions --shopper {shopper}"), &never).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["value"]["n"], 77);
        for wrong in ["artefacts --shopper", "decisions --partition 1 --shopper"] {
            let args = args(&format!("{wrong} {shopper}"));
            let is_wrong = args.topic != DECISIONS || partition == 0;
            assert_eq!(chosen(&args, 2).is_err(), is_wrong, "{wrong}");
        }
        assert!(chosen(&args("decisions --partition 2"), 2).is_err());
    }

    #[tokio::test]
    async fn following_goes_on_until_it_is_asked_to_end() {
        let log = log().await;
        let stop = CancellationToken::new();
        let later = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            log.append(vec![record(0, Bytes::new(), &json!({ "n": 10 }))])
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_millis(300)).await;
            stop.cancel();
        };
        let (found, ()) = tokio::join!(shown(&log, "decisions --from end -f", &stop), later);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (&found[0]["value"]["n"], &found[0]["offset"]),
            (&json!(10), &json!(10))
        );
    }

    #[tokio::test]
    async fn it_ends_when_nobody_reads_what_it_shows() {
        let log = ReadOnlyLog::new(Arc::new(log().await));
        let args = args("decisions --follow");
        let stretch = Stretch::of(&args, &log).await.unwrap();
        let never = CancellationToken::new();
        show(&args, stretch, &log, &mut Lines::to(Gone), &never)
            .await
            .unwrap();
    }

    #[test]
    fn an_end_makes_no_sense_where_it_goes_on() {
        let words = ["tail", "decisions", "--data-dir", "x", "-f", "--to", "5"];
        assert!(Cli::try_parse_from(words).is_err());
        let unknown = Cli::try_parse_from(["tail", "decision", "--data-dir", "x"]);
        let said = unwrap_error(unknown);
        assert!(said.contains("decisions"), "{said}");
    }

    fn unwrap_error(parsed: Result<Cli, clap::Error>) -> String {
        parsed.err().unwrap().to_string()
    }
}
