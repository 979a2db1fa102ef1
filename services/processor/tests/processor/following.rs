//! Reading along where no processor is.

use std::sync::Arc;

use foretide_features::FoldRules;
use foretide_ports::{ACTIONS, Log, ProfileTable};
use foretide_processor::{Follower, FollowerParts, ProcessorError, SourceCounts};
use foretide_runtime::{CancellationToken, Component, Readiness};
use tokio::task::JoinHandle;

use crate::{
    support::{LONG, NOW_MS, Rig, digest_of, events, until},
    watched::{Calls, Watched},
};

struct Following {
    table: Arc<ProfileTable>,
    counts: Arc<SourceCounts>,
    readiness: Component,
    stop: CancellationToken,
    task: JoinHandle<Result<(), ProcessorError>>,
}

fn follow(rig: &Rig) -> Following {
    follow_on(rig, Arc::new(rig.log.clone()))
}

fn follow_on(rig: &Rig, log: Arc<dyn Log>) -> Following {
    let table = ProfileTable::new(rig.partitions);
    let counts = SourceCounts::new(rig.partitions);
    let readiness = Readiness::new().component("profiles");
    let parts = FollowerParts {
        log,
        table: Arc::clone(&table),
        counts: Arc::clone(&counts),
        rules: FoldRules::default(),
        clock: Arc::new(rig.clock.clone()),
        readiness: readiness.clone(),
    };
    let stop = CancellationToken::new();
    let task = tokio::spawn(Follower::new(parts).run(stop.clone()));
    Following {
        table,
        counts,
        readiness,
        stop,
        task,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_holds_what_processors_published_with_their_counts() {
    let rig = Rig::new(3).await;
    let all = events(600, 20, 31);
    rig.append(&all[..300]).await;
    let processor = rig.instance().start();
    rig.until_all_committed().await;
    let following = follow(&rig);
    until("it has caught up", async || following.readiness.is_ready()).await;
    assert_eq!(
        digest_of(&following.table, &following.counts),
        rig.expected().await.digest
    );
    rig.append(&all[300..]).await;
    let ends = rig.log.end_offsets(ACTIONS).await.unwrap();
    assert!(following.counts.wait_applied(&ends, LONG).await);
    let expected = rig.expected().await;
    assert_eq!(
        digest_of(&following.table, &following.counts),
        expected.digest
    );
    processor.stop().await;
    following.stop.cancel();
    following.task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_says_how_fresh_it_is_and_not_more() {
    let rig = Rig::new(2).await;
    let processor = rig.instance().start();
    let following = follow(&rig);
    rig.append(&events(50, 0, 32)).await;
    // All is folded: as fresh as the clock says.
    rig.clock.set(NOW_MS + 60_000);
    let fresh = |partition| following.table.fresh_as_of(partition).map(|as_of| as_of.0);
    until("it is fresh", async || {
        fresh(0).min(fresh(1)) >= Some(NOW_MS + 60_000)
    })
    .await;
    // Without a processor, what comes then makes its partition stale. The other one shows that the follower has looked.
    processor.stop().await;
    let mut of_first = events(50, 0, 33);
    of_first.retain(|event| rig.record(event).at.partition == 0);
    rig.append(&of_first).await;
    let later = Some(NOW_MS + 3_600_000);
    rig.clock.set(NOW_MS + 3_600_000);
    until("it has looked", async || fresh(1) >= later).await;
    assert!(fresh(0) < later);
    let processor = rig.instance().start();
    until("it is fresh again", async || fresh(0) >= later).await;
    processor.stop().await;
    following.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_goes_on_when_the_log_is_back() {
    let rig = Rig::new(2).await;
    let processor = rig.instance().start();
    let calls = Calls::default();
    let following = follow_on(
        &rig,
        Arc::new(Watched {
            log: rig.log.clone(),
            calls: calls.clone(),
        }),
    );
    rig.append(&events(100, 0, 34)).await;
    rig.until_all_committed().await;
    until("it has caught up", async || following.readiness.is_ready()).await;
    rig.log.faults().set_away(true);
    let before = calls.ends();
    until("it has tried again in vain", async || {
        calls.ends() >= before + 2
    })
    .await;
    assert!(
        !following.task.is_finished() && !following.table.is_empty(),
        "the last good state stays"
    );
    rig.log.faults().set_away(false);
    rig.append(&events(100, 0, 35)).await;
    let ends = rig.log.end_offsets(ACTIONS).await.unwrap();
    assert!(following.counts.wait_applied(&ends, LONG).await);
    assert_eq!(
        digest_of(&following.table, &following.counts),
        rig.expected().await.digest
    );
    processor.stop().await;
    following.stop.cancel();
}
