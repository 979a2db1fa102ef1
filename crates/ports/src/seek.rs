//! Finding the place of an instant in a topic, for logs that keep no index of times.

use std::{collections::BTreeMap, time::Duration};

use foretide_events::EpochMs;

use crate::{Log, LogError, TopicName};

/// How long one look may take.
const LOOK: Duration = Duration::from_secs(10);

/// Where in a partition the oldest record that is young enough may lie.
#[derive(Clone, Copy)]
struct Window {
    /// Everything before is older.
    low: u64,
    /// Nothing from here on has to be looked at any more.
    high: u64,
    /// The oldest young enough record found so far, else the end of the partition.
    found: u64,
}

/// The offset of the oldest record of each partition of `topic` appended at `at` or later; its end where there is none.
/// Append times never fall within a partition, so halving finds it.
pub(crate) async fn offsets_at<L: Log + ?Sized>(
    log: &L,
    topic: TopicName,
    at: EpochMs,
) -> Result<Vec<u64>, LogError> {
    let window = |end| Window {
        low: 0,
        high: end,
        found: end,
    };
    let mut windows: Vec<Window> = log
        .end_offsets(topic)
        .await?
        .into_iter()
        .map(window)
        .collect();
    loop {
        let middles: Vec<(u32, u64)> = (0..)
            .zip(&windows)
            .filter(|(_, window)| window.low < window.high)
            .map(|(partition, window)| (partition, u64::midpoint(window.low, window.high)))
            .collect();
        if middles.is_empty() {
            return Ok(windows.iter().map(|window| window.found).collect());
        }
        let seen = first_records(log, topic, &middles, &windows).await?;
        for (partition, middle) in middles {
            let window = &mut windows[partition as usize];
            match seen.get(&partition) {
                Some((offset, appended_at)) if *appended_at < at => window.low = offset + 1,
                Some((offset, _)) => {
                    window.high = middle;
                    window.found = *offset;
                }
                None => window.high = middle,
            }
        }
    }
}

/// The first record of each partition from its middle on, with when it was appended; nothing where there is none within
/// its window.
async fn first_records<L: Log + ?Sized>(
    log: &L,
    topic: TopicName,
    middles: &[(u32, u64)],
    windows: &[Window],
) -> Result<BTreeMap<u32, (u64, EpochMs)>, LogError> {
    let mut seen = BTreeMap::new();
    let mut open: BTreeMap<u32, u64> = middles
        .iter()
        .map(|(partition, _)| (*partition, windows[*partition as usize].high))
        .collect();
    let mut reader = log.reader(topic, middles).await?;
    while !open.is_empty() {
        let stuck = || LogError::Away(format!("{topic} could not be read in time"));
        let chunk = reader.next(LOOK).await?.ok_or_else(stuck)?;
        let partition = chunk.from.partition;
        let Some(high) = open.get(&partition).copied() else {
            continue;
        };
        let first = chunk.records.first();
        if let Some(record) = first.filter(|record| record.offset < high) {
            seen.insert(partition, (record.offset, record.appended_at));
        }
        if first.is_some() || chunk.next_offset >= high {
            open.remove(&partition);
        }
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    };

    use bytes::Bytes;

    use crate::{Cleanup, NewRecord, TopicPartition, TopicSpec, memory::MemoryLog};

    use super::*;

    const TOPIC: TopicName = "t";

    #[tokio::test]
    async fn an_instant_is_found_in_every_partition() {
        let clock = Arc::new(AtomicI64::new(0));
        let log = MemoryLog::new({
            let clock = Arc::clone(&clock);
            Arc::new(move || EpochMs(clock.load(Ordering::Relaxed)))
        });
        let cleanup = Cleanup::Delete {
            retention_ms: i64::MAX,
        };
        let spec = TopicSpec {
            name: TOPIC,
            partitions: 3,
            cleanup,
        };
        log.declare(&[spec]).await.unwrap();
        for at in 0..100 {
            clock.store(at * 10, Ordering::Relaxed);
            let record = |partition| NewRecord {
                at: TopicPartition {
                    topic: TOPIC,
                    partition,
                },
                key: Bytes::new(),
                value: None,
            };
            // Two at a time in one partition, one in five in another, none in the third.
            let mut records = vec![record(0), record(0)];
            if at % 5 == 0 {
                records.push(record(1));
            }
            log.append(records).await.unwrap();
        }
        for (at, expected) in [
            (i64::MIN, [0, 0, 0]),
            (0, [0, 0, 0]),
            (1, [2, 1, 0]),
            (500, [100, 10, 0]),
            (501, [102, 11, 0]),
            (990, [198, 20, 0]),
            (991, [200, 20, 0]),
        ] {
            let found = log.offsets_at(TOPIC, EpochMs(at)).await.unwrap();
            assert_eq!(found, expected, "{at}");
        }
    }
}
