//! A challenger beside what serves, on the same points.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Evidence, PromotionSettings, error_part, score::loss};

/// What two models said of one point, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The probability by what serves.
    pub serving: f64,
    /// The probability by the challenger.
    pub challenger: f64,
    /// Whether it happened.
    pub label: bool,
    /// How much the point counts among those of its unit, above 0.
    pub share: f64,
}

/// How a challenger did beside what serves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// That the challenger has the smaller loss.
    superior: Evidence,
    /// That its loss is not larger by more than the margin.
    not_inferior: Evidence,
    /// That it has the larger loss.
    inferior: Evidence,
    margin: f64,
    weight: f64,
    serving_loss: f64,
    challenger_loss: f64,
}

/// What follows from a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The challenger's loss is smaller.
    Superior,
    /// It is fresher, and its loss is not larger by more than the margin.
    FresherNotInferior,
    /// Its loss is larger: it need not be looked at any more.
    Inferior,
    /// Nothing yet.
    Open,
}

impl Verdict {
    /// Whether the challenger is to serve.
    pub fn promotes(self) -> bool {
        matches!(self, Self::Superior | Self::FresherNotInferior)
    }
}

/// Compares over `units`, each with its points and how many units like it it stands for, in the order in which they became certain.
pub fn compare(
    units: impl IntoIterator<Item = (impl AsRef<[Pair]>, f64)>,
    settings: &PromotionSettings,
) -> Comparison {
    let mut comparison = Comparison {
        margin: settings.margin,
        ..Comparison::default()
    };
    for (pairs, stands_for) in units {
        comparison.observe(pairs.as_ref(), stands_for);
    }
    comparison
}

impl Comparison {
    /// Takes in the points of one unit.
    pub fn observe(&mut self, pairs: &[Pair], stands_for: f64) {
        let shares: f64 = pairs.iter().map(|pair| pair.share).sum();
        if !(is_weight(shares) && is_weight(stands_for)) {
            return;
        }
        let weighed = |of: &dyn Fn(&Pair) -> f64| {
            let sum: f64 = pairs.iter().map(|pair| pair.share * of(pair)).sum();
            stands_for * sum / shares
        };
        let serving = weighed(&|pair| loss(pair.serving, pair.label));
        let challenger = weighed(&|pair| loss(pair.challenger, pair.label));
        let gain = serving - challenger;
        // What could have been gained at least and at most was known before the label.
        let least = weighed(&|pair| gain_if(pair, true).min(gain_if(pair, false)));
        let most = weighed(&|pair| gain_if(pair, true).max(gain_if(pair, false)));
        let margin = stands_for * self.margin;
        self.superior.observe(gain, least);
        self.not_inferior.observe(gain + margin, least + margin);
        self.inferior.observe(-gain, -most);
        self.weight += stands_for;
        self.serving_loss += serving;
        self.challenger_loss += challenger;
    }

    /// How many units it rests on.
    pub fn units(&self) -> u64 {
        self.superior.count()
    }

    /// The mean log-loss of what serves; 0 before the first unit.
    pub fn serving_loss(&self) -> f64 {
        self.mean(self.serving_loss)
    }

    /// The mean log-loss of the challenger.
    pub fn challenger_loss(&self) -> f64 {
        self.mean(self.challenger_loss)
    }

    /// By how much the challenger's loss is smaller, in nats.
    pub fn gain(&self) -> f64 {
        self.serving_loss() - self.challenger_loss()
    }

    /// The logarithm of the evidence that the challenger has the smaller loss.
    pub fn log_e_superior(&self) -> f64 {
        self.superior.log_e()
    }

    /// The logarithm of the evidence that the challenger's loss is not larger by more than the margin.
    pub fn log_e_not_inferior(&self) -> f64 {
        self.not_inferior.log_e()
    }

    /// The logarithm of the evidence that the challenger has the larger loss.
    pub fn log_e_inferior(&self) -> f64 {
        self.inferior.log_e()
    }

    /// What follows, where `earlier` comparisons came before this one, and the challenger is fresher than what serves or not. Half of its part of the error is
    /// for each of the two ways to be promoted.
    pub fn verdict(&self, earlier: u64, is_fresher: bool, settings: &PromotionSettings) -> Verdict {
        if self.units() < settings.least_units {
            return Verdict::Open;
        }
        let needed = needed(settings.error, earlier);
        if self.superior.log_e() >= needed {
            Verdict::Superior
        } else if is_fresher && self.gain() >= 0.0 && self.not_inferior.log_e() >= needed {
            Verdict::FresherNotInferior
        } else if self.inferior.log_e() >= needed {
            Verdict::Inferior
        } else {
            Verdict::Open
        }
    }

    fn mean(&self, sum: f64) -> f64 {
        if self.weight > 0.0 {
            sum / self.weight
        } else {
            0.0
        }
    }
}

/// The evidence, as a logarithm, that half of the part of `error` of a test after `earlier` others asks for.
pub(super) fn needed(error: f64, earlier: u64) -> f64 {
    -libm::log(error * error_part(earlier) / 2.0)
}

/// Whether something can be weighed by it.
pub(super) fn is_weight(weight: f64) -> bool {
    weight > 0.0 && weight.is_finite()
}

fn gain_if(pair: &Pair, happened: bool) -> f64 {
    loss(pair.serving, happened) - loss(pair.challenger, happened)
}
