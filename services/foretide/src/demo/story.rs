//! What is played: a shop with regulars whose past is known, newcomers, and what became of it so far.

use foretide_events::EpochMs;
use foretide_simulator::{Settings, Simulator, Temperament};

use super::ledger::Ledger;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The shop's clock begins at this hour (UTC): most of a busy day lies ahead.
const OPENS_AT_HOUR: i64 = 8;
/// For how long the regulars have been coming already: long enough to know what is usual for them.
const PAST_DAYS: i64 = 80;
/// How many regulars have a past: what they did is sent before the shop opens.
const REGULARS: u32 = 260;
/// The share of each temperament. More drift than in most shops: few of them are in the shop on any day, and how that is
/// seen and answered is to be seen soon.
const MIX: [f64; 5] = [0.11, 0.1, 0.107, 0.68, 0.003];
/// The engagement of those who drift begins to fall so many days after they came first: late enough to be known well,
/// early enough that they have been drifting for weeks when the shop opens.
const DRIFT_AFTER_DAYS: (f64, f64) = (28.0, 42.0);
const DRIFT_HALF_LIFE_DAYS: f64 = 2.0;
/// Those who drifted still drop in now and then, for a glance.
const LEAST_ENGAGEMENT: f64 = 0.11;
/// Offers are asked for from the evening before the opening on: there is something to see when the view begins.
pub(super) const ASKED_BEFORE_MS: i64 = 14 * HOUR_MS;
/// What a shopper does on an average day, roughly: enough to choose how many there are.
const ACTIONS_A_DAY: f64 = 6.0;
const MOST_SHOPPERS: f64 = 200_000.0;

/// The shoppers, and what became of them.
pub(super) struct Story {
    pub(super) simulator: Simulator,
    pub(super) ledger: Ledger,
    /// Regulars with an account, by number: those whose drift is watched for.
    pub(super) watched: Vec<u32>,
    /// When the view begins.
    pub(super) opens_at: EpochMs,
    /// The actions a second of shop time from then on.
    pub(super) rate: f64,
}

impl Story {
    /// The story of `seed` with about `rate` actions a second of shop time from `opens_at` on.
    pub(super) fn begin(seed: u64, rate: f64, opens_at: EpochMs) -> Self {
        let wanted = (rate * 86_400.0 / ACTIONS_A_DAY).clamp(f64::from(REGULARS), MOST_SHOPPERS);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to a small positive range"
        )]
        let shoppers = wanted as u32;
        let settings = Settings {
            established: REGULARS,
            newcomers_from: opens_at,
            mix: MIX,
            drift_after_days: DRIFT_AFTER_DAYS,
            drift_half_life_days: DRIFT_HALF_LIFE_DAYS,
            least_engagement: LEAST_ENGAGEMENT,
            ..Settings::new(seed, shoppers, opens_at.plus(-PAST_DAYS * DAY_MS))
        };
        let simulator = Simulator::new(settings);
        let has_account = |number: &u32| {
            let temperament = simulator.truth(*number, opens_at).temperament;
            matches!(temperament, Temperament::Drifting | Temperament::Loyal)
        };
        Self {
            watched: (0..REGULARS).filter(has_account).collect(),
            simulator,
            ledger: Ledger::default(),
            opens_at,
            rate,
        }
    }

    /// When the shop's clock begins, if it is `now`: the next time that the hour comes. Not the last time, lest what is sent
    /// with the time of day be from the future.
    pub(super) fn opening(now: EpochMs) -> EpochMs {
        let hour_ms = OPENS_AT_HOUR * HOUR_MS;
        let days = (now.0 - hour_ms).div_euclid(DAY_MS) + 1;
        EpochMs(days * DAY_MS + hour_ms)
    }

    /// An account of which there is something to see.
    pub(super) fn somebody(&self) -> String {
        let number = self.watched.first().copied().unwrap_or_default();
        self.simulator.names().user(number)
    }

    /// Whether the past has been sent, so that the server knows what there is to know.
    pub(super) fn past_is_told(&self) -> bool {
        self.simulator.reached() >= self.opens_at
    }

    /// From when on offers are asked for.
    pub(super) fn asked_from(&self) -> EpochMs {
        self.opens_at.plus(-ASKED_BEFORE_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_begins_in_the_morning_within_a_day_from_now() {
        for now in [0, 7 * HOUR_MS, 8 * HOUR_MS, 1_800_000_000_123] {
            let opening = Story::opening(EpochMs(now)).0;
            assert!(opening > now && opening <= now + DAY_MS);
            assert_eq!(opening % DAY_MS, 8 * HOUR_MS);
        }
    }

    #[test]
    fn some_of_the_regulars_drift_and_some_do_not() {
        let opens_at = EpochMs(1_800_000_000_000);
        let story = Story::begin(7, 0.05, opens_at);
        let drifting = |&&number: &&u32| story.simulator.truth(number, opens_at).engagement < 0.5;
        let drifting = story.watched.iter().filter(drifting).count();
        assert!(
            drifting > 20 && story.watched.len() > drifting + 10,
            "{drifting}"
        );
        assert!(!story.past_is_told());
    }
}
