//! Checkpoints are a cache: with them, without them and with bad ones, the state is the same.

use std::{fs, sync::Arc};

use foretide_features::FoldRules;
use foretide_ports::{ACTIONS, Log, PROFILES};
use foretide_processor::digest;

use crate::{
    support::{Rig, Running, events, until},
    watched::{Calls, Watched},
};

fn used(running: &Running) -> u64 {
    running
        .metrics
        .checkpoints
        .with_label_values(&["used"])
        .get()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_checkpoint_and_without_one_the_state_is_the_same() {
    let rig = Rig::new(3).await;
    let folder = tempfile::tempdir().unwrap();
    let all = events(1_000, 20, 21);
    rig.append(&all[..600]).await;
    let running = rig.instance().with_checkpoints(folder.path()).start();
    rig.until_all_committed().await;
    running.stop().await;
    rig.append(&all[600..]).await;

    let with = rig
        .instance()
        .named("with")
        .with_checkpoints(folder.path())
        .start();
    rig.until_all_committed().await;
    let expected = rig.expected().await;
    assert_eq!(with.state(&expected.sources), expected);
    assert_eq!(used(&with), 3);
    with.crash().await;

    let without = rig.instance().named("without").start();
    until("it has restored", async || without.readiness.is_ready()).await;
    assert_eq!(without.state(&expected.sources), expected);
    assert_eq!(used(&without), 0);
    without.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_written_while_folding_goes_on_is_exact() {
    let rig = Rig::new(1).await;
    let folder = tempfile::tempdir().unwrap();
    let mut instance = rig.instance().with_checkpoints(folder.path());
    instance.config.checkpoint_interval_s = 1;
    let running = instance.start();
    let all = events(3_000, 20, 22);
    for portion in all.chunks(3) {
        rig.append(portion).await;
        tokio::task::yield_now().await;
    }
    until("one is written", async || {
        running
            .metrics
            .checkpoints
            .with_label_values(&["written"])
            .get()
            > 0
    })
    .await;
    running.crash().await;

    let with = rig.instance().with_checkpoints(folder.path()).start();
    rig.until_all_committed().await;
    let expected = rig.expected().await;
    assert_eq!(with.state(&expected.sources), expected);
    assert_eq!(used(&with), 1);
    with.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_do_not_wait_while_a_checkpoint_asks_for_the_end_of_the_profiles() {
    let rig = Rig::new(2).await;
    let folder = tempfile::tempdir().unwrap();
    let calls = Calls::default();
    let mut instance = rig
        .instance()
        .with_checkpoints(folder.path())
        .on(Arc::new(Watched {
            log: rig.log.clone(),
            calls: calls.clone(),
        }));
    instance.config.checkpoint_interval_s = 1;
    let running = instance.start();
    until("it has restored", async || running.readiness.is_ready()).await;
    calls.set_mute(true);
    let asked = calls.ends();
    let all = events(200, 0, 26);
    rig.append(&all[..100]).await;
    until("it asks", async || calls.ends() > asked).await;
    rig.append(&all[100..]).await;
    rig.until_all_committed().await;
    calls.set_mute(false);
    let written = running.metrics.checkpoints.with_label_values(&["written"]);
    until("one is written", async || written.get() > 0).await;
    running.crash().await;

    let with = rig.instance().with_checkpoints(folder.path()).start();
    until("it has restored", async || with.readiness.is_ready()).await;
    let expected = rig.expected().await;
    assert_eq!(with.state(&expected.sources), expected);
    assert!(used(&with) > 0);
    with.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compaction_after_a_checkpoint_does_not_harm_it() {
    let rig = Rig::new(2).await;
    let folder = tempfile::tempdir().unwrap();
    let all = events(900, 20, 23);
    rig.append(&all[..300]).await;
    let running = rig.instance().with_checkpoints(folder.path()).start();
    rig.until_all_committed().await;
    running.stop().await;
    rig.append(&all[300..]).await;
    let running = rig.instance().start();
    rig.until_all_committed().await;
    running.crash().await;
    rig.log.compact();

    let with = rig.instance().with_checkpoints(folder.path()).start();
    until("it has restored", async || with.readiness.is_ready()).await;
    let expected = rig.expected().await;
    assert_eq!(with.state(&expected.sources), expected);
    assert_eq!(used(&with), 2);
    with.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_ahead_of_the_log_is_discarded_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let other = Rig::new(2).await;
    other.append(&events(500, 0, 24)).await;
    let running = other.instance().with_checkpoints(folder.path()).start();
    other.until_all_committed().await;
    running.stop().await;

    // Another log in its place: at first shorter, then longer than what the checkpoint has applied.
    let rig = Rig::new(2).await;
    let all = events(2_000, 10, 25);
    rig.append(&all[..50]).await;
    let running = rig.instance().with_checkpoints(folder.path()).start();
    rig.until_all_committed().await;
    let expected = rig.expected().await;
    assert_eq!(running.state(&expected.sources), expected);
    assert_eq!(used(&running), 0);
    running.crash().await;
    rig.append(&all[50..]).await;
    let running = rig.instance().with_checkpoints(folder.path()).start();
    rig.until_all_committed().await;
    let expected = rig.expected().await;
    assert_eq!(running.state(&expected.sources), expected);
    assert_eq!(used(&running), 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_older_than_tombstones_are_kept_is_not_used() {
    let rig = Rig::new(2).await;
    let folder = tempfile::tempdir().unwrap();
    rig.append(&events(100, 0, 26)).await;
    let running = rig.instance().with_checkpoints(folder.path()).start();
    rig.until_all_committed().await;
    running.stop().await;
    rig.clock.advance(25 * 60 * 60 * 1000);
    let running = rig.instance().with_checkpoints(folder.path()).start();
    until("it has restored", async || running.readiness.is_ready()).await;
    let expected = rig.expected().await;
    assert_eq!(running.state(&expected.sources), expected);
    assert_eq!(used(&running), 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_checkpoints_cost_only_time() {
    let rig = Rig::new(2).await;
    let folder = tempfile::tempdir().unwrap();
    let all = events(400, 0, 27);
    for portion in [&all[..200], &all[200..]] {
        rig.append(portion).await;
        let running = rig.instance().with_checkpoints(folder.path()).start();
        rig.until_all_committed().await;
        running.stop().await;
    }
    let expected = rig.expected().await;
    for extension in ["checkpoint", "previous"] {
        // First the newest are damaged, so those before them serve; then these too.
        for file in fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|e| e == extension) {
                let mut bytes = fs::read(&path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 4;
                fs::write(&path, bytes).unwrap();
            }
        }
        let running = rig.instance().with_checkpoints(folder.path()).start();
        until("it has restored", async || running.readiness.is_ready()).await;
        assert_eq!(running.state(&expected.sources), expected);
        assert_eq!(
            used(&running),
            if extension == "checkpoint" { 2 } else { 0 }
        );
        running.crash().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expired_from_the_actions_after_it_was_folded_is_not_missed() {
    let rig = Rig::new(2).await;
    let folder = tempfile::tempdir().unwrap();
    let all = events(400, 0, 28);
    rig.append(&all[..300]).await;
    let running = rig.instance().with_checkpoints(folder.path()).start();
    rig.until_all_committed().await;
    running.stop().await;
    let before = rig.digest().await;
    rig.clock.advance(31 * 24 * 60 * 60 * 1000);
    rig.append(&[]).await;
    rig.log.expire();
    assert_eq!(rig.digest().await, before);
    let running = rig.instance().with_checkpoints(folder.path()).start();
    rig.append(&all[300..]).await;
    rig.until_all_committed().await;
    let ends = rig.log.end_offsets(ACTIONS).await.unwrap();
    assert_eq!(running.counts.total().total(), ends.iter().sum::<u64>());
    assert_eq!(running.counts.total().total(), 400);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expired_before_it_was_folded_is_passed_over_and_counted() {
    let rig = Rig::new(1).await;
    let all = events(80, 0, 29);
    rig.append(&all[..50]).await;
    rig.clock.advance(31 * 24 * 60 * 60 * 1000);
    rig.append(&[]).await;
    rig.log.expire();
    // Nothing but the gap: the group's offset moves past it nevertheless.
    let running = rig.instance().start();
    rig.until_all_committed().await;
    assert_eq!(running.metrics.offsets_skipped.get(), 50);
    rig.append(&all[50..]).await;
    rig.until_all_committed().await;
    assert_eq!(running.counts.total().total(), 30);
    assert_eq!(running.metrics.offsets_skipped.get(), 50);
    assert_eq!(rig.digest().await, rig.expected().await.digest);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_asked_for_within_a_commit_counts_all_of_it() {
    let rig = Rig::new(1).await;
    let all = events(60, 10, 30);
    rig.append(&all).await;
    let running = rig.instance().start();
    rig.until_all_committed().await;
    running.stop().await;
    let expected = rig.digest().await;
    assert_eq!(expected, rig.expected().await.digest);

    // The same, but its counts are not there yet.
    let other = Rig::new(1).await;
    other.append(&all).await;
    let mut published = rig.held(PROFILES, 0).await;
    let counts = published.split_off(published.len() - 1);
    other.append_profiles(published).await;
    let calls = Calls::default();
    let log = Watched {
        log: other.log.clone(),
        calls: calls.clone(),
    };
    let asked = tokio::spawn(digest(Arc::new(log), 1, FoldRules::default(), |_| ()));
    until("it reads on", async || calls.ends() > 1).await;
    other.append_profiles(counts).await;
    assert_eq!(asked.await.unwrap().unwrap(), expected);
}
