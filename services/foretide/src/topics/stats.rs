//! `foretide topics stats`: how much the log holds.

use std::{collections::BTreeMap, fmt::Write as _};

use clap::{Args, builder::FalseyValueParser};
use foretide_ports::{Log, TopicName, TopicStats};
use serde::Serialize;

use crate::{
    look::{Patience, WhichLog},
    output::Output,
    progress::Meter,
};

/// A topic with at most so many offsets is counted: that takes a second or two.
const COUNTED_AT_MOST: u64 = 200_000;
/// How many of the newest offsets of each partition an estimate rests on.
const SAMPLED: u64 = 500;

pub(super) const EXAMPLES: &str = "\
Examples:
  foretide topics stats --data-dir /var/lib/foretide
  foretide topics stats --log kafka:127.0.0.1:9092 --json

Bytes are those of keys and values. Kafka does not tell them, and of records only the span of offsets: a topic of up \
to 200000 is read and counted, for a larger one both are estimated by its newest records, and marked so (`exact` is \
false); --exact reads everything. What compaction has taken out of a large topic, the estimate counts as if it were there.

An embedded log, which is always exact, cannot be read while a server has it open.";

/// Shows how many records and bytes each topic holds
#[derive(Args, Debug)]
pub(crate) struct StatsArgs {
    /// Read every topic to its end to count what it holds, however long that takes
    #[arg(long, env = "FORETIDE_STATS_EXACT", value_parser = FalseyValueParser::new())]
    exact: bool,

    #[command(flatten)]
    pub(super) log: WhichLog,

    #[command(flatten)]
    patience: Patience,
}

#[derive(Debug, Serialize)]
struct Line {
    topic: &'static str,
    partitions: u32,
    records: u64,
    bytes: u64,
    /// Whether the two are counted rather than estimated.
    exact: bool,
}

/// Runs the command.
pub(super) async fn run(args: &StatsArgs, output: Output) -> anyhow::Result<()> {
    let log = args.log.open_existing_log("topics-stats").await?;
    let most = if args.exact {
        u64::MAX
    } else {
        COUNTED_AT_MOST
    };
    let counter = Counter {
        log: &*log,
        patience: args.patience,
        meter: Meter::new("{msg}  {elapsed_precise}"),
    };
    let stats = counter.lines(most).await?;
    drop(counter);
    if output.json() {
        for line in &stats {
            output.answer(line, String::new)?;
        }
        return Ok(());
    }
    output.answer(&stats, || table(&stats))
}

/// What a topic was found to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    records: u64,
    bytes: u64,
}

/// Counts what a log holds.
struct Counter<'a> {
    log: &'a dyn Log,
    patience: Patience,
    meter: Meter,
}

