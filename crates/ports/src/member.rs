//! A group member on a log that lives in this process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::Notify, time::Instant};

use crate::{
    GroupEvent, GroupMember, LogError, NewRecord, Records, TopicName,
    groups::{Change, Membership, Permit},
    tail::{Source, Tail},
};

/// A [`Source`] that also stores what group members commit.
#[async_trait]
pub trait Commits: Source {
    /// Stores `outputs` and the `offsets` of the permit's group on `topic`, all or nothing, and drops the permit when that
    /// is settled, also where the caller does not wait for it.
    async fn commit(
        &self,
        permit: Permit,
        topic: TopicName,
        outputs: Vec<NewRecord>,
        offsets: &[(u32, u64)],
    ) -> Result<(), LogError>;
}

/// The one implementation of [`GroupMember`] for logs in this process.
pub struct Member<S> {
    log: Arc<S>,
    topic: TopicName,
    membership: Membership,
    tail: Tail<S>,
    /// A commit ended with an error, so that it is not known what was committed.
    failed: bool,
}

impl<S: Commits> Member<S> {
    /// The member whose place in its group is `membership`.
    pub fn new(log: Arc<S>, topic: TopicName, membership: Membership) -> Result<Self, LogError> {
        let tail = Tail::new(Arc::clone(&log), topic)?;
        Ok(Self {
            log,
            topic,
            membership,
            tail,
            failed: false,
        })
    }

    /// What there is to tell now.
    async fn poll(&mut self) -> Result<Option<GroupEvent>, LogError> {
        match self.membership.next_change()? {
            Some(Change::Assigned(partitions)) => {
                return Ok(Some(GroupEvent::Assigned(partitions)));
            }
            Some(Change::Revoked(partitions)) => {
                self.tail.unfollow(&partitions);
                return Ok(Some(GroupEvent::Revoked(partitions)));
            }
            Some(Change::Lost(partitions)) => {
                self.tail.unfollow(&partitions);
                return Ok(Some(GroupEvent::Lost(partitions)));
            }
            None => {}
        }
        Ok(self.tail.poll().await?.map(GroupEvent::Records))
    }
}

#[async_trait]
impl<S: Commits> GroupMember for Member<S> {
    async fn next(&mut self, max_wait: Duration) -> Result<GroupEvent, LogError> {
        if self.failed {
            return Err(LogError::Away(
                "a commit of this member failed: join again".to_owned(),
            ));
        }
        let until = Instant::now() + max_wait;
        loop {
            if let Some(event) = self.poll().await? {
                return Ok(event);
            }
            tokio::select! {
                () = self.membership.changed() => {}
                () = self.tail.grown() => {}
                () = tokio::time::sleep_until(until) => return Ok(GroupEvent::Idle),
            }
        }
    }

    async fn start(&mut self, positions: &[(u32, u64)]) -> Result<(), LogError> {
        for (partition, offset) in positions {
            self.tail.follow(*partition, *offset)?;
        }
        Ok(())
    }

    async fn release(&mut self, partitions: &[u32]) -> Result<(), LogError> {
        self.tail.unfollow(partitions);
        self.membership.release(partitions);
        Ok(())
    }

    async fn commit(
        &mut self,
        outputs: Vec<NewRecord>,
        offsets: &[(u32, u64)],
    ) -> Result<(), LogError> {
        let permit = self
            .membership
            .permit(offsets.iter().map(|(partition, _)| *partition))?;
        let result = self.log.commit(permit, self.topic, outputs, offsets).await;
        self.failed |= result.is_err();
        result
    }

    async fn commit_beside(
        &mut self,
        outputs: Vec<NewRecord>,
        offsets: &[(u32, u64)],
        records: &mut dyn Records,
    ) -> Result<(), LogError> {
        let permit = self
            .membership
            .permit(offsets.iter().map(|(partition, _)| *partition))?;
        let log = Arc::clone(&self.log);
        let (settled, told) = (AtomicBool::new(false), Notify::new());
        let committing = async {
            let result = log.commit(permit, self.topic, outputs, offsets).await;
            settled.store(true, Ordering::Relaxed);
            told.notify_one();
            result
        };
        // Each chunk is waited for to its end, or it would be lost.
        let reading = async {
            while !settled.load(Ordering::Relaxed) {
                if !records.wants_more() {
                    told.notified().await;
                    continue;
                }
                match self.tail.poll().await {
                    Ok(Some(chunk)) => records.take(chunk).await,
                    Ok(None) => tokio::select! {
                        () = self.tail.grown() => {}
                        () = told.notified() => {}
                    },
                    // It is met again by who asks what comes next.
                    Err(_) => told.notified().await,
                }
            }
        };
        let (result, ()) = tokio::join!(committing, reading);
        self.failed |= result.is_err();
        result
    }

    async fn leave(self: Box<Self>) -> Result<(), LogError> {
        Ok(())
    }
}
