//! The threads that fold. Each partition belongs to one of them, so records of one partition are folded in order while
//! those of others are folded beside them, and while a commit is under way.

use std::{
    collections::{BTreeMap, HashMap, btree_map},
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use foretide_checkpoint::Checkpoints;
use foretide_features::Texts;
use foretide_ports::Chunk;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{
    ProcessorError,
    fold::{Folder, Outcome, Pending, Publication},
    load::{Limits, load},
    pieces::Pieces,
    queue::{Closed, Queue},
    take_over::take_over,
};

/// Chunks that may wait for one thread: enough that it has work while a commit is under way, few enough to be nothing.
const WAITING_CHUNKS: usize = 4;
/// The size of a profile before any was seen, in bytes.
const FIRST_GUESS_BYTES: usize = 2048;

/// What a thread is told to do.
enum Job {
    /// Fold the records of a chunk of actions.
    Fold(Chunk, OwnedSemaphorePermit),
    /// Take in the contributions of a chunk of `foretide.links`.
    Contribute(Chunk, OwnedSemaphorePermit),
    /// Take over profiles and counts from a chunk of `foretide.profiles`.
    Restore(Chunk, OwnedSemaphorePermit),
    /// Take over profiles and counts from a good checkpoint of a partition, if there is one.
    Load(Checkpoints, Limits, oneshot::Sender<Option<u64>>),
    /// Hand out what the thread's partitions have to publish.
    Publish(
        Wanted,
        oneshot::Sender<Result<Vec<Publication>, ProcessorError>>,
    ),
    /// Drop what there is to publish.
    Abandon(oneshot::Sender<()>),
    /// Drop all state of these partitions.
    Forget(Vec<u32>, oneshot::Sender<()>),
    /// Say whether all before went well.
    Settle(oneshot::Sender<Result<(), ProcessorError>>),
}

/// What is wanted of partitions besides what has been folded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// A partition that is to be published even if it has nothing new.
    pub(crate) even: Option<u32>,
    /// Partitions that may have sessions to announce.
    pub(crate) due: Vec<u32>,
}

/// Told what became of each chunk of actions.
pub(crate) type Report = Arc<dyn Fn(&Outcome) + Send + Sync>;

/// The folding threads. They end when it is dropped.
pub(crate) struct FoldPool {
    lanes: Vec<Lane>,
}

/// One thread, as seen from outside.
struct Lane {
    queue: Arc<Queue<Job>>,
    /// About how much its partitions have to publish, in bytes.
    pending_bytes: Arc<AtomicUsize>,
}

impl FoldPool {
    /// Starts `threads` threads.
    pub(crate) fn start(
        folder: &Folder,
        threads: usize,
        report: &Report,
    ) -> Result<Self, ProcessorError> {
        let lanes = (0..threads.max(1)).map(|_| Lane::start(folder.clone(), Arc::clone(report)));
        Ok(Self {
            lanes: lanes.collect::<Result<_, _>>()?,
        })
    }

    /// Lets the records of a chunk of actions be folded; waits while too much waits already.
    pub(crate) async fn fold(&self, chunk: Chunk) -> Result<(), ProcessorError> {
        let queue = self.queue_of(chunk.from.partition);
        let place = queue.place().await?;
        Ok(queue.push_back(Job::Fold(chunk, place))?)
    }

    /// Lets the contributions of a chunk of `foretide.links` be taken in; waits while too much waits already.
    pub(crate) async fn contribute(&self, chunk: Chunk) -> Result<(), ProcessorError> {
        let queue = self.queue_of(chunk.from.partition);
        let place = queue.place().await?;
        Ok(queue.push_back(Job::Contribute(chunk, place))?)
    }

    /// Lets profiles and counts be taken over from a chunk of `foretide.profiles`; waits while too much waits already.
    pub(crate) async fn restore(&self, chunk: Chunk) -> Result<(), ProcessorError> {
        let queue = self.queue_of(chunk.from.partition);
        let place = queue.place().await?;
        Ok(queue.push_back(Job::Restore(chunk, place))?)
    }

    /// Takes over the state of each partition of `limits` from its newest good checkpoint. Returns from where on each one's
    /// profiles are to be read; `None` where there is no good checkpoint.
    pub(crate) async fn load(
        &self,
        checkpoints: &Checkpoints,
        limits: Vec<Limits>,
    ) -> Result<Vec<(u32, Option<u64>)>, ProcessorError> {
        let mut answers = Vec::with_capacity(limits.len());
        for limits in limits {
            let (sender, answer) = oneshot::channel();
            let partition = limits.partition;
            self.queue_of(partition)
                .push_back(Job::Load(checkpoints.clone(), limits, sender))?;
            answers.push((partition, answer));
        }
        let mut loaded = Vec::with_capacity(answers.len());
        for (partition, answer) in answers {
            loaded.push((
                partition,
                answer.await.map_err(|_| ProcessorError::ThreadDied)?,
            ));
        }
        Ok(loaded)
    }

