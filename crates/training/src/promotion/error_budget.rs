//! How an error is split over a row of tests that has no end.

/// The sum over n ≥ 2 of 1 / (n · ln² n), from above.
const ALL_PARTS: f64 = 2.11;

/// The part of an error that the test after `earlier` others gets: proportional to 1 / (n · ln² n) for n = `earlier` + 2. All parts
/// together are at most 1.
pub fn error_part(earlier: u64) -> f64 {
    let n = earlier.saturating_add(2) as f64;
    let log = libm::log(n);
    1.0 / (n * log * log * ALL_PARTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_together_are_hardly_less_than_everything() {
        let first = 1_000_000;
        let sum: f64 = (0..first).map(error_part).sum();
        // What is left after n is less than the integral of the same: 1 / ln n.
        let rest = 1.0 / libm::log((first + 1) as f64) / ALL_PARTS;
        assert!(sum + rest <= 1.0, "{}", sum + rest);
        assert!(sum + rest > 0.99, "{}", sum + rest);
    }

    #[test]
    fn later_tests_get_less_but_never_nothing() {
        assert!((0..1000).all(|earlier| error_part(earlier + 1) < error_part(earlier)));
        assert!(error_part(u64::MAX) > 0.0);
        // A year of a challenger every five minutes: 17 nats more than the first, where halving each time would take 70 thousand.
        let nats = libm::log(error_part(0) / error_part(105_120));
        assert!((14.0..18.0).contains(&nats), "{nats}");
    }
}
