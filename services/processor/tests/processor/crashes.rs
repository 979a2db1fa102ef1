//! A processor that dies at any moment, and is started again, leaves no trace of that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use foretide_ports::{Chunk, GroupEvent, GroupMember, Log, LogError, NewRecord};
use proptest::prelude::*;

use crate::members::WithMembers;
use crate::support::{Dice, Rig, Running, events, until};

#[derive(Debug)]
pub struct Course {
    /// Operations of members left before the end.
    left: AtomicI64,
    /// Whether the last operation still takes effect.
    takes_effect: bool,
    /// The most records handed out together.
    portion: u64,
    dice: AtomicU64,
    dead: AtomicBool,
}

impl Course {
    /// Whether nothing comes any more.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// Counts an operation. Says whether it is the last.
    fn is_last(&self) -> bool {
        self.left.fetch_sub(1, Ordering::SeqCst) <= 0
    }

    /// Nothing comes after this.
    async fn die(&self) -> ! {
        self.dead.store(true, Ordering::SeqCst);
        loop {
            std::future::pending::<()>().await;
        }
    }

    fn portion(&self) -> usize {
        let seed = self.dice.fetch_add(1, Ordering::Relaxed);
        1 + Dice::new(seed).below(self.portion) as usize
    }
}

/// A log whose group members hang for good after a number of operations, and which hands out records in small portions.
fn dying(log: Arc<dyn Log>, course: Arc<Course>) -> WithMembers {
    WithMembers::new(log, move |member| {
        Box::new(DyingMember {
            member,
            course: Arc::clone(&course),
            rest: None,
        })
    })
}

struct DyingMember {
    member: Box<dyn GroupMember>,
    course: Arc<Course>,
    /// What is left of a chunk.
    rest: Option<Chunk>,
}

impl DyingMember {
    /// The first portion of `chunk`; keeps the rest.
    fn portion_of(&mut self, mut chunk: Chunk) -> GroupEvent {
        let portion = self.course.portion();
        if chunk.records.len() > portion {
            let rest = chunk.records.split_off(portion);
            let next_offset = std::mem::replace(&mut chunk.next_offset, rest[0].offset);
            self.rest = Some(Chunk {
                from: chunk.from,
                records: rest,
                next_offset,
            });
        }
        GroupEvent::Records(chunk)
    }
}

#[async_trait]
impl GroupMember for DyingMember {
    async fn next(&mut self, max_wait: Duration) -> Result<GroupEvent, LogError> {
        if self.course.is_last() {
            self.course.die().await;
        }
        if let Some(rest) = self.rest.take() {
            return Ok(self.portion_of(rest));
        }
        match self.member.next(max_wait).await? {
            GroupEvent::Records(chunk) => Ok(self.portion_of(chunk)),
            event => Ok(event),
        }
    }

    async fn start(&mut self, positions: &[(u32, u64)]) -> Result<(), LogError> {
        let is_last = self.course.is_last();
        if !is_last || self.course.takes_effect {
            let done = self.member.start(positions).await;
            if !is_last {
                return done;
            }
        }
        self.course.die().await
    }

    async fn release(&mut self, partitions: &[u32]) -> Result<(), LogError> {
        let is_last = self.course.is_last();
        if !is_last || self.course.takes_effect {
            let done = self.member.release(partitions).await;
            if !is_last {
                return done;
            }
        }
        self.course.die().await
    }

    async fn commit(
        &mut self,
        outputs: Vec<NewRecord>,
        offsets: &[(u32, u64)],
    ) -> Result<(), LogError> {
        let is_last = self.course.is_last();
        if !is_last || self.course.takes_effect {
            let done = self.member.commit(outputs, offsets).await;
            if !is_last {
                return done;
            }
        }
        self.course.die().await
    }

    async fn leave(self: Box<Self>) -> Result<(), LogError> {
        self.member.leave().await
    }
}

/// One life of a processor.
#[derive(Clone, Debug)]
pub struct Life {
    operations: i64,
    takes_effect: bool,
    portion: u64,
    dice: u64,
    /// Whether it may use and write checkpoints.
    checkpoints: bool,
    /// Whether events arrive while it lives.
    arriving: usize,
}

/// Up to six lives, each of which ends at some moment.
pub fn lives() -> impl Strategy<Value = Vec<Life>> {
    let life = (
        1..60_i64,
        any::<bool>(),
        1..120_u64,
        any::<u64>(),
        any::<bool>(),
        0..80_usize,
    )
        .prop_map(
            |(operations, takes_effect, portion, dice, checkpoints, arriving)| Life {
                operations,
                takes_effect,
                portion,
                dice,
                checkpoints,
                arriving,
            },
        );
    proptest::collection::vec(life, 1..7)
}

impl Life {
    /// How many events arrive while it lives.
    pub fn arriving(&self) -> usize {
        self.arriving
    }

    /// Begins it.
    pub fn start(&self, rig: &Rig, folder: &std::path::Path) -> (Running, Arc<Course>) {
        let course = Arc::new(Course {
            left: AtomicI64::new(self.operations),
            takes_effect: self.takes_effect,
            portion: self.portion,
            dice: AtomicU64::new(self.dice),
            dead: AtomicBool::new(false),
        });
        let log = Arc::new(dying(Arc::new(rig.log.clone()), Arc::clone(&course)));
        let mut instance = rig.instance().on(log);
        if self.checkpoints {
            instance = instance.with_checkpoints(folder);
            instance.config.checkpoint_interval_s = 1;
        }
        (instance.start(), course)
    }
}

/// Lives through `lives` and a last undisturbed one, and compares with a plain fold.
async fn check(lives: Vec<Life>) {
    let rig = Rig::new(3).await;
    let folder = tempfile::tempdir().unwrap();
    let mut all = events(1_500, 30, 9);
    let later = all.split_off(600);
    let mut later = later.chunks(1);
    rig.append(&all).await;
    for life in lives {
        let (running, course) = life.start(&rig, folder.path());
        for event in later.by_ref().take(life.arriving) {
            rig.append(event).await;
            tokio::task::yield_now().await;
        }
        until("it dies or is done", async || {
            course.dead.load(Ordering::SeqCst) || rig.is_all_committed().await
        })
        .await;
        running.crash().await;
    }
    for event in later {
        rig.append(event).await;
    }
    let running = rig.instance().with_checkpoints(folder.path()).start();
    rig.until_all_committed().await;
    let expected = rig.expected().await;
    assert_eq!(running.state(&expected.sources), expected);
    assert_eq!(rig.digest().await, expected.digest);
    running.stop().await;

    // What was published is all that is needed.
    let running = rig.instance().start();
    until("it has restored", async || running.readiness.is_ready()).await;
    assert_eq!(running.state(&expected.sources), expected);
    running.crash().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn crashes_at_any_moment_leave_no_trace(lives in lives()) {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
            .block_on(check(lives));
    }
}
