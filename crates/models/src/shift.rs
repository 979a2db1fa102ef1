//! Whether shoppers are still those that a model was trained on: the population stability index of each input.
//!
//! An input's training values are cut into at most ten bins of about as many examples each, with missing values as one more. The index
//! sums (now − then) · ln(now / then) over the shares of the bins: 0 where nothing has changed, by convention steady below 0.1 and shifted
//! from 0.25 on (credit scoring's use since the 1980s; B. Yurdakul, "Statistical properties of the population stability index",
//! 2018, has its distribution).
//!
//! Few examples shift by chance. Where nothing has changed, the index is about (1/then + 1/now) · χ² with as many degrees of freedom as
//! bins less one, so a [`Level`] is only given where the index also exceeds what chance does once in ten thousand looks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::InputSummary;

/// The most bins beside that of missing values.
const MOST_BINS: usize = 10;
/// From here on an input moves, and from there on it has shifted.
const MOVING: f64 = 0.1;
const SHIFTED: f64 = 0.25;
/// Each bin counts as if it had so many examples more: an empty one makes the index large, not infinite.
const SMOOTHING: f64 = 0.5;
/// Fewer examples say nothing.
const LEAST_EXAMPLES: u64 = 100;
/// The normal quantile of one in ten thousand.
const CHANCE: f64 = 3.719;
/// At so many looks running an input must have shifted before somebody is told.
const ALARM_AFTER: u32 = 3;

/// How the values of `feature` are distributed; NaN is a missing one. Sorts them.
pub fn summarise(feature: &str, values: &mut [f64]) -> InputSummary {
    values.sort_by(f64::total_cmp);
    // In the total order what is not a number stands at either end.
    let numbers: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| !value.is_nan())
        .collect();
    let mut edges: Vec<f64> = Vec::new();
    for bin in 1..MOST_BINS {
        // An edge begins a bin, so a value that many share has one of its own if it is an edge and the next value is, too.
        let edge = numbers.get(bin * numbers.len() / MOST_BINS).copied();
        let edge = edge.filter(|edge| numbers.first().is_some_and(|first| edge > first));
        edges.extend(edge.filter(|edge| edges.last().is_none_or(|last| edge > last)));
    }
    // What is above the most common smallest value, such as zero, is told from it even where it is rare.
    let above = numbers
        .iter()
        .copied()
        .find(|value| numbers.first().is_some_and(|first| value > first));
    if let Some(above) = above.filter(|above| edges.first().is_none_or(|first| above < first)) {
        let at_least = numbers.partition_point(|value| *value < above);
        if at_least * MOST_BINS >= numbers.len() {
            edges.insert(0, above);
        }
    }
    if let (true, Some(only)) = (edges.is_empty(), numbers.first()) {
        // A single value: what is below and what is above it are something else.
        edges.extend(
            [*only, only.next_up()]
                .into_iter()
                .filter(|edge| edge.is_finite()),
        );
    }
    let mut counts = vec![0_u64; edges.len() + 1];
    for value in &numbers {
        counts[bin(&edges, *value)] += 1;
    }
    let all = values.len().max(1) as f64;
    InputSummary {
        feature: feature.to_owned(),
        shares: counts.iter().map(|count| *count as f64 / all).collect(),
        missing: if values.is_empty() {
            1.0
        } else {
            (values.len() - numbers.len()) as f64 / all
        },
        edges,
    }
}

fn bin(edges: &[f64], value: f64) -> usize {
    edges.partition_point(|edge| *edge <= value)
}

/// Counts the values of an input in the bins of its training.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    edges: Vec<f64>,
    /// The shares in training, and that of missing values last.
    then: Vec<f64>,
    trained_on: u64,
    now: Vec<u64>,
}

/// How far the values of an input are from those of training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shift {
    /// The population stability index, at least 0.
    pub psi: f64,
    /// What it exceeds by chance only once in ten thousand looks.
    pub by_chance: f64,
    /// On how many values it rests.
    pub examples: u64,
}

