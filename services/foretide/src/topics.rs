//! `foretide topics`: what the log holds.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use foretide_ports::TopicStats;
use serde::Serialize;

use crate::{output::Output, store::StoreArgs};

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

An embedded log that a server has open cannot be read beside it. For Kafka, records are the span of \
offsets.")]
    Stats(StoreArgs),
}

#[derive(Debug, Serialize)]
struct Line {
    topic: &'static str,
    partitions: u32,
    records: u64,
    bytes: Option<u64>,
}

/// Runs the command.
pub(crate) async fn run(args: TopicsArgs, output: Output) -> anyhow::Result<()> {
    let TopicsCommand::Stats(store) = args.command;
    let log = store.open_existing_log("topics").await?;
    let stats: Vec<Line> = log.stats().await?.into_iter().map(Line::from).collect();
    if output.json() {
        for line in &stats {
            output.answer(line, String::new)?;
        }
        return Ok(());
    }
    Ok(output.answer(&stats, || table(&stats))?)
}

impl From<TopicStats> for Line {
    fn from(stats: TopicStats) -> Self {
        let TopicStats {
            topic,
            partitions,
            records,
            bytes,
        } = stats;
        Self {
            topic,
            partitions,
            records,
            bytes,
        }
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
    } in lines
    {
        let bytes = bytes.map_or_else(|| "unknown".to_owned(), |bytes| bytes.to_string());
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
    use super::*;

    #[test]
    fn a_table_has_a_line_for_each_topic() {
        let line = |bytes| Line {
            topic: "foretide.actions",
            partitions: 8,
            records: 12,
            bytes,
        };
        let table = table(&[line(Some(3456)), line(None)]);
        assert_eq!(table.lines().count(), 3);
        assert!(table.contains("3456") && table.contains("unknown"));
    }
}
