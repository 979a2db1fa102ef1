//! What is played: a shop with regulars whose past is known, newcomers, and what became of it so far.

use foretide_events::EpochMs;
use foretide_simulator::{Effects, Settings, Simulator};
use serde::Serialize;

use super::ledger::Ledger;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The shop's clock begins at this hour (UTC): most of a busy day lies ahead.
const OPENS_AT_HOUR: i64 = 8;
/// For how long the regulars have been coming already: long enough to know what is usual for them.
const PAST_DAYS: i64 = 80;
/// How many regulars there are at most: what they did in the past is sent before the shop opens. Enough that cohorts, none of
/// which has fewer than 50, have something to tell apart.
const MOST_REGULARS: f64 = 1_000.0;
/// The first models are trained on what is known so many days before the opening, and prove themselves on what follows: longer
/// than the week ahead that drift is predicted for, with days to spare to judge by.
const PROVING_DAYS: i64 = 14;
/// The share of regulars, where they are fewer: the others come for the first time after the opening.
const REGULARS: f64 = 0.85;
/// The share of each temperament. Of the regulars 28 % drift, since when is spread over the weeks before the opening:
/// drift is predicted of about a fifth, and some of them drop in every hour of the shop, to be seen.
const MIX: [f64; 5] = [0.31, 0.19, 0.216, 0.28, 0.004];
/// The engagement of those who drift begins to fall so many days after they came first, spread over nearly all of the past: so
/// there are some to learn from in the weeks that models are trained on, and others in those that they are judged by.
const DRIFT_AFTER_DAYS: (f64, f64) = (10.0, 76.0);
const DRIFT_HALF_LIFE_DAYS: f64 = 1.0;
/// Those who drifted still drop in now and then, for a glance.
const LEAST_ENGAGEMENT: f64 = 0.1;
/// The share of those who are shown recommendations and come back to stay for a while.
const RECOVERY: f64 = 0.2;
/// Offers are asked for from these hours before the opening on: there is something to see when the view begins.
pub(super) const ASKED_BEFORE_MS: i64 = 2 * HOUR_MS;
/// What a shopper does on an average day when the shop opens: from it follows how many there are. They are as many as the
/// rate needs, and not busier than before, because whoever came more often from the opening on would seem engaged, and
/// whoever came less often drifting.
const ACTIONS_A_DAY: f64 = 5.0;
/// Fewer shoppers would be no shop: for the lowest rates they come more seldom instead, in the past too.
const LEAST_SHOPPERS: f64 = 60.0;
/// For more the machine may be too small: for the highest rates they come more often instead, after the past is told.
const MOST_SHOPPERS: f64 = 200_000.0;

/// How far the story is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// What the regulars did before is being sent.
    #[default]
    Past,
    /// Nothing happens until the first models are trained.
    Learning,
    /// What the regulars did since then is being sent.
    Proving,
    /// The shop is open.
    Open,
}

impl Phase {
    /// What goes on, in a few words; nothing once the shop is open.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::Past => "the regulars' past is being told",
            Self::Learning => "the first cohorts and models are being learnt",
            Self::Proving => "the last two weeks are being told, to prove the models by",
            Self::Open => "",
        }
    }
}

/// The shoppers, and what became of them.
pub(super) struct Story {
    pub(super) simulator: Simulator,
    pub(super) ledger: Ledger,
    pub(super) phase: Phase,
    /// Regulars with an account, by number: those whose drift is watched for.
    pub(super) watched: Vec<u32>,
    /// When the view begins.
    pub(super) opens_at: EpochMs,
    /// The actions a second of shop time from then on, if the shoppers have to be made busier for it.
    pub(super) rate: Option<f64>,
}

impl Story {
    /// The story of `seed` with about `rate` actions a second of shop time from `opens_at` on.
    pub(super) fn begin(seed: u64, rate: f64, opens_at: EpochMs) -> Self {
        let wanted = rate * 86_400.0 / ACTIONS_A_DAY;
        let shoppers = wanted.clamp(LEAST_SHOPPERS, MOST_SHOPPERS);
        let regulars = whole((shoppers * REGULARS).min(MOST_REGULARS));
        let settings = Settings {
            established: regulars,
            newcomers_from: opens_at,
            busyness: (wanted / shoppers).min(1.0),
            mix: MIX,
            drift_after_days: DRIFT_AFTER_DAYS,
            drift_half_life_days: DRIFT_HALF_LIFE_DAYS,
            least_engagement: LEAST_ENGAGEMENT,
            effects: Effects {
                recovery: RECOVERY,
                ..Effects::default()
            },
            ..Settings::new(seed, whole(shoppers), opens_at.plus(-PAST_DAYS * DAY_MS))
        };
        let simulator = Simulator::new(settings);
        let has_account = |number: &u32| simulator.truth(*number, opens_at).has_account;
        Self {
            watched: (0..regulars).filter(has_account).collect(),
            simulator,
            ledger: Ledger::default(),
            phase: Phase::default(),
            opens_at,
            rate: (wanted > MOST_SHOPPERS).then_some(rate),
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
        self.phase == Phase::Open
    }

    /// When the first models are trained.
    pub(super) fn proving_from(&self) -> EpochMs {
        self.opens_at.plus(-PROVING_DAYS * DAY_MS)
    }

    /// From when on offers are asked for.
    pub(super) fn asked_from(&self) -> EpochMs {
        self.opens_at.plus(-ASKED_BEFORE_MS)
    }
}

fn whole(count: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of shoppers, clamped to a small positive range"
    )]
    let whole = count as u32;
    whole
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
    fn some_of_the_regulars_drift_and_most_do_not() {
        let opens_at = EpochMs(1_800_000_000_000);
        let story = Story::begin(7, 0.035, opens_at);
        let drifting = |&&number: &&u32| story.simulator.truth(number, opens_at).engagement < 0.5;
        let drifting = story.watched.iter().filter(drifting).count();
        let share = drifting as f64 / story.watched.len() as f64;
        assert!((0.2..0.4).contains(&share), "{share}");
        assert!(!story.past_is_told());
    }

    #[test]
    fn regulars_come_after_the_opening_as_they_came_before() {
        let opens_at = EpochMs(1_800_000_000_000);
        for (rate, within) in [(0.0007, 0.5), (0.035, 0.2)] {
            let mut story = Story::begin(7, rate, opens_at);
            let regulars = story.simulator.settings().established;
            let mut week_until = |until: EpochMs| {
                story
                    .simulator
                    .next_batch(until.plus(-7 * DAY_MS), usize::MAX);
                let actions = story.simulator.next_batch(until, usize::MAX).actions;
                let those = actions
                    .iter()
                    .filter(|action| action.identity.shopper < regulars);
                those.count() as f64
            };
            let (before, after) = (week_until(opens_at), week_until(opens_at.plus(7 * DAY_MS)));
            assert!((after / before - 1.0).abs() < within, "{before} {after}");
            assert_eq!(story.rate, None);
        }
    }

    #[test]
    fn there_is_about_as_much_to_do_as_was_asked_for() {
        let (opens_at, rate) = (EpochMs(1_800_000_000_000), 0.035);
        let mut story = Story::begin(7, rate, opens_at);
        story.simulator.next_batch(opens_at, usize::MAX);
        let week = story
            .simulator
            .next_batch(opens_at.plus(7 * DAY_MS), usize::MAX);
        let per_second = week.actions.len() as f64 / (7.0 * 86_400.0);
        assert!((per_second / rate - 1.0).abs() < 0.25, "{per_second}");
        assert!(Story::begin(7, 1_000.0, opens_at).rate.is_some());
    }
}
