//! Following the log beside everyone else, and comparing what was served meanwhile.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use foretide_events::{EpochMs, ShopperId};
use foretide_features::{FoldRules, Profile};
use foretide_ports::{ACTIONS, Chunk, LogError, ProfileTable, ReadOnlyLog, Record};
use foretide_runtime::CancellationToken;
use tokio::{sync::mpsc::error::TryRecvError, time::sleep};

use super::{
    Compared, ParityMetrics, Skipped, Vector,
    compare::{Verdict, compare},
    skip,
    tracked::{Told, Tracked},
};

/// How long to wait for records before looking at what was served.
const WAIT: Duration = Duration::from_millis(200);
/// How long to wait before trying again when the log is away.
const PAUSE: Duration = Duration::from_secs(2);
/// The most records looked at a second: answers come first while a long log is read for the first time.
const RECORDS_PER_SECOND: u32 = 200_000;
/// The most shoppers whose profiles are recomputed.
const MAX_SHOPPERS: usize = 100_000;
/// How many vectors wait for the log to be read up to them.
const MAX_WAITING: usize = 4_096;
/// The most features that a warning names.
const NAMED: usize = 20;

/// Recomputes the profiles of sampled shoppers and compares.
pub(crate) struct Follower {
    log: ReadOnlyLog,
    /// The profiles that are served, to see who is linked.
    table: Arc<ProfileTable>,
    rules: FoldRules,
    compared: Compared,
    shoppers: HashMap<ShopperId, Tracked>,
    /// Where the log began when it was first read, and where it is to be read on, by partition.
    begins: Vec<u64>,
    positions: Vec<u64>,
    /// Served, and not yet compared.
    waiting: VecDeque<Vector>,
}

impl Follower {
    /// One that has read nothing yet.
    pub(crate) fn new(
        log: ReadOnlyLog,
        table: Arc<ProfileTable>,
        rules: FoldRules,
        compared: Compared,
    ) -> Self {
        Self {
            log,
            table,
            rules,
            compared,
            shoppers: HashMap::new(),
            begins: Vec::new(),
            positions: Vec::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Follows until `stop`. It begins to read when the first sampled shopper was served.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = self.work() => {}
            () = stop.cancelled() => {}
        }
    }

    async fn work(&mut self) {
        let Some(first) = self.compared.waiting.recv().await else {
            return;
        };
        self.waiting.push_back(first);
        let mut was_away = false;
        loop {
            let Err(error) = self.follow(&mut was_away).await else {
                return;
            };
            if !was_away {
                tracing::warn!(%error, "served features are not compared while the log is away");
            }
            was_away = true;
            sleep(PAUSE).await;
        }
    }

    /// Reads and compares until the log fails; ends when nothing can be served any more.
    async fn follow(&mut self, was_away: &mut bool) -> Result<(), LogError> {
        if self.positions.is_empty() {
            self.begins = self.log.offsets_at(ACTIONS, EpochMs::default()).await?;
            self.positions.clone_from(&self.begins);
        }
        let positions: Vec<_> = (0..).zip(self.positions.iter().copied()).collect();
        let mut reader = self.log.reader(ACTIONS, &positions).await?;
        *was_away = false;
        loop {
            if let Some(chunk) = reader.next(WAIT).await? {
                self.take(&chunk);
                let read = u32::try_from(chunk.records.len()).unwrap_or(u32::MAX);
                if read > 0 {
                    sleep(Duration::from_secs(1) * read / RECORDS_PER_SECOND).await;
                }
            }
            if !self.receive() {
                return Ok(());
            }
            self.compare_what_can_be();
        }
    }

    /// Takes what was served. Says whether more can come.
    fn receive(&mut self) -> bool {
        loop {
            match self.compared.waiting.try_recv() {
                Ok(_) if self.waiting.len() >= MAX_WAITING => self.skip(Skipped::QueueFull),
                Ok(vector) => self.waiting.push_back(vector),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Takes in what a chunk tells of sampled shoppers.
    fn take(&mut self, chunk: &Chunk) {
        let partition = chunk.from.partition;
        for record in &chunk.records {
            self.take_record(partition, record);
        }
        if let Some(position) = self.positions.get_mut(partition as usize) {
            *position = chunk.next_offset;
        }
    }

    /// Only keys are looked at, but of sampled shoppers, and where there is no shopper's key.
    fn take_record(&mut self, partition: u32, record: &Record) {
        let key = std::str::from_utf8(&record.key).ok();
        let named: Option<ShopperId> = key.and_then(|key| key.parse().ok());
        if named.is_some_and(|shopper| !self.compared.sample.holds(&shopper)) {
            return;
        }
        let Some((shopper, told)) = record.value.as_deref().and_then(Told::read) else {
            return;
        };
        let is_ours =
            self.compared.sample.holds(&shopper) && self.table.partition_of(&shopper) == partition;
        let has_room = self.shoppers.len() < MAX_SHOPPERS || self.shoppers.contains_key(&shopper);
        if is_ours && has_room {
            let tracked = self.shoppers.entry(shopper);
            let tracked = tracked.or_insert_with(|| Tracked::new(shopper));
            tracked.push(record.offset, told, &self.rules);
            let count = i64::try_from(self.shoppers.len()).unwrap_or(i64::MAX);
            self.compared.metrics.shoppers.set(count);
        }
    }

    /// Compares those up to whose positions the log was read.
    fn compare_what_can_be(&mut self) {
        for _ in 0..self.waiting.len() {
            let Some(vector) = self.waiting.pop_front() else {
                return;
            };
            if at(&self.positions, self.table.partition_of(&vector.shopper)) < vector.next_offset {
                self.waiting.push_back(vector);
                continue;
            }
            let verdict = self.compare(&vector);
            self.tell(&vector, verdict);
        }
    }

    fn compare(&mut self, vector: &Vector) -> Verdict {
        let shopper = &vector.shopper;
        let is_linked = |profile: &Profile| profile.sources().next().is_some();
        if self.table.read(shopper, is_linked) == Some(true) {
            return Verdict::Skipped(Skipped::Linked);
        }
        let is_whole = at(&self.begins, self.table.partition_of(shopper)) == 0;
        let is_full = self.shoppers.len() >= MAX_SHOPPERS;
        let unknown = Profile::new(*shopper);
        let own = match self.shoppers.get_mut(shopper) {
            Some(tracked) => tracked.at_position(vector.next_offset, &self.rules),
            None if is_full => return Verdict::Skipped(Skipped::TooManyShoppers),
            None => Some(&unknown),
        };
        match own {
            None => Verdict::Skipped(Skipped::Passed),
            Some(own) => compare(vector, own, is_whole, &self.rules),
        }
    }

    fn tell(&self, vector: &Vector, verdict: Verdict) {
        let ParityMetrics {
            compared,
            different,
            ..
        } = &self.compared.metrics;
        match verdict {
            Verdict::Skipped(cause) => return self.skip(cause),
            Verdict::Same => {}
            Verdict::Different(mut features) => {
                different.inc();
                let count = features.len();
                features.truncate(NAMED);
                tracing::warn!(
                    shopper = %vector.shopper,
                    next_offset = vector.next_offset,
                    at = %vector.at,
                    features = count,
                    first = features.join(", "),
                    "features were served that are not what the log comes to"
                );
            }
        }
        compared.inc();
    }

    fn skip(&self, cause: Skipped) {
        skip(&self.compared.metrics, cause);
    }
}

fn at(offsets: &[u64], partition: u32) -> u64 {
    offsets.get(partition as usize).copied().unwrap_or(0)
}
