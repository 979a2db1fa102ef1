//! What is played when, in time of the shop.

use std::time::Duration;

use foretide_events::EpochMs;
use foretide_runtime::{Clock as _, SystemClock};
use foretide_simulator::{Settings, Simulator};

use super::args::SimulateArgs;

const DAY_MS: i64 = 86_400_000;

/// The instants of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Timeline {
    /// When the past begins.
    pub(super) from: EpochMs,
    /// When the past ends and the load begins.
    pub(super) load_from: EpochMs,
    /// How many seconds of the shop pass in one.
    speed: f64,
    /// Actions a second.
    pub(super) rate: f64,
}

impl Timeline {
    pub(super) fn of(args: &SimulateArgs) -> Self {
        let now = args.as_of.unwrap_or_else(|| EpochMs(SystemClock.now_ms()));
        // What passes faster than the day would end in the future: it begins so much earlier.
        let load_ms = i64::from(args.load_seconds().unwrap_or(0)) * 1000;
        let ahead_ms = load_ms * (i64::from(args.speed) - 1);
        let load_from = now.plus(-ahead_ms);
        Self {
            from: load_from.plus(-i64::from(args.days) * DAY_MS),
            load_from,
            speed: f64::from(args.speed),
            rate: f64::from(args.rate),
        }
    }

    /// The shoppers, at the beginning of the past.
    pub(super) fn simulator(&self, args: &SimulateArgs) -> Simulator {
        Simulator::new(Settings {
            waits: false,
            drift_after_days: (0.0, f64::from(args.days.max(30)) * 1.5),
            ..Settings::new(args.seed, args.shoppers, self.from)
        })
    }

    /// Lets the load begin: so busy that it comes to the rate, with the hour of the day no longer mattering.
    pub(super) fn begin_load(&self, simulator: &mut Simulator) {
        simulator.set_rhythm(false);
        simulator.set_rate(self.rate / self.speed);
    }

    /// What to say if the shoppers, who are in the shop all the time by then, are too few for the rate.
    pub(super) fn too_few(&self, simulator: &Simulator) -> Option<String> {
        let times = self.rate / self.speed / simulator.rate();
        (times > 1.1).then(|| {
            format!(
                "{} shoppers are too few for {} actions a second: they live {times:.1} times as fast as --speed says. Give more \
                 --shoppers to have ordinary visits",
                simulator.settings().shoppers,
                self.rate
            )
        })
    }

    /// How long after the beginning of the load action number `number` is due.
    pub(super) fn due(&self, number: u64) -> Duration {
        Duration::from_secs_f64(number as f64 / self.rate)
    }

    /// How many actions of the load are due after `elapsed`.
    pub(super) fn due_by(&self, elapsed: Duration) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, and far from the end of the range"
        )]
        let due = (elapsed.as_secs_f64() * self.rate) as u64;
        due
    }

    /// What the shop's clock shows when action number `number` of the load is due.
    pub(super) fn at(&self, number: u64) -> EpochMs {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "far from the end of the range"
        )]
        let elapsed_ms = (number as f64 / self.rate * self.speed * 1000.0) as i64;
        self.load_from.plus(elapsed_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shoppers_who_are_too_few_for_the_rate_are_told_of() {
        let now = EpochMs(1_800_000_000_000);
        let timeline = Timeline {
            from: now,
            load_from: now,
            speed: 1.0,
            rate: 50.0,
        };
        let warning = |shoppers| {
            let mut simulator = Simulator::new(Settings::new(7, shoppers, now));
            timeline.begin_load(&mut simulator);
            timeline.too_few(&simulator)
        };
        assert!(warning(20).is_some_and(|text| text.contains("--shoppers")));
        assert_eq!(warning(20_000), None);
    }

    #[test]
    fn a_load_that_runs_faster_than_the_day_ends_now() {
        let now = EpochMs(1_800_000_000_000);
        let timeline = Timeline {
            from: now,
            load_from: now.plus(-59 * 10_000),
            speed: 60.0,
            rate: 100.0,
        };
        // After ten seconds of load, the clock shows ten seconds after `now`, which is the time it then is.
        assert_eq!(timeline.at(1_000), now.plus(10_000));
        assert_eq!(timeline.due(1_000), Duration::from_secs(10));
        assert_eq!(timeline.due_by(Duration::from_secs(10)), 1_000);
    }
}
