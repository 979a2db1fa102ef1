//! One number for all profiles of a log, as it is now, without disturbing whoever works on it.

use std::sync::Arc;

use foretide_features::{FoldRules, ProfileDigest};
use foretide_ports::{ACTIONS, Log, PROFILES, ProfileTable};
use foretide_runtime::CancellationToken;
use serde::Serialize;

use crate::{
    GROUP, ProcessorError, SourceCounts,
    fold::Folder,
    pool::FoldPool,
    reading::{Reading, Until},
};

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

/// Reads the published profiles of all `partitions` of `log`, folds what follows them by `rules`, and sums up. It publishes
/// nothing and joins no group, so it can be asked of a live log as well as of a stopped server's; it covers at least
/// everything that was on the log when it was asked. `progress` is told the number of records dealt with so far.
pub async fn digest(
    log: Arc<dyn Log>,
    partitions: u32,
    rules: FoldRules,
    mut progress: impl FnMut(u64) + Send,
) -> Result<DigestReport, ProcessorError> {
    let table = ProfileTable::new(partitions);
    let counts = SourceCounts::new(partitions);
    let folder = Folder {
        table: Arc::clone(&table),
        counts: Arc::clone(&counts),
        rules,
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let pool = FoldPool::start(&folder, threads, &(Arc::new(|_: &_| {}) as _))?;

    // Waits for transactions on their way: what they commit is then before the ends.
    log.committed(GROUP, ACTIONS).await?;
    let (profile_ends, action_ends) = (
        log.end_offsets(PROFILES).await?,
        log.end_offsets(ACTIONS).await?,
    );
    let never = CancellationToken::new();
    let begins: Vec<_> = (0..partitions).map(|partition| (partition, 0)).collect();
    let mut records = 0;
    let mut reading =
        Reading::begin(&*log, PROFILES, &begins, &profile_ends, Until::End, &never).await?;
    while let Some(chunk) = reading.next().await? {
        records += chunk.records.len() as u64;
        progress(records);
        pool.restore(chunk).await?;
    }
    pool.settled().await?;

    let begins: Vec<_> = (0..partitions)
        .map(|partition| (partition, counts.applied(partition)))
        .collect();
    let mut reading =
        Reading::begin(&*log, ACTIONS, &begins, &action_ends, Until::Noted, &never).await?;
    while let Some(chunk) = reading.next().await? {
        records += chunk.records.len() as u64;
        progress(records);
        pool.fold(chunk).await?;
    }
    pool.settled().await?;
    Ok(sum_up(&table, &counts))
}

fn sum_up(table: &ProfileTable, counts: &SourceCounts) -> DigestReport {
    let mut digest = ProfileDigest::new();
    for partition in 0..table.partitions() {
        table.for_each(partition, |profile| digest.add(profile));
    }
    DigestReport {
        shoppers: digest.shoppers() as u64,
        digest: digest.finish(),
        events: counts.total().folded,
    }
}
