//! Partitions that change hands.

use std::{collections::BTreeSet, time::Duration};

use super::{
    Harness, Outcome,
    consumer::{Consumer, drive, share_all, sorted_texts},
    support::{
        counting, in_time, instance, log_with_topic, read_all, read_first, record, spec, texts,
    },
};
use crate::{GroupEvent, LogError, TopicSpec};

/// A member on an instance of its own.
async fn member_of_its_own(
    harness: &dyn Harness,
    spec: TopicSpec,
    group: &str,
    name: &str,
) -> Consumer {
    let log = instance(harness, name, &[spec]).await;
    Consumer::join(log, group, spec.name, name).await
}

/// Drives two members until each owns half of `count` partitions.
async fn share_evenly(first: &mut Consumer, second: &mut Consumer, count: u32) {
    drive(
        "both own half of the partitions",
        &mut [first, second],
        |consumers| {
            share_all(consumers, count)
                && consumers
                    .iter()
                    .all(|consumer| consumer.owned().len() * 2 == count as usize)
        },
    )
    .await;
}

/// Evenly.
pub async fn two_members_share_the_partitions(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 4).await;
    let topic = spec.name;
    let group = harness.unique();
    let mut first = Consumer::join(log, &group, topic, "a").await;
    first
        .drive("a lone member owns all", |consumer| {
            consumer.owned().len() == 4
        })
        .await;
    let mut second = member_of_its_own(harness, spec, &group, "b").await;
    share_evenly(&mut first, &mut second, 4).await;
    Outcome::Passed
}

/// Nobody gets two while another has none.
pub async fn more_members_than_partitions_leave_some_idle(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 2).await;
    let topic = spec.name;
    let group = harness.unique();
    let mut first = Consumer::join(log, &group, topic, "a").await;
    let mut second = member_of_its_own(harness, spec, &group, "b").await;
    let mut third = member_of_its_own(harness, spec, &group, "c").await;
    let mut all = [&mut first, &mut second, &mut third];
    drive("two of three own a partition each", &mut all, |consumers| {
        share_all(consumers, 2) && consumers.iter().all(|consumer| consumer.owned().len() <= 1)
    })
    .await;
    Outcome::Passed
}

/// They go on where the group stands.
pub async fn partitions_of_a_member_that_leaves_go_to_the_others(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 4).await;
    let topic = spec.name;
    let group = harness.unique();
    let mut first = Consumer::join(log.clone(), &group, topic, "a").await;
    let mut second = member_of_its_own(harness, spec, &group, "b").await;
    share_evenly(&mut first, &mut second, 4).await;
    for partition in 0..4 {
        log.append(counting(topic, partition, 0, 3)).await.unwrap();
    }
    drive(
        "both have read their part",
        &mut [&mut first, &mut second],
        |consumers| {
            consumers
                .iter()
                .all(|consumer| consumer.folded_count() == 6)
        },
    )
    .await;
    first.commit().await.unwrap();
    let (firsts, seconds) = (first.owned(), second.owned());
    first.member.leave().await.unwrap();
    second
        .drive("the one that is left owns all", |consumer| {
            consumer.owned().len() == 4
        })
        .await;
    for partition in 0..4 {
        log.append(counting(topic, partition, 3, 1)).await.unwrap();
    }
    let folded_last = |consumer: &Consumer| {
        (0..4).all(|partition| {
            consumer
                .texts(partition)
                .last()
                .is_some_and(|text| text == "3")
        })
    };
    second.drive("it has read on", folded_last).await;
    for partition in firsts {
        assert_eq!(
            second.texts(partition),
            ["3"],
            "what was committed is not read again"
        );
    }
    for partition in seconds {
        let texts = second.texts(partition);
        assert!(texts.ends_with(&["3".to_owned()]), "{texts:?}");
    }
    Outcome::Passed
}

/// Until then its commits are good; afterwards a commit of it is refused.
pub async fn a_partition_is_handed_over_only_after_its_release(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 2).await;
    let topic = spec.name;
    let group = harness.unique();
    for partition in 0..2 {
        log.append(counting(topic, partition, 0, 4)).await.unwrap();
    }
    let mut first = Consumer::join(log.clone(), &group, topic, "a").await;
    first
        .drive("the first has read all", |consumer| {
            consumer.folded_count() == 8
        })
        .await;
    let mut second = member_of_its_own(harness, spec, &group, "b").await;
    let revoked = in_time("a partition is revoked", async {
        loop {
            match first.member.next(Duration::from_millis(20)).await.unwrap() {
                GroupEvent::Revoked(partitions) => return partitions,
                event => first.take(event).await.unwrap(),
            }
            second.step().await.unwrap();
        }
    })
    .await;
    first.assert_owned(&revoked);
    let asked: BTreeSet<u32> = revoked.iter().copied().collect();
    for _ in 0..10 {
        second.step().await.unwrap();
        assert!(
            second.owned().is_disjoint(&asked),
            "handed over before it was released"
        );
    }
    first.commit().await.unwrap();
    let positions: Vec<(u32, u64)> = revoked.iter().map(|p| (*p, first.positions[p])).collect();
    first.release(&revoked).await.unwrap();
    let late = first.member.commit(Vec::new(), &positions).await;
    assert!(
        matches!(late, Err(LogError::Fenced(_))),
        "a commit after the release: {late:?}"
    );
    share_evenly(&mut first, &mut second, 2).await;
    let partition = second.owned().into_iter().next().expect("one partition");
    log.append(counting(topic, partition, 4, 1)).await.unwrap();
    drive(
        "the new owner goes on",
        &mut [&mut first, &mut second],
        |consumers| consumers[1].folded_count() > 0,
    )
    .await;
    assert_eq!(
        second.texts(partition),
        ["4"],
        "it goes on at what was committed last"
    );
    Outcome::Passed
}

