//! The thread that polls a member's consumer and answers the group.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, mpsc as orders},
    thread,
    time::{Duration, Instant},
};

use foretide_ports::{Chunk, LogError, TopicName, TopicPartition};
use rdkafka::{
    ClientConfig, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};

use super::{
    Generation, Order, Told,
    rebalance::{Decision, Notes},
};
use crate::{
    batches::{Batches, place_of},
    errors, queries,
};

/// Messages told ahead of what the owner has dealt with; a chunk is at most about a mebibyte.
pub(super) const TOLD_AHEAD: usize = 8;
/// How soon an order is obeyed while nothing comes.
const POLL: Duration = Duration::from_millis(20);
/// How long leaving may take.
const LEAVE_PATIENCE: Duration = Duration::from_secs(5);
/// How often trouble that passes is told of while it lasts: librdkafka tells of it every second.
const WARN_EVERY: Duration = Duration::from_secs(30);

/// Subscribes and starts the thread, which ends when `tell` has no receiver any more.
pub(super) fn start(
    config: &ClientConfig,
    topic: TopicName,
    tell: mpsc::Sender<Told>,
    orders: orders::Receiver<Order>,
) -> Result<(), LogError> {
    let trouble = |error| errors::log_error("joining a group", &error);
    let consumer: BaseConsumer<Notes> = config
        .create_with_context(Notes::new(topic))
        .map_err(trouble)?;
    consumer.subscribe(&[topic]).map_err(trouble)?;
    let thread = Thread {
        consumer,
        topic,
        tell,
        orders,
        owned: BTreeSet::new(),
        generation: None,
        positions: BTreeMap::new(),
        batches: Batches::new(topic),
        warned_at: None,
    };
    thread::Builder::new()
        .name("kafka-member".into())
        .spawn(move || thread.run())
        .map(drop)
        .map_err(|error| LogError::Away(format!("cannot start a thread: {error}")))
}

/// Why the thread ends.
enum End {
    /// The owner dropped the member: like a crash, the group hears nothing.
    Dropped,
    /// The owner wants to leave the group and to know when that is done.
    Leave(oneshot::Sender<()>),
    /// The owner was told of an error that lasts.
    Failed,
}

struct Thread {
    consumer: BaseConsumer<Notes>,
    topic: TopicName,
    tell: mpsc::Sender<Told>,
    orders: orders::Receiver<Order>,
    /// The partitions that the group gave and has not got back.
    owned: BTreeSet<u32>,
    /// The generation they were given in.
    generation: Option<Generation>,
    /// Of these, what was started, and the offset behind what was told of.
    positions: BTreeMap<u32, u64>,
    batches: Batches,
    /// When trouble that passes was told of last.
    warned_at: Option<Instant>,
}

impl Thread {
    fn run(mut self) {
        let end = loop {
            if let Err(end) = self.round() {
                break end;
            }
        };
        debug!(topic = self.topic, "a member ends");
        if let End::Leave(left) = end {
            self.leave();
            let _ = left.send(());
        }
        // Destroying a static member's consumer does not leave the group: only `leave` does.
        self.consumer.context().close();
        if self.consumer.context().take().is_some() {
            let _ = self.consumer.unassign();
        }
    }

    fn round(&mut self) -> Result<(), End> {
        loop {
            match self.orders.try_recv() {
                Ok(order) => self.obey(order)?,
                Err(orders::TryRecvError::Empty) => break,
                Err(orders::TryRecvError::Disconnected) => return Err(End::Dropped),
            }
        }
        self.poll()?;
        match self.consumer.context().take() {
            Some(Decision::Assign(partitions)) => self.assigned(partitions),
            Some(Decision::Revoke(partitions)) => self.revoked(partitions),
            None => Ok(()),
        }
    }

