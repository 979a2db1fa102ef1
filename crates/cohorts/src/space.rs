//! In which features shoppers are compared, and how each is scaled.

use foretide_features::Feature;
use serde::{Deserialize, Serialize};

use crate::feature_name;

/// The most dimensions that a space may have.
pub const MAX_DIMENSIONS: usize = 64;

/// The features that tell how shoppers behave over weeks. What changes from one page to the next (the session, the cart) is
/// left out, so that shoppers do not wander between cohorts while they look around.
const DEFAULT_FEATURES: [Feature; 26] = [
    Feature::Sessions30d,
    Feature::Searches30d,
    Feature::ProductViews30d,
    Feature::CartAdds30d,
    Feature::WishlistAdds30d,
    Feature::ContentClicks30d,
    Feature::DwellSeconds30d,
    Feature::Engagement30d,
    Feature::EngagementTrend7d,
    Feature::Purchases30d,
    Feature::Spend30d,
    Feature::MeanOrderValue30d,
    Feature::DaysSincePurchase,
    Feature::TopCategoryShare,
    Feature::CategoryEntropy,
    Feature::BrandEntropy,
    Feature::ViewedPriceLevel,
    Feature::ViewedPriceSpread,
    Feature::BoughtPriceLevel,
    Feature::DiscountedViewShare30d,
    Feature::PriceFilterShare30d,
    Feature::CouponAttempts30d,
    Feature::PriceDropsSeen30d,
    Feature::ContentClickShare30d,
    Feature::SearchFollowShare30d,
    Feature::VisitGapHours,
];

/// What a dimension says of a shopper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The value of the feature.
    Value,
    /// Whether the feature is known: 1 or 0.
    Presence,
}

/// How a value is bent before it is scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// Not at all.
    Linear,
    /// ln(1 + value), of values that are never negative.
    Log1p,
}

impl Transform {
    /// The bent value.
    pub fn apply(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log1p => libm::log1p(value),
        }
    }

    /// The value that `bent` is of.
    pub fn invert(self, bent: f64) -> f64 {
        match self {
            Self::Linear => bent,
            Self::Log1p => libm::expm1(bent),
        }
    }
}

/// One dimension of a space. A value `v` in the feature's own unit lies at
/// `(transform(v drawn in to winsor_low..=winsor_high) − location) / scale`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// Whose dimension it is.
    #[serde(with = "feature_name")]
    pub feature: Feature,
    /// What of the feature it is.
    pub kind: Kind,
    /// How values are bent.
    pub transform: Transform,
    /// Values below count as this one; in the feature's unit.
    pub winsor_low: f64,
    /// Values above count as this one; in the feature's unit.
    pub winsor_high: f64,
    /// The middle of the bent values.
    pub location: f64,
    /// How far bent values usually are from there, above zero.
    pub scale: f64,
    /// Where a shopper lies of whom the feature is not known, in scaled units.
    pub missing: f32,
}

impl Dimension {
    /// Where a shopper with this value lies; `None` is a value that is missing.
    pub fn scaled(&self, value: Option<f64>) -> f32 {
        let value = match (value, self.kind) {
            (None, _) => return self.missing,
            (Some(_), Kind::Presence) => 1.0,
            (Some(value), Kind::Value) => value,
        };
        let drawn_in = value.clamp(self.winsor_low, self.winsor_high);
        let place = (self.transform.apply(drawn_in) - self.location) / self.scale;
        #[expect(clippy::cast_possible_truncation, reason = "scaled values are small")]
        let place = place as f32;
        place
    }

    /// The value in the feature's unit that lies at `place`; of a presence, the share of those who have it.
    pub fn real(&self, place: f32) -> f64 {
        let bent = f64::from(place) * self.scale + self.location;
        self.transform.invert(bent)
    }
}

/// The dimensions in which shoppers are compared, each scaled so that none outweighs the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Space {
    /// The dimensions, 1 to [`MAX_DIMENSIONS`].
    pub dimensions: Vec<Dimension>,
}

impl Space {
    /// The features in which shoppers are compared unless others are named: 26 that tell how they behave over weeks.
    pub fn default_features() -> &'static [Feature] {
        &DEFAULT_FEATURES
    }

    /// How many dimensions it has.
    pub fn len(&self) -> usize {
        self.dimensions.len()
    }

    /// Whether it has no dimension, which no checked space has.
    pub fn is_empty(&self) -> bool {
        self.dimensions.is_empty()
    }

    /// Writes where a shopper with these features lies to the first [`Self::len`] numbers of `row`; each feature is asked
    /// for at most twice.
    pub fn place(&self, mut get: impl FnMut(Feature) -> Option<f64>, row: &mut [f32]) {
        for (dimension, place) in self.dimensions.iter().zip(row) {
            let known = get(dimension.feature).filter(|value| value.is_finite());
            *place = dimension.scaled(known);
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "equal to the bit")]
mod tests {
    use super::*;

    fn spend() -> Dimension {
        Dimension {
            feature: Feature::Spend30d,
            kind: Kind::Value,
            transform: Transform::Log1p,
            winsor_low: 0.0,
            winsor_high: 999.0,
            location: libm::log1p(9.0),
            scale: 2.0,
            missing: -1.25,
        }
    }

    #[test]
    fn far_values_are_drawn_in_and_missing_ones_have_a_place_of_their_own() {
        let dimension = spend();
        assert_eq!(dimension.scaled(Some(9.0)), 0.0);
        assert_eq!(dimension.scaled(Some(1e9)), dimension.scaled(Some(999.0)));
        assert_eq!(dimension.scaled(Some(-3.0)), dimension.scaled(Some(0.0)));
        assert_eq!(dimension.scaled(None), -1.25);
        assert_ne!(dimension.scaled(None), dimension.scaled(Some(0.0)));
    }

    #[test]
    fn places_turn_back_into_real_units() {
        let dimension = spend();
        for value in [0.0, 3.5, 9.0, 400.0] {
            let there = dimension.real(dimension.scaled(Some(value)));
            assert!((there - value).abs() < 1e-4 * (1.0 + value), "{value}");
        }
    }

    #[test]
    fn numbers_that_are_none_count_as_missing() {
        let space = Space {
            dimensions: vec![spend()],
        };
        let mut row = [0.0];
        space.place(|_| Some(f64::NAN), &mut row);
        assert_eq!(row, [-1.25]);
    }

    #[test]
    fn the_default_features_are_distinct_and_fit_with_their_presences() {
        let features: std::collections::BTreeSet<_> = Space::default_features().iter().collect();
        assert_eq!(features.len(), Space::default_features().len());
        assert!(2 * features.len() <= MAX_DIMENSIONS);
    }
}