/// Members come and go while records stream through: each has its output exactly once, in order.
pub async fn no_record_is_lost_or_folded_twice_over_a_rebalance(harness: &dyn Harness) -> Outcome {
    const PARTITIONS: u32 = 4;
    const ROUNDS: usize = 24;
    let (input, output) = (spec(harness, PARTITIONS), spec(harness, PARTITIONS));
    let log = instance(harness, "first", &[input, output]).await;
    let group = harness.unique();
    let mut consumers: Vec<Consumer> = Vec::new();
    for round in 0..ROUNDS {
        for partition in 0..PARTITIONS {
            let value = format!("{partition}:{round:02}");
            log.append(vec![record(input.name, partition, "k", &value)])
                .await
                .unwrap();
        }
        match round {
            0 | 4 | 8 => {
                let name = format!("member {round}");
                let own = instance(harness, &name, &[input, output]).await;
                let joined = Consumer::join(own, &group, input.name, &name).await;
                consumers.push(joined.with_outputs(output.name));
            }
            // This one leaves without a commit: what it folded is folded again by others.
            16 => consumers.remove(0).member.leave().await.unwrap(),
            _ => {}
        }
        for consumer in &mut consumers {
            consumer.step().await.unwrap();
            if round % 3 == 0 {
                consumer.commit().await.unwrap();
            }
        }
    }
    let expected: Vec<String> = (0..PARTITIONS)
        .flat_map(|partition| (0..ROUNDS).map(move |round| format!("{partition}:{round:02}")))
        .collect();
    let outputs = in_time("every record has its output", async {
        loop {
            for consumer in &mut consumers {
                for _ in 0..4 {
                    consumer.step().await.unwrap();
                }
                consumer.commit().await.unwrap();
            }
            let outputs = read_all(log.as_ref(), output.name, PARTITIONS).await;
            if outputs.iter().map(Vec::len).sum::<usize>() >= expected.len() {
                return outputs;
            }
        }
    })
    .await;
    assert_eq!(sorted_texts(&outputs), expected);
    for outputs in &outputs {
        assert!(texts(outputs).is_sorted(), "{:?}", texts(outputs));
    }
    Outcome::Passed
}

/// At once, without waiting for the former self to answer; the former self learns that its partitions are lost.
pub async fn a_member_of_the_same_name_takes_over(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 2).await;
    let topic = spec.name;
    let group = harness.unique();
    log.append(counting(topic, 0, 0, 6)).await.unwrap();
    let mut former = member_of_its_own(harness, spec, &group, "a").await;
    former
        .drive("the former has read all", |consumer| {
            consumer.folded_count() == 6
        })
        .await;
    let mut next = member_of_its_own(harness, spec, &group, "a").await;
    next.drive("the next has taken over", |c| {
        c.owned().len() == 2 && c.folded_count() == 6
    })
    .await;
    in_time("the former learns of it", async {
        while former.step().await.is_ok() && !former.owned().is_empty() {}
    })
    .await;
    next.commit().await.unwrap();
    let committed = log.committed(&group, topic).await.unwrap();
    assert_eq!(committed[0], Some(next.positions[&0]));
    Outcome::Passed
}

/// Neither its outputs nor its offsets; the new owner is not disturbed.
pub async fn a_former_owner_is_fenced_and_nothing_of_its_commit_is_visible(
    harness: &dyn Harness,
) -> Outcome {
    let (input, output) = (spec(harness, 1), spec(harness, 1));
    let log = instance(harness, "first", &[input, output]).await;
    let group = harness.unique();
    log.append(counting(input.name, 0, 0, 3)).await.unwrap();
    let joined = Consumer::join(
        instance(harness, "a", &[input, output]).await,
        &group,
        input.name,
        "a",
    )
    .await;
    let mut former = joined.with_outputs(output.name);
    former
        .drive("the former has read all", |consumer| {
            consumer.folded_count() == 3
        })
        .await;
    former.commit().await.unwrap();
    log.append(counting(input.name, 0, 3, 3)).await.unwrap();
    former
        .drive("the former has read on", |consumer| {
            consumer.folded_count() == 6
        })
        .await;

    let joined = Consumer::join(
        instance(harness, "a", &[input, output]).await,
        &group,
        input.name,
        "a",
    )
    .await;
    let mut next = joined.with_outputs(output.name);
    next.drive("the next has taken over", |consumer| {
        consumer.folded_count() == 3
    })
    .await;
    assert_eq!(next.texts(0), ["3", "4", "5"]);
    let refused = former.commit().await;
    assert!(matches!(refused, Err(LogError::Fenced(_))), "{refused:?}");
    assert_eq!(
        texts(&read_first(log.as_ref(), output.name).await),
        ["0", "1", "2"]
    );
    next.commit().await.unwrap();
    let outputs = texts(&read_first(log.as_ref(), output.name).await);
    assert_eq!(outputs, ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(
        log.committed(&group, input.name).await.unwrap(),
        [Some(next.positions[&0])]
    );
    Outcome::Passed
}
