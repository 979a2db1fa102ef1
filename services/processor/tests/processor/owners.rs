//! Several processors.

use std::{sync::Arc, time::Duration};

use foretide_events::EpochMs;
use foretide_ports::{Log, PROFILES};

use crate::{
    support::{NOW_MS, Rig, Running, event, events, until},
    watched::{Calls, Watched},
};

/// The partitions whose profiles a processor holds.
fn owned(running: &Running) -> Vec<u32> {
    (0..running.table.partitions())
        .filter(|p| running.table.fresh_as_of(*p).is_some())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_share_the_partitions_and_when_one_dies_the_other_takes_over() {
    let rig = Rig::new(4).await;
    let all = events(2_000, 30, 11);
    rig.append(&all[..500]).await;
    let first = rig.instance().named("a").start();
    rig.until_all_committed().await;
    let second = rig.instance().named("b").start();
    until("both have their share", async || {
        owned(&first).len() == 2 && owned(&second).len() == 2
    })
    .await;
    rig.append(&all[500..1_000]).await;
    rig.until_all_committed().await;
    let expected = rig.expected().await;
    let total = first.counts.total().total() + second.counts.total().total();
    assert_eq!(
        total, 1_000,
        "each counts its own partitions, and no one else's"
    );
    assert_eq!(
        first.table.len() + second.table.len(),
        expected.digest.shoppers as usize
    );

    // It dies with something folded that is not committed.
    rig.log.faults().delay_commits(Duration::from_millis(20));
    rig.append(&all[1_000..]).await;
    until("it is in the midst of it", async || {
        first.counts.total().total() > 600
    })
    .await;
    first.crash().await;
    rig.log.faults().delay_commits(Duration::ZERO);
    rig.until_all_committed().await;
    let expected = rig.expected().await;
    until("the other holds all", async || owned(&second).len() == 4).await;
    assert_eq!(second.state(&expected.sources), expected);
    second.stop().await;
    assert_eq!(rig.digest().await, expected.digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_go_back_and_forth_are_folded_exactly() {
    let rig = Rig::new(4).await;
    let all = events(1_200, 30, 12);
    let steady = rig.instance().named("a").start();
    for (round, portion) in all.chunks(100).enumerate() {
        let guest = rig.instance().named("b").start();
        rig.append(portion).await;
        until("both have their share", async || owned(&guest).len() == 2).await;
        if round % 2 == 0 {
            guest.stop().await;
        } else {
            guest.crash().await;
        }
    }
    rig.until_all_committed().await;
    let expected = rig.expected().await;
    until("it holds all", async || {
        steady.state(&expected.sources) == expected
    })
    .await;
    steady.stop().await;
    assert_eq!(rig.digest().await, expected.digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_former_owner_publishes_nothing_and_drops_what_it_held() {
    let rig = Rig::new(2).await;
    let at = EpochMs(NOW_MS - 1_000);
    rig.append(&[event("1", 1, at, 0), event("2", 2, at, 0)])
        .await;
    let former = rig.instance().start();
    rig.until_all_committed().await;

    // The former owner folds one more event, but its commit is stuck when another takes its place.
    let stuck = Arc::new(gate::Gate::default());
    former.crash().await;
    let former = rig
        .instance()
        .on(Arc::new(gate::gated(rig.log.clone(), Arc::clone(&stuck))))
        .start();
    until("it has restored", async || former.readiness.is_ready()).await;
    rig.append(&[event("3", 1, at.plus(10), 0)]).await;
    until("its commit is stuck", async || stuck.waiting() > 0).await;
    let heir = rig.instance().start();
    rig.append(&[event("4", 1, at.plus(20), 1), event("5", 2, at.plus(30), 1)])
        .await;
    rig.until_all_committed().await;
    let expected = rig.expected().await;
    assert_eq!(heir.state(&expected.sources), expected);
    heir.stop().await;

    let before = rig.log.end_offsets(PROFILES).await.unwrap();
    stuck.open();
    until("it was refused", async || {
        former.metrics.rejoins.with_label_values(&["fenced"]).get() == 1
    })
    .await;
    until("it has restored", async || {
        former.state(&expected.sources) == expected
    })
    .await;
    former.stop().await;
    assert_eq!(rig.log.end_offsets(PROFILES).await.unwrap(), before);
    assert_eq!(rig.digest().await, expected.digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_restoring_hands_over_what_is_asked_for() {
    let rig = Rig::new(2).await;
    rig.append(&events(200, 10, 13)).await;
    let calls = Calls::default();
    calls.set_closed(true);
    let slow = rig
        .instance()
        .named("a")
        .on(Arc::new(Watched {
            log: rig.log.clone(),
            calls: calls.clone(),
        }))
        .start();
    until("it is restoring", async || calls.readers() == 1).await;
    assert_eq!(slow.readiness.cause().as_deref(), Some("restoring"));
    let quick = rig.instance().named("b").start();
    until("the other has its share", async || owned(&quick).len() == 1).await;
    until("it restores the rest", async || calls.readers() == 2).await;
    assert!(owned(&slow).is_empty() && !slow.readiness.is_ready());
    calls.set_closed(false);
    rig.until_all_committed().await;
    let total = slow.counts.total().total() + quick.counts.total().total();
    assert_eq!(total, 200);
    assert!(slow.readiness.is_ready());
    quick.stop().await;
    slow.stop().await;
    assert_eq!(rig.digest().await, rig.expected().await.digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_never_fresher_than_now() {
    let rig = Rig::new(1).await;
    rig.append(&events(50, 0, 14)).await;
    // The log's clock is ahead of the processor's.
    let mut instance = rig.instance();
    instance.clock = foretide_runtime::ManualClock::at(NOW_MS - 60_000);
    let behind = instance.start();
    rig.until_all_committed().await;
    assert_eq!(behind.table.fresh_as_of(0), Some(EpochMs(NOW_MS - 60_000)));
    behind.stop().await;
}

/// A log at whose gate commits wait.
mod gate {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    };

    use async_trait::async_trait;
    use foretide_ports::{GroupEvent, GroupMember, LogError, NewRecord, memory::MemoryLog};

    use super::Duration;
    use crate::members::WithMembers;

    #[derive(Default)]
    pub struct Gate {
        open: AtomicBool,
        waiting: AtomicUsize,
    }

    impl Gate {
        pub fn open(&self) {
            self.open.store(true, Ordering::SeqCst);
        }

        pub fn waiting(&self) -> usize {
            self.waiting.load(Ordering::SeqCst)
        }
    }

    pub fn gated(log: MemoryLog, gate: Arc<Gate>) -> WithMembers {
        WithMembers::new(Arc::new(log), move |member| {
            Box::new(GatedMember {
                member,
                gate: Arc::clone(&gate),
            })
        })
    }

    struct GatedMember {
        member: Box<dyn GroupMember>,
        gate: Arc<Gate>,
    }

    #[async_trait]
    impl GroupMember for GatedMember {
        async fn next(&mut self, max_wait: Duration) -> Result<GroupEvent, LogError> {
            self.member.next(max_wait).await
        }

        async fn start(&mut self, positions: &[(u32, u64)]) -> Result<(), LogError> {
            self.member.start(positions).await
        }

        async fn release(&mut self, partitions: &[u32]) -> Result<(), LogError> {
            self.member.release(partitions).await
        }

        async fn commit(
            &mut self,
            outputs: Vec<NewRecord>,
            offsets: &[(u32, u64)],
        ) -> Result<(), LogError> {
            self.gate.waiting.fetch_add(1, Ordering::SeqCst);
            while !self.gate.open.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            self.member.commit(outputs, offsets).await
        }

        async fn leave(self: Box<Self>) -> Result<(), LogError> {
            self.member.leave().await
        }
    }
}
