//! A log that fails for a while.

use super::{
    Harness, Outcome,
    consumer::Consumer,
    support::{
        A_MOMENT, counting, in_time, instance, is_passing_trouble, log_with_topic, read_first,
        spec, texts,
    },
};
use crate::{Log, LogError, TopicName};

/// An error of a commit leaves open whether it took effect. Whoever joins again and restores from what is committed has
/// every output exactly once, either way.
pub async fn after_a_commit_that_failed_a_member_joins_again_and_goes_on(
    harness: &dyn Harness,
) -> Outcome {
    for takes_effect in [false, true] {
        let (input, output) = (spec(harness, 1), spec(harness, 1));
        let log = instance(harness, "first", &[input, output]).await;
        let group = harness.unique();
        log.append(counting(input.name, 0, 0, 5)).await.unwrap();
        let joined = Consumer::join(log.clone(), &group, input.name, "a").await;
        let mut consumer = joined.with_outputs(output.name);
        consumer
            .drive("it has read all", |consumer| consumer.folded_count() == 5)
            .await;
        if !harness.fail_next_commit(takes_effect).await {
            return Outcome::Skipped("the harness cannot make a commit fail");
        }
        let failed = consumer.commit().await;
        assert!(matches!(failed, Err(ref error) if !matches!(error, LogError::Fenced(_))));
        drop(consumer);

        let joined = Consumer::join(log.clone(), &group, input.name, "a").await;
        let mut consumer = joined.with_outputs(output.name);
        log.append(counting(input.name, 0, 5, 1)).await.unwrap();
        consumer
            .drive("it has read on", |c| {
                c.texts(0).last().is_some_and(|text| text == "5")
            })
            .await;
        assert_eq!(consumer.folded_count(), if takes_effect { 1 } else { 6 });
        consumer.commit().await.unwrap();
        let outputs = read_first(log.as_ref(), output.name).await;
        assert_eq!(texts(&outputs), ["0", "1", "2", "3", "4", "5"]);
    }
    Outcome::Passed
}

/// Appends until the log takes it.
async fn append_when_possible(log: &dyn Log, topic: TopicName, n: usize) {
    in_time("the log takes records again", async {
        while let Err(error) = log.append(counting(topic, 0, n, 1)).await {
            assert!(is_passing_trouble(&error), "{error:?}");
            tokio::time::sleep(A_MOMENT).await;
        }
    })
    .await;
}

/// While it is absent nothing is acknowledged and its health says so; afterwards everything acknowledged is there.
pub async fn an_absent_log_refuses_and_comes_back(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 1).await;
    let topic = spec.name;
    assert_eq!(log.health().await, Ok(()));
    log.append(counting(topic, 0, 0, 2)).await.unwrap();
    if !harness.set_away(true).await {
        return Outcome::Skipped("the harness cannot make its log absent");
    }
    let refused = in_time(
        "an append is refused",
        log.append(counting(topic, 0, 100, 1)),
    )
    .await;
    assert!(matches!(refused, Err(LogError::Away(_))), "{refused:?}");
    assert!(
        in_time("the health check answers", log.health())
            .await
            .is_err()
    );
    assert!(harness.set_away(false).await);
    append_when_possible(log.as_ref(), topic, 2).await;
    append_when_possible(log.as_ref(), topic, 3).await;
    in_time("it is well again", async {
        while log.health().await.is_err() {
            tokio::time::sleep(A_MOMENT).await;
        }
    })
    .await;
    let mut found = texts(&read_first(log.as_ref(), topic).await);
    // The refused record may have been stored; and so may copies of what was refused before it was taken.
    found.retain(|text| text != "100");
    found.dedup();
    assert_eq!(found, ["0", "1", "2", "3"]);
    Outcome::Passed
}

/// While there is no room it can still be read.
pub async fn a_full_log_refuses_and_takes_records_again_when_there_is_room(
    harness: &dyn Harness,
) -> Outcome {
    let (log, spec) = log_with_topic(harness, 1).await;
    let topic = spec.name;
    log.append(counting(topic, 0, 0, 2)).await.unwrap();
    if !harness.set_full(true).await {
        return Outcome::Skipped("the harness cannot leave its log no room");
    }
    let refused = in_time(
        "an append is refused",
        log.append(counting(topic, 0, 100, 1)),
    )
    .await;
    assert!(matches!(refused, Err(LogError::Full(_))), "{refused:?}");
    assert!(matches!(log.health().await, Err(LogError::Full(_))));
    assert_eq!(texts(&read_first(log.as_ref(), topic).await), ["0", "1"]);
    assert!(harness.set_full(false).await);
    append_when_possible(log.as_ref(), topic, 2).await;
    assert_eq!(
        texts(&read_first(log.as_ref(), topic).await),
        ["0", "1", "2"]
    );
    Outcome::Passed
}
