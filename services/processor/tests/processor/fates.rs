use foretide_ports::{ACTIONS, NewRecord, PROFILES, TopicPartition};
use serde_json::Value;

use crate::support::{Rig, event, events, shopper};

#[tokio::test(flavor = "multi_thread")]
async fn every_event_gets_one_fate_and_the_counts_add_up() {
    let rig = Rig::new(3).await;
    let events = events(3_000, 30, 1);
    rig.append(&events).await;
    let running = rig.instance().start();
    rig.until_all_committed().await;
    let expected = rig.expected().await;
    let total = running.counts.total();
    assert_eq!(total.total(), events.len() as u64);
    assert!(total.duplicate > 500 && total.late > 20, "{total:?}");
    assert_eq!(running.state(&expected.sources), expected);
    running.stop().await;
    assert_eq!(rig.digest().await, expected.digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_the_newest_profile_of_each_shopper_in_the_partition_of_its_actions() {
    let rig = Rig::new(2).await;
    rig.append(&events(300, 0, 2)).await;
    let running = rig.instance().start();
    rig.until_all_committed().await;
    for partition in 0..2 {
        let actions = rig.held(ACTIONS, partition).await;
        let published = rig.held(PROFILES, partition).await;
        for action in actions {
            assert!(
                published.iter().any(|record| record.key == action.key),
                "{:?}",
                action.key
            );
        }
        assert!(
            published
                .iter()
                .any(|record| record.key == format!("counts/{partition}"))
        );
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_becomes_a_dead_letter_and_its_neighbours_are_folded() {
    let rig = Rig::new(2).await;
    let good = events(20, 0, 3);
    rig.append(&good[..10]).await;
    let at = TopicPartition {
        topic: ACTIONS,
        partition: 1,
    };
    let foreign = |value: Option<&'static [u8]>| NewRecord {
        at,
        key: "someone".into(),
        value: value.map(Into::into),
    };
    // An event that lies in the partition of another shopper.
    let stray = (0..).map(|who| event("stray", who, good[0].at, 0));
    let mut misplaced = stray
        .map(|event| rig.record(&event))
        .find(|r| r.at.partition == 0)
        .unwrap();
    misplaced.at.partition = 1;
    let dead = vec![
        foreign(Some(b"{\"hello\":\"world\"}")),
        foreign(Some(b"\xff\xfe\x00")),
        foreign(None),
        misplaced,
    ];
    let dead_offsets = foretide_ports::Log::append(&rig.log, dead).await.unwrap();
    rig.append(&good[10..]).await;

    let running = rig.instance().start();
    rig.until_all_committed().await;
    let expected = rig.expected().await;
    assert_eq!(running.state(&expected.sources), expected);
    assert_eq!(running.counts.total().total(), 20);
    assert_eq!(running.counts.dead_letters(), 4);
    running.stop().await;

    let letters: Vec<Value> = rig
        .letters()
        .await
        .iter()
        .map(|letter| serde_json::from_slice(letter.value.as_ref().unwrap()).unwrap())
        .collect();
    let told: Vec<_> = letters
        .iter()
        .map(|letter| {
            (
                letter["offset"].as_u64().unwrap(),
                letter["cause"].as_str().unwrap(),
            )
        })
        .collect();
    let causes = ["not_an_event", "not_an_event", "empty", "wrong_partition"];
    assert_eq!(
        told,
        dead_offsets.into_iter().zip(causes).collect::<Vec<_>>()
    );
    assert!(
        letters
            .iter()
            .all(|letter| letter["topic"] == ACTIONS && letter["partition"] == 1)
    );
    assert_eq!(letters[0]["payload"], "{\"hello\":\"world\"}");
    assert_eq!(letters[1]["payload_base64"], "//4A");

    // Started again, nothing of that is counted or sent once more.
    let running = rig.instance().start();
    rig.append(&[event("another", 1, good[19].at, 0)]).await;
    rig.until_all_committed().await;
    assert_eq!(running.counts.dead_letters(), 4);
    assert_eq!(rig.letters().await.len(), 4);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_the_end_of_the_log_finds_everything_folded() {
    let rig = Rig::new(4).await;
    let running = rig.instance().start();
    for round in 0..10 {
        rig.append(&events(100, 10, round)).await;
        let ends = foretide_ports::Log::end_offsets(&rig.log, ACTIONS)
            .await
            .unwrap();
        assert!(
            running
                .counts
                .wait_applied(&ends, crate::support::LONG)
                .await
        );
        assert_eq!(running.counts.total().total(), 100 * (round + 1));
    }
    let expected = rig.expected().await;
    assert_eq!(running.state(&expected.sources), expected);
    assert!(running.table.read(&shopper(1), |_| ()).is_some());
    running.stop().await;
}
