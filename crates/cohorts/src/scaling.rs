//! Learns how features are scaled, from a sample.
//!
//! Per feature: bounds at the 1st and 99th percentile; the logarithm where the values have no upper bound and are less
//! skewed with it; the median as the middle; and as the spread the larger of the interquartile range over 1.349 and the
//! standard deviation, both of what is drawn in and bent. They agree on a normal distribution; of a heavier tail the
//! larger keeps the variance of every dimension at most one, so that none outweighs the others.
//!
//! What is missing has a stand-in: of "days since …" the far end, for it never happened; of all else the middle. Where from
//! 2 % to 98 % of shoppers have a feature, having it is a dimension beside it, with half the weight of a value.

use foretide_features::{Feature, Unit};

use crate::{Dimension, Kind, Sample, Space, Transform};

/// Having a feature is a dimension where at least this part of shoppers has it, and as many have it not.
const PRESENCE_SHARE: f64 = 0.02;
/// How far a presence counts in comparison with a value.
const PRESENCE_WEIGHT: f64 = 0.5;
/// Fewer values than this tell nothing about a feature.
const FEWEST_VALUES: usize = 20;
/// As many values tell what all would.
const MOST_VALUES: usize = 10_000;
/// How many scales a middle may have moved before the scaling that serves is given up.
const LOCATION_KEPT: f64 = 0.5;
/// By which factor a scale may have changed before the scaling that serves is given up.
const SCALE_KEPT: f64 = 1.5;

/// The space of `features` for the shoppers of `sample`: the one that serves, while it still fits them. `None` if no feature
/// tells shoppers apart.
pub(crate) fn learn(
    sample: &Sample,
    features: &[Feature],
    serving: Option<&Space>,
) -> Option<Space> {
    let mut dimensions = Vec::new();
    for feature in features {
        let Some(column) = sample.column(*feature) else {
            continue;
        };
        let step = sample.len().div_ceil(MOST_VALUES);
        let values: Vec<Option<f64>> = sample.values(column, step).collect();
        let mut known: Vec<f64> = values.iter().copied().flatten().collect();
        known.sort_by(f64::total_cmp);
        let share = known.len() as f64 / values.len().max(1) as f64;
        dimensions.extend(value(*feature, &known));
        dimensions.extend(presence(*feature, share));
    }
    let fresh = Space { dimensions };
    match serving {
        Some(serving) if still_fits(serving, &fresh, features) => Some(serving.clone()),
        _ => (!fresh.is_empty()).then_some(fresh),
    }
}

/// The value of a feature as a dimension, from what is known of it, sorted. `None` if all have the same.
fn value(feature: Feature, known: &[f64]) -> Option<Dimension> {
    if known.len() < FEWEST_VALUES {
        return None;
    }
    let (winsor_low, winsor_high) = (quantile(known, 0.01), quantile(known, 0.99));
    let bent = |transform: Transform| -> Vec<f64> {
        let drawn_in = known
            .iter()
            .map(|value| value.clamp(winsor_low, winsor_high));
        drawn_in.map(|value| transform.apply(value)).collect()
    };
    let spec = feature.spec();
    let may_bend = spec.min >= 0.0 && spec.max.is_infinite() && winsor_low >= 0.0;
    let mut transform = Transform::Linear;
    let mut values = bent(transform);
    if may_bend {
        let logarithms = bent(Transform::Log1p);
        if skewness(&logarithms).abs() < skewness(&values).abs() {
            (transform, values) = (Transform::Log1p, logarithms);
        }
    }
    let (_, deviation) = moments(&values);
    let range = (quantile(&values, 0.75) - quantile(&values, 0.25)) / 1.349;
    let (location, scale) = (quantile(&values, 0.5), range.max(deviation));
    if scale <= 1e-9 * (1.0 + location.abs()) {
        return None;
    }
    let mut dimension = Dimension {
        feature,
        kind: Kind::Value,
        transform,
        winsor_low,
        winsor_high,
        location,
        scale,
        missing: 0.0,
    };
    if spec.unit == Unit::Days {
        dimension.missing = dimension.scaled(Some(winsor_high));
    }
    Some(dimension)
}

/// Having a feature as a dimension, where `share` of shoppers have it.
fn presence(feature: Feature, share: f64) -> Option<Dimension> {
    if !(PRESENCE_SHARE..=1.0 - PRESENCE_SHARE).contains(&share) {
        return None;
    }
    let scale = (share * (1.0 - share)).sqrt() / PRESENCE_WEIGHT;
    #[expect(clippy::cast_possible_truncation, reason = "a small number")]
    let missing = (-share / scale) as f32;
    Some(Dimension {
        feature,
        kind: Kind::Presence,
        transform: Transform::Linear,
        winsor_low: 0.0,
        winsor_high: 1.0,
        location: share,
        scale,
        missing,
    })
}

