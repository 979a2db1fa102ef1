//! Any number of shoppers like those of the simulator's shop.

use foretide_cohorts::{Rows, Sample, Space};
use foretide_events::EpochMs;
use foretide_features::{Feature, FeatureVector, FoldRules, Reference};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::{population::Population, product::Installation};

/// When the simulated days end: a Sunday evening in Europe.
const UNTIL: EpochMs = EpochMs(1_795_374_000_000);
/// How many days are simulated.
const DAYS: i64 = 28;
/// By which factor, up or down, a made shopper's sums differ from those of the simulated one.
const JITTER: f64 = 1.3;

/// Shoppers who were simulated, and from whom others are made.
pub struct Shoppers {
    vectors: Vec<FeatureVector>,
}

impl Shoppers {
    /// Simulates so many.
    pub fn simulate(shoppers: u32) -> anyhow::Result<Self> {
        let population =
            Population::simulate(&Installation::pseudonymiser(), shoppers, DAYS, UNTIL)?;
        let (rules, reference) = (FoldRules::default(), Reference::prior());
        let residents = population.residents.iter();
        let vectors = residents
            .map(|resident| resident.profile.state().features(UNTIL, &rules, &reference))
            .collect();
        Ok(Self { vectors })
    }

    /// `count` shoppers, each like a simulated one, drawn by `seed`.
    pub fn sample(&self, seed: u64, count: usize) -> Sample {
        let mut sample = Sample::new(Space::default_features());
        self.each(seed, count, |get| sample.push(get));
        sample
    }

    /// What is known of `count` shoppers.
    pub fn known(&self, seed: u64, count: usize, features: &[Feature]) -> Vec<Vec<Option<f64>>> {
        let mut known = Vec::with_capacity(count);
        self.each(seed, count, |get| {
            known.push(features.iter().map(|own| get(*own)).collect());
        });
        known
    }

    /// The places of `count` shoppers.
    pub fn placed(&self, space: &Space, count: usize) -> Rows {
        let mut values = Vec::with_capacity(count * space.len());
        let mut row = vec![0.0; space.len()];
        self.each(99, count, |get| {
            space.place(get, &mut row);
            values.extend_from_slice(&row);
        });
        Rows::new(space.len(), values)
    }

    fn each(&self, seed: u64, count: usize, mut see: impl FnMut(&dyn Fn(Feature) -> Option<f64>)) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for _ in 0..count {
            let vector = &self.vectors[rng.random_range(0..self.vectors.len())];
            let factors: [f64; 8] = std::array::from_fn(|_| rng.random_range(1.0 / JITTER..JITTER));
            see(&|feature| {
                let value = vector.get(feature)? * factors[feature as usize % factors.len()];
                let spec = feature.spec();
                Some(value.clamp(spec.min, spec.max))
            });
        }
    }
}
