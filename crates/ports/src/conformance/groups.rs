//! Consumer groups: offsets and outputs of members that have their partitions to themselves.

use super::{
    Harness, Outcome,
    consumer::Consumer,
    support::{
        counting, in_time, instance, log_with_topic, read_all, read_first, record, spec, texts,
    },
};

/// `None` for every partition.
pub async fn a_group_that_never_committed_has_no_offsets(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 3).await;
    let topic = spec.name;
    assert_eq!(
        log.committed(&harness.unique(), topic).await.unwrap(),
        [None, None, None]
    );
    Outcome::Passed
}

/// Those there already and those that come later.
pub async fn a_member_gets_every_record_of_its_partitions(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 3).await;
    let topic = spec.name;
    for partition in 0..3 {
        log.append(counting(topic, partition, 0, 20)).await.unwrap();
    }
    let mut consumer = Consumer::join(log.clone(), &harness.unique(), topic, "a").await;
    consumer
        .drive("a lone member has read all", |consumer| {
            consumer.folded_count() == 60
        })
        .await;
    for partition in 0..3 {
        log.append(counting(topic, partition, 20, 5)).await.unwrap();
    }
    consumer
        .drive("it has read what came later", |consumer| {
            consumer.folded_count() == 75
        })
        .await;
    let expected: Vec<String> = (0..25).map(|n| n.to_string()).collect();
    for partition in 0..3 {
        assert_eq!(consumer.texts(partition), expected);
    }
    Outcome::Passed
}

/// In order, each record once, while others are appended all the time; and each output is there once.
pub async fn what_comes_during_a_commit_is_handed_on_or_comes_next(
    harness: &dyn Harness,
) -> Outcome {
    let (log, input) = log_with_topic(harness, 2).await;
    let output = spec(harness, 2);
    log.declare(&[output]).await.unwrap();
    let consumer = Consumer::join(log.clone(), &harness.unique(), input.name, "a").await;
    let mut consumer = consumer.with_outputs(output.name);
    let appending = async {
        for portion in 0..30 {
            for partition in 0..2 {
                let records = counting(input.name, partition, portion * 5, 5);
                log.append(records).await.unwrap();
            }
        }
    };
    let committing = in_time("all is committed", async {
        while consumer.folded_count() < 300 || !consumer.pending.is_empty() {
            consumer.step().await.unwrap();
            consumer.commit_beside().await.unwrap();
        }
    });
    tokio::join!(appending, committing);
    let expected: Vec<String> = (0..150).map(|n| n.to_string()).collect();
    for (partition, copies) in (0..).zip(read_all(&*log, output.name, 2).await) {
        assert_eq!(consumer.texts(partition), expected);
        assert_eq!(texts(&copies), expected);
    }
    Outcome::Passed
}

/// What was folded but not committed is folded again.
pub async fn a_member_resumes_at_the_committed_offsets(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 1).await;
    let topic = spec.name;
    let group = harness.unique();
    log.append(counting(topic, 0, 0, 5)).await.unwrap();
    let mut consumer = Consumer::join(log.clone(), &group, topic, "a").await;
    consumer
        .drive("it has read five", |consumer| consumer.folded_count() == 5)
        .await;
    consumer.commit().await.unwrap();
    let position = consumer.positions[&0];
    assert_eq!(
        log.committed(&group, topic).await.unwrap(),
        [Some(position)]
    );
    log.append(counting(topic, 0, 5, 5)).await.unwrap();
    consumer
        .drive("it has read ten", |consumer| consumer.folded_count() == 10)
        .await;
    consumer.member.leave().await.unwrap();

    let other = instance(harness, "second", &[spec]).await;
    let mut consumer = Consumer::join(other, &group, topic, "b").await;
    consumer
        .drive("the next has read five", |consumer| {
            consumer.folded_count() == 5
        })
        .await;
    assert_eq!(consumer.texts(0), ["5", "6", "7", "8", "9"]);
    Outcome::Passed
}