    /// Polls until nothing is left, enough is gathered or the group decided something, and tells of it.
    fn poll(&mut self) -> Result<(), End> {
        let mut wait = POLL;
        while !self.batches.is_full() {
            match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    let (partition, offset) = place_of(&message);
                    // What was fetched before a revocation or a new start is of no interest any more.
                    if self
                        .positions
                        .get(&partition)
                        .is_some_and(|from| offset >= *from)
                    {
                        self.batches.take_in(&message);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.end_of(partition.cast_unsigned())?;
                }
                Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset))) => {
                    self.out_of_range()?;
                }
                Some(Err(error)) => self.trouble(&error)?,
            }
            wait = Duration::ZERO;
        }
        for chunk in self.batches.take_all() {
            self.records(chunk)?;
        }
        Ok(())
    }

    /// At the end of a partition its position may be behind more than its last record: the markers of transactions.
    fn end_of(&mut self, partition: u32) -> Result<(), End> {
        if let Some(chunk) = self.batches.take(partition) {
            self.records(chunk)?;
        }
        let position = queries::position(&self.consumer, self.topic, partition).unwrap_or(0);
        if self
            .positions
            .get(&partition)
            .is_some_and(|told| position > *told)
        {
            let from = TopicPartition {
                topic: self.topic,
                partition,
            };
            self.records(Chunk {
                from,
                records: Vec::new(),
                next_offset: position,
            })?;
        }
        Ok(())
    }

    /// A partition has no record where it is to be read. Below the oldest that is kept, retention was quicker than the
    /// member: it goes on at the oldest. Beyond the end, records that were consumed are gone: what is written there next
    /// would be taken for consumed.
    fn out_of_range(&mut self) -> Result<(), End> {
        for chunk in self.batches.take_all() {
            self.records(chunk)?;
        }
        for (partition, position) in &mut self.positions {
            let asked = queries::range(&self.consumer, self.topic, *partition);
            match asked {
                Ok((oldest, _)) if *position < oldest => {
                    warn!(
                        topic = self.topic,
                        partition,
                        position,
                        oldest,
                        "records were deleted before they were consumed"
                    );
                    *position = oldest;
                }
                Ok((_, end)) if *position > end => {
                    let error = beyond_the_end(self.topic, *partition, *position, end);
                    return self.fail(error);
                }
                Ok(_) => {}
                Err(error) => {
                    // Fetching there tells again that the offset is out of range.
                    warn!(topic = self.topic, partition, %error, "consuming goes on after an error");
                    break;
                }
            }
        }
        self.consume()
    }

    fn records(&mut self, chunk: Chunk) -> Result<(), End> {
        self.positions
            .insert(chunk.from.partition, chunk.next_offset);
        self.tell(Told::Records(chunk))
    }

    /// Waits for room; the owner may want to end instead.
    fn tell(&mut self, told: Told) -> Result<(), End> {
        if self.tell.blocking_send(told).is_ok() {
            return Ok(());
        }
        // The owner hears no more. If it is leaving, that order is there already.
        loop {
            match self.orders.try_recv() {
                Ok(Order::Leave(left)) => return Err(End::Leave(left)),
                Ok(_) => {}
                Err(_) => return Err(End::Dropped),
            }
        }
    }

    fn obey(&mut self, order: Order) -> Result<(), End> {
        match order {
            Order::Start(positions) => {
                // An owner that was slow may start what it lost meanwhile, and got again, from an offset of before.
                let current = positions.into_iter().filter(|(partition, _, generation)| {
                    let now = self.generation.as_ref();
                    self.owned.contains(partition)
                        && now.is_some_and(|now| Arc::ptr_eq(now, generation))
                });
                let current: Vec<_> = current.map(|(p, offset, _)| (p, offset)).collect();
                self.positions.extend(current);
                self.consume()
            }
            // Not asked for: a revocation was overtaken by a loss.
            Order::Release(_) => Ok(()),
            Order::Leave(left) => Err(End::Leave(left)),
        }
    }

    /// Makes the consumer fetch what is started, each from behind what was told of.
    fn consume(&mut self) -> Result<(), End> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in &self.positions {
            if let Err(error) =
                queries::add(&mut list, self.topic, *partition, queries::at(*offset))
            {
                return self.fail(error);
            }
        }
        match self.consumer.assign(&list) {
            Ok(()) => Ok(()),
            Err(error) => self.fail(errors::log_error("consuming partitions", &error)),
        }
    }

    /// Takes the assignment but fetches nothing before the owner starts it.
    fn assigned(&mut self, partitions: Vec<u32>) -> Result<(), End> {
        self.positions.clear();
        self.owned = partitions.iter().copied().collect();
        self.consume()?;
        let Some(generation) = self.consumer.group_metadata() else {
            return self.fail(LogError::Away("the group has no metadata".into()));
        };
        let generation = Arc::new(generation);
        self.generation = Some(Arc::clone(&generation));
        if partitions.is_empty() {
            return Ok(());
        }
        self.tell(Told::Assigned(partitions, generation))
    }

    /// Gives partitions back: once they are released, or at once if they are gone anyway.
    fn revoked(&mut self, partitions: Vec<u32>) -> Result<(), End> {
        let lost = self.consumer.assignment_lost();
        self.positions.clear();
        self.owned.clear();
        if !partitions.is_empty() {
            if lost {
                self.tell(Told::Lost(partitions))?;
            } else {
                self.tell(Told::Revoked(partitions.clone()))?;
                self.wait_for_release(partitions.into_iter().collect())?;
            }
        }
        match self.consumer.unassign() {
            Ok(()) => Ok(()),
            Err(error) => self.fail(errors::log_error("giving back partitions", &error)),
        }
    }

    fn wait_for_release(&mut self, mut waiting: BTreeSet<u32>) -> Result<(), End> {
        while !waiting.is_empty() {
            match self.orders.recv() {
                Ok(Order::Release(partitions)) => {
                    waiting.retain(|partition| !partitions.contains(partition));
                }
                // Of an assignment that is being revoked.
                Ok(Order::Start(_)) => {}
                Ok(Order::Leave(left)) => return Err(End::Leave(left)),
                Err(orders::RecvError) => return Err(End::Dropped),
            }
        }
        Ok(())
    }

    /// Tells of an error that lasts; librdkafka deals with the others by itself.
    fn trouble(&mut self, error: &KafkaError) -> Result<(), End> {
        if let Some((code, said)) = self.consumer.client().fatal_error() {
            let lost: Vec<u32> = std::mem::take(&mut self.owned).into_iter().collect();
            self.positions.clear();
            if !lost.is_empty() {
                self.tell(Told::Lost(lost))?;
            }
            return self.fail(ending(code, said));
        }
        match errors::log_error("consuming", error) {
            LogError::Away(said) | LogError::Fenced(said) => {
                if self.warned_at.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
                    self.warned_at = Some(Instant::now());
                    warn!(topic = self.topic, said, "consuming goes on after an error");
                }
                Ok(())
            }
            lasting => self.fail(lasting),
        }
    }

    fn fail(&mut self, error: LogError) -> Result<(), End> {
        self.tell(Told::Ended(error))?;
        Err(End::Failed)
    }

    /// Leaves the group, so that the others need not wait for this member's session to time out. librdkafka sends a
    /// static member's goodbye after an unsubscription only, and only once everything was given back.
    fn leave(&mut self) {
        let deadline = Instant::now() + LEAVE_PATIENCE;
        let context = Arc::clone(self.consumer.context());
        if context.take().is_some() {
            let _ = self.consumer.unassign();
        }
        context.close();
        self.consumer.unsubscribe();
        let _ = self.consumer.unassign();
        while Instant::now() < deadline && self.has_joined() {
            let _ = self.consumer.poll(POLL);
        }
    }

    fn has_joined(&self) -> bool {
        self.consumer
            .subscription()
            .is_ok_and(|topics| topics.count() > 0)
            || self
                .consumer
                .assignment()
                .is_ok_and(|partitions| partitions.count() > 0)
    }
}

/// The error of a partition that ends before what the group has consumed of it.
fn beyond_the_end(topic: TopicName, partition: u32, position: u64, end: u64) -> LogError {
    LogError::Damaged(format!(
        "{topic}/{partition} ends at offset {end} but was consumed up to {position}: the topic was made anew or its brokers \
         lost records. Restore the topic, or start anew with empty topics and without the group, and import the actions"
    ))
}

/// What a fatal error means: nearly always that another process joined under the same name.
fn ending(code: RDKafkaErrorCode, said: String) -> LogError {
    if errors::is_fencing(code) {
        LogError::Unusable(format!(
            "another process joined the group under this member's name, so this one must end ({said})"
        ))
    } else {
        LogError::Away(said)
    }
}
