//! `foretide topics`: what the log holds.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use foretide_ports::{Log, TopicName, TopicStats};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::{output::Output, store::StoreArgs};

/// How long reading may stand still.
const READ_WAIT: Duration = Duration::from_secs(30);

/// Looks at the topics of the log
#[derive(Args, Debug)]
pub(crate) struct TopicsArgs {
    #[command(subcommand)]
    command: TopicsCommand,
}

#[derive(Debug, Subcommand)]
enum TopicsCommand {
    /// Shows how many records and bytes each topic holds
    #[command(after_help = "\
Examples:
  foretide topics stats --data-dir /var/lib/foretide
  foretide topics stats --data-dir /var/lib/foretide --log kafka:127.0.0.1:9092 --json

An embedded log that a server has open cannot be read beside it. With Kafka every topic is read to its \
end, to count what can be read of it; bytes are those of keys and values.")]
    Stats(StoreArgs),
}

#[derive(Debug, Serialize)]
struct Line {
    topic: &'static str,
    partitions: u32,
    records: u64,
    bytes: u64,
}

/// Runs the command.
pub(crate) async fn run(args: TopicsArgs, output: Output) -> anyhow::Result<()> {
    let TopicsCommand::Stats(store) = args.command;
    let log = store.open_existing_log("topics").await?;
    let stats = lines(&*log).await?;
    if output.json() {
        for line in &stats {
            output.answer(line, String::new)?;
        }
        return Ok(());
    }
    Ok(output.answer(&stats, || table(&stats))?)
}

/// What a topic was found to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    records: u64,
    bytes: u64,
}

/// Asks the log what it holds, and counts where it does not know.
async fn lines(log: &dyn Log) -> anyhow::Result<Vec<Line>> {
    let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template(
        "{pos} records counted  {elapsed_precise}",
    )?);
    let mut lines = Vec::new();
    for TopicStats {
        topic,
        partitions,
        records,
        bytes,
    } in log.stats().await?
    {
        let Counted { records, bytes } = match bytes {
            Some(bytes) => Counted { records, bytes },
            None => count(log, topic, &bar).await?,
        };
        lines.push(Line {
            topic,
            partitions,
            records,
            bytes,
        });
    }
    bar.finish_and_clear();
    Ok(lines)
}

/// Counts the records of `topic` up to its end as it is now.
async fn count(log: &dyn Log, topic: TopicName, bar: &ProgressBar) -> anyhow::Result<Counted> {
    let mut counted = Counted::default();
    let ends = log.end_offsets(topic).await?;
    let mut unread: BTreeMap<u32, u64> = (0..).zip(ends).filter(|(_, end)| *end > 0).collect();
    let begins: Vec<_> = unread.keys().map(|partition| (*partition, 0)).collect();
    let mut reader = log.reader(topic, &begins).await?;
    while !unread.is_empty() {
        let chunk = reader
            .next(READ_WAIT)
            .await?
            .with_context(|| format!("topic {topic} could not be read to its end in time"))?;
        let partition = chunk.from.partition;
        let Some(end) = unread.get(&partition).copied() else {
            continue;
        };
        for record in chunk.records.iter().filter(|record| record.offset < end) {
            counted.records += 1;
            counted.bytes += record.bytes() as u64;
            bar.inc(1);
        }
        if chunk.next_offset >= end {
            unread.remove(&partition);
        }
    }
    Ok(counted)
}

fn table(lines: &[Line]) -> String {
    let mut text = format!(
        "{:<24} {:>10} {:>12} {:>14}",
        "topic", "partitions", "records", "bytes"
    );
    for Line {
        topic,
        partitions,
        records,
        bytes,
    } in lines
    {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n{topic:<24} {partitions:>10} {records:>12} {bytes:>14}"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use foretide_events::EpochMs;
    use foretide_ports::{
        ACTIONS, NewRecord, PROFILES, TopicPartition, foretide_topics, memory::MemoryLog,
    };

    use super::*;

    #[test]
    fn a_table_has_a_line_for_each_topic() {
        let line = |bytes| Line {
            topic: "foretide.actions",
            partitions: 8,
            records: 12,
            bytes,
        };
        let table = table(&[line(3456), line(0)]);
        assert_eq!(table.lines().count(), 3);
        assert!(table.contains("3456"));
    }

    #[tokio::test]
    async fn counting_finds_each_record_with_its_key_and_value() {
        let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
        log.declare(&foretide_topics(4)).await.unwrap();
        let record = |partition, value: Option<&'static str>| NewRecord {
            at: TopicPartition {
                topic: ACTIONS,
                partition,
            },
            key: Bytes::from_static(b"key"),
            value: value.map(Bytes::from),
        };
        let records = vec![
            record(0, Some("four")),
            record(2, None),
            record(2, Some("fives")),
        ];
        log.append(records).await.unwrap();
        let counted = count(&log, ACTIONS, &ProgressBar::hidden()).await.unwrap();
        assert_eq!(
            counted,
            Counted {
                records: 3,
                bytes: 18
            }
        );
        let nothing = count(&log, PROFILES, &ProgressBar::hidden()).await.unwrap();
        assert_eq!(nothing, Counted::default());
    }
}
