//! Folding a range again: the same profiles, and nothing published.

use std::{collections::BTreeMap, sync::Arc};

use foretide_events::Event;
use foretide_features::FoldRules;
use foretide_ports::{ACTIONS, Log, ReadOnlyLog, foretide_topics};
use foretide_processor::{
    fold_all,
    replay::{GroupName, Progress, Replay, Replayed, compare},
};
use foretide_runtime::CancellationToken;

use crate::support::{LONG, Rig, event, events, shopper};

const GROUP: &str = "foretide.replay.test";

async fn whole(rig: &Rig) -> Replay {
    Replay {
        log: ReadOnlyLog::new(Arc::new(rig.log.clone())),
        begins: vec![0; rig.partitions as usize],
        ends: rig.log.end_offsets(ACTIONS).await.unwrap(),
        rules: FoldRules::default(),
        group: GroupName::new(GROUP).unwrap(),
        member: "one".to_owned(),
        commits: true,
    }
}

async fn run(replay: &Replay) -> Replayed {
    let never = CancellationToken::new();
    let replayed = tokio::time::timeout(LONG, replay.run(&never, |_| ()));
    replayed.await.unwrap().unwrap()
}

/// Where every topic ends.
async fn ends(rig: &Rig) -> BTreeMap<&'static str, Vec<u64>> {
    let mut ends = BTreeMap::new();
    for spec in foretide_topics(rig.partitions) {
        ends.insert(spec.name, rig.log.end_offsets(spec.name).await.unwrap());
    }
    ends
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_log_again_is_what_the_processor_made_and_publishes_nothing() {
    let rig = Rig::new(4).await;
    rig.append(&events(3_000, 5, 1)).await;
    // Not an event: it is counted, and no letter is written a second time.
    let mut foreign = rig.record(&events(1, 0, 2)[0]);
    foreign.value = Some("nonsense".into());
    rig.log.append(vec![foreign]).await.unwrap();
    let running = rig.instance().start();
    rig.until_all_committed().await;
    running.stop().await;
    let before = ends(&rig).await;

    let replayed = run(&whole(&rig).await).await;
    assert!(replayed.is_complete);
    assert_eq!(replayed.folded.digest(), rig.digest().await);
    assert_eq!(replayed.folded.digest(), rig.expected().await.digest);
    assert_eq!(replayed.folded.counts.dead_letters(), 1);
    assert_eq!(ends(&rig).await, before);
    let committed = rig.log.committed(GROUP, ACTIONS).await.unwrap();
    let expected: Vec<_> = before[ACTIONS].iter().map(|end| Some(*end)).collect();
    assert_eq!(committed, expected, "its group tells that it is done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_group_again_begins_again() {
    let rig = Rig::new(2).await;
    rig.append(&events(500, 5, 3)).await;
    let replay = whole(&rig).await;
    let first = run(&replay).await.folded.digest();
    let again = Replay {
        member: "two".to_owned(),
        ..replay
    };
    assert_eq!(run(&again).await.folded.digest(), first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_folds_its_own_events_and_no_others() {
    let rig = Rig::new(1).await;
    let all: Vec<Event> = events(300, 0, 4);
    rig.append(&all).await;
    let mut replay = whole(&rig).await;
    (replay.begins, replay.ends) = (vec![100], vec![250]);
    let replayed = run(&replay).await;

    let part = Rig::new(1).await;
    part.append(&all[100..250]).await;
    let expected = part.expected().await.digest;
    assert_eq!(replayed.folded.digest(), expected);
    assert_eq!(replayed.folded.counts.total().total(), 150);
    let stretch = replayed.stretches[&0];
    assert_eq!((stretch.from, stretch.reached), (100, 250));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_to_fold_is_done_at_once() {
    let rig = Rig::new(3).await;
    let replayed = run(&whole(&rig).await).await;
    assert!(replayed.is_complete);
    assert_eq!(replayed.folded.digest().shoppers, 0);
    assert_eq!(replayed.stretches.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replayers_of_one_group_share_the_partitions() {
    let rig = Rig::new(4).await;
    rig.append(&events(2_000, 5, 5)).await;
    let one = whole(&rig).await;
    let two = Replay {
        member: "two".to_owned(),
        ..one.clone()
    };
    let (one, two) = tokio::join!(run(&one), run(&two));
    let mut found: BTreeMap<u32, u64> = BTreeMap::new();
    for replayed in [&one, &two] {
        assert!(replayed.is_complete);
        for partition in replayed.stretches.keys() {
            *found.entry(*partition).or_default() += 1;
        }
    }
    assert_eq!(found.len(), 4, "together they have folded everything");
    let log = ReadOnlyLog::new(Arc::new(rig.log.clone()));
    let all = fold_all(&log, 4, FoldRules::default(), |_| ())
        .await
        .unwrap();
    for replayed in [&one, &two] {
        let partitions = replayed.stretches.keys().copied();
        let differences = compare(&all.table, &replayed.folded.table, partitions, 3);
        assert_eq!(differences.differ, 0, "{differences:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_is_stopped_says_how_far_it_got() {
    let rig = Rig::new(2).await;
    rig.append(&events(1_000, 5, 6)).await;
    let mut replay = whole(&rig).await;
    // More than there is: it would wait for ever.
    replay.ends = vec![10_000; 2];
    let stop = CancellationToken::new();
    let seen = |progress: Progress| {
        assert_eq!(progress.total, 20_000);
        if progress.done >= 1_000 {
            stop.cancel();
        }
    };
    let replayed = replay.run(&stop, seen).await.unwrap();
    assert!(!replayed.is_complete);
    let reached: u64 = replayed
        .stretches
        .values()
        .map(|stretch| stretch.reached)
        .sum();
    assert!(reached >= 1_000, "{reached}");
    assert_eq!(replayed.folded.digest(), rig.digest().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_only_waits_for_the_others_shows_that_all_is_well() {
    let rig = Rig::new(2).await;
    rig.append(&events(500, 5, 9)).await;
    // They never get on.
    let _other = rig.log.join(GROUP, ACTIONS, "idle").await.unwrap();
    let _second = rig.log.join(GROUP, ACTIONS, "idle-too").await.unwrap();
    let (stop, mut nothing_new, mut before) = (CancellationToken::new(), 0, None);
    let told = |progress: Progress| {
        nothing_new += u32::from(before.replace(progress) == Some(progress));
        if nothing_new >= 3 {
            stop.cancel();
        }
    };
    let replay = whole(&rig).await;
    let replayed = tokio::time::timeout(LONG, replay.run(&stop, told));
    assert!(!replayed.await.unwrap().unwrap().is_complete);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_away_for_a_moment_is_waited_for() {
    let rig = Rig::new(2).await;
    rig.append(&events(500, 5, 7)).await;
    rig.log.faults().fail_next_commit(false);
    let replayed = run(&whole(&rig).await).await;
    assert_eq!(replayed.folded.digest(), rig.digest().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shoppers_whose_profiles_differ_are_named() {
    let rig = Rig::new(2).await;
    let all = events(400, 0, 8);
    rig.append(&all).await;
    let complete = run(&whole(&rig).await).await;
    rig.append(&[event("more", 77_777, all[399].at, 0)]).await;
    let more = run(&whole(&rig).await).await;
    let differences = compare(&more.folded.table, &complete.folded.table, 0..2, 5);
    assert_eq!(differences.differ, 1, "{differences:?}");
    assert_eq!(differences.first, [shopper(77_777)]);
    let other_way = compare(&complete.folded.table, &more.folded.table, 0..2, 5);
    assert_eq!(other_way, differences);
}
