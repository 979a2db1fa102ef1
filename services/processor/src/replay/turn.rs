//! One replayer's turn: a member of its group that folds what it is given and tells how far it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use foretide_ports::{ACTIONS, Chunk, GroupEvent, ReadOnlyMember};
use foretide_runtime::CancellationToken;
use tokio::time::{Instant, sleep};

use super::{Progress, Replay, Replayed, Stretch};
use crate::{FoldedLog, ProcessorError, pool::FoldPool, reading::at};

/// How long to wait for records before looking around.
const MAX_WAIT: Duration = Duration::from_millis(100);
/// How often to commit, and to ask whether the others of the group are done.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// How often in a row to join anew after trouble with the log that may pass, and how long to wait before.
const JOINS: u32 = 10;
const REJOIN_AFTER: Duration = Duration::from_secs(2);

/// Folds the range of `replay` until it is done or `stop`.
pub(super) async fn run(
    replay: &Replay,
    stop: &CancellationToken,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Replayed, ProcessorError> {
    let partitions = u32::try_from(replay.ends.len()).unwrap_or(u32::MAX);
    let folded = FoldedLog::nothing(partitions);
    let mut turn = Turn {
        replay,
        pool: folded.pool(replay.rules)?,
        partitions,
        held: BTreeMap::new(),
        owned: BTreeSet::new(),
        before: Vec::new(),
        was_given_any: false,
        committed_at: Instant::now(),
        trouble: 0,
    };
    if replay.commits {
        turn.before = turn.committed().await?;
    }
    let is_done = loop {
        match turn.membership(stop, &mut progress).await {
            Err(error) if error.is_passing() && turn.trouble < JOINS => {
                turn.trouble += 1;
                tracing::warn!(%error, "the replay joins its group again");
                tokio::select! {
                    () = sleep(REJOIN_AFTER) => {}
                    () = stop.cancelled() => break false,
                }
            }
            ended => break ended?,
        }
    };
    turn.pool.settled().await?;
    // What is held here alone: others of the group have the others.
    folded.hand_over(&replay.rules, |partition| {
        turn.held.contains_key(&partition)
    });
    let stretch = |(partition, reached): (u32, u64)| {
        let (from, to) = (turn.begin(partition), turn.end(partition));
        (partition, Stretch { from, to, reached })
    };
    let stretches = turn.held.clone().into_iter().map(stretch).collect();
    Ok(Replayed {
        folded,
        stretches,
        is_complete: is_done,
    })
}

struct Turn<'a> {
    replay: &'a Replay,
    pool: FoldPool,
    partitions: u32,
    /// The partitions whose state is in memory, with the position up to which they were given to the pool.
    held: BTreeMap<u32, u64>,
    /// The partitions that the group gave, whether there is anything to do for them or not.
    owned: BTreeSet<u32>,
    /// What the group had committed before this replayer joined it, for another purpose.
    before: Vec<u64>,
    /// Whether the group ever gave a partition to this replayer.
    was_given_any: bool,
    committed_at: Instant,
    /// How often in a row the log was in trouble.
    trouble: u32,
}

