//! What is different in each cohort: the global model's log-odds, moved and stretched as far as the cohort's own examples carry it.
//!
//! A cohort's model is the global margin plus a correction, `offset + slope · log-odds`. It is learnt in two steps, from log-odds that the global
//! model gave to points that it was not trained on:
//!
//! 1. Each cohort with enough examples says by how much its level and its slope differ, and how sure that is (maximum likelihood).
//! 2. Each difference is drawn back to none by `v / (τ² + v)`, where v is its own variance and τ² is how much cohorts differ *from each
//!    other* beyond what chance explains: empirical Bayes (B. Efron and C. Morris, 1973; τ² by moments as R. `DerSimonian` and N. Laird,
//!    1986, have it). Where cohorts differ by no more than chance, no cohort is corrected; what all have in common is no difference
//!    between cohorts but a matter of the calibration. The cohorts with too few examples count as one more, together.
//!
//! A cohort's id is never an input: cohorts re-form, and a number of theirs means nothing.

use std::collections::BTreeMap;

use foretide_models::Correction;

/// What the examples of a cohort must have at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CohortSettings {
    /// Examples.
    pub least_examples: usize,
    /// Examples of each label.
    pub least_of_label: usize,
}

impl Default for CohortSettings {
    fn default() -> Self {
        Self {
            least_examples: 200,
            least_of_label: 20,
        }
    }
}

/// An example as the global model sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen<'a> {
    /// The id of its cohort.
    pub cohort: &'a str,
    /// The calibrated log-odds, by a model that was not trained on it.
    pub log_odds: f64,
    /// Whether it happened.
    pub label: bool,
    /// How much it counts, at least 0.
    pub weight: f64,
}

/// Level and slope are drawn to none as if by so much prior knowledge, so that a cohort in which the slope cannot be told has an estimate
/// at all: variances far above any sensible difference.
const WIDE: [f64; 2] = [4.0, 1.0];

/// No level is moved further, and no slope below a tenth or beyond three.
const MOST_MOVED: f64 = 3.0;
const FLATTEST: f64 = 0.1 - 1.0;
const STEEPEST: f64 = 3.0 - 1.0;

const STEPS: usize = 25;

/// The correction of each cohort that has enough examples and differs by more than chance explains.
pub fn corrections(seen: &[Seen<'_>], settings: CohortSettings) -> BTreeMap<String, Correction> {
    let mut by_cohort: BTreeMap<&str, Vec<&Seen<'_>>> = BTreeMap::new();
    for example in seen.iter().filter(|example| example.log_odds.is_finite()) {
        by_cohort.entry(example.cohort).or_default().push(example);
    }
    let has_enough = |examples: &[&Seen<'_>]| {
        let positives = examples.iter().filter(|example| example.label).count();
        let least = positives.min(examples.len() - positives);
        examples.len() >= settings.least_examples && least >= settings.least_of_label
    };
    let (by_cohort, few): (BTreeMap<_, _>, BTreeMap<_, _>) = by_cohort
        .into_iter()
        .partition(|(_, examples)| has_enough(examples));
    let rest: Vec<&Seen<'_>> = few.into_values().flatten().collect();
    let rest = (!rest.is_empty()).then(|| Estimate::of(&rest));
    let estimates: Vec<(&str, Estimate)> = by_cohort
        .iter()
        .map(|(cohort, examples)| (*cohort, Estimate::of(examples)))
        .collect();
    let all = estimates.iter().map(|(_, estimate)| estimate).chain(&rest);
    let spread = [0, 1].map(|part| {
        let of = |estimate: &Estimate| (estimate.differs[part], estimate.variance[part]);
        between(all.clone().map(of))
    });
    let correction = |(cohort, estimate): &(&str, Estimate)| {
        let correction = estimate.shrunk(spread);
        (correction.trust > 0.0).then(|| ((*cohort).to_owned(), correction))
    };
    estimates.iter().filter_map(correction).collect()
}

/// How a cohort differs: its level at its own mean log-odds, and its slope less one.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    differs: [f64; 2],
    variance: [f64; 2],
    mean_log_odds: f64,
    examples: u64,
}