/// Whether shoppers are still where `serving` takes them to be, as `fresh` tells. A dimension in which they do not differ any
/// more does no harm, so one that comes and goes does not change the space each time.
fn still_fits(serving: &Space, fresh: &Space, features: &[Feature]) -> bool {
    let wanted = |old: &Dimension| features.contains(&old.feature);
    let fits = |new: &Dimension| {
        let mut same = serving.dimensions.iter();
        same.find(|old| old.feature == new.feature && old.kind == new.kind)
            .is_some_and(|old| is_close(old, new))
    };
    serving.dimensions.iter().all(wanted) && fresh.dimensions.iter().all(fits)
}

/// Whether two scalings of the same take values to about the same places, whichever way they are bent.
fn is_close(old: &Dimension, new: &Dimension) -> bool {
    if old.kind == Kind::Presence {
        return true;
    }
    let place = |at: f32| old.scaled(Some(new.real(at)));
    let (low, middle, high) = (place(-1.0), place(0.0), place(1.0));
    // Where the new middle is at an end of the values, one side of it says nothing.
    let scale = f64::from(high - middle).max(f64::from(middle - low));
    f64::from(middle).abs() <= LOCATION_KEPT && (1.0 / SCALE_KEPT..=SCALE_KEPT).contains(&scale)
}

/// The value below which `part` of sorted values lie, at least one of them.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1) as f64;
    let place = part * last;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in the list"
    )]
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    let weight = place - place.floor();
    sorted[low] * (1.0 - weight) + sorted[high] * weight
}

/// Mean and standard deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / count).sqrt())
}

/// The third standardised moment; 0 of values that are all the same.
fn skewness(values: &[f64]) -> f64 {
    let (mean, deviation) = moments(values);
    if deviation <= 0.0 {
        return 0.0;
    }
    let cubes: f64 = values
        .iter()
        .map(|value| ((value - mean) / deviation).powi(3))
        .sum();
    cubes / values.len() as f64
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "equal to the bit")]
mod tests {
    use super::*;

    const FEATURES: [Feature; 3] = [
        Feature::Spend30d,
        Feature::DaysSincePurchase,
        Feature::TopCategoryShare,
    ];

    /// Spend with a heavy tail times `factor`, a purchase of every second shopper, and an even share.
    fn sample(shoppers: u32, factor: f64) -> Sample {
        let mut sample = Sample::new(&FEATURES);
        for number in 0..shoppers {
            let part = f64::from(number * 7919 % shoppers) / f64::from(shoppers);
            sample.push(|feature| match feature {
                Feature::Spend30d => Some(factor * libm::exp(6.0 * part) - factor),
                Feature::DaysSincePurchase => (number % 2 == 0).then_some(1.0 + 20.0 * part),
                _ => Some(part),
            });
        }
        sample
    }

    fn find(space: &Space, feature: Feature, kind: Kind) -> &Dimension {
        let mut own = space.dimensions.iter();
        own.find(|own| own.feature == feature && own.kind == kind)
            .unwrap()
    }

    #[test]
    fn heavy_tails_are_taken_to_logarithms_and_shares_are_not() {
        let space = learn(&sample(1000, 1.0), &FEATURES, None).unwrap();
        let spend = find(&space, Feature::Spend30d, Kind::Value);
        let share = find(&space, Feature::TopCategoryShare, Kind::Value);
        assert_eq!(
            (spend.transform, share.transform),
            (Transform::Log1p, Transform::Linear)
        );
        let rows = sample(1000, 1.0).placed(&space);
        assert!(rows.values().iter().all(|place| place.abs() < 4.0));
    }

    #[test]
    fn what_never_happened_lies_at_the_far_end_and_having_happened_is_a_dimension() {
        let space = learn(&sample(1000, 1.0), &FEATURES, None).unwrap();
        let days = find(&space, Feature::DaysSincePurchase, Kind::Value);
        assert_eq!(days.scaled(None), days.scaled(Some(1e6)));
        let presence = find(&space, Feature::DaysSincePurchase, Kind::Presence);
        let apart = presence.scaled(Some(3.0)) - presence.scaled(None);
        assert!((apart - 1.0).abs() < 1e-3, "{apart}");
        let presences = space
            .dimensions
            .iter()
            .filter(|own| own.kind == Kind::Presence);
        assert_eq!(presences.count(), 1, "all have the other features");
    }

    #[test]
    fn the_scaling_stays_until_shoppers_have_left_it() {
        let first = learn(&sample(1000, 1.0), &FEATURES, None).unwrap();
        let same = learn(&sample(970, 1.1), &FEATURES, Some(&first)).unwrap();
        assert_eq!(same, first);
        let left = learn(&sample(1000, 9.0), &FEATURES, Some(&first)).unwrap();
        assert_ne!(left, first);
        let fewer = learn(&sample(1000, 1.0), &FEATURES[..2], Some(&first)).unwrap();
        assert_ne!(fewer, first);
    }

    #[test]
    fn what_is_the_same_of_all_or_known_of_nobody_is_no_dimension() {
        let mut sample = Sample::new(&FEATURES[..2]);
        for _ in 0..100 {
            sample.push(|feature| (feature == Feature::Spend30d).then_some(3.0));
        }
        assert_eq!(learn(&sample, &FEATURES, None), None);
    }
}