/// With the outputs of the same commit.
pub async fn committed_offsets_survive_a_crash(harness: &dyn Harness) -> Outcome {
    let (input, output) = (spec(harness, 1), spec(harness, 1));
    let log = instance(harness, "first", &[input, output]).await;
    let group = harness.unique();
    log.append(counting(input.name, 0, 0, 5)).await.unwrap();
    let joined = Consumer::join(log, &group, input.name, "a").await;
    let mut consumer = joined.with_outputs(output.name);
    consumer
        .drive("it has read five", |consumer| consumer.folded_count() == 5)
        .await;
    consumer.commit().await.unwrap();
    let position = consumer.positions[&0];
    drop(consumer);
    if !harness.crash().await {
        return Outcome::Skipped("the harness cannot crash its log");
    }
    let log = instance(harness, "first", &[input, output]).await;
    assert_eq!(
        log.committed(&group, input.name).await.unwrap(),
        [Some(position)]
    );
    let outputs = read_first(log.as_ref(), output.name).await;
    assert_eq!(texts(&outputs), ["0", "1", "2", "3", "4"]);
    Outcome::Passed
}

/// Each group gets all records and has offsets of its own.
pub async fn groups_do_not_see_each_other(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 2).await;
    let topic = spec.name;
    log.append(counting(topic, 0, 0, 4)).await.unwrap();
    log.append(counting(topic, 1, 0, 4)).await.unwrap();
    let (group, other_group) = (harness.unique(), harness.unique());
    let mut consumer = Consumer::join(log.clone(), &group, topic, "a").await;
    consumer
        .drive("the first group has read all", |c| c.folded_count() == 8)
        .await;
    consumer.commit().await.unwrap();
    assert_eq!(
        log.committed(&other_group, topic).await.unwrap(),
        [None, None]
    );
    let other = instance(harness, "second", &[spec]).await;
    let mut consumer = Consumer::join(other, &other_group, topic, "a").await;
    consumer
        .drive("the other group has read all", |c| c.folded_count() == 8)
        .await;
    Outcome::Passed
}

/// Before the commit neither, after it both; also outputs alone and offsets alone.
pub async fn outputs_and_offsets_become_visible_together(harness: &dyn Harness) -> Outcome {
    let (input, orders, visits) = (spec(harness, 2), spec(harness, 2), spec(harness, 1));
    let log = instance(harness, "first", &[input, orders, visits]).await;
    let group = harness.unique();
    log.append(counting(input.name, 0, 0, 3)).await.unwrap();
    log.append(counting(input.name, 1, 0, 2)).await.unwrap();
    let mut consumer = Consumer::join(log.clone(), &group, input.name, "a").await;
    consumer
        .drive("it has read all", |consumer| consumer.folded_count() == 5)
        .await;
    assert_eq!(
        log.committed(&group, input.name).await.unwrap(),
        [None, None]
    );
    assert!(read_first(log.as_ref(), visits.name).await.is_empty());

    let positions = consumer.positions.clone();
    let outputs = vec![
        record(visits.name, 0, "v", "1"),
        record(orders.name, 1, "o", "1"),
        record(visits.name, 0, "v", "2"),
        record(orders.name, 0, "o", "2"),
    ];
    consumer
        .member
        .commit(outputs, &[(0, positions[&0])])
        .await
        .unwrap();
    let committed = log.committed(&group, input.name).await.unwrap();
    assert_eq!(committed, [Some(positions[&0]), None]);
    assert_eq!(
        texts(&read_first(log.as_ref(), visits.name).await),
        ["1", "2"]
    );
    let found = read_all(log.as_ref(), orders.name, 2).await;
    assert_eq!(
        (texts(&found[0]), texts(&found[1])),
        (vec!["2".into()], vec!["1".into()])
    );

    let output = vec![record(visits.name, 0, "v", "3")];
    consumer.member.commit(output, &[]).await.unwrap();
    consumer
        .member
        .commit(Vec::new(), &[(1, positions[&1])])
        .await
        .unwrap();
    let committed = log.committed(&group, input.name).await.unwrap();
    assert_eq!(committed, [Some(positions[&0]), Some(positions[&1])]);
    assert_eq!(
        texts(&read_first(log.as_ref(), visits.name).await),
        ["1", "2", "3"]
    );
    Outcome::Passed
}
