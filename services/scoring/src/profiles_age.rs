//! How old what this instance knows is, for the operator: answers say it of their own shopper.

use std::{sync::Arc, time::Duration};

use foretide_events::EpochMs;
use foretide_ports::ProfileTable;
use foretide_runtime::{CancellationToken, SharedClock};
use tokio::time::timeout;

/// How often it is worked out.
const EVERY: Duration = Duration::from_secs(1);

foretide_runtime::metrics! {
    /// What can be watched of the profiles.
    pub(crate) struct ProfileMetrics {
        /// How long ago everything on the log was in the profiles answered from, in seconds, in the partition where it is
        /// longest; +Inf until all are there.
        pub(crate) age: Gauge = "foretide_scoring_profiles_age_seconds",
        /// Profiles that this instance answers from.
        pub(crate) profiles: IntGauge = "foretide_scoring_profiles",
    }
}

impl ProfileMetrics {
    /// Keeps them up to date until `stop`.
    pub(crate) async fn watch(
        self,
        table: Arc<ProfileTable>,
        clock: SharedClock,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        while !stop.is_cancelled() {
            self.age.set(age_s(&table, EpochMs(clock.now_ms())));
            self.profiles
                .set(i64::try_from(table.len()).unwrap_or(i64::MAX));
            let _ = timeout(EVERY, stop.cancelled()).await;
        }
        Ok(())
    }
}

fn age_s(table: &ProfileTable, now: EpochMs) -> f64 {
    let age = |partition| match table.fresh_as_of(partition) {
        Some(as_of) => now.since(as_of).max(0) as f64 / 1000.0,
        None => f64::INFINITY,
    };
    (0..table.partitions()).map(age).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_partition_counts_and_one_that_is_not_there_most_of_all() {
        let table = ProfileTable::new(2);
        let now = EpochMs(10_000);
        table.set_fresh(0, EpochMs(9_000));
        assert!(age_s(&table, now).is_infinite());
        table.set_fresh(1, EpochMs(7_500));
        assert!((age_s(&table, now) - 2.5).abs() < 1e-9);
    }
}
