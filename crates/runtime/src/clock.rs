//! The time of day, as an argument: what needs it takes a [`Clock`], so that tests can move time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Tells the time of day.
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;
}

/// A clock that many tasks share.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        now_us().div_euclid(1000)
    }
}

/// Microseconds since the Unix epoch, by the machine's clock.
pub(crate) fn now_us() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the time of day comes in"
    )]
    let now = SystemTime::now();
    let to_us = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    match now.duration_since(UNIX_EPOCH) {
        Ok(since) => to_us(since),
        Err(before) => -to_us(before.duration()),
    }
}

/// A clock that runs faster than the day, from a given instant on: one hour a minute at speed 60. It never runs backwards,
/// whatever the machine's clock does. Clones share one time.
#[derive(Clone, Copy, Debug)]
pub struct ScaledClock {
    from: Instant,
    from_ms: i64,
    speed: f64,
}

impl ScaledClock {
    /// Shows `from_ms` (milliseconds since the Unix epoch) now and runs on at `speed`, which is brought between 0 and a
    /// million.
    pub fn starting_at(from_ms: i64, speed: f64) -> Self {
        let speed = if speed.is_nan() { 1.0 } else { speed };
        Self {
            from: Instant::now(),
            from_ms,
            speed: speed.clamp(0.0, 1e6),
        }
    }

    /// How many of its seconds pass in one.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    fn shows_after(&self, elapsed: Duration) -> i64 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float beyond the range is cut to its end: the last instant there is"
        )]
        let elapsed_ms = (elapsed.as_secs_f64() * 1000.0 * self.speed) as i64;
        self.from_ms.saturating_add(elapsed_ms)
    }
}

impl Clock for ScaledClock {
    fn now_ms(&self) -> i64 {
        self.shows_after(self.from.elapsed())
    }
}

/// A clock that stands still until it is moved. Clones share one time.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// Starts at `now_ms` milliseconds since the Unix epoch.
    pub fn at(now_ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(now_ms)))
    }

    /// Moves to `now_ms` milliseconds since the Unix epoch.
    pub fn set(&self, now_ms: i64) {
        self.0.store(now_ms, Ordering::SeqCst);
    }

    /// Moves on by `milliseconds`, or back if negative.
    pub fn advance(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_clock_is_past_the_day_this_was_written() {
        assert!(SystemClock.now_ms() > 1_763_000_000_000);
    }

    #[test]
    fn a_scaled_clock_shows_so_many_seconds_for_each() {
        let clock = ScaledClock::starting_at(1_000, 60.0);
        assert_eq!(clock.shows_after(Duration::ZERO), 1_000);
        assert_eq!(clock.shows_after(Duration::from_millis(2_500)), 151_000);
        assert!(clock.now_ms() >= 1_000);
        let still = ScaledClock::starting_at(1_000, -3.0);
        assert_eq!((still.speed(), still.now_ms()), (0.0, 1_000));
        let far = ScaledClock::starting_at(i64::MAX - 5, f64::INFINITY);
        assert_eq!(far.shows_after(Duration::from_hours(1)), i64::MAX);
    }

    #[test]
    fn a_manual_clock_moves_only_when_told_and_for_all_its_clones() {
        let clock = ManualClock::at(1_000);
        let shared: SharedClock = Arc::new(clock.clone());
        assert_eq!(shared.now_ms(), 1_000);
        clock.advance(500);
        assert_eq!(shared.now_ms(), 1_500);
        clock.set(-1);
        assert_eq!(shared.now_ms(), -1);
    }
}
