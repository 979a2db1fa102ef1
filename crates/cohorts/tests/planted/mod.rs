//! A shop whose shoppers behave in ways that are known: planted clusters with heavy tails and missing values.

#![allow(dead_code, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // shared by several tests

use foretide_cohorts::{Cohorts, Counts, Reformer, Reforming, Sample, Settings};
use foretide_events::{EpochMs, Text};
use foretide_features::Feature;

/// What is planted in: sums with heavy tails, shares, and two that not everybody has.
pub const FEATURES: [Feature; 9] = [
    Feature::Sessions30d,
    Feature::ProductViews30d,
    Feature::CartAdds30d,
    Feature::Engagement30d,
    Feature::CouponAttempts30d,
    Feature::TopCategoryShare,
    Feature::BrandEntropy,
    Feature::MeanOrderValue30d,
    Feature::VisitGapHours,
];

/// Draws that repeat.
#[derive(Clone, Debug)]
pub struct Draws(u64);

impl Draws {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal, mean 0 and deviation 1.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    pub fn below(&mut self, count: usize) -> usize {
        (self.unit() * count as f64) as usize
    }
}

/// A shopper whose behaviour is known.
#[derive(Clone, Debug)]
pub struct Shopper {
    pub behaviour: usize,
    pub values: Vec<Option<f64>>,
}

/// The shoppers of a shop.
#[derive(Clone, Debug, Default)]
pub struct Shop {
    pub shoppers: Vec<Shopper>,
}

/// Where shoppers of a behaviour are, before they are bent into real units: 0 to 5 in each feature.
pub fn place(behaviour: usize) -> Vec<f64> {
    let mut draws = Draws::new(100 + behaviour as u64);
    FEATURES.iter().map(|_| 5.0 * draws.unit()).collect()
}

/// So many behaviours, none of which is close to another.
pub fn apart(count: usize) -> Vec<usize> {
    let distance = |one: usize, other: usize| -> f64 {
        let pairs = place(one).into_iter().zip(place(other));
        pairs.map(|(one, other)| (one - other).powi(2)).sum()
    };
    let mut chosen = vec![0];
    while chosen.len() < count {
        let nearest = |one: &usize| {
            let others = chosen.iter().map(|other| distance(*one, *other));
            others.fold(f64::INFINITY, f64::min)
        };
        let next = (0..40_usize).max_by(|one, other| nearest(one).total_cmp(&nearest(other)));
        chosen.push(next.unwrap());
    }
    chosen
}

impl Shop {
    /// `each` shoppers of each of these behaviours.
    pub fn of(behaviours: &[usize], each: usize) -> Self {
        let mut shop = Self::default();
        for behaviour in behaviours {
            shop.add(*behaviour, each);
        }
        shop
    }

    pub fn add(&mut self, behaviour: usize, count: usize) {
        let place = place(behaviour);
        let mut draws = Draws::new(7_000 + behaviour as u64);
        for _ in 0..count {
            let values = FEATURES.iter().zip(&place);
            let values =
                values.map(|(feature, at)| real(*feature, at + 0.4 * draws.normal(), behaviour));
            self.shoppers.push(Shopper {
                behaviour,
                values: values.collect(),
            });
        }
    }

    pub fn remove(&mut self, behaviour: usize) {
        self.shoppers
            .retain(|shopper| shopper.behaviour != behaviour);
    }

    /// `count` shoppers drawn by `seed`, standing for all; everyone where there are no more.
    pub fn sample(&self, seed: u64, count: usize) -> Sample {
        let mut draws = Draws::new(seed);
        let mut sample = Sample::new(&FEATURES);
        if count >= self.shoppers.len() {
            for shopper in &self.shoppers {
                sample.push(shopper.get());
            }
            return sample;
        }
        for _ in 0..count {
            sample.push(self.shoppers[draws.below(self.shoppers.len())].get());
        }
        sample.stands_for(self.shoppers.len() as u64)
    }

    /// The id of the cohort of each shopper.
    pub fn ids(&self, cohorts: &Cohorts) -> Vec<String> {
        let id = |shopper: &Shopper| {
            let index = cohorts.assign(shopper.get()).index;
            cohorts.get(index).unwrap().id.to_string()
        };
        self.shoppers.iter().map(id).collect()
    }
}

impl Shopper {
    pub fn get(&self) -> impl FnMut(Feature) -> Option<f64> + '_ {
        |feature| {
            let place = FEATURES.iter().position(|own| *own == feature)?;
            self.values[place]
        }
    }
}

/// A place in a feature's own unit; every third behaviour has no order and no gap between visits.
fn real(feature: Feature, at: f64, behaviour: usize) -> Option<f64> {
    match feature {
        Feature::TopCategoryShare => Some((at / 6.0).clamp(0.0, 1.0)),
        Feature::BrandEntropy => Some((at / 3.0).clamp(0.0, 2.0)),
        Feature::MeanOrderValue30d | Feature::VisitGapHours => {
            (!behaviour.is_multiple_of(3)).then(|| libm::exp(at))
        }
        _ => Some(libm::expm1(at).max(0.0)),
    }
}

pub fn settings(cohorts: Counts) -> Settings {
    Settings {
        features: FEATURES.to_vec(),
        cohorts,
        ..Settings::default()
    }
}

/// The re-forming number `round` of a shop, on samples that no other round has.
pub fn reform(
    shop: &Shop,
    settings: &Settings,
    serving: Option<&Cohorts>,
    round: u64,
) -> Reforming {
    let reformer = Reformer::new(settings.clone(), round).unwrap();
    let (train, held_out) = (
        shop.sample(2 * round + 50, 2_000),
        shop.sample(2 * round + 51, 1_000),
    );
    let reference = Text::new("reference-1").unwrap();
    let since = EpochMs(1_795_341_600_000 + i64::try_from(round).unwrap() * 300_000);
    reformer.reform(&train, &held_out, serving, since, &reference)
}

/// The same, accepted.
pub fn accepted(
    shop: &Shop,
    settings: &Settings,
    serving: Option<&Cohorts>,
    round: u64,
) -> Cohorts {
    let reforming = reform(shop, settings, serving, round);
    let verdict = reforming.verdict.clone();
    reforming
        .accepted()
        .unwrap_or_else(|| panic!("round {round}: {verdict:?}"))
}
