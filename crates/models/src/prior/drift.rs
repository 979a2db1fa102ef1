//! That engagement falls: the shopper against the shopper's own past.

use super::{Inputs, log_odds};
use crate::{Contribution, Prediction};

/// Where a shopper starts of whom nothing is known.
const START: f64 = 0.30;

const TREND_WEIGHT: f64 = 2.0;
const TREND_LIMIT: f64 = 3.0;
/// Below this the logarithm says no more.
const SMALLEST_TREND: f64 = 0.01;

const SILENCE_WEIGHT: f64 = 0.8;
/// Being here now says little: shoppers drift away visit by visit.
const SILENCE_LEAST: f64 = -0.3;
const SILENCE_MOST: f64 = 3.0;
/// The gap between visits assumed of a shopper who has not come back yet, in days.
const UNKNOWN_GAP_DAYS: f64 = 7.0;
/// Added to silence and gap, in days, so that hours are not taken for a trend.
const SMALL_GAP_DAYS: f64 = 0.5;

/// Predicts from bounded `inputs`.
pub(super) fn predict(inputs: &Inputs) -> Prediction {
    let mut terms = vec![Contribution::base(log_odds(START))];
    if let Some(trend) = inputs.engagement_trend {
        let log_odds = -TREND_WEIGHT * libm::log(trend.max(SMALLEST_TREND));
        terms.push(Contribution::of(
            "engagement_trend_7d",
            trend,
            log_odds.clamp(-TREND_LIMIT, TREND_LIMIT),
        ));
    }
    if let Some(seconds) = inputs.seconds_since_seen {
        let usual = inputs.usual_gap_days.unwrap_or(UNKNOWN_GAP_DAYS);
        let silence = (seconds / 86_400.0 + SMALL_GAP_DAYS) / (usual + SMALL_GAP_DAYS);
        let log_odds = SILENCE_WEIGHT * libm::log(silence);
        terms.push(Contribution::of(
            "silence_to_usual_gap",
            silence,
            log_odds.clamp(SILENCE_LEAST, SILENCE_MOST),
        ));
    }
    Prediction::of(terms)
}