impl Counter<'_> {
    /// Asks the log what it holds; where it does not know, counts up to `count_at_most` offsets of a topic, and estimates
    /// beyond.
    async fn lines(&self, count_at_most: u64) -> anyhow::Result<Vec<Line>> {
        let mut lines = Vec::new();
        for TopicStats {
            topic,
            partitions,
            records,
            bytes,
        } in self.log.stats().await?
        {
            let (exact, Counted { records, bytes }) = match bytes {
                Some(bytes) => (true, Counted { records, bytes }),
                None if records <= count_at_most => (true, self.count(topic).await?),
                None => (false, self.estimate(topic, records).await?),
            };
            lines.push(Line {
                topic,
                partitions,
                records,
                bytes,
                exact,
            });
        }
        Ok(lines)
    }

    /// Counts the records of `topic` up to its end as it is now.
    async fn count(&self, topic: TopicName) -> anyhow::Result<Counted> {
        let ends = self.log.end_offsets(topic).await?;
        let begins = vec![0; ends.len()];
        self.count_between(topic, &begins, &ends).await
    }

    /// What `topic`, whose partitions span `span` offsets, holds if all of it is like its newest records.
    async fn estimate(&self, topic: TopicName, span: u64) -> anyhow::Result<Counted> {
        let ends = self.log.end_offsets(topic).await?;
        let begins: Vec<u64> = ends.iter().map(|end| end.saturating_sub(SAMPLED)).collect();
        let sample = self.count_between(topic, &begins, &ends).await?;
        let sampled: u64 = ends
            .iter()
            .zip(&begins)
            .map(|(end, begin)| end - begin)
            .sum();
        // Of a partition whose older records are gone less was there to sample, which only makes the estimate less fine.
        let scale = |count: u64| {
            let scaled = u128::from(count) * u128::from(span) / u128::from(sampled.max(1));
            u64::try_from(scaled).unwrap_or(u64::MAX)
        };
        Ok(Counted {
            records: scale(sample.records),
            bytes: scale(sample.bytes),
        })
    }

    /// Counts the records of `topic` between offsets.
    async fn count_between(
        &self,
        topic: TopicName,
        begins: &[u64],
        ends: &[u64],
    ) -> anyhow::Result<Counted> {
        let mut counted = Counted::default();
        let ranges = (0..).zip(begins.iter().zip(ends));
        let ranges: Vec<(u32, u64, u64)> = ranges
            .filter(|(_, (begin, end))| begin < end)
            .map(|(partition, (begin, end))| (partition, *begin, *end))
            .collect();
        let mut unread: BTreeMap<u32, u64> = ranges.iter().map(|(p, _, end)| (*p, *end)).collect();
        let begins: Vec<_> = ranges.iter().map(|(p, begin, _)| (*p, *begin)).collect();
        let mut reader = self.log.reader(topic, &begins).await?;
        while !unread.is_empty() {
            let chunk = reader.next(self.patience.time()).await?;
            let chunk = chunk.ok_or_else(|| self.patience.over())?;
            let partition = chunk.from.partition;
            let Some(end) = unread.get(&partition).copied() else {
                continue;
            };
            for record in chunk.records.iter().filter(|record| record.offset < end) {
                counted.records += 1;
                counted.bytes += record.bytes() as u64;
            }
            let records = counted.records;
            self.meter.show(records, None, || {
                format!("{topic}: {records} records counted")
            });
            if chunk.next_offset >= end {
                unread.remove(&partition);
            }
        }
        Ok(counted)
    }
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
        exact,
    } in lines
    {
        let about = if *exact { "" } else { "  estimated" };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n{topic:<24} {partitions:>10} {records:>12} {bytes:>14}{about}"
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

    fn counter(log: &MemoryLog) -> Counter<'_> {
        Counter {
            log,
            patience: Patience::of(5),
            meter: Meter::new(""),
        }
    }

    #[test]
    fn a_table_has_a_line_for_each_topic() {
        let line = |bytes| Line {
            topic: "foretide.actions",
            partitions: 8,
            records: 12,
            bytes,
            exact: bytes > 0,
        };
        let table = table(&[line(3456), line(0)]);
        assert_eq!(table.lines().count(), 3);
        assert!(table.contains("3456"));
        assert_eq!(table.matches("estimated").count(), 1);
    }

    #[tokio::test]
    async fn an_estimate_goes_by_the_newest_records() {
        let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
        log.declare(&foretide_topics(4)).await.unwrap();
        let record = |n: u32| NewRecord {
            at: TopicPartition {
                topic: ACTIONS,
                partition: n % 2,
            },
            key: Bytes::from_static(b"key"),
            value: Some(Bytes::from_static(b"fives")),
        };
        log.append((0..4_000).map(record).collect()).await.unwrap();
        let estimated = counter(&log).estimate(ACTIONS, 4_000).await;
        let all = Counted {
            records: 4_000,
            bytes: 32_000,
        };
        assert_eq!(estimated.unwrap(), all);
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
        let counted = counter(&log).count(ACTIONS).await.unwrap();
        assert_eq!(
            counted,
            Counted {
                records: 3,
                bytes: 18
            }
        );
        let nothing = counter(&log).count(PROFILES).await.unwrap();
        assert_eq!(nothing, Counted::default());
    }
}
