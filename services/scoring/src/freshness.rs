//! How old what is known may be, and when that must be said.

use foretide_decision::{Reason, ReasonCode};
use foretide_events::EpochMs;
use foretide_ports::ProfileTable;

/// How fresh the profiles of a shopper's partition are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Everything that was on the log this many milliseconds before `at` is in the profiles. Never negative.
    Age(i64),
    /// The profiles are still being restored.
    NotReady,
}

impl Freshness {
    /// How fresh what `table` knows of the shoppers of `partition` is for an answer about `at` (or `now`, where that is earlier).
    pub(crate) fn of(table: &ProfileTable, partition: u32, at: EpochMs, now: EpochMs) -> Self {
        match table.fresh_as_of(partition) {
            Some(as_of) => Self::Age(at.min(now).since(as_of).max(0)),
            None => Self::NotReady,
        }
    }

    /// The age in milliseconds; `None` while it is not known.
    pub(crate) fn age_ms(self) -> Option<i64> {
        match self {
            Self::Age(age_ms) => Some(age_ms),
            Self::NotReady => None,
        }
    }

    /// Why an answer that rests on it is degraded, if it is.
    pub(crate) fn degrades(self, max_age_ms: i64) -> Option<Reason> {
        match self {
            Self::Age(age_ms) if age_ms > max_age_ms => Some(Reason::new(
                ReasonCode::StaleFeatures,
                format!(
                    "what is known of the shopper is {age_ms} ms old, more than {max_age_ms} ms"
                ),
            )),
            Self::Age(_) => None,
            Self::NotReady => Some(Reason::new(
                ReasonCode::FeaturesNotReady,
                "the shopper's profile is still being restored",
            )),
        }
    }
}
