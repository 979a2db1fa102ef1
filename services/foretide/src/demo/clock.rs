//! The clock that server and shoppers live by: moved by hand until the past is told, running from the opening on.

use std::sync::{
    OnceLock,
    atomic::{AtomicI64, Ordering},
};

use foretide_events::EpochMs;
use foretide_runtime::{Clock, ScaledClock};

/// The clock of the shop.
#[derive(Debug)]
pub(super) struct ShopClock {
    held_at: AtomicI64,
    running: OnceLock<ScaledClock>,
}

impl ShopClock {
    /// A clock that shows `at` until it is moved.
    pub(super) fn held_at(at: EpochMs) -> Self {
        Self {
            held_at: AtomicI64::new(at.0),
            running: OnceLock::new(),
        }
    }

    pub(super) fn is_held(&self) -> bool {
        self.running.get().is_none()
    }

    /// Moves it on to `at` while it is held. It never goes back.
    pub(super) fn show(&self, at: EpochMs) {
        self.held_at.fetch_max(at.0, Ordering::AcqRel);
    }

    /// Lets it run on from what it shows, `speed` times as fast as the day.
    pub(super) fn run(&self, speed: f64) {
        let from_ms = self.now_ms();
        self.running
            .get_or_init(|| ScaledClock::starting_at(from_ms, speed));
    }
}

impl Clock for ShopClock {
    fn now_ms(&self) -> i64 {
        match self.running.get() {
            Some(running) => running.now_ms(),
            None => self.held_at.load(Ordering::Acquire),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_until_it_is_moved_and_runs_on_from_there() {
        let clock = ShopClock::held_at(EpochMs(5_000));
        assert_eq!((clock.is_held(), clock.now_ms()), (true, 5_000));
        clock.show(EpochMs(7_000));
        clock.show(EpochMs(6_000));
        assert_eq!(clock.now_ms(), 7_000);
        clock.run(1_000.0);
        clock.show(EpochMs(1_000_000_000));
        assert!(!clock.is_held() && (7_000..900_000_000).contains(&clock.now_ms()));
    }
}
