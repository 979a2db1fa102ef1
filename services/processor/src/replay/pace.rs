//! How fast the log's time passes in a replay.

use std::str::FromStr;

use foretide_events::EpochMs;
use tokio::time::{Duration, Instant};

/// How many times as fast as it was appended the log is folded again: 1 as fast, 60 an hour a minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed(f64);

impl Speed {
    /// The greatest speed that is still a pace: a year in about three seconds.
    pub const MAX: f64 = 1e7;

    /// The speed.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Speed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let speed = text.parse().ok();
        speed
            .filter(|speed| (1e-3..=Self::MAX).contains(speed))
            .map(Self)
            .ok_or("a speed is a number from 0.001 to 10000000, such as 1 or 60")
    }
}

/// A replay's own clock, which began when the first of its records was appended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    speed: Speed,
    log_began: EpochMs,
    began: Instant,
}

impl Pace {
    /// Begins now with a record that was appended at `log_began`.
    pub(super) fn begin(speed: Speed, log_began: EpochMs) -> Self {
        Self {
            speed,
            log_began,
            began: Instant::now(),
        }
    }

    /// When the turn of a record comes that was appended at `at`.
    pub(super) fn due(&self, at: EpochMs) -> Instant {
        let after_ms = at.since(self.log_began).max(0) as f64 / self.speed.0;
        // Within what a duration holds: beyond, nobody waits.
        self.began + Duration::from_secs_f64((after_ms / 1000.0).min(1e9))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_hour_of_the_log_takes_a_minute_at_sixty() {
        let pace = Pace::begin("60".parse().unwrap(), EpochMs(1_000));
        let began = Instant::now();
        let after = |at| pace.due(EpochMs(at)) - began;
        assert_eq!(after(1_000), Duration::ZERO);
        assert_eq!(after(3_601_000), Duration::from_mins(1));
        assert_eq!(after(0), Duration::ZERO, "a log's clock may go back");
        assert!(after(i64::MAX) > Duration::from_secs(1_000_000));
    }

    #[test]
    fn a_speed_that_is_none_is_refused() {
        for odd in ["", "0", "-1", "NaN", "inf", "fast", "1e9"] {
            assert!(odd.parse::<Speed>().is_err(), "{odd}");
        }
    }
}
