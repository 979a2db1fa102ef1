//! A member of a consumer group: a polling thread that answers the group, and a transactional producer.
//!
//! The thread ([`polling`]) hands over a closed set of [`Told`] messages, in order, and takes [`Order`]s. After it told of
//! a revocation it polls no more until the partitions are released: so the group waits.

mod outputs;
mod polling;
mod rebalance;
mod transaction;

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc as orders,
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use foretide_ports::{Chunk, GroupEvent, GroupMember, LogError, NewRecord, Records, TopicName};
use rdkafka::consumer::ConsumerGroupMetadata;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout_at,
};

use self::{outputs::Producer, transaction::Refused};
use crate::{
    blocking::{DroppedOutside, outside},
    config::KafkaOptions,
};

/// How long a member waits to learn that another process has taken its name, after its transactions were locked out.
const VERDICT_PATIENCE: Duration = Duration::from_secs(5);

/// What the polling thread tells, in this order.
enum Told {
    /// Partitions were assigned, in the generation of the group that the metadata names.
    Assigned(Vec<u32>, Generation),
    /// Partitions are to be released; the thread waits for it.
    Revoked(Vec<u32>),
    /// Partitions are gone.
    Lost(Vec<u32>),
    /// Records of a partition that was started.
    Records(Chunk),
    /// The member cannot go on.
    Ended(LogError),
}

/// What the polling thread is asked to do.
enum Order {
    /// Consume partitions from these offsets on, each if the generation it was given in still is.
    Start(Vec<(u32, u64, Generation)>),
    /// Partitions were released.
    Release(Vec<u32>),
    /// Leave the group, say so, and end.
    Leave(oneshot::Sender<()>),
}

/// Who the member is in its group: broker-side, a commit with a former one is refused.
type Generation = Arc<ConsumerGroupMetadata>;

/// One member, as its owner drives it.
pub(crate) struct KafkaMember {
    topic: TopicName,
    told: mpsc::Receiver<Told>,
    /// What came during a commit and has to wait.
    put_off: Option<Told>,
    orders: orders::Sender<Order>,
    producer: Arc<DroppedOutside<Producer>>,
    /// The partitions that the owner was told are its own and has not released, with the generation they came in.
    owned: BTreeMap<u32, Generation>,
    /// Why the member is done for, once it is.
    ended: Option<LogError>,
    /// Since when its transactions are locked out.
    locked_out: Option<Instant>,
}

/// Stops a join whose caller no longer waits.
struct StopWhenDropped(Arc<AtomicBool>);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl KafkaMember {
    /// Locks out the member's former self, waits for its transaction to be decided, and joins.
    pub(crate) async fn join(
        options: &KafkaOptions,
        group: &str,
        topic: TopicName,
        member: &str,
    ) -> Result<Self, LogError> {
        let producing = options.transactional_producer(group, member);
        let consuming = options.member(group, member);
        let stop = StopWhenDropped(Arc::default());
        let stopped = Arc::clone(&stop.0);
        let (tell, told) = mpsc::channel(polling::TOLD_AHEAD);
        let (orders, ordered) = orders::channel();
        let producer = outside("join", move || {
            let producer = DroppedOutside::new(outputs::producer(&producing)?);
            transaction::initialise(&producer, &stopped)?;
            if !stopped.load(Ordering::Relaxed) {
                polling::start(&consuming, topic, tell, ordered)?;
            }
            Ok::<_, LogError>(Arc::new(producer))
        });
        let producer = producer.await?;
        let owned = BTreeMap::new();
        Ok(Self {
            topic,
            told,
            put_off: None,
            orders,
            producer,
            owned,
            ended: None,
            locked_out: None,
        })
    }

    /// Takes note of what the thread told and gives it to the owner.
    fn event(&mut self, told: Told) -> Result<GroupEvent, LogError> {
        Ok(match told {
            Told::Assigned(partitions, generation) => {
                // Rebalances are eager: an assignment is the whole of it.
                let owned = partitions.iter().map(|p| (*p, Arc::clone(&generation)));
                self.owned = owned.collect();
                GroupEvent::Assigned(partitions)
            }
            Told::Revoked(partitions) => GroupEvent::Revoked(partitions),
            Told::Lost(partitions) => {
                self.owned
                    .retain(|partition, _| !partitions.contains(partition));
                GroupEvent::Lost(partitions)
            }
            Told::Records(chunk) => GroupEvent::Records(chunk),
            Told::Ended(error) => {
                self.ended = Some(error.clone());
                return Err(error);
            }
        })
    }

