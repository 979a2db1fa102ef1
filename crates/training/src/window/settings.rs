//! What a window goes by.

use foretide_features::{Feature, HalfLife};
use foretide_models::Target;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// What a window goes by.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowSettings {
    /// The most points held of each target; the oldest leave first, whatever their labels.
    pub most_points: usize,
    /// The most decisions held for each target that could have shown an offer; points older than those that left are not learnt from
    /// any more.
    pub most_decisions: usize,
    /// How long after a point of abandonment its label is certain, in milliseconds: the longest session, the gap that ends it, and a grace
    /// for what comes late.
    pub session_certain_after_ms: i64,
    /// For how long after the last action of a session an offer is part of it, in milliseconds.
    pub session_gap_ms: i64,
    /// When a shopper has drifted.
    pub drift: DriftRule,
    /// The most that one untreated point may stand for; a weight beyond is cut, which bounds what a single shopper can do.
    pub most_weight: f64,
}

impl Default for WindowSettings {
    fn default() -> Self {
        Self {
            most_points: 100_000,
            most_decisions: 200_000,
            session_certain_after_ms: 2 * HOUR_MS + 40 * MINUTE_MS,
            session_gap_ms: 30 * MINUTE_MS,
            drift: DriftRule::default(),
            most_weight: 50.0,
        }
    }
}

impl WindowSettings {
    /// How long after a point its label is certain, whatever it is, in milliseconds.
    pub fn certain_after_ms(&self, target: Target) -> i64 {
        match target {
            Target::Drift => self.drift.horizon_ms + self.drift.settles_after_ms,
            Target::Abandonment => self.session_certain_after_ms,
        }
    }
}

/// When a shopper has drifted: what was added to a decayed sum over the horizon is less than a share of what keeps it as it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DriftRule {
    /// The sum, with a half-life of 30 days. Shops that only send purchases take [`Feature::Actions30d`].
    pub measure: Feature,
    /// How long after the point it is looked at again, in milliseconds; at least a day, at most 38.
    pub horizon_ms: i64,
    /// The share, above 0 and below 1.
    pub share: f64,
    /// The least worth of the sum at the point: who did next to nothing cannot do much less.
    pub minimum: f64,
    /// How long late events are waited for, in milliseconds.
    pub settles_after_ms: i64,
}

impl Default for DriftRule {
    fn default() -> Self {
        Self {
            measure: Feature::Engagement30d,
            horizon_ms: 7 * DAY_MS,
            share: 0.5,
            minimum: 3.0,
            settles_after_ms: 25 * HOUR_MS,
        }
    }
}

impl DriftRule {
    /// Whether a shopper drifted whose sum was worth `before`, and `after` is worth `elapsed_ms` later. Who did nothing has kept only what the
    /// half-life leaves, and drifted.
    pub fn drifted(&self, before: f64, after: Option<f64>, elapsed_ms: i64) -> bool {
        let half_lives = elapsed_ms as f64 / HalfLife::Month.ms() as f64;
        let left = libm::exp2(-half_lives);
        let needed = before * (left + self.share * (1.0 - left));
        after.is_none_or(|after| after < needed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WEEK_MS: i64 = 7 * DAY_MS;

    #[test]
    fn whoever_goes_on_as_before_has_not_drifted_and_who_is_gone_has() {
        let rule = DriftRule::default();
        let left = libm::exp2(-7.0 / 30.0);
        for (did, drifted) in [(1.0, false), (0.51, false), (0.49, true), (0.0, true)] {
            let after = 10.0 * left + did * 10.0 * (1.0 - left);
            assert_eq!(rule.drifted(10.0, Some(after), WEEK_MS), drifted, "{did}");
        }
        assert!(rule.drifted(10.0, None, WEEK_MS));
    }

    proptest! {
        #[test]
        fn doing_more_never_makes_a_drifter(before in 1.0..1e6_f64, after in 0.0..1e6_f64, more in 0.0..1e3_f64, days in 1_i64..38) {
            let (rule, elapsed) = (DriftRule::default(), days * DAY_MS);
            if rule.drifted(before, Some(after + more), elapsed) {
                prop_assert!(rule.drifted(before, Some(after), elapsed));
            }
        }

        #[test]
        fn the_unit_of_the_measure_does_not_matter(before in 1.0..1e3_f64, after in 0.0..1e3_f64, days in 1_i64..38) {
            let (rule, elapsed) = (DriftRule::default(), days * DAY_MS);
            let minutes = rule.drifted(before, Some(after), elapsed);
            prop_assert_eq!(rule.drifted(before * 64.0, Some(after * 64.0), elapsed), minutes);
        }
    }
}
