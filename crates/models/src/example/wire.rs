//! Examples as JSON, version 1: one object on one line. Members that a kind does not have are left out, features that are missing
//! too.

use std::{borrow::Cow, collections::BTreeMap};

use foretide_events::{EpochMs, ShopperId, Text};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Example, ExampleError, Point, Snapshot, snapshot::catalogue};
use crate::Target;

/// The version of what is stored.
const VERSION: u32 = 1;

#[derive(Deserialize)]
struct VersionOnly {
    v: u32,
}

#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    v: u32,
    id: Text<128>,
    kind: Target,
    revision: u64,
    shopper_id: ShopperId,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    withdrawn: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<EpochMs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_started_at: Option<EpochMs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_ended_at: Option<EpochMs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certain_at: Option<EpochMs>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    devices: Vec<ShopperId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    as_of: Option<EpochMs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    catalogue: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<Text<64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    features: Option<Features<'a>>,
}

/// Features by name.
enum Features<'a> {
    /// Those of a snapshot, in the order of the catalogue.
    Known(&'a Snapshot),
    /// Whatever a record names.
    Told(BTreeMap<String, f32>),
}

impl Serialize for Features<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(known) => {
                let values = known.values().iter();
                serializer.collect_map(values.map(|(feature, value)| (feature.spec().name, value)))
            }
            Self::Told(named) => named.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Features<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::Told)
    }
}

/// About how many bytes an example with a point takes: what it is written to need not grow.
const USUAL_BYTES: usize = 4 * 1024;

pub(super) fn write(example: &Example) -> Vec<u8> {
    let point = example.point.as_ref();
    let known = point.map(|point| &point.known);
    let stored = Stored {
        v: VERSION,
        id: example.id.clone(),
        kind: example.kind,
        revision: example.revision,
        shopper_id: example.shopper_id,
        withdrawn: point.is_none(),
        at: point.map(|point| point.at),
        session_started_at: point.and_then(|point| point.session_started_at),
        session_ended_at: point.and_then(|point| point.session_ended_at),
        // One is what it is unless said otherwise.
        weight: point
            .map(|point| point.weight)
            .filter(|weight| *weight < 1.0),
        label: point.and_then(|point| point.label),
        certain_at: point.map(|point| point.certain_at),
        devices: point.map_or_else(Vec::new, |point| point.devices.clone()),
        as_of: known.map(Snapshot::as_of),
        catalogue: known.map(|_| catalogue().into()),
        reference: known.map(|known| known.reference().clone()),
        features: known.map(Features::Known),
    };
    let mut bytes = Vec::with_capacity(if point.is_some() { USUAL_BYTES } else { 0 });
    // Numbers and texts in memory have nothing that could fail to be written.
    let _ = serde_json::to_writer(&mut bytes, &stored);
    bytes
}

pub(super) fn read(bytes: &[u8]) -> Result<Example, ExampleError> {
    let VersionOnly { v } = serde_json::from_slice(bytes)?;
    if v != VERSION {
        return Err(ExampleError::Version(v));
    }
    let stored: Stored<'_> = serde_json::from_slice(bytes)?;
    Ok(Example {
        id: stored.id.clone(),
        kind: stored.kind,
        revision: stored.revision,
        shopper_id: stored.shopper_id,
        point: if stored.withdrawn {
            None
        } else {
            Some(point(stored)?)
        },
    })
}

fn point(stored: Stored<'_>) -> Result<Point, ExampleError> {
    let at = stored.at.ok_or(ExampleError::Missing("at"))?;
    let found = stored.catalogue.ok_or(ExampleError::Missing("catalogue"))?;
    if found != catalogue() {
        return Err(ExampleError::Catalogue {
            found: found.into_owned(),
            known: catalogue().to_owned(),
        });
    }
    if stored.kind == Target::Abandonment {
        stored.label.ok_or(ExampleError::Missing("label"))?;
        stored
            .session_started_at
            .ok_or(ExampleError::Missing("session_started_at"))?;
    }
    let weight = stored.weight.unwrap_or(1.0);
    if !(weight > 0.0 && weight <= 1.0) {
        return Err(ExampleError::Weight("weight"));
    }
    let Some(Features::Told(features)) = stored.features else {
        return Err(ExampleError::Missing("features"));
    };
    let named = features.iter().map(|(name, value)| (&**name, *value));
    let as_of = stored.as_of.ok_or(ExampleError::Missing("as_of"))?;
    let reference = stored.reference.ok_or(ExampleError::Missing("reference"))?;
    Ok(Point {
        at,
        session_started_at: stored.session_started_at,
        session_ended_at: stored.session_ended_at,
        weight,
        label: stored.label,
        certain_at: stored
            .certain_at
            .ok_or(ExampleError::Missing("certain_at"))?,
        devices: stored.devices,
        known: Snapshot::told(at, as_of, reference, named)?,
    })
}
