//! A log that fails.

use foretide_ports::{Log, LogError, NewRecord, PROFILES, TopicPartition};
use foretide_processor::ProcessorError;

use crate::support::{LONG, Rig, events, until};

async fn folds_exactly_though_a_commit_fails(takes_effect: bool) {
    let rig = Rig::new(2).await;
    let all = events(1_000, 30, 5);
    let running = rig.instance().start();
    for portion in all.chunks(100) {
        rig.log.faults().fail_next_commit(takes_effect);
        rig.append(portion).await;
        rig.until_all_committed().await;
    }
    let expected = rig.expected().await;
    until("it has restored", async || {
        running.state(&expected.sources) == expected
    })
    .await;
    let rejoins = running.metrics.rejoins.with_label_values(&["log"]).get();
    assert!(rejoins > 0);
    running.stop().await;
    assert_eq!(rig.digest().await, expected.digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_before_it_takes_effect_is_made_up_for() {
    folds_exactly_though_a_commit_fails(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_after_it_took_effect_is_not_repeated() {
    folds_exactly_though_a_commit_fails(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_log_is_back_folding_goes_on() {
    let rig = Rig::new(2).await;
    rig.append(&events(200, 0, 6)).await;
    let running = rig.instance().start();
    rig.until_all_committed().await;
    rig.log.faults().set_away(true);
    until("it says so", async || !running.readiness.is_ready()).await;
    assert!(
        !running.table.is_empty(),
        "readers still find the last good state"
    );
    rig.log.faults().set_away(false);
    rig.append(&events(200, 0, 7)).await;
    rig.until_all_committed().await;
    let expected = rig.expected().await;
    until("it has restored", async || {
        running.state(&expected.sources) == expected
    })
    .await;
    assert!(running.readiness.is_ready());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_log_has_room_again_folding_goes_on() {
    let rig = Rig::new(2).await;
    rig.append(&events(200, 0, 6)).await;
    rig.log.faults().set_full(true);
    let running = rig.instance().start();
    until("it noticed", async || {
        running.metrics.rejoins.with_label_values(&["log"]).get() > 0
    })
    .await;
    rig.log.faults().set_full(false);
    rig.until_all_committed().await;
    let expected = rig.expected().await;
    assert_eq!(rig.digest().await, expected.digest);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_profile_that_cannot_be_read_ends_it_with_its_place() {
    let rig = Rig::new(1).await;
    let broken = NewRecord {
        at: TopicPartition {
            topic: PROFILES,
            partition: 0,
        },
        key: "00112233445566778899aabbccddeeff".into(),
        value: Some("".into()),
    };
    rig.log.append(vec![broken]).await.unwrap();
    let running = rig.instance().start();
    let ended = tokio::time::timeout(LONG, running.task)
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(
        ended,
        Err(ProcessorError::Unreadable {
            topic: PROFILES,
            partition: 0,
            offset: 0,
            ..
        })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waiting_does_not_cure_ends_it() {
    let rig = Rig::new(1).await;
    let undeclared = foretide_ports::memory::MemoryLog::new(std::sync::Arc::new(Default::default));
    let running = rig.instance().on(std::sync::Arc::new(undeclared)).start();
    let ended = tokio::time::timeout(LONG, running.task)
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(
        ended,
        Err(ProcessorError::Log(LogError::Topic { .. }))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hard_signal_ends_it_even_while_a_commit_hangs() {
    let rig = Rig::new(1).await;
    rig.log.faults().delay_commits(LONG * 60);
    rig.append(&events(10, 0, 8)).await;
    let running = rig.instance().start();
    until("it has folded", async || {
        running.counts.total().total() == 10
    })
    .await;
    running.soft.cancel();
    running.hard.cancel();
    tokio::time::timeout(LONG, running.task)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    rig.log.faults().delay_commits(std::time::Duration::ZERO);
    assert_eq!(rig.digest().await, rig.expected().await.digest);
}

/// The profiles of 50 events, over a log of actions that was made anew an hour later and holds `count` others.
async fn profiles_over_another_log(count: usize) -> Rig {
    let rig = Rig::new(1).await;
    rig.append(&events(50, 0, 9)).await;
    let running = rig.instance().start();
    rig.until_all_committed().await;
    running.stop().await;
    let other = Rig::new(1).await;
    other.clock.advance(3_600_000);
    other.append_profiles(rig.held(PROFILES, 0).await).await;
    other.append(&events(count, 0, 10)).await;
    other
}

#[tokio::test]
async fn a_log_that_lost_acknowledged_records_is_waited_for_and_then_refused() {
    let rig = profiles_over_another_log(10).await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let running = rig.instance().start();
    let ended = running.task.await.unwrap();
    assert_eq!(
        ended,
        Err(ProcessorError::LogTooShort {
            partition: 0,
            end: 10,
            applied: 50
        })
    );
    assert!(began.elapsed().as_secs() >= 30);
    let cause = running.readiness.cause().unwrap();
    assert!(
        cause.contains("acknowledged records are missing"),
        "{cause}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_acknowledged_records_is_refused_even_when_it_has_grown_since() {
    for count in [50, 70] {
        let rig = profiles_over_another_log(count).await;
        let running = rig.instance().start();
        let ended = tokio::time::timeout(LONG, running.task).await;
        assert_eq!(
            ended.unwrap().unwrap(),
            Err(ProcessorError::OtherLog {
                partition: 0,
                offset: 49,
                applied: 50
            })
        );
    }
}
