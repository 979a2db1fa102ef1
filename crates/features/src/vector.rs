//! The features of one shopper at one instant.

use crate::{CATALOGUE, Feature, FeatureSpec};

/// The value of every feature, or that it is missing. A missing value is not zero: a shopper without a cart has no
/// cart age. Every value is finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeatureVector {
    values: [f64; Feature::COUNT],
    /// One bit a feature.
    present: u128,
}

const _: () = assert!(Feature::COUNT <= 128, "presence is kept in 128 bits");

impl Default for FeatureVector {
    /// Everything is missing.
    fn default() -> Self {
        Self {
            values: [0.0; Feature::COUNT],
            present: 0,
        }
    }
}

impl FeatureVector {
    /// Takes in the value of `feature`, which is missing so far. What is not finite stays missing.
    pub(crate) fn set(&mut self, feature: Feature, value: Option<f64>) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.values[feature as usize] = value;
            self.present |= 1 << feature as usize;
        }
    }

    /// The value of `feature`; `None` if it is missing.
    pub fn get(&self, feature: Feature) -> Option<f64> {
        let place = feature as usize;
        (self.present >> place & 1 == 1).then(|| self.values[place])
    }

    /// The value of the feature called `name`; `None` if it is missing or there is no such feature.
    pub fn by_name(&self, name: &str) -> Option<f64> {
        self.get(CATALOGUE.iter().find(|spec| spec.name == name)?.feature)
    }

    /// Every feature with its value, in the order of the catalogue.
    pub fn iter(&self) -> impl Iterator<Item = (&'static FeatureSpec, Option<f64>)> {
        CATALOGUE.iter().map(|spec| (spec, self.get(spec.feature)))
    }
}