    /// The error to go on with, if the member cannot go on.
    fn check(&self) -> Result<(), LogError> {
        match &self.ended {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// The generation to commit in; fenced if a partition is not owned.
    fn generation(&self, offsets: &[(u32, u64)]) -> Result<Option<Generation>, LogError> {
        for (partition, _) in offsets {
            if !self.owned.contains_key(partition) {
                let said = format!("{}/{partition} is not this member's", self.topic);
                return Err(LogError::Fenced(said));
            }
        }
        Ok(self.owned.values().next().cloned())
    }

    /// Begins a commit, if there is anything to commit. Until [`Self::committed`] hears how it went the member is done for: also if
    /// it is abandoned.
    fn committing(
        &mut self,
        outputs: Vec<NewRecord>,
        offsets: &[(u32, u64)],
    ) -> Result<Option<impl Future<Output = Result<(), Refused>> + Send + use<>>, LogError> {
        self.check()?;
        let generation = self.generation(offsets)?;
        if outputs.is_empty() && offsets.is_empty() {
            return Ok(None);
        }
        outputs.iter().try_for_each(NewRecord::check_size)?;
        let Some(generation) = generation else {
            return Err(LogError::Fenced("the member owns nothing".into()));
        };
        if self.locked_out.is_some() {
            return Err(LogError::Fenced(
                "another process has the member's name".into(),
            ));
        }
        let producer = Arc::clone(&self.producer);
        let (topic, offsets) = (self.topic, offsets.to_vec());
        self.ended = Some(LogError::Away("a commit was abandoned: join again".into()));
        Ok(Some(outside("commit", move || {
            transaction::commit(&producer, outputs, topic, &offsets, &generation)
        })))
    }

    /// Takes note of how a commit went.
    fn committed(&mut self, committed: Result<(), Refused>) -> Result<(), LogError> {
        self.ended = None;
        match committed {
            Ok(()) => Ok(()),
            Err(Refused::Fenced { error, for_good }) => {
                if for_good {
                    self.locked_out = Some(Instant::now());
                }
                // A revocation that waits for an answer waits in vain: the group has gone on without it.
                self.order(Order::Release(self.owned.keys().copied().collect()))?;
                Err(error)
            }
            Err(Refused::Failed(error)) => {
                self.ended = Some(error.clone());
                Err(error)
            }
        }
    }

    fn order(&self, order: Order) -> Result<(), LogError> {
        self.orders.send(order).map_err(|_| gone())
    }
}

fn gone() -> LogError {
    LogError::Away("the member's thread ended".into())
}

#[async_trait]
impl GroupMember for KafkaMember {
    async fn next(&mut self, max_wait: Duration) -> Result<GroupEvent, LogError> {
        self.check()?;
        let until = tokio::time::Instant::now() + max_wait;
        let told = match self.put_off.take() {
            Some(told) => Ok(Some(told)),
            None => timeout_at(until, self.told.recv()).await,
        };
        match told {
            Ok(Some(told)) => self.event(told),
            Ok(None) => Err(gone()),
            // Locked out by a process of the same name, the group says so soon. If it does not, it was the broker: the
            // transaction took too long. Joining again cures that.
            Err(_)
                if self
                    .locked_out
                    .is_some_and(|since| since.elapsed() > VERDICT_PATIENCE) =>
            {
                let error = LogError::Away("its transactions were locked out: join again".into());
                self.ended = Some(error.clone());
                Err(error)
            }
            Err(_) => Ok(GroupEvent::Idle),
        }
    }

    async fn start(&mut self, positions: &[(u32, u64)]) -> Result<(), LogError> {
        self.check()?;
        let owned = positions.iter().filter_map(|(partition, offset)| {
            let generation = self.owned.get(partition)?;
            Some((*partition, *offset, Arc::clone(generation)))
        });
        self.order(Order::Start(owned.collect()))
    }

    async fn release(&mut self, partitions: &[u32]) -> Result<(), LogError> {
        self.owned
            .retain(|partition, _| !partitions.contains(partition));
        self.order(Order::Release(partitions.to_vec()))
    }

    async fn commit(
        &mut self,
        outputs: Vec<NewRecord>,
        offsets: &[(u32, u64)],
    ) -> Result<(), LogError> {
        let Some(committing) = self.committing(outputs, offsets)? else {
            return Ok(());
        };
        let committed = committing.await;
        self.committed(committed)
    }

    async fn commit_beside(
        &mut self,
        outputs: Vec<NewRecord>,
        offsets: &[(u32, u64)],
        records: &mut dyn Records,
    ) -> Result<(), LogError> {
        let Some(committing) = self.committing(outputs, offsets)? else {
            return Ok(());
        };
        let mut committing = pin!(committing);
        let committed = loop {
            tokio::select! {
                biased;
                committed = &mut committing => break committed,
                told = self.told.recv(), if self.put_off.is_none() && records.wants_more() => match told {
                    Some(Told::Records(chunk)) => records.take(chunk).await,
                    Some(other) => self.put_off = Some(other),
                    None => self.put_off = Some(Told::Ended(gone())),
                },
            }
        };
        self.committed(committed)
    }

    async fn leave(mut self: Box<Self>) -> Result<(), LogError> {
        let (left, told) = oneshot::channel();
        self.order(Order::Leave(left))?;
        // Wakes the thread if it waits for room.
        self.told.close();
        told.await.map_err(|_| gone())
    }
}
