//! Compacted topics.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Harness, Outcome,
    support::{compacted_spec, instance, pairs, read_first, record, tombstone},
};
use crate::Record;

/// What a table fed with `records` holds at the end: the newest value of each key that was not deleted.
fn table(records: &[Record]) -> BTreeMap<String, String> {
    let mut table: BTreeMap<_, _> = pairs(records).into_iter().collect();
    table.retain(|_, value| value != "-");
    table
}

/// Whether and whenever the log compacts, a reader from the beginning ends up with the newest of each key.
pub async fn a_compacted_topic_always_has_the_newest_of_each_key(harness: &dyn Harness) -> Outcome {
    let spec = compacted_spec(harness, 1);
    let log = instance(harness, "first", &[spec]).await;
    let mut expected = BTreeMap::new();
    for round in 0..20_u32 {
        let mut records = Vec::new();
        for n in 0..10 {
            let (key, value) = (format!("k{}", (round * 7 + n) % 40), format!("{round}.{n}"));
            records.push(record(spec.name, 0, &key, &value));
            expected.insert(key, value);
        }
        let gone = format!("k{}", round % 40);
        records.push(tombstone(spec.name, 0, &gone));
        expected.remove(&gone);
        log.append(records).await.unwrap();
    }
    assert_eq!(table(&read_first(log.as_ref(), spec.name).await), expected);
    if harness.compact().await {
        let records = read_first(log.as_ref(), spec.name).await;
        assert_eq!(table(&records), expected, "after compaction");
        assert!(records.len() < 220, "something was let go of");
    }
    Outcome::Passed
}

/// A record keeps its offset, positions keep their meaning, and appends go on while the log compacts.
pub async fn compaction_keeps_offsets_and_what_is_appended_meanwhile(
    harness: &dyn Harness,
) -> Outcome {
    let spec = compacted_spec(harness, 1);
    let log = instance(harness, "first", &[spec]).await;
    for n in 0..50_u32 {
        let new = record(spec.name, 0, &format!("k{}", n % 5), &format!("{n}"));
        log.append(vec![new]).await.unwrap();
    }
    let before = read_first(log.as_ref(), spec.name).await;
    let writer = tokio::spawn({
        let log = Arc::clone(&log);
        async move {
            for n in 50..120_u32 {
                let new = record(spec.name, 0, &format!("k{}", n % 7), &format!("{n}"));
                log.append(vec![new]).await.unwrap();
            }
        }
    });
    if !harness.compact().await {
        writer.await.unwrap();
        return Outcome::Skipped("the harness cannot make its log compact");
    }
    writer.await.unwrap();
    assert!(harness.compact().await);
    let after = read_first(log.as_ref(), spec.name).await;
    for record in &after {
        if let Some(same) = before.iter().find(|old| old.offset == record.offset) {
            assert_eq!(same, record, "a record that is kept is kept as it was");
        }
    }
    let expected: BTreeMap<String, String> = (0..120)
        .map(|n| {
            (
                format!("k{}", n % if n < 50 { 5 } else { 7 }),
                n.to_string(),
            )
        })
        .collect();
    assert_eq!(table(&after), expected);
    let ends = log.end_offsets(spec.name).await.unwrap();
    assert_eq!(
        ends[0],
        after.last().expect("records").offset + 1,
        "the newest record is kept"
    );
    Outcome::Passed
}
