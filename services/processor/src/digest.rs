//! One number for all profiles of a log, as it is now, without disturbing whoever works on it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use foretide_events::ShopperId;
use foretide_features::{FoldRules, ProfileDigest};
use foretide_ports::{ACTIONS, Log, PROFILES, ProfileTable, ReadOnlyLog};
use foretide_runtime::{CancellationToken, SharedClock, SystemClock};
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    GROUP, ProcessorError, SourceCounts,
    contributions::LinkBook,
    fold::{Folder, Lates},
    outdated::Outdated,
    pool::FoldPool,
    reading::{Reading, Until},
    take_over::check_counts,
};

/// How often to read on where the profiles were ahead of their counts, and how long to wait before.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// What `foretide digest` tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DigestReport {
    /// The digest of all current states, in hexadecimal digits. Equal digests mean equal profiles.
    pub digest: String,
    /// The number of shoppers.
    pub shoppers: u64,
    /// The number of events that are part of their profiles.
    pub events: u64,
}

/// The profiles and counts of all that a log held at one moment.
#[derive(Clone)]
pub struct FoldedLog {
    /// The profiles.
    pub table: Arc<ProfileTable>,
    /// What became of the events, and up to where each partition is applied.
    pub counts: Arc<SourceCounts>,
    outdated: Outdated,
    lates: Lates,
    link_book: LinkBook,
}

/// Sums up what [`fold_all`] finds on `log`.
pub async fn digest(
    log: Arc<dyn Log>,
    partitions: u32,
    rules: FoldRules,
    progress: impl FnMut(u64) + Send,
) -> Result<DigestReport, ProcessorError> {
    let folded = fold_all(&ReadOnlyLog::new(log), partitions, rules, progress).await?;
    Ok(folded.digest())
}

/// Reads the published profiles of all `partitions` of `log` and folds what follows them by `rules`, until every link is
/// applied that follows from it, be it not yet where processors are. It publishes nothing and
/// joins no group, so it can be asked of a live log as well as of a stopped server's; it covers at least everything that was
/// on the log when it was asked. `progress` is told the number of records dealt with so far.
pub async fn fold_all(
    log: &ReadOnlyLog,
    partitions: u32,
    rules: FoldRules,
    mut progress: impl FnMut(u64) + Send,
) -> Result<FoldedLog, ProcessorError> {
    let folded = FoldedLog::nothing(partitions);
    let pool = folded.pool(rules)?;

    // Waits for transactions on their way: what they commit is then before the ends.
    log.committed(GROUP, ACTIONS).await?;
    let never = CancellationToken::new();
    let mut positions: BTreeMap<u32, u64> = (0..partitions).map(|p| (p, 0)).collect();
    let mut records = 0;
    for attempt in 1.. {
        let ends = log.end_offsets(PROFILES).await?;
        let begins: Vec<_> = positions.iter().map(|(p, begin)| (*p, *begin)).collect();
        let reader = log.reader(PROFILES, &begins).await?;
        let mut reading = Reading::of(reader, &begins, &ends, Until::End, &never);
        while let Some(chunk) = reading.next().await? {
            records += chunk.records.len() as u64;
            progress(records);
            positions.insert(chunk.from.partition, chunk.next_offset);
            pool.restore(chunk).await?;
        }
        pool.settled().await?;
        folded.outdated.check()?;
        if !folded.is_torn() {
            break;
        }
        if attempt == ATTEMPTS {
            tracing::warn!(
                "the published counts stay behind their profiles: events are counted short"
            );
            break;
        }
        sleep(PAUSE).await;
    }

    check_counts(&folded.table, &folded.counts, 0..partitions)?;
    // Noted only now: the links that the profiles' owners announced in the same commits are then before the ends.
    let action_ends = log.end_offsets(ACTIONS).await?;
    let begins: Vec<_> = (0..).zip(folded.positions()).collect();
    let reader = log.reader(ACTIONS, &begins).await?;
    let mut reading = Reading::of(reader, &begins, &action_ends, Until::Noted, &never);
    while let Some(chunk) = reading.next().await? {
        records += chunk.records.len() as u64;
        progress(records);
        pool.fold(chunk).await?;
    }
    pool.settled().await?;
    folded.hand_over(&rules, |_| true);
    Ok(folded)
}

impl FoldedLog {
    /// Nothing folded yet, in any of `partitions`.
    pub(crate) fn nothing(partitions: u32) -> Self {
        Self {
            table: ProfileTable::new(partitions),
            counts: SourceCounts::new(partitions),
            outdated: Outdated::default(),
            lates: Lates::default(),
            link_book: LinkBook::default(),
        }
    }

    /// Nothing folded yet, to be folded onto.
    pub fn empty(partitions: u32) -> Self {
        Self::nothing(partitions)
    }

    /// Threads that fold into it by `rules`, as many as the machine runs at once.
    pub(crate) fn pool(&self, rules: FoldRules) -> Result<FoldPool, ProcessorError> {
        let clock: SharedClock = Arc::new(SystemClock);
        let folder = Folder {
            outdated: self.outdated.clone(),
            lates: Some(Arc::clone(&self.lates)),
            link_book: Some(self.link_book.clone()),
            ..Folder::new(&self.table, &self.counts, rules, &clock)
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        FoldPool::start(&folder, threads, &(Arc::new(|_: &_| {}) as _))
    }

    /// Applies every link of what was folded, within the partitions that `is_held` says: to be called when all else is done,
    /// and again after more was folded.
    pub(crate) fn hand_over(&self, rules: &FoldRules, is_held: impl Fn(u32) -> bool) {
        self.link_book.hand_over(&self.table, rules, is_held);
    }

    /// Says that everything on `foretide.links` up to `ends` is part of what was folded.
    pub(crate) fn take_as_linked(&self, ends: &[u64]) {
        for (partition, end) in (0..).zip(ends) {
            self.counts
                .update(partition, |counts| counts.next_link = *end);
        }
    }

    /// The shoppers of whom an event was late when it was folded here.
    pub(crate) fn lates(&self) -> BTreeSet<ShopperId> {
        self.lates.lock().clone()
    }

    /// Up to where each partition of `foretide.actions` is applied.
    pub fn positions(&self) -> Vec<u64> {
        let partitions = 0..self.table.partitions();
        partitions
            .map(|partition| self.counts.applied(partition))
            .collect()
    }

    /// Sums up.
    pub fn digest(&self) -> DigestReport {
        let mut digest = ProfileDigest::new();
        for partition in 0..self.table.partitions() {
            self.table.for_each(partition, |profile| {
                // Who is known by a link alone has done nothing.
                if profile.newest_at().is_some() {
                    digest.add(profile);
                }
            });
        }
        DigestReport {
            shoppers: digest.shoppers() as u64,
            digest: digest.finish(),
            events: self.counts.total().folded,
        }
    }

    /// Whether a profile has applied more than the counts beside it, so that what it applied could not be counted any more:
    /// the reading of a live log ended within a commit.
    fn is_torn(&self) -> bool {
        (0..self.table.partitions()).any(|partition| {
            let mut applied = 0;
            self.table.for_each(partition, |profile| {
                applied = applied.max(profile.next_offset());
            });
            applied > self.counts.applied(partition)
        })
    }
}
