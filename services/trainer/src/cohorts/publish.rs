//! Which re-formings are published, and what of the cohorts is taken away.

use std::sync::Arc;

use foretide_cohorts::{Change, Cohorts};
use foretide_events::EpochMs;
use foretide_ports::{CohortVersions, CohortsVersion};

use crate::parts::{KEPT_MS, free_name};

/// Up to which share of shoppers who would move the cohorts count as unchanged.
const HARDLY_ANYONE: f64 = 0.05;

/// The most versions that are kept: more than two weeks of one every five minutes.
const MOST_KEPT: usize = 5_000;

/// Whether `candidate` is worth a version where `moved` is the share of shoppers who would be in another cohort; `None` where
/// nothing serves yet. Each version moves shoppers, and leaves the corrections that models have for the cohorts before.
pub(super) fn matters(candidate: &Cohorts, moved: Option<f64>) -> bool {
    let is_kept = |change: &Change| matches!(change, Change::Kept { .. });
    let is_another_set = !candidate.lineage.iter().all(is_kept);
    is_another_set || moved.is_none_or(|moved| moved > HARDLY_ANYONE)
}

/// `cohorts`, whose shoppers were read as of `at`, as they are published under a name that is free.
pub(super) fn version_of(
    cohorts: Cohorts,
    at: EpochMs,
    since: EpochMs,
    known: &CohortVersions,
) -> CohortsVersion {
    let base = format!("cohorts-{:08x}", cohorts.content_hash() >> 32);
    let version = free_name(&base, |name| known.get(name).is_some());
    CohortsVersion {
        shoppers: cohorts.shoppers,
        cohorts: Arc::new(cohorts.named(version.clone(), since)),
        version,
        as_of: Some(at),
        since,
    }
}

/// The versions that nobody asks for any more: those that have not served for long, and the oldest where there are too many.
pub(super) fn outlived(known: &CohortVersions, now: EpochMs) -> Vec<Arc<CohortsVersion>> {
    let all = known.all();
    let too_many = all.len().saturating_sub(MOST_KEPT);
    let next = all.iter().skip(1);
    let old = all
        .iter()
        .zip(next)
        .enumerate()
        .filter(|(place, (_, next))| *place < too_many || now.since(next.since) > KEPT_MS);
    old.map(|(_, (version, _))| Arc::clone(version)).collect()
}
