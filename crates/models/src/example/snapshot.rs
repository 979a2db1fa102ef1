//! The features of a shopper at an instant, and that they rest on nothing later.

use std::sync::LazyLock;

use foretide_events::{EpochMs, Text};
use foretide_features::{CATALOGUE, Feature, FoldRules, Reference, State, schema_id};

use super::ExampleError;

/// The catalogue of this program: naming it anew for every example would cost more than the example.
static CATALOGUE_ID: LazyLock<String> = LazyLock::new(schema_id);

/// What was known of a shopper at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    at: EpochMs,
    as_of: EpochMs,
    reference: Text<64>,
    /// Those that are not missing, in the order of the catalogue. In single precision: models tell no more apart, and there
    /// are many examples.
    values: Vec<(Feature, f32)>,
}

/// Features rest on something that happened later than the instant that they are said to be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("features of {} that rest on an event {} ms later", .at.0, .as_of.since(*.at))]
pub struct FromTheFuture {
    /// The instant that they are said to be of.
    pub at: EpochMs,
    /// When the newest event happened that they rest on.
    pub as_of: EpochMs,
}

impl Snapshot {
    /// What was known at `at`, when the shopper was in `state`. Refused if the state has folded an event after `at`.
    pub fn take(
        state: &State,
        at: EpochMs,
        rules: &FoldRules,
        reference: &Reference,
    ) -> Result<Self, FromTheFuture> {
        let as_of = not_later(state.as_of(), at)?;
        let features = state.features(at, rules, reference);
        let there = |feature| Some((feature, single(features.get(feature)?)));
        let values = CATALOGUE.iter().filter_map(|spec| there(spec.feature));
        Ok(Self {
            at,
            as_of,
            // No longer than a reference's own name can be.
            reference: Text::new(reference.version()).unwrap_or_default(),
            values: values.collect(),
        })
    }

    /// The instant.
    pub fn at(&self) -> EpochMs {
        self.at
    }

    /// When the newest event happened that it rests on; never after [`at`](Self::at).
    pub fn as_of(&self) -> EpochMs {
        self.as_of
    }

    /// The version of the reference that it rests on.
    pub fn reference(&self) -> &Text<64> {
        &self.reference
    }

    /// The value of `feature`, in single precision; `None` if it is missing.
    pub fn get(&self, feature: Feature) -> Option<f64> {
        let place = self
            .values
            .binary_search_by_key(&feature, |(known, _)| *known);
        Some(self.values.get(place.ok()?)?.1.into())
    }

    /// The features that are not missing, in the order of the catalogue.
    pub fn values(&self) -> &[(Feature, f32)] {
        &self.values
    }

    /// What a record says, if it can be true.
    pub(super) fn told<'a>(
        at: EpochMs,
        as_of: EpochMs,
        reference: Text<64>,
        named: impl Iterator<Item = (&'a str, f32)>,
    ) -> Result<Self, ExampleError> {
        let as_of = not_later(as_of, at)?;
        let mut values = named
            .map(|(name, value)| feature(name, value))
            .collect::<Result<Vec<_>, _>>()?;
        values.sort_by_key(|(feature, _)| *feature);
        Ok(Self {
            at,
            as_of,
            reference,
            values,
        })
    }
}

/// The catalogue that every snapshot is of.
pub(super) fn catalogue() -> &'static str {
    &CATALOGUE_ID
}

fn not_later(as_of: EpochMs, at: EpochMs) -> Result<EpochMs, FromTheFuture> {
    if as_of > at {
        return Err(FromTheFuture { at, as_of });
    }
    Ok(as_of)
}

fn feature(name: &str, value: f32) -> Result<(Feature, f32), ExampleError> {
    let spec = CATALOGUE.iter().find(|spec| spec.name == name);
    let spec = spec.ok_or_else(|| ExampleError::UnknownFeature(name.to_owned()))?;
    // The ends of the range are rounded as the value was.
    if !(single(spec.min)..=single(spec.max)).contains(&value) {
        return Err(ExampleError::OutOfRange(spec.name));
    }
    Ok((spec.feature, value))
}

/// The nearest number of single precision, always finite.
fn single(value: f64) -> f32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "beyond the largest it is infinite, and brought back"
    )]
    let nearest = value as f32;
    nearest.clamp(f32::MIN, f32::MAX)
}