    /// What all partitions have to publish as they are now, before chunks that still wait.
    pub(crate) async fn publish(
        &self,
        wanted: &Wanted,
    ) -> Result<Vec<Publication>, ProcessorError> {
        let mut answers = Vec::with_capacity(self.lanes.len());
        for lane in &self.lanes {
            let (sender, answer) = oneshot::channel();
            let of_lane = |partition: &u32| std::ptr::eq(self.lane_of(*partition), lane);
            let wanted = Wanted {
                even: wanted.even.filter(of_lane),
                due: wanted.due.iter().copied().filter(of_lane).collect(),
            };
            lane.queue.push_front(Job::Publish(wanted, sender))?;
            answers.push(answer);
        }
        let mut publications = Vec::new();
        for answer in answers {
            publications.extend(answer.await.map_err(|_| ProcessorError::ThreadDied)??);
        }
        Ok(publications)
    }

    /// Drops all state of `partitions`, and their chunks that still wait.
    pub(crate) async fn forget(&self, partitions: &[u32]) -> Result<(), ProcessorError> {
        let mut answers = Vec::with_capacity(self.lanes.len());
        for lane in &self.lanes {
            let of_lane = |partition: &u32| std::ptr::eq(self.lane_of(*partition), lane);
            let partitions: Vec<u32> = partitions.iter().copied().filter(of_lane).collect();
            lane.queue.retain(|job| match job {
                Job::Fold(chunk, _) | Job::Contribute(chunk, _) | Job::Restore(chunk, _) => {
                    !partitions.contains(&chunk.from.partition)
                }
                // Left by a restore that was given up.
                Job::Load(_, limits, _) => !partitions.contains(&limits.partition),
                _ => true,
            });
            let (sender, answer) = oneshot::channel();
            lane.queue.push_front(Job::Forget(partitions, sender))?;
            answers.push(answer);
        }
        for answer in answers {
            answer.await.map_err(|_| ProcessorError::ThreadDied)?;
        }
        Ok(())
    }

    /// Drops what there is to publish, and the chunks that still wait. Profiles and counts stay as they are, for readers.
    pub(crate) async fn abandon(&self) -> Result<(), ProcessorError> {
        self.hold().await.ok();
        for lane in &self.lanes {
            let (sender, answer) = oneshot::channel();
            lane.queue.push_back(Job::Abandon(sender))?;
            answer.await.map_err(|_| ProcessorError::ThreadDied)?;
        }
        Ok(())
    }

    /// Drops all chunks that still wait, and waits for those being dealt with.
    pub(crate) async fn hold(&self) -> Result<(), ProcessorError> {
        self.lanes.iter().for_each(|lane| {
            lane.queue.retain(|job| {
                !matches!(job, Job::Fold(..) | Job::Contribute(..) | Job::Restore(..))
            });
        });
        self.settled().await
    }

    /// Waits until all chunks have been dealt with. The error is the first of those restored.
    pub(crate) async fn settled(&self) -> Result<(), ProcessorError> {
        let mut answers = Vec::with_capacity(self.lanes.len());
        for lane in &self.lanes {
            let (sender, answer) = oneshot::channel();
            lane.queue.push_back(Job::Settle(sender))?;
            answers.push(answer);
        }
        let mut outcome = Ok(());
        for answer in answers {
            let settled = answer.await.map_err(|_| ProcessorError::ThreadDied)?;
            outcome = outcome.and(settled);
        }
        outcome
    }

    /// About how much there is to publish, in bytes.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.lanes
            .iter()
            .map(|lane| lane.pending_bytes.load(Ordering::Relaxed))
            .sum()
    }

    /// Whether every chunk has been dealt with.
    pub(crate) fn is_idle(&self) -> bool {
        self.lanes
            .iter()
            .all(|lane| lane.queue.places() == WAITING_CHUNKS)
    }

    fn lane_of(&self, partition: u32) -> &Lane {
        &self.lanes[partition as usize % self.lanes.len()]
    }

    fn queue_of(&self, partition: u32) -> &Queue<Job> {
        &self.lane_of(partition).queue
    }
}

impl Drop for FoldPool {
    fn drop(&mut self) {
        self.lanes.iter().for_each(|lane| lane.queue.close());
    }
}

impl From<Closed> for ProcessorError {
    fn from(Closed: Closed) -> Self {
        Self::ThreadDied
    }
}

