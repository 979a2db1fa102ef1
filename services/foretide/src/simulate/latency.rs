//! Latencies, counted in buckets that grow by a twentieth: any percentile to within five percent, in little memory.

use std::time::Duration;

use parking_lot::Mutex;

const GROWTH: f64 = 1.05;
/// The upper end of the first bucket, in milliseconds.
const FIRST_MS: f64 = 0.05;
/// Enough for a quarter of an hour.
const BUCKETS: usize = 340;

/// Counts of latencies; many tasks may count at once.
pub(super) struct Latencies(Mutex<Counts>);

struct Counts {
    buckets: [u64; BUCKETS],
    most_ms: f64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self(Mutex::new(Counts {
            buckets: [0; BUCKETS],
            most_ms: 0.0,
        }))
    }
}

impl Latencies {
    /// Counts these.
    pub(super) fn add(&self, latencies: impl Iterator<Item = Duration>) {
        let mut counts = self.0.lock();
        for latency in latencies {
            let ms = latency.as_secs_f64() * 1000.0;
            counts.buckets[bucket(ms)] += 1;
            counts.most_ms = counts.most_ms.max(ms);
        }
    }

    /// The latency in milliseconds below which this share of all lies; `None` while there are none.
    pub(super) fn percentile_ms(&self, share: f64) -> Option<f64> {
        let counts = self.0.lock();
        let total: u64 = counts.buckets.iter().sum();
        let mut left = share * total as f64;
        for (index, &count) in counts.buckets.iter().enumerate() {
            left -= count as f64;
            if count > 0 && left <= 1e-9 {
                let upper = FIRST_MS * GROWTH.powi(i32::try_from(index).unwrap_or(0));
                return Some(round(upper.min(counts.most_ms)));
            }
        }
        None
    }

    /// The longest, in milliseconds.
    pub(super) fn longest_ms(&self) -> f64 {
        round(self.0.lock().most_ms)
    }
}

fn bucket(ms: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the buckets there are"
    )]
    let index = ((ms / FIRST_MS).ln() / GROWTH.ln())
        .ceil()
        .clamp(0.0, (BUCKETS - 1) as f64) as usize;
    index
}

fn round(ms: f64) -> f64 {
    (ms * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_within_a_twentieth() {
        let latencies = Latencies::default();
        assert_eq!(latencies.percentile_ms(0.5), None);
        latencies.add((1..=1000).map(Duration::from_millis));
        for (share, ms) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = latencies.percentile_ms(share).unwrap();
            assert!((ms..=ms * 1.06).contains(&found), "{share}: {found}");
        }
        assert!((latencies.longest_ms() - 1000.0).abs() < 1e-9);
        latencies.add([Duration::ZERO, Duration::from_hours(9)].into_iter());
        assert!(latencies.percentile_ms(0.0).unwrap() <= 0.05);
    }
}
