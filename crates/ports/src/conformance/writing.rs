//! Declaring topics and appending to them.

use std::sync::Arc;

use super::{
    Harness, Outcome,
    support::{
        counting, in_time, instance, log_with_topic, read_all, read_first, record, spec, texts,
    },
};
use crate::{LogError, TopicSpec};

/// What is there already and as declared stays as it is.
pub async fn declaring_again_is_harmless(harness: &dyn Harness) -> Outcome {
    let log = harness.open("first").await;
    let spec = spec(harness, 3);
    log.declare(&[spec]).await.unwrap();
    log.append(vec![record(spec.name, 2, "a", "kept")])
        .await
        .unwrap();
    log.declare(&[spec]).await.unwrap();
    let other = harness.open("second").await;
    other.declare(&[spec]).await.unwrap();
    assert_eq!(
        texts(&read_all(other.as_ref(), spec.name, 3).await[2]),
        ["kept"]
    );
    Outcome::Passed
}

/// A topic cannot change its number of partitions: keys would change theirs.
pub async fn another_partition_count_is_refused(harness: &dyn Harness) -> Outcome {
    let log = harness.open("first").await;
    let spec = spec(harness, 3);
    log.declare(&[spec]).await.unwrap();
    let other = harness.open("second").await;
    let error = other
        .declare(&[TopicSpec {
            partitions: 4,
            ..spec
        }])
        .await
        .unwrap_err();
    let LogError::Topic { topic, problem } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(topic, spec.name);
    assert!(
        problem.contains('3') && problem.contains('4'),
        "it names both counts: {problem}"
    );
    Outcome::Passed
}

/// Nothing is stored where nothing was declared.
pub async fn a_topic_or_partition_that_is_not_there_is_refused(harness: &dyn Harness) -> Outcome {
    let (log, declared) = log_with_topic(harness, 2).await;
    let topic = declared.name;
    let beyond = in_time("a partition beyond the last is refused", async {
        log.append(vec![record(topic, 2, "a", "1")]).await
    });
    assert!(beyond.await.is_err());
    let undeclared = spec(harness, 1).name;
    let undeclared = in_time("an undeclared topic is refused", async {
        log.append(vec![record(undeclared, 0, "a", "1")]).await
    });
    assert!(undeclared.await.is_err());
    log.append(vec![record(topic, 1, "a", "1")]).await.unwrap();
    Outcome::Passed
}

/// Within a call and from call to call.
pub async fn offsets_rise_in_the_order_of_appends(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 1).await;
    let topic = spec.name;
    let mut offsets = log.append(counting(topic, 0, 0, 3)).await.unwrap();
    offsets.extend(log.append(counting(topic, 0, 3, 2)).await.unwrap());
    assert_eq!(offsets.len(), 5);
    assert!(
        offsets.windows(2).all(|pair| pair[0] < pair[1]),
        "{offsets:?}"
    );
    let records = read_first(log.as_ref(), topic).await;
    assert_eq!(
        records
            .iter()
            .map(|record| record.offset)
            .collect::<Vec<_>>(),
        offsets
    );
    assert_eq!(texts(&records), ["0", "1", "2", "3", "4"]);
    assert_eq!(
        log.append(Vec::new()).await.unwrap(),
        [0_u64; 0],
        "an append of nothing"
    );
    Outcome::Passed
}

/// Each offset of the answer belongs to the record of the same place, whatever the mix of topics and partitions.
pub async fn records_of_one_append_go_to_all_their_partitions(harness: &dyn Harness) -> Outcome {
    let (orders, visits) = (spec(harness, 3), spec(harness, 2));
    let log = instance(harness, "first", &[orders, visits]).await;
    let records: Vec<_> = (0..60)
        .map(|n| {
            let topic = if n % 2 == 0 { orders } else { visits };
            record(
                topic.name,
                n % topic.partitions,
                &format!("k{n}"),
                &n.to_string(),
            )
        })
        .collect();
    let offsets = log.append(records.clone()).await.unwrap();
    assert_eq!(offsets.len(), records.len());
    for topic in [orders, visits] {
        for (partition, found) in
            (0_u32..).zip(read_all(log.as_ref(), topic.name, topic.partitions).await)
        {
            let expected: Vec<_> = records
                .iter()
                .zip(&offsets)
                .filter(|(new, _)| new.at.topic == topic.name && new.at.partition == partition)
                .map(|(new, offset)| (*offset, new.key.clone(), new.value.clone()))
                .collect();
            let found: Vec<_> = found
                .into_iter()
                .map(|record| (record.offset, record.key, record.value))
                .collect();
            assert_eq!(found, expected, "{}/{partition}", topic.name);
        }
    }
    Outcome::Passed
}

