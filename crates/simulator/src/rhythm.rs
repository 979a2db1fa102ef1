//! When a shopper comes: by chance, more in the evening than at night, more on some days than on others, and more
//! seldom as engagement falls: whoever is half as engaged comes less often and also does less, so that visits go with the
//! root of engagement.

use foretide_events::EpochMs;

use crate::{
    Settings, Temperament,
    draws::{Draws, Purpose, whole},
    shopper::Shopper,
};

const HOUR_MS: f64 = 3_600_000.0;
const DAY_MS: f64 = 24.0 * HOUR_MS;
/// Between two visits lies at least what makes them two sessions.
const LEAST_GAP_MS: f64 = 31.0 * 60_000.0;
/// How busy each hour of the local day is; the mean is 1.
const HOURS: [f64; 24] = [
    0.35, 0.2, 0.1, 0.1, 0.1, 0.2, 0.45, 0.8, 1.0, 1.1, 1.15, 1.2, 1.35, 1.2, 1.1, 1.1, 1.15, 1.3,
    1.5, 1.8, 2.1, 2.1, 1.6, 0.95,
];
/// The same for each day, Thursday first, as the epoch began on one; the mean is 1.
const WEEKDAYS: [f64; 7] = [0.9, 0.85, 1.1, 1.3, 1.0, 0.95, 0.9];
const BUSIEST: f64 = 2.1 * 1.3;
/// No shopper stays away longer than this many tries of the lottery below.
const MOST_TRIES: u32 = 20_000;

/// How much is going on at `at` where `shopper` lives, against the average.
fn busy(shopper: &Shopper, at_ms: f64) -> f64 {
    let local_hours = at_ms / HOUR_MS + shopper.utc_offset_hours() - shopper.late_hours;
    let hour = HOURS[index(local_hours, 24)];
    hour * WEEKDAYS[index(local_hours / 24.0, 7)]
}

/// The whole part of `value`, counted round `count`.
fn index(value: f64, count: i64) -> usize {
    let whole = whole(libm::floor(value));
    usize::try_from(whole.rem_euclid(count)).unwrap_or(0)
}

/// When `shopper` comes for visit number `visit`, having left at `left`. Visits are a Poisson process whose rate goes
/// with the hour, the day and engagement, drawn by thinning (Lewis and Shedler 1979).
pub(crate) fn next_visit(
    settings: &Settings,
    shopper: &Shopper,
    visit: u32,
    left: EpochMs,
    won_back_at: Option<EpochMs>,
) -> EpochMs {
    let mut draws = Draws::of(
        settings.seed,
        Purpose::Gap,
        [shopper.number.into(), visit.into()],
    );
    let rhythm = settings.rhythm && shopper.temperament != Temperament::Bot;
    let most = if rhythm { BUSIEST } else { 1.0 };
    let usual_gap_ms = mean_gap_ms(settings, shopper);
    let mut at_ms = left.0 as f64;
    if visit > 0 {
        at_ms += LEAST_GAP_MS / settings.busyness.max(1.0);
    }
    for _ in 0..MOST_TRIES {
        // Engagement only falls while the shopper stays away, so what it is now bounds what it will be.
        let zeal =
            |ms: f64| libm::sqrt(shopper.engagement(settings, EpochMs(whole(ms)), won_back_at));
        let bound = zeal(at_ms);
        at_ms += draws.wait(usual_gap_ms / (bound * most));
        let busy = if rhythm { busy(shopper, at_ms) } else { 1.0 };
        if draws.chance(busy / most * zeal(at_ms) / bound) {
            break;
        }
    }
    EpochMs(whole(at_ms))
}

/// The time between the visits of an engaged shopper, beside the least, in milliseconds.
pub(crate) fn mean_gap_ms(settings: &Settings, shopper: &Shopper) -> f64 {
    DAY_MS / (shopper.visits_per_day * settings.busyness)
}

/// The time between two visits of a shopper so engaged, from the end of one to the beginning of the next, in milliseconds.
pub(crate) fn mean_absence_ms(settings: &Settings, shopper: &Shopper, engagement: f64) -> f64 {
    LEAST_GAP_MS / settings.busyness.max(1.0)
        + mean_gap_ms(settings, shopper) / libm::sqrt(engagement)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rhythm_changes_when_not_how_often() {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        assert!((mean(&HOURS) - 1.0).abs() < 0.01, "{}", mean(&HOURS));
        assert!((mean(&WEEKDAYS) - 1.0).abs() < 0.01);
        let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        assert!((most(&HOURS) * most(&WEEKDAYS) - BUSIEST).abs() < 1e-12);
    }

    fn visits(settings: &Settings, shopper: &Shopper, days: i64) -> Vec<EpochMs> {
        let end = settings.start_at.plus(days * 86_400_000);
        let mut at = settings.start_at;
        let mut all = Vec::new();
        loop {
            let number = u32::try_from(all.len()).unwrap();
            at = next_visit(settings, shopper, number, at, None);
            if at > end {
                return all;
            }
            all.push(at);
        }
    }

    fn shoppers(settings: &Settings, temperament: Temperament) -> Vec<Shopper> {
        let all = (0..2_000).map(|number| Shopper::of(settings, number));
        all.filter(|shopper| shopper.temperament == temperament)
            .take(100)
            .collect()
    }

    #[test]
    fn shoppers_come_as_often_as_their_temperament_says() {
        let settings = Settings::new(5, 1, EpochMs(1_800_000_000_000));
        for shopper in shoppers(&settings, Temperament::Loyal).iter().take(20) {
            let came = visits(&settings, shopper, 1000).len() as f64 / 1000.0;
            assert!(
                (came / shopper.visits_per_day - 1.0).abs() < 0.2,
                "{came} {shopper:?}"
            );
        }
    }

    #[test]
    fn evenings_are_busier_than_nights() {
        let settings = Settings::new(5, 1, EpochMs(1_800_000_000_000));
        let mut by_hour = [0_u32; 24];
        for shopper in shoppers(&settings, Temperament::Loyal) {
            for at in visits(&settings, &shopper, 100) {
                let local = at.0 as f64 / HOUR_MS + shopper.utc_offset_hours();
                by_hour[index(local, 24)] += 1;
            }
        }
        let (night, evening): (u32, u32) =
            (by_hour[2..6].iter().sum(), by_hour[18..22].iter().sum());
        assert!(evening > 4 * night, "{by_hour:?}");
    }

    #[test]
    fn a_drifting_shopper_comes_less_and_less_from_a_known_instant() {
        let settings = Settings::new(5, 1, EpochMs(1_800_000_000_000));
        let (mut before, mut after) = (0, 0);
        for shopper in shoppers(&settings, Temperament::Drifting) {
            let drifts_at = shopper.drifts_at.unwrap();
            for at in visits(&settings, &shopper, 100) {
                before += i32::from(at < drifts_at && at > drifts_at.plus(-10 * 86_400_000));
                after += i32::from(
                    at > drifts_at.plus(5 * 86_400_000) && at < drifts_at.plus(15 * 86_400_000),
                );
            }
        }
        assert!(after * 3 < before * 2, "{before} {after}");
    }
}