impl Lane {
    fn start(folder: Folder, report: Report) -> Result<Self, ProcessorError> {
        let queue = Arc::new(Queue::new(WAITING_CHUNKS));
        let pending_bytes = Arc::new(AtomicUsize::new(0));
        let thread = Thread {
            folder,
            report,
            queue: Arc::clone(&queue),
            pending_bytes: Arc::clone(&pending_bytes),
            partitions: HashMap::new(),
            failed: BTreeMap::new(),
            profile_bytes: FIRST_GUESS_BYTES,
            texts: Texts::default(),
            pieces: Pieces::default(),
        };
        thread::Builder::new()
            .name("foretide-fold".into())
            .spawn(move || thread.run())
            .map_err(|error| ProcessorError::NoThread(error.to_string()))?;
        Ok(Self {
            queue,
            pending_bytes,
        })
    }
}

/// One thread, from inside.
struct Thread {
    folder: Folder,
    report: Report,
    queue: Arc<Queue<Job>>,
    pending_bytes: Arc<AtomicUsize>,
    partitions: HashMap<u32, Pending>,
    /// The first thing that went wrong with each partition in restoring, or in taking in contributions.
    failed: BTreeMap<u32, ProcessorError>,
    /// The mean size of the profiles published last, in bytes.
    profile_bytes: usize,
    /// Categories that events named.
    texts: Texts,
    /// Memory for what is published.
    pieces: Pieces,
}

impl Drop for Thread {
    /// However it ends: whoever waits for it learns so.
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Thread {
    fn run(mut self) {
        while let Some(job) = self.queue.next() {
            self.handle(job);
        }
    }

    /// Does a job. Whoever asked may have gone; then nobody minds the answer.
    fn handle(&mut self, job: Job) {
        match job {
            Job::Fold(chunk, _place) => self.fold(&chunk),
            Job::Contribute(chunk, _place) => self.contribute(&chunk),
            Job::Restore(chunk, _place) => self.restore(&chunk),
            Job::Load(checkpoints, limits, answer) => {
                let _ = answer.send(load(&self.folder, &checkpoints, &limits));
            }
            Job::Publish(wanted, answer) => {
                let published = self.take_failed().map(|()| self.publish(&wanted));
                let _ = answer.send(published);
            }
            Job::Abandon(answer) => {
                self.partitions.clear();
                self.estimate();
                let _ = answer.send(());
            }
            Job::Forget(partitions, answer) => {
                for partition in partitions {
                    self.partitions.remove(&partition);
                    self.failed.remove(&partition);
                    self.folder.forget(partition);
                }
                self.estimate();
                let _ = answer.send(());
            }
            Job::Settle(answer) => {
                let _ = answer.send(self.take_failed());
            }
        }
    }

    /// What went wrong, to be told once.
    fn take_failed(&mut self) -> Result<(), ProcessorError> {
        let failed = mem::take(&mut self.failed).into_values().next();
        failed.map_or(Ok(()), Err)
    }

    fn fold(&mut self, chunk: &Chunk) {
        let pending = self.partitions.entry(chunk.from.partition).or_default();
        let outcome = self.folder.fold(pending, &mut self.texts, chunk);
        (self.report)(&outcome);
        self.estimate();
    }

    fn contribute(&mut self, chunk: &Chunk) {
        let partition = chunk.from.partition;
        // Behind what could not be read the position must not go on.
        if self.failed.contains_key(&partition) {
            return;
        }
        let pending = self.partitions.entry(partition).or_default();
        match self.folder.contribute(pending, chunk) {
            Ok(outcome) => (self.report)(&outcome),
            Err(error) => _ = self.failed.insert(partition, error),
        }
        self.estimate();
    }

    fn restore(&mut self, chunk: &Chunk) {
        let partition = chunk.from.partition;
        if let btree_map::Entry::Vacant(place) = self.failed.entry(partition)
            && let Err(error) = take_over(&self.folder, chunk)
        {
            place.insert(error);
        }
    }

    fn publish(&mut self, wanted: &Wanted) -> Vec<Publication> {
        for partition in wanted.due.iter().chain(&wanted.even) {
            self.partitions.entry(*partition).or_default();
        }
        let mut publications = Vec::new();
        for (partition, pending) in &mut self.partitions {
            let even = wanted.even == Some(*partition);
            if !pending.is_empty() || even || wanted.due.contains(partition) {
                let published = self
                    .folder
                    .publish(*partition, pending, &mut self.pieces, even);
                publications.extend(published);
            }
        }
        let profiles: usize = publications
            .iter()
            .map(|publication| publication.profiles.len())
            .sum();
        let bytes: usize = publications
            .iter()
            .map(|publication| publication.profile_bytes)
            .sum();
        self.profile_bytes = bytes.checked_div(profiles).unwrap_or(self.profile_bytes);
        self.estimate();
        publications
    }

    fn estimate(&self) {
        let bytes = self
            .partitions
            .values()
            .map(|pending| pending.estimated_bytes(self.profile_bytes))
            .sum();
        self.pending_bytes.store(bytes, Ordering::Relaxed);
    }
}