/// Many writers, each appending one record after the other: each writer's records keep their order.
pub async fn records_of_a_key_keep_their_order(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 2).await;
    let topic = spec.name;
    let writers: Vec<_> = (0..8_u32)
        .map(|writer| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                for n in 0..25 {
                    let new = record(
                        topic,
                        writer % 2,
                        &format!("writer {writer}"),
                        &n.to_string(),
                    );
                    log.append(vec![new]).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let found = read_all(log.as_ref(), topic, 2).await;
    let expected: Vec<String> = (0..25).map(|n| n.to_string()).collect();
    for writer in 0..8_usize {
        let key = format!("writer {writer}");
        let own: Vec<_> = found[writer % 2]
            .iter()
            .filter(|record| record.key == key)
            .cloned()
            .collect();
        assert_eq!(texts(&own), expected, "{key}");
    }
    Outcome::Passed
}

/// Every acknowledged record is found at the offset that was answered, and nothing else is.
pub async fn concurrent_appends_are_all_readable(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 3).await;
    let topic = spec.name;
    let writers: Vec<_> = (0..16_u32)
        .map(|writer| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut stored = Vec::new();
                for batch in 0..10_u32 {
                    let new: Vec<_> = (0..12)
                        .map(|n| record(topic, n % 3, "k", &format!("{writer}.{batch}.{n}")))
                        .collect();
                    let offsets = log.append(new.clone()).await.unwrap();
                    stored.extend(new.into_iter().zip(offsets));
                }
                stored
            })
        })
        .collect();
    let mut expected = vec![Vec::new(); 3];
    for writer in writers {
        for (new, offset) in writer.await.unwrap() {
            expected[new.at.partition as usize].push((offset, new.value));
        }
    }
    for (expected, found) in expected
        .iter_mut()
        .zip(read_all(log.as_ref(), topic, 3).await)
    {
        expected.sort();
        let found: Vec<_> = found
            .into_iter()
            .map(|record| (record.offset, record.value))
            .collect();
        assert_eq!(&found, expected);
    }
    Outcome::Passed
}

/// What was answered for is there after a crash at any moment.
pub async fn acknowledged_records_survive_a_crash(harness: &dyn Harness) -> Outcome {
    let (mut log, spec) = log_with_topic(harness, 1).await;
    let topic = spec.name;
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        for n in 0..4 {
            acknowledged.extend(
                log.append(counting(topic, 0, round * 8 + n * 2, 2))
                    .await
                    .unwrap(),
            );
        }
        drop(log);
        if !harness.crash().await {
            return Outcome::Skipped("the harness cannot crash its log");
        }
        log = instance(harness, "first", &[spec]).await;
    }
    let records = read_first(log.as_ref(), topic).await;
    assert_eq!(
        records
            .iter()
            .map(|record| record.offset)
            .collect::<Vec<_>>(),
        acknowledged
    );
    let expected: Vec<String> = (0..24).map(|n| n.to_string()).collect();
    assert_eq!(texts(&records), expected);
    let next = log.append(counting(topic, 0, 24, 1)).await.unwrap();
    assert!(next[0] > acknowledged[23], "offsets go on rising");
    Outcome::Passed
}

/// A record's time is the time of its append.
pub async fn append_times_never_fall_within_a_partition(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 1).await;
    let topic = spec.name;
    for n in 0..5 {
        log.append(counting(topic, 0, n * 3, 3)).await.unwrap();
    }
    let times: Vec<_> = read_first(log.as_ref(), topic)
        .await
        .iter()
        .map(|record| record.appended_at)
        .collect();
    assert_eq!(times.len(), 15);
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "{times:?}");
    assert!(times[0].0 > 0, "{times:?}");
    Outcome::Passed
}

/// Each declared topic is in the stats with at least the records it holds.
pub async fn stats_count_what_is_held(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 2).await;
    let topic = spec.name;
    log.append(counting(topic, 0, 0, 5)).await.unwrap();
    log.append(counting(topic, 1, 0, 3)).await.unwrap();
    let stats = log.stats().await.unwrap();
    let own = stats
        .iter()
        .find(|stats| stats.topic == topic)
        .expect("the topic is listed");
    assert_eq!(own.partitions, 2);
    assert!(own.records >= 8, "{own:?}");
    Outcome::Passed
}
