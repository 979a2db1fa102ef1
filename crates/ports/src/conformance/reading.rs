//! Reading outside any group.

use foretide_events::EpochMs;

use super::{
    Harness, Outcome,
    support::{
        A_MOMENT, counting, in_time, log_with_topic, read_first, read_to_ends, record, texts,
    },
};

/// From the offset given, inclusive; the end is told also where there is nothing.
pub async fn a_reader_starts_where_it_is_told_and_says_when_it_is_at_the_end(
    harness: &dyn Harness,
) -> Outcome {
    let (log, spec) = log_with_topic(harness, 3).await;
    let topic = spec.name;
    let offsets = log.append(counting(topic, 0, 0, 10)).await.unwrap();
    log.append(counting(topic, 1, 0, 4)).await.unwrap();
    let ends = log.end_offsets(topic).await.unwrap();
    let positions = [(0, offsets[6]), (1, ends[1]), (2, 0)];
    let mut reader = log.reader(topic, &positions).await.unwrap();
    let found = read_to_ends(reader.as_mut(), &[0, 1, 2]).await;
    assert_eq!(texts(&found[&0]), ["6", "7", "8", "9"]);
    assert!(found[&1].is_empty() && found[&2].is_empty());
    assert_eq!(
        reader.next(A_MOMENT).await.unwrap(),
        None,
        "an end is told once"
    );
    Outcome::Passed
}

/// The reader waits at the end, gives what comes and tells the end again.
pub async fn a_reader_at_the_end_sees_what_comes_later(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 2).await;
    let topic = spec.name;
    let mut reader = log.reader(topic, &[(0, 0), (1, 0)]).await.unwrap();
    read_to_ends(reader.as_mut(), &[0, 1]).await;
    for round in 0..3_usize {
        log.append(counting(topic, 1, round * 2, 2)).await.unwrap();
        let found = read_to_ends(reader.as_mut(), &[1]).await;
        assert_eq!(
            texts(&found[&1]),
            [(round * 2).to_string(), (round * 2 + 1).to_string()]
        );
    }
    let waiting = tokio::spawn(async move {
        in_time("a waiting reader wakes", async {
            loop {
                if let Some(chunk) = reader.next(A_MOMENT).await.unwrap() {
                    return chunk;
                }
            }
        })
        .await
    });
    tokio::task::yield_now().await;
    log.append(vec![record(topic, 0, "k", "at last")])
        .await
        .unwrap();
    assert_eq!(texts(&waiting.await.unwrap().records), ["at last"]);
    Outcome::Passed
}

/// What was deleted because of its age is passed over; offsets keep their meaning.
pub async fn a_reader_below_the_oldest_offset_goes_on_at_the_oldest(
    harness: &dyn Harness,
) -> Outcome {
    let (log, spec) = log_with_topic(harness, 1).await;
    let topic = spec.name;
    for n in 0..3 {
        log.append(counting(topic, 0, n, 1)).await.unwrap();
    }
    if !harness.expire().await {
        return Outcome::Skipped("the harness cannot let time pass");
    }
    let offsets = log.append(counting(topic, 0, 3, 2)).await.unwrap();
    let records = read_first(log.as_ref(), topic).await;
    let kept = texts(&records);
    assert!(
        kept.ends_with(&["3".to_owned(), "4".to_owned()]) && kept.len() < 4,
        "{kept:?}"
    );
    assert_eq!(records.last().map(|record| record.offset), Some(offsets[1]));
    Outcome::Passed
}

/// Every time at which something was appended leads to the oldest record of that time; one that is still to come, to the end.
pub async fn an_instant_leads_to_the_oldest_record_appended_since(
    harness: &dyn Harness,
) -> Outcome {
    let (log, spec) = log_with_topic(harness, 2).await;
    let topic = spec.name;
    for n in 0..4 {
        log.append(counting(topic, 0, n * 2, 2)).await.unwrap();
        tokio::time::sleep(A_MOMENT / 10).await;
    }
    let records = read_first(log.as_ref(), topic).await;
    for record in &records {
        let at = record.appended_at;
        let first = records.iter().find(|other| other.appended_at >= at);
        let found = log.offsets_at(topic, at).await.unwrap();
        assert_eq!(found, [first.unwrap().offset, 0], "{at:?} in {records:?}");
    }
    let ends = log.end_offsets(topic).await.unwrap();
    let (past, future) = (EpochMs::default(), EpochMs::LATEST);
    assert_eq!(log.offsets_at(topic, past).await.unwrap(), [0, 0]);
    assert_eq!(log.offsets_at(topic, future).await.unwrap(), ends);
    Outcome::Passed
}

/// A partition that was not asked for is not read.
pub async fn a_reader_of_some_partitions_sees_no_others(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 3).await;
    let topic = spec.name;
    for partition in 0..3 {
        log.append(counting(topic, partition, 0, 2)).await.unwrap();
    }
    let mut reader = log.reader(topic, &[(1, 0)]).await.unwrap();
    // `read_to_ends` panics at a partition that was not asked for.
    assert_eq!(
        texts(&read_to_ends(reader.as_mut(), &[1]).await[&1]),
        ["0", "1"]
    );
    log.append(counting(topic, 2, 2, 1)).await.unwrap();
    assert_eq!(reader.next(A_MOMENT).await.unwrap(), None);
    Outcome::Passed
}

/// The end offset of a partition is beyond its last record, and a reader that has read all stands there.
pub async fn end_offsets_tell_where_reading_ends(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 2).await;
    let topic = spec.name;
    let offsets = log.append(counting(topic, 0, 0, 7)).await.unwrap();
    let ends = log.end_offsets(topic).await.unwrap();
    assert_eq!(ends.len(), 2);
    assert!(ends[0] > offsets[6]);
    let mut reader = log.reader(topic, &[(0, 0)]).await.unwrap();
    let mut next_offset = 0;
    in_time("a reader reaches the end offset", async {
        while next_offset < ends[0] {
            if let Some(chunk) = reader.next(A_MOMENT).await.unwrap() {
                next_offset = chunk.next_offset;
            }
        }
    })
    .await;
    assert_eq!(next_offset, ends[0]);
    Outcome::Passed
}
