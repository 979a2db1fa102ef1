//! Whether what serves got worse than what served before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Comparison, Evidence, Pair, PromotionSettings, compare,
    compare::{is_weight, needed},
    evidence::log_mean,
};

/// Into so many parts probabilities are cut to see whether each means what it says.
const PARTS: usize = 5;

/// How what serves does beside what served before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// What served before it, as the challenger.
    comparison: Comparison,
    serving: Calibrated,
    former: Calibrated,
}

/// In what a model that serves got worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Worse {
    /// What served before has the smaller loss.
    Loss,
    /// Its probabilities do not mean what they say any more, and those of what served before do.
    Calibration,
}

/// Watches over `units`, as [`compare()`] takes them, where the challenger is what served before. They are those since the model serves.
pub fn watch<P: AsRef<[Pair]>>(
    units: impl IntoIterator<Item = (P, f64)>,
    settings: &PromotionSettings,
) -> Watch {
    let units: Vec<(P, f64)> = units.into_iter().collect();
    let tolerance = settings.calibration_tolerance;
    let (mut serving, mut former) = (Calibrated::default(), Calibrated::default());
    for (pairs, stands_for) in &units {
        serving.observe(pairs.as_ref(), |pair| pair.serving, *stands_for, tolerance);
        former.observe(
            pairs.as_ref(),
            |pair| pair.challenger,
            *stands_for,
            tolerance,
        );
    }
    Watch {
        comparison: compare(units, settings),
        serving,
        former,
    }
}

impl Watch {
    /// How what served before does beside what serves.
    pub fn comparison(&self) -> &Comparison {
        &self.comparison
    }

    /// The logarithm of the evidence that what serves is not calibrated.
    pub fn log_e_not_calibrated(&self) -> f64 {
        self.serving.log_e()
    }

    /// In what the serving model got worse, if in anything. `earlier` times one was watched before; half of its part of the error is for each of
    /// the two.
    pub fn worse(&self, earlier: u64, settings: &PromotionSettings) -> Option<Worse> {
        if self.comparison.units() < settings.least_units {
            return None;
        }
        let needed = needed(settings.error, earlier);
        if self.comparison.log_e_superior() >= needed {
            return Some(Worse::Loss);
        }
        // Where both are off there is nothing to go back to: the next challenger learns it.
        let is_off = self.serving.log_e() >= needed && self.former.log_e() < needed;
        is_off.then_some(Worse::Calibration)
    }
}

/// Evidence that probabilities are further from what happens than is tolerated: for all together and for each part of them, that they are too
/// high and that they are too low. The mean of all is evidence that any is so.
#[derive(Clone, Debug, Default, PartialEq)]
struct Calibrated {
    all: Sides,
    parts: [Sides; PARTS],
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Sides {
    too_low: Evidence,
    too_high: Evidence,
}

impl Calibrated {
    fn observe(
        &mut self,
        pairs: &[Pair],
        of: impl Fn(&Pair) -> f64,
        stands_for: f64,
        tolerance: f64,
    ) {
        let shares: f64 = pairs.iter().map(|pair| pair.share).sum();
        if !(is_weight(shares) && is_weight(stands_for)) {
            return;
        }
        let mean = |of: &dyn Fn(&Pair) -> f64| {
            pairs.iter().map(|pair| pair.share * of(pair)).sum::<f64>() / shares
        };
        let said = mean(&|pair| of(pair)).clamp(0.0, 1.0);
        let happened = mean(&|pair| f64::from(u8::from(pair.label)));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the number of parts"
        )]
        let part = ((said * PARTS as f64) as usize).min(PARTS - 1);
        for sides in [&mut self.all, &mut self.parts[part]] {
            let low = happened - said - tolerance;
            sides
                .too_low
                .observe(stands_for * low, stands_for * (-said - tolerance));
            let high = said - happened - tolerance;
            sides
                .too_high
                .observe(stands_for * high, stands_for * (said - 1.0 - tolerance));
        }
    }

    fn log_e(&self) -> f64 {
        let mut logs = [0.0; 2 * (PARTS + 1)];
        let sides = self.parts.iter().chain([&self.all]);
        for (pair, sides) in logs.chunks_exact_mut(2).zip(sides) {
            pair[0] = sides.too_low.log_e();
            pair[1] = sides.too_high.log_e();
        }
        log_mean(logs.into_iter())
    }
}
