//! `foretide topics create`: makes the topics as they are declared.

use std::{fmt::Write as _, sync::Arc};

use anyhow::{Context as _, bail};
use clap::Args;
use foretide_ports::{Cleanup, Log, TopicSpec, foretide_topics};
use foretide_runtime::{SharedClock, SystemClock};
use serde::Serialize;

use crate::{look::WhichLog, output::Output};

pub(super) const EXAMPLES: &str = "\
Examples:
  # All topics on Kafka, with 24 partitions and three copies each
  foretide topics create --log kafka:10.0.0.5:9092 \\
    --partitions 24 --kafka-setting replication.factor=3

A server makes the topics that are missing when it starts; this makes them before, for instance where only an \
operator may. Running it again changes nothing. The number of partitions can never change: choose as many \
as processors may ever share the work, with room.";

/// Makes the topics that are not there yet
#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    pub(super) log: WhichLog,
}

/// A topic, and whether it was made now.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Line {
    topic: &'static str,
    partitions: u32,
    /// How it lets go of old records.
    cleanup: &'static str,
    /// How long a record, or a tombstone of a compacted topic, is kept at least.
    retention_ms: i64,
    created: bool,
}

/// Runs the command.
pub(super) async fn run(args: &CreateArgs, output: Output) -> anyhow::Result<()> {
    if !args.log.is_shared() {
        args.log.make_data_dir()?;
    }
    let clock: SharedClock = Arc::new(SystemClock);
    let log = args.log.open_log("topics-create", &clock)?;
    let lines = create(&*log, args.log.partitions).await?;
    if !output.json() {
        return output.answer(&lines, || table(&lines));
    }
    for line in &lines {
        output.answer(line, String::new)?;
    }
    Ok(())
}

/// Makes what is missing, and nothing where something is there with another number of partitions.
async fn create(log: &dyn Log, partitions: u32) -> anyhow::Result<Vec<Line>> {
    let specs = foretide_topics(partitions);
    let mut lines = Vec::new();
    let mut others = Vec::new();
    for spec in &specs {
        let found = log
            .partitions(spec.name)
            .await
            .context("looking for the topics (--log)")?;
        if let Some(found) = found.filter(|found| *found != spec.partitions) {
            others.push(format!("{} has {found}", spec.name));
        }
        lines.push(line(spec, found.is_none()));
    }
    if !others.is_empty() {
        bail!(
            "there are topics with another number of partitions than {partitions} (--partitions): {}. The number can never \
             change, for it decides where a shopper's records are: give --partitions as it is, here and to every service, or \
             use brokers that hold no such topics. Nothing was made",
            others.join(", ")
        );
    }
    log.declare(&specs).await.context("making the topics")?;
    Ok(lines)
}

fn line(spec: &TopicSpec, created: bool) -> Line {
    let (cleanup, retention_ms) = match spec.cleanup {
        Cleanup::Delete { retention_ms } => ("delete", retention_ms),
        Cleanup::Compact {
            delete_retention_ms,
        } => ("compact", delete_retention_ms),
    };
    Line {
        topic: spec.name,
        partitions: spec.partitions,
        cleanup,
        retention_ms,
        created,
    }
}

fn table(lines: &[Line]) -> String {
    let mut text = format!("{:<24} {:>10} {:>10}", "topic", "partitions", "cleanup");
    for line in lines {
        let state = if line.created { "made" } else { "was there" };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n{:<24} {:>10} {:>10}  {state}",
            line.topic, line.partitions, line.cleanup
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use foretide_events::EpochMs;
    use foretide_ports::{ACTIONS, memory::MemoryLog};

    use super::*;

    #[tokio::test]
    async fn what_is_missing_is_made_and_what_is_there_is_told_apart() {
        let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
        let actions = foretide_topics(4).remove(0);
        assert_eq!(actions.name, ACTIONS);
        log.declare(&[actions]).await.unwrap();
        let made = |lines: &[Line]| lines.iter().filter(|line| line.created).count();
        let first = create(&log, 4).await.unwrap();
        assert!(!first[0].created);
        assert_eq!(made(&first), first.len() - 1);
        assert_eq!(made(&create(&log, 4).await.unwrap()), 0);
        assert!(table(&first).contains("was there"));
    }

    #[tokio::test]
    async fn another_number_of_partitions_is_refused_before_anything_is_made() {
        let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
        log.declare(&foretide_topics(4)[..1]).await.unwrap();
        let refused = create(&log, 8).await.unwrap_err().to_string();
        assert!(refused.contains("foretide.actions has 4"), "{refused}");
        let second = foretide_topics(8)[1];
        assert!(
            log.end_offsets(second.name).await.is_err(),
            "nothing was made"
        );
    }
}