/// What a shift means.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// There are too few values to say.
    TooFew,
    /// As in training.
    Steady,
    /// Somewhat different: worth a look.
    Moving,
    /// Different: the model speaks of other shoppers than it was trained on.
    Shifted,
}

impl Observed {
    /// Nothing yet, of the input that `summary` is of, in a model trained on so many examples.
    pub fn new(summary: &InputSummary, trained_on: u64) -> Self {
        let mut then = summary.shares.clone();
        then.resize(summary.edges.len() + 1, 0.0);
        then.push(summary.missing);
        Self {
            edges: summary.edges.clone(),
            now: vec![0; then.len()],
            then,
            trained_on,
        }
    }

    /// Counts a value; `None` and NaN are a missing one.
    pub fn observe(&mut self, value: Option<f64>) {
        let place = match value.filter(|value| !value.is_nan()) {
            Some(value) => bin(&self.edges, value),
            None => self.edges.len() + 1,
        };
        self.now[place] += 1;
    }

    /// Forgets half of what it has counted: called at each look, old values fade.
    pub fn fade(&mut self) {
        self.now.iter_mut().for_each(|count| *count /= 2);
    }

    /// How far what was counted is from training.
    pub fn shift(&self) -> Shift {
        let examples: u64 = self.now.iter().sum();
        let bins = self.then.len() as f64;
        let share = |count: f64, all: f64| (count + SMOOTHING) / (all + SMOOTHING * bins);
        let trained_on = self.trained_on as f64;
        let psi = self.then.iter().zip(&self.now).map(|(then, now)| {
            let then = share(then * trained_on, trained_on);
            let now = share(*now as f64, examples as f64);
            (now - then) * libm::log(now / then)
        });
        let filled = self
            .then
            .iter()
            .zip(&self.now)
            .filter(|(then, now)| **then > 0.0 || **now > 0);
        let freedom = filled.count().saturating_sub(1).max(1) as f64;
        let scatter = 1.0 / trained_on.max(1.0) + 1.0 / (examples.max(1) as f64);
        Shift {
            psi: psi.sum(),
            by_chance: scatter * chi_square(freedom),
            examples,
        }
    }
}

/// What a χ² of so many degrees of freedom exceeds once in ten thousand times, by E. B. Wilson and M. M. Hilferty (1931).
fn chi_square(freedom: f64) -> f64 {
    let scale = 2.0 / (9.0 * freedom);
    let root = 1.0 - scale + CHANCE * scale.sqrt();
    freedom * root * root * root
}

impl Shift {
    /// What it means.
    pub fn level(&self) -> Level {
        if self.examples < LEAST_EXAMPLES {
            Level::TooFew
        } else if self.psi < MOVING.max(self.by_chance) {
            Level::Steady
        } else if self.psi < SHIFTED.max(self.by_chance) {
            Level::Moving
        } else {
            Level::Shifted
        }
    }
}

/// Tells when an input has shifted for good: at three looks running. It stays told until the input is steady again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarm {
    running: u32,
    raised: bool,
}