impl Estimate {
    /// By maximum likelihood, in Newton's steps. Weights count as if they were so many equal ones as say as much.
    fn of(examples: &[&Seen<'_>]) -> Self {
        let sum: f64 = examples.iter().map(|example| example.weight).sum();
        let squares: f64 = examples
            .iter()
            .map(|example| example.weight * example.weight)
            .sum();
        let scale = if squares > 0.0 { sum / squares } else { 0.0 };
        let weighted = |example: &&Seen<'_>| example.weight * example.log_odds;
        let mean_log_odds = if sum > 0.0 {
            examples.iter().map(weighted).sum::<f64>() / sum
        } else {
            0.0
        };
        let (mut at, mut variance) = ([0.0; 2], WIDE);
        for _ in 0..STEPS {
            let (mut gradient, mut curvature) = ([0.0; 2], [0.0; 3]);
            for example in examples {
                let from_mean = example.log_odds - mean_log_odds;
                let odds = example.log_odds + at[0] + at[1] * from_mean;
                let p = 1.0 / (1.0 + libm::exp(-odds.clamp(-30.0, 30.0)));
                let weight = scale * example.weight;
                let residual = weight * (f64::from(u8::from(example.label)) - p);
                let information = weight * p * (1.0 - p);
                gradient[0] += residual;
                gradient[1] += residual * from_mean;
                curvature[0] += information;
                curvature[1] += information * from_mean;
                curvature[2] += information * from_mean * from_mean;
            }
            gradient = [gradient[0] - at[0] / WIDE[0], gradient[1] - at[1] / WIDE[1]];
            let (level, both, slope) = (
                curvature[0] + 1.0 / WIDE[0],
                curvature[1],
                curvature[2] + 1.0 / WIDE[1],
            );
            // Positive: both are at least what is known beforehand, and the information is that of a variance.
            let determinant = level * slope - both * both;
            let step = [
                (slope * gradient[0] - both * gradient[1]) / determinant,
                (level * gradient[1] - both * gradient[0]) / determinant,
            ];
            at = [
                (at[0] + step[0].clamp(-1.0, 1.0)).clamp(-MOST_MOVED, MOST_MOVED),
                (at[1] + step[1].clamp(-0.5, 0.5)).clamp(FLATTEST, STEEPEST),
            ];
            variance = [slope / determinant, level / determinant];
        }
        Self {
            differs: at,
            variance,
            mean_log_odds,
            examples: examples.len() as u64,
        }
    }

    /// What is left of it where cohorts differ by `spread` beyond chance.
    fn shrunk(&self, spread: [f64; 2]) -> Correction {
        let trust = [0, 1].map(|part| spread[part] / (spread[part] + self.variance[part]));
        let level = trust[0] * self.differs[0];
        let steeper = trust[1] * self.differs[1];
        Correction {
            offset: level - steeper * self.mean_log_odds,
            slope: 1.0 + steeper,
            trust: trust[0].max(trust[1]),
            examples: self.examples,
        }
    }
}

/// The variance between cohorts of what they differ by, around their weighted mean, beyond what the variance of each estimate
/// explains.
fn between(estimates: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let (mut count, mut weights, mut squares, mut sum) = (0.0, 0.0, 0.0, 0.0);
    for (differs, variance) in estimates.clone() {
        let weight = 1.0 / variance;
        count += 1.0;
        weights += weight;
        squares += weight * weight;
        sum += weight * differs;
    }
    let (mean, telling) = (sum / weights, weights - squares / weights);
    let scatter = |(differs, variance): (f64, f64)| (differs - mean) * (differs - mean) / variance;
    let scatter: f64 = estimates.map(scatter).sum();
    if count >= 2.0 && telling > 0.0 {
        ((scatter - (count - 1.0)) / telling).max(0.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::seeded::Seeded;

    fn uniform(seeded: &mut Seeded) -> f64 {
        (seeded.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// `examples` of a cohort in which the true log-odds are `offset + slope · log-odds`.
    fn cohort(id: &str, examples: usize, offset: f64, slope: f64, seed: u64) -> Vec<Seen<'_>> {
        let mut seeded = Seeded::new(seed, 1);
        let one = |_| {
            let log_odds = 4.0 * uniform(&mut seeded) - 2.0;
            let p = 1.0 / (1.0 + libm::exp(-(offset + slope * log_odds)));
            Seen {
                cohort: id,
                log_odds,
                label: uniform(&mut seeded) < p,
                weight: 1.0,
            }
        };
        (0..examples).map(one).collect()
    }

    #[test]
    fn a_cohort_that_differs_is_corrected_by_about_what_it_differs() {
        let seen = [
            cohort("c-1", 4_000, 1.0, 1.0, 1),
            cohort("c-2", 4_000, -1.0, 0.5, 2),
            cohort("c-3", 4_000, 0.0, 1.0, 3),
        ]
        .concat();
        let corrections = corrections(&seen, CohortSettings::default());
        for (id, offset, slope) in [("c-1", 1.0, 1.0), ("c-2", -1.0, 0.5), ("c-3", 0.0, 1.0)] {
            let correction = corrections[id];
            assert!(
                (correction.offset - offset).abs() < 0.15,
                "{id}: {correction:?}"
            );
            assert!(
                (correction.slope - slope).abs() < 0.15,
                "{id}: {correction:?}"
            );
            assert_eq!((correction.examples, correction.check()), (4_000, Ok(())));
        }
    }

    #[test]
    fn cohorts_that_do_not_differ_are_hardly_corrected() {
        let ids: Vec<String> = (0..12).map(|number| format!("c-{number}")).collect();
        let seen: Vec<Seen<'_>> = ids
            .iter()
            .zip(0..)
            .flat_map(|(id, seed)| cohort(id, 500, 0.0, 1.0, seed))
            .collect();
        for (id, correction) in corrections(&seen, CohortSettings::default()) {
            assert!(correction.offset.abs() < 0.1, "{id}: {correction:?}");
            assert!((correction.slope - 1.0).abs() < 0.1, "{id}: {correction:?}");
        }
    }

    #[test]
    fn what_all_cohorts_have_in_common_is_no_difference_between_them() {
        let ids: Vec<String> = (0..12).map(|number| format!("c-{number}")).collect();
        let shifted: Vec<Seen<'_>> = ids
            .iter()
            .zip(0..)
            .flat_map(|(id, seed)| cohort(id, 500, 1.0, 1.0, seed))
            .collect();
        for (id, correction) in corrections(&shifted, CohortSettings::default()) {
            assert!(correction.trust < 0.6, "{id}: {correction:?}");
        }
        let alone = cohort("alone", 5_000, 1.0, 1.0, 1);
        assert!(corrections(&alone, CohortSettings::default()).is_empty());
    }

    #[test]
    fn fewer_examples_are_trusted_less() {
        let seen = [
            cohort("few", 300, 1.0, 1.0, 1),
            cohort("many", 6_000, 1.0, 1.0, 2),
            cohort("other", 6_000, -0.5, 1.0, 3),
        ]
        .concat();
        let corrections = corrections(&seen, CohortSettings::default());
        assert!(corrections["few"].trust < corrections["many"].trust);
    }

    #[test]
    fn too_few_examples_or_a_single_label_are_not_corrected() {
        let mut one_label = cohort("one-label", 500, 0.0, 1.0, 1);
        for seen in &mut one_label {
            seen.label = true;
        }
        let seen = [
            cohort("few", 199, 0.0, 1.0, 2),
            one_label,
            cohort("enough", 500, -2.0, 1.0, 3),
        ]
        .concat();
        let corrections = corrections(&seen, CohortSettings::default());
        let ids: Vec<_> = corrections.keys().collect();
        assert_eq!(ids, ["enough"]);
        assert!(super::corrections(&[], CohortSettings::default()).is_empty());
    }

    #[test]
    fn one_example_that_stands_for_many_counts_as_one() {
        let mut seen = [
            cohort("c-1", 400, 0.5, 1.0, 1),
            cohort("c-2", 4_000, -0.5, 1.0, 2),
        ]
        .concat();
        let alike = corrections(&seen, CohortSettings::default())["c-1"].trust;
        for seen in seen.iter_mut().filter(|seen| seen.cohort == "c-1") {
            seen.weight = 20.0;
        }
        let heavy = corrections(&seen, CohortSettings::default())["c-1"].trust;
        assert!((alike - heavy).abs() < 1e-9);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn every_correction_is_one_that_a_model_takes(
            examples in prop::collection::vec((-40.0..40.0_f64, any::<bool>(), 0.0..50.0_f64), 40..120),
        ) {
            let seen: Vec<Seen<'_>> = examples
                .iter()
                .zip(0_usize..)
                .map(|((log_odds, label, weight), place)| Seen {
                    cohort: if place % 2 == 0 { "a" } else { "b" },
                    log_odds: *log_odds,
                    label: *label,
                    weight: *weight,
                })
                .collect();
            let settings = CohortSettings { least_examples: 2, least_of_label: 0 };
            for correction in corrections(&seen, settings).values() {
                prop_assert_eq!(correction.check(), Ok(()));
            }
        }
    }
}