impl Turn<'_> {
    /// Is a member of the group until all is done or `stop`. Says whether all is done.
    async fn membership(
        &mut self,
        stop: &CancellationToken,
        progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<bool, ProcessorError> {
        let Replay { log, group, .. } = self.replay;
        let joining = log.join(group.as_str(), ACTIONS, &self.replay.member);
        let mut member = tokio::select! {
            member = joining => member?,
            () = stop.cancelled() => return Ok(false),
        };
        self.owned.clear();
        let is_done = loop {
            let event = tokio::select! {
                event = member.next(MAX_WAIT) => event?,
                () = stop.cancelled() => break false,
            };
            let gets_on = !matches!(event, GroupEvent::Idle);
            self.handle(event, &mut member).await?;
            if gets_on {
                progress(self.progress());
            }
            if self.committed_at.elapsed() < COMMIT_EVERY && !self.may_be_done() {
                continue;
            }
            self.commit(&mut member).await?;
            if self.is_done().await? {
                break true;
            }
            if self.waits_for_others() {
                progress(self.progress());
            }
        };
        self.commit(&mut member).await?;
        member.leave().await?;
        Ok(is_done)
    }

    async fn handle(
        &mut self,
        event: GroupEvent,
        member: &mut ReadOnlyMember,
    ) -> Result<(), ProcessorError> {
        match event {
            GroupEvent::Assigned(partitions) => self.assigned(&partitions, member).await?,
            GroupEvent::Revoked(partitions) => {
                self.commit(member).await?;
                // What is in memory stays: they may come back with the next assignment.
                self.owned.retain(|owned| !partitions.contains(owned));
                member.release(&partitions).await?;
            }
            GroupEvent::Lost(partitions) => {
                self.owned.retain(|owned| !partitions.contains(owned));
            }
            GroupEvent::Records(chunk) => self.fold(chunk).await?,
            GroupEvent::Idle => {}
        }
        Ok(())
    }

    /// Takes over partitions: goes on where this replayer was, leaves alone what another has finished, and begins the others.
    async fn assigned(
        &mut self,
        partitions: &[u32],
        member: &mut ReadOnlyMember,
    ) -> Result<(), ProcessorError> {
        self.owned.extend(partitions);
        self.was_given_any |= !partitions.is_empty();
        // What is finished stays: nobody folds it again.
        let is_given_away =
            |(p, position): &(&u32, &u64)| !self.owned.contains(p) && **position < self.end(**p);
        let given_away = self.held.iter().filter(is_given_away).map(|(p, _)| *p);
        let given_away: Vec<u32> = given_away.collect();
        self.drop_state(&given_away).await?;
        let committed = if self.replay.commits {
            self.committed().await?
        } else {
            Vec::new()
        };
        let is_new =
            |p: &&u32| !self.held.contains_key(p) && !self.is_done_by_others(&committed, **p);
        let new: Vec<u32> = partitions.iter().filter(is_new).copied().collect();
        self.drop_state(&new).await?;
        for partition in new {
            self.held.insert(partition, self.begin(partition));
        }
        let start = |p: &u32| (*p, self.held.get(p).copied().unwrap_or(self.end(*p)));
        let starts: Vec<_> = partitions.iter().map(start).collect();
        member.start(&starts).await?;
        // Also where the group stood somewhere else: from now on it tells of this replay.
        self.commit(member).await
    }

    async fn drop_state(&mut self, partitions: &[u32]) -> Result<(), ProcessorError> {
        if partitions.is_empty() {
            return Ok(());
        }
        self.held
            .retain(|partition, _| !partitions.contains(partition));
        self.pool.forget(partitions).await
    }

    /// Gives the pool what of `chunk` is within the range.
    async fn fold(&mut self, mut chunk: Chunk) -> Result<(), ProcessorError> {
        let partition = chunk.from.partition;
        let end = self.end(partition);
        let Some(position) = self.held.get_mut(&partition) else {
            return Ok(());
        };
        if *position >= end {
            return Ok(());
        }
        chunk
            .records
            .retain(|record| (*position..end).contains(&record.offset));
        chunk.next_offset = chunk.next_offset.clamp(*position, end);
        *position = chunk.next_offset;
        self.trouble = 0;
        self.pool.fold(chunk).await
    }

    /// Lets everything given to the pool be folded, and tells the group.
    async fn commit(&mut self, member: &mut ReadOnlyMember) -> Result<(), ProcessorError> {
        self.committed_at = Instant::now();
        self.pool.settled().await?;
        // Nobody publishes what the fold would.
        self.pool.abandon().await?;
        if !self.replay.commits {
            return Ok(());
        }
        let own = |(p, _): &(&u32, &u64)| self.owned.contains(p);
        let offsets: Vec<_> = self
            .held
            .iter()
            .filter(own)
            .map(|(p, o)| (*p, *o))
            .collect();
        if offsets.is_empty() {
            return Ok(());
        }
        Ok(member.commit(&offsets).await?)
    }

    /// Whether everything that is to be folded here has been given to the pool.
    fn may_be_done(&self) -> bool {
        let own_is_done = self.held.iter().all(|(p, at)| *at >= self.end(*p));
        own_is_done && self.owned.len() == self.partitions as usize
    }

    /// Whether the group has folded all of the range. Until then this member stays: if it left, what it has folded would be
    /// given to the others and folded again.
    async fn is_done(&self) -> Result<bool, ProcessorError> {
        if !self.held.iter().all(|(p, at)| *at >= self.end(*p)) {
            return Ok(false);
        }
        if self.owned.len() == self.partitions as usize {
            return Ok(true);
        }
        if !self.replay.commits {
            return Ok(false);
        }
        let committed = self.committed().await?;
        let is_done = |p| {
            let is_at_end = at(&committed, p) >= self.end(p);
            let is_empty = self.begin(p) == self.end(p);
            is_at_end && (self.was_given_any || is_empty || self.is_done_by_others(&committed, p))
        };
        Ok((0..self.partitions).all(is_done))
    }

    /// Whether nothing is to be folded here at this moment. While the log tells how far the others are, all is well.
    fn waits_for_others(&self) -> bool {
        self.replay.commits && self.held.iter().all(|(p, at)| *at >= self.end(*p))
    }

    /// Whether another replayer has finished `partition` since this one began. What an earlier run of a group of the same name
    /// committed is no such sign.
    fn is_done_by_others(&self, committed: &[u64], partition: u32) -> bool {
        let (begin, end) = (self.begin(partition), self.end(partition));
        begin < end && at(&self.before, partition) < end && at(committed, partition) >= end
    }

    async fn committed(&self) -> Result<Vec<u64>, ProcessorError> {
        let Replay { log, group, .. } = self.replay;
        let committed = log.committed(group.as_str(), ACTIONS).await?;
        Ok(committed
            .into_iter()
            .map(Option::unwrap_or_default)
            .collect())
    }

    fn progress(&self) -> Progress {
        let length = |from: u64, to: u64| to.saturating_sub(from);
        let sum = |lengths: &dyn Fn(u32, u64) -> u64| {
            self.held
                .iter()
                .map(|(partition, reached)| lengths(*partition, *reached))
                .sum()
        };
        Progress {
            done: sum(&|p, reached| length(self.begin(p), reached)),
            total: sum(&|p, _| length(self.begin(p), self.end(p))),
        }
    }

    fn begin(&self, partition: u32) -> u64 {
        at(&self.replay.begins, partition)
    }

    /// Never before the beginning.
    fn end(&self, partition: u32) -> u64 {
        at(&self.replay.ends, partition).max(self.begin(partition))
    }
}
