//! More profiles than have a place in memory.

use std::sync::Arc;

use foretide_ports::MemoryCold;
use foretide_processor::ProcessorError;

use crate::support::{LONG, Rig, events, until};

#[tokio::test(flavor = "multi_thread")]
async fn profiles_without_a_place_in_memory_are_folded_and_told_like_all_others() {
    let rig = Rig::new(1).await;
    let cold = Arc::new(MemoryCold::default());
    let folder = tempfile::tempdir().unwrap();
    let instance = || rig.instance().with_checkpoints(folder.path());
    let running = instance().in_memory(1, cold.clone()).start();
    for portion in events(4_000, 30, 8).chunks(500) {
        rig.append(portion).await;
        rig.until_all_committed().await;
    }
    let expected = rig.expected().await;
    assert_eq!(running.state(&expected.sources), expected);
    assert!(running.table.cold() > 10 && cold.len() >= running.table.cold());
    assert_eq!(running.table.len() as u64, expected.digest.shoppers);
    running.stop().await;
    assert_eq!(rig.digest().await, expected.digest);

    // From the checkpoints that were written of them, and on.
    let cold = Arc::new(MemoryCold::default());
    let running = instance().in_memory(1, cold.clone()).start();
    rig.append(&events(500, 30, 9)).await;
    rig.until_all_committed().await;
    let expected = rig.expected().await;
    assert_eq!(running.state(&expected.sources), expected);
    assert!(!cold.is_empty());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_be_put_away_all_profiles_stay_in_memory() {
    let rig = Rig::new(1).await;
    let cold = Arc::new(MemoryCold::default());
    cold.set_away(true);
    let running = rig.instance().in_memory(1, cold.clone()).start();
    rig.append(&events(1_000, 30, 8)).await;
    rig.until_all_committed().await;
    let expected = rig.expected().await;
    assert_eq!(running.state(&expected.sources), expected);
    assert_eq!(running.table.cold(), 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_cannot_be_got_back_ends_it_and_nothing_wrong_is_published() {
    let rig = Rig::new(1).await;
    let cold = Arc::new(MemoryCold::default());
    let running = rig.instance().in_memory(1, cold.clone()).start();
    rig.append(&events(1_000, 30, 8)).await;
    rig.until_all_committed().await;
    let before = rig.digest().await;
    cold.set_away(true);
    rig.append(&events(1_000, 30, 9)).await;
    until("it ended", async || running.task.is_finished()).await;
    let ended = tokio::time::timeout(LONG, running.task).await.unwrap();
    assert!(matches!(ended.unwrap(), Err(ProcessorError::Cold(_))));
    assert!(running.table.fresh_as_of(0).is_none());

    let again = rig.instance().start();
    rig.until_all_committed().await;
    let expected = rig.expected().await;
    assert_eq!(again.state(&expected.sources), expected);
    assert_ne!(expected.digest, before);
    again.stop().await;
}
