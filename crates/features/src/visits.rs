//! How long the shopper stays away between two visits.

use foretide_events::EpochMs;

use crate::{
    HalfLife, Reference,
    baseline::{LEAST_SHRUNK_SCALE, PRIOR, bounded},
    moments::Moments,
    prices::HARDLY_ANY,
};

/// The half-life of what is known of it.
pub(crate) const HALF_LIFE: HalfLife = HalfLife::Month;

/// The logarithm of a time away: ln(1 + hours).
pub(crate) fn ln_gap(away_ms: i64) -> f64 {
    libm::log1p(away_ms.max(0) as f64 / 3_600_000.0)
}

/// What is usual, in hours: the geometric mean of what was, each an hour longer. `worth` is what 1 in a sum is worth now.
pub(crate) fn usual_hours(gaps: &Moments, worth: f64) -> Option<f64> {
    let mean = gaps
        .values
        .mean()
        .filter(|_| gaps.values.n * worth >= HARDLY_ANY)?;
    Some(libm::expm1(mean).max(0.0))
}

/// The standard deviation of ln(1 + hours).
pub(crate) fn spread(gaps: &Moments, worth: f64) -> Option<f64> {
    let n = gaps.values.n;
    (n * worth >= HARDLY_ANY).then(|| libm::sqrt(gaps.deviations / n))
}

/// By how many standard deviations the shopper is away longer than usual at `now`, last seen at `last`, shrunk towards the
/// population while little is known. `worth` is what 1 in a sum is worth now.
pub(crate) fn overdue(
    gaps: &Moments,
    worth: f64,
    last: EpochMs,
    now: EpochMs,
    reference: &Reference,
) -> f64 {
    let usual = reference.visit_gap;
    let n = gaps.values.n * worth;
    let mean = usual.location + gaps.values.above(usual.location) * worth / (n + PRIOR);
    let squares = gaps.squares_around(mean) * worth + PRIOR * usual.scale * usual.scale;
    let scale = libm::sqrt(squares / (n + PRIOR)).max(LEAST_SHRUNK_SCALE);
    bounded((ln_gap(now.since(last)) - mean) / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    #[test]
    fn who_comes_daily_is_overdue_after_a_week_and_a_stranger_is_not() {
        let mut daily = Moments::default();
        (0..40).for_each(|_| daily.add(ln_gap(DAY_MS), 1.0));
        let after = |gaps: &Moments, days: i64| {
            let (last, now) = (EpochMs(0), EpochMs(days * DAY_MS));
            overdue(gaps, 1.0, last, now, &Reference::prior())
        };
        assert!((usual_hours(&daily, 1.0).unwrap() - 24.0).abs() < 1e-9);
        assert!(spread(&daily, 1.0).unwrap() <= 0.0);
        assert!(after(&daily, 1).abs() < 0.5);
        assert!(after(&daily, 7) > 3.0);
        assert!(
            after(&Moments::default(), 3).abs() < 1e-12,
            "72 hours are usual"
        );
    }
}
