//! The bytes of a model: `FTMD`, the format's number in two bytes, everything in the order of [`Stored`] as `postcard` writes it,
//! and the `xxh3` sum of all that in eight bytes, all little-endian.
//!
//! Any change that would misread former bytes gets another number; `golden/` beside this file has bytes of each.

use std::{borrow::Cow, collections::BTreeMap};

use foretide_events::{EpochMs, Text};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::{ModelParts, Window};
use crate::{Calibration, Correction, Knot, Logistic, Refused, Scorer, Target, Term, Tree, Trees};

const MAGIC: [u8; 4] = *b"FTMD";

/// The number of the format.
const FORMAT: u16 = 1;

/// Magic and number.
const HEAD: usize = 6;

/// Everything in a model, as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    target: StoredTarget,
    schema_id: Cow<'a, str>,
    reference: Cow<'a, str>,
    cohorts: Option<Cow<'a, str>>,
    inputs: Cow<'a, [String]>,
    scorer: StoredScorer<'a>,
    calibration: StoredCalibration<'a>,
    corrections: Cow<'a, BTreeMap<String, Correction>>,
    weight: f64,
    prior: Cow<'a, str>,
    window: [i64; 2],
    seed: u64,
    created_at: i64,
}

#[derive(Serialize, Deserialize)]
enum StoredTarget {
    Drift,
    Abandonment,
}

#[derive(Serialize, Deserialize)]
enum StoredScorer<'a> {
    Logistic {
        intercept: f64,
        terms: Cow<'a, [Term]>,
    },
    Boosted {
        width: u32,
        base: f64,
        trees: Cow<'a, [Tree]>,
    },
}

#[derive(Serialize, Deserialize)]
enum StoredCalibration<'a> {
    None,
    Platt { slope: f64, offset: f64 },
    Isotonic { knots: Cow<'a, [Knot]> },
}

/// The bytes of `parts`.
pub(super) fn write(parts: &ModelParts) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(FORMAT.to_le_bytes());
    let stored = Stored::of(parts);
    // Only what cannot tell its length beforehand cannot be written.
    let mut bytes = postcard::to_extend(&stored, bytes).unwrap_or_default();
    let sum = xxh3_64(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// The name of a model with these parts and these bytes.
pub(super) fn version_of(bytes: &[u8], parts: &ModelParts) -> Text<64> {
    let content = bytes
        .split_last_chunk::<8>()
        .map_or(bytes, |(rest, _)| rest);
    let name = format!("{}-{:016x}", parts.target, xxh3_64(content));
    Text::new(&name).unwrap_or_default()
}

/// The parts of a model, not yet checked as a whole.
pub(super) fn read(bytes: &[u8]) -> Result<ModelParts, Refused> {
    let damaged = Refused::Damaged;
    let (head, rest) = bytes
        .split_first_chunk::<HEAD>()
        .ok_or(damaged("they are too few"))?;
    let [m, a, g, i, number @ ..] = *head;
    if [m, a, g, i] != MAGIC {
        return Err(damaged("they do not begin with FTMD"));
    }
    // Before the sum, which another format may keep elsewhere.
    let format = u16::from_le_bytes(number);
    if format != FORMAT {
        return Err(Refused::Format(format));
    }
    let (content, sum) = rest
        .split_last_chunk::<8>()
        .ok_or(damaged("they are too few"))?;
    if xxh3_64(&bytes[..HEAD + content.len()]) != u64::from_le_bytes(*sum) {
        return Err(damaged("their sum is wrong"));
    }
    let (stored, rest) = postcard::take_from_bytes::<Stored<'_>>(content)
        .map_err(|_| damaged("they do not hold what a model holds"))?;
    if !rest.is_empty() {
        return Err(damaged("they go on after the model"));
    }
    stored.parts()
}

impl<'a> Stored<'a> {
    fn of(parts: &'a ModelParts) -> Self {
        Self {
            target: match parts.target {
                Target::Drift => StoredTarget::Drift,
                Target::Abandonment => StoredTarget::Abandonment,
            },
            schema_id: Cow::Borrowed(&parts.schema_id),
            reference: Cow::Borrowed(&parts.reference),
            cohorts: parts.cohorts.as_deref().map(Cow::Borrowed),
            inputs: Cow::Borrowed(&parts.inputs),
            scorer: StoredScorer::of(&parts.scorer),
            calibration: match &parts.calibration {
                Calibration::None => StoredCalibration::None,
                Calibration::Platt { slope, offset } => StoredCalibration::Platt {
                    slope: *slope,
                    offset: *offset,
                },
                Calibration::Isotonic { knots } => StoredCalibration::Isotonic {
                    knots: Cow::Borrowed(knots),
                },
            },
            corrections: Cow::Borrowed(&parts.corrections),
            weight: parts.weight,
            prior: Cow::Borrowed(&parts.prior),
            window: [parts.window.from.0, parts.window.until.0],
            seed: parts.seed,
            created_at: parts.created_at.0,
        }
    }

    fn parts(self) -> Result<ModelParts, Refused> {
        let [from, until] = self.window;
        Ok(ModelParts {
            target: match self.target {
                StoredTarget::Drift => Target::Drift,
                StoredTarget::Abandonment => Target::Abandonment,
            },
            schema_id: name("schema_id", &self.schema_id)?,
            reference: name("reference", &self.reference)?,
            cohorts: match self.cohorts {
                Some(cohorts) => Some(name("cohorts", &cohorts)?),
                None => None,
            },
            inputs: self.inputs.into_owned(),
            scorer: self.scorer.scorer()?,
            calibration: match self.calibration {
                StoredCalibration::None => Calibration::None,
                StoredCalibration::Platt { slope, offset } => Calibration::Platt { slope, offset },
                StoredCalibration::Isotonic { knots } => Calibration::Isotonic {
                    knots: knots.into_owned(),
                },
            },
            corrections: self.corrections.into_owned(),
            weight: self.weight,
            prior: name("prior", &self.prior)?,
            window: Window {
                from: instant("window.from", from)?,
                until: instant("window.until", until)?,
            },
            seed: self.seed,
            created_at: instant("created_at", self.created_at)?,
        })
    }
}

impl<'a> StoredScorer<'a> {
    fn of(scorer: &'a Scorer) -> Self {
        match scorer {
            Scorer::Logistic(logistic) => Self::Logistic {
                intercept: logistic.intercept(),
                terms: Cow::Borrowed(logistic.terms()),
            },
            Scorer::Boosted(trees) => Self::Boosted {
                // At most `INPUT_LIMIT`.
                width: u32::try_from(trees.width()).unwrap_or(u32::MAX),
                base: trees.base(),
                trees: Cow::Borrowed(trees.trees()),
            },
        }
    }

    fn scorer(self) -> Result<Scorer, Refused> {
        Ok(match self {
            Self::Logistic { intercept, terms } => {
                Scorer::Logistic(Logistic::build(intercept, terms.into_owned())?)
            }
            Self::Boosted { width, base, trees } => {
                Scorer::Boosted(Trees::build(width as usize, base, trees.into_owned())?)
            }
        })
    }
}

fn name(field: &'static str, text: &str) -> Result<Text<64>, Refused> {
    Text::new(text).ok_or(Refused::nonsense(field, "must have at most 64 characters"))
}

fn instant(field: &'static str, ms: i64) -> Result<EpochMs, Refused> {
    let known = EpochMs::EARLIEST..=EpochMs::LATEST;
    let at = EpochMs(ms);
    let refused = Refused::nonsense(field, "must lie between the years 1 and 9999");
    known.contains(&at).then_some(at).ok_or(refused)
}
