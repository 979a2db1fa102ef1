//! What the registry keeps of models.
//!
//! Every model that was trained is there with its card (data, figures, catalogue, reference and cohorts, seed), and each change of what
//! serves with its cause. A model that has served is kept as long as decisions that rest on it. One that never did is kept while it may
//! still be promoted, and as one of the latest, to be looked at; with a training every few minutes the others would fill the log.

use std::collections::BTreeSet;

use foretide_events::EpochMs;

/// How long models are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// How long a model is kept after it served last, in milliseconds: longer than decisions are.
    pub served_ms: i64,
    /// How many models that have never served are kept, the latest.
    pub latest: usize,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            served_ms: 120 * 24 * 60 * 60 * 1000,
            latest: 48,
        }
    }
}

/// A model in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered<'a> {
    /// Its name.
    pub version: &'a str,
    /// When it was trained.
    pub created_at: EpochMs,
    /// Until when it served; `None` if it never did.
    pub served_until: Option<EpochMs>,
    /// Whether it serves, is what would be rolled back to, or is a challenger.
    pub is_needed: bool,
}

impl Keeping {
    /// The versions that are not to be kept any more at `now`, by name.
    pub fn outlived<'a>(&self, models: &[Registered<'a>], now: EpochMs) -> BTreeSet<&'a str> {
        let mut never: Vec<&Registered<'a>> = models
            .iter()
            .filter(|model| model.served_until.is_none())
            .collect();
        never.sort_by_key(|model| (model.created_at, model.version));
        let older = never.len().saturating_sub(self.latest);
        let old = |model: &&Registered<'a>| {
            model
                .served_until
                .is_some_and(|until| now.since(until) > self.served_ms)
        };
        let outlived = never[..older]
            .iter()
            .copied()
            .chain(models.iter().filter(old));
        outlived
            .filter(|model| !model.is_needed)
            .map(|model| model.version)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 24 * 60 * 60 * 1000;

    fn model(
        version: &str,
        day: i64,
        served_until: Option<i64>,
        is_needed: bool,
    ) -> Registered<'_> {
        Registered {
            version,
            created_at: EpochMs(day * DAY_MS),
            served_until: served_until.map(|day| EpochMs(day * DAY_MS)),
            is_needed,
        }
    }

    #[test]
    fn what_has_served_is_kept_as_long_as_its_decisions_and_the_latest_of_the_others() {
        let keeping = Keeping {
            latest: 2,
            ..Keeping::default()
        };
        let models = [
            model("served long ago", 0, Some(1), false),
            model("served lately", 0, Some(100), false),
            model("serves", 2, Some(0), true),
            model("challenger", 3, None, true),
            model("oldest", 4, None, false),
            model("older", 5, None, false),
            model("newer", 6, None, false),
            model("newest", 7, None, false),
        ];
        let outlived = keeping.outlived(&models, EpochMs(130 * DAY_MS));
        assert_eq!(
            outlived,
            BTreeSet::from(["served long ago", "oldest", "older"])
        );
        assert!(keeping.outlived(&[], EpochMs(0)).is_empty());
    }
}