impl Alarm {
    /// Takes in a look, and answers whether the alarm is raised.
    pub fn look(&mut self, level: Level) -> bool {
        match level {
            Level::TooFew => {}
            Level::Shifted => {
                self.running = self.running.saturating_add(1);
                self.raised |= self.running >= ALARM_AFTER;
            }
            Level::Moving => self.running = 0,
            Level::Steady => *self = Self::default(),
        }
        self.raised
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers that look random, from 0 to 1.
    fn uniform(seed: u64) -> impl Iterator<Item = f64> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        std::iter::repeat_with(move || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        })
    }

    fn shift(then: &[f64], now: impl Iterator<Item = f64>) -> Shift {
        let summary = summarise("feature", &mut then.to_vec());
        let mut observed = Observed::new(&summary, then.len() as u64);
        now.for_each(|value| observed.observe(Some(value)));
        observed.shift()
    }

    #[test]
    fn the_same_values_have_not_shifted_and_others_have() {
        let then: Vec<f64> = uniform(1).take(5_000).collect();
        assert!(shift(&then, then.iter().copied()).psi < 1e-9);
        assert_eq!(shift(&then, uniform(2).take(5_000)).level(), Level::Steady);
        let moved = shift(&then, uniform(2).take(5_000).map(|value| value * value));
        assert_eq!(moved.level(), Level::Shifted);
        let gone = shift(&then, std::iter::repeat_n(f64::NAN, 5_000));
        assert_eq!(gone.level(), Level::Shifted);
        assert_eq!(shift(&then, uniform(2).take(99)).level(), Level::TooFew);
    }

    #[test]
    fn chance_alone_hardly_ever_raises_a_level() {
        let then: Vec<f64> = uniform(1).take(2_000).collect();
        let moved = |seed: &u64| shift(&then, uniform(*seed).take(120)).level() > Level::Steady;
        let raised = (10..1_010).filter(moved).count();
        assert!(raised <= 3, "{raised}");
        let naive = |seed: &u64| shift(&then, uniform(*seed).take(120)).psi > MOVING;
        assert!(
            (10..1_010).filter(naive).count() > 100,
            "the usual limit alone would"
        );
    }

    #[test]
    fn a_value_that_many_share_has_a_bin_of_its_own() {
        let mut values: Vec<f64> = std::iter::repeat_n(0.0, 700)
            .chain((1..=300).map(f64::from))
            .collect();
        let summary = summarise("coupons_denied_7d", &mut values);
        assert!((summary.edges[0] - 1.0).abs() < 1e-12);
        assert!((summary.shares[0] - 0.7).abs() < 1e-12);
        let constant = summarise("brands", &mut [2.0; 50]);
        assert_eq!(
            (constant.edges.len(), constant.shares),
            (2, vec![0.0, 1.0, 0.0])
        );
        let missing = summarise("brands", &mut [f64::NAN; 50]);
        assert_eq!((missing.missing, missing.shares), (1.0, vec![0.0]));
    }

    #[test]
    fn what_was_constant_and_is_not_any_more_has_shifted() {
        let then = [0.0; 1_000];
        assert_eq!(
            shift(&then, std::iter::repeat_n(0.0, 500)).level(),
            Level::Steady
        );
        for other in [-1.0, 1e-9, f64::NAN] {
            let shift = shift(&then, std::iter::repeat_n(other, 500));
            assert_eq!(shift.level(), Level::Shifted, "{other}");
        }
    }

    #[test]
    fn an_alarm_is_raised_at_the_third_look_and_stays_until_it_is_steady() {
        let mut alarm = Alarm::default();
        let levels = [
            (Level::Shifted, false),
            (Level::Moving, false),
            (Level::Shifted, false),
            (Level::Shifted, false),
            (Level::TooFew, false),
            (Level::Shifted, true),
            (Level::Moving, true),
            (Level::Steady, false),
        ];
        for (level, raised) in levels {
            assert_eq!(alarm.look(level), raised, "{level:?}");
        }
    }

    proptest! {
        #[test]
        fn a_summary_is_sound_and_an_index_a_number(
            then in prop::collection::vec(prop_oneof![Just(f64::NAN), Just(0.0), -1e300..1e300], 0..60),
            now in prop::collection::vec(prop_oneof![Just(f64::NAN), Just(0.0), any::<f64>()], 0..60),
        ) {
            let summary = summarise("feature", &mut then.clone());
            prop_assert!(summary.edges.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(summary.shares.len(), summary.edges.len() + 1);
            prop_assert!((summary.shares.iter().sum::<f64>() + summary.missing - 1.0).abs() < 1e-9);
            let mut observed = Observed::new(&summary, then.len() as u64);
            for value in &now {
                observed.observe(Some(*value));
            }
            let shift = observed.shift();
            prop_assert!(shift.psi >= 0.0 && shift.psi.is_finite());
            prop_assert!(shift.by_chance.is_finite());
        }
    }
}
