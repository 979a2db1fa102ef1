//! What every loop of a trainer works with.

use std::sync::Arc;

use foretide_events::{EpochMs, Text};
use foretide_features::FoldRules;
use foretide_ports::{Artefacts, Log, ProfileTable};
use foretide_runtime::{Component, SharedClock};

use crate::{TrainerMetrics, aside::Aside};

/// How long after it is published a version begins to serve, in milliseconds: until then all who read along have it, and what
/// they answer is what later looks find for that instant.
pub(crate) const LEAD_MS: i64 = 5_000;

/// How long a version is kept after the next one took over, in milliseconds: as long as decisions are kept (90 days), and
/// the actions before the oldest of them (30 days).
pub(crate) const KEPT_MS: i64 = 120 * 24 * 3_600_000;

/// What a trainer works with.
#[derive(Clone)]
pub(crate) struct TrainerParts {
    /// Where it publishes.
    pub(crate) log: Arc<dyn Log>,
    /// All profiles.
    pub(crate) table: Arc<ProfileTable>,
    /// By what they are folded.
    pub(crate) rules: FoldRules,
    /// What is published, by itself and by others.
    pub(crate) artefacts: Artefacts,
    /// Whether `artefacts` are those of the log.
    pub(crate) artefacts_ready: Component,
    /// The time of day.
    pub(crate) clock: SharedClock,
    /// What it counts.
    pub(crate) metrics: TrainerMetrics,
    /// Whose turn it is to learn.
    pub(crate) aside: Aside,
    /// Names the process where something is said in its name.
    pub(crate) instance: Text<128>,
}

impl TrainerParts {
    /// The time of day.
    pub(crate) fn now(&self) -> EpochMs {
        EpochMs(self.clock.now_ms())
    }

    /// From when on serves what is published now. Never before or with `newest`, which another trainer may have published
    /// whose clock goes otherwise.
    pub(crate) fn next_since(&self, newest: Option<EpochMs>) -> EpochMs {
        next_since(self.now(), newest)
    }

    /// Whether all profiles and all artefacts are known.
    pub(crate) fn knows_all(&self) -> bool {
        let complete = |partition| self.table.fresh_as_of(partition).is_some();
        self.artefacts_ready.is_ready() && (0..self.table.partitions()).all(complete)
    }

    /// Looks once more, before something is published that was learnt from all profiles: while they were read, partitions may have
    /// gone to another process or become unreadable.
    pub(crate) fn still_knows_all(&self) -> Result<(), Incomplete> {
        if self.knows_all() {
            Ok(())
        } else {
            Err(Incomplete)
        }
    }
}

/// What was read of the profiles is not to be learnt from.
#[derive(Debug, thiserror::Error)]
#[error("profiles or artefacts were being read from the log again meanwhile, so not all were seen")]
pub(crate) struct Incomplete;

/// From when on serves what is published at `now`, where `newest` is when the newest of its kind does.
pub(crate) fn next_since(now: EpochMs, newest: Option<EpochMs>) -> EpochMs {
    let earliest = newest.map_or(EpochMs::EARLIEST, |newest| newest.plus(1));
    now.plus(LEAD_MS).max(earliest)
}

/// `base`, or where it is taken `base-2` and so on: what was published before and comes again is another version, for it serves at
/// another time.
pub(crate) fn free_name(base: &str, is_taken: impl Fn(&str) -> bool) -> Text<64> {
    let mut name = base.to_owned();
    let mut times = 1;
    while is_taken(&name) {
        times += 1;
        name = format!("{base}-{times}");
    }
    Text::new(&name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_serves_a_moment_later_and_after_what_is_there() {
        let now = EpochMs(1_000_000);
        assert_eq!(next_since(now, None), now.plus(LEAD_MS));
        assert_eq!(next_since(now, Some(EpochMs(7))), now.plus(LEAD_MS));
        assert_eq!(next_since(now, Some(now.plus(60_000))), now.plus(60_001));
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let taken = ["a", "a-2"];
        assert_eq!(&*free_name("a", |name| taken.contains(&name)), "a-3");
        assert_eq!(&*free_name("b", |name| taken.contains(&name)), "b");
    }
}
