//! The artefact: one version of the cohorts, which says in which of them a shopper is.

use std::ops::Deref;

use foretide_events::{EpochMs, Text};
use foretide_features::Feature;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    Algorithm, MAX_DIMENSIONS, Rows, Space,
    assign::{Kernel, squared_distance},
    feature_name,
};

/// The number of the written form.
pub(crate) const FORMAT: u32 = 1;

/// One version of the cohorts as it is written. [`Cohorts`] is the same, checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// The number of this written form.
    pub format: u32,
    /// Its name, which says what it holds.
    pub version: Text<64>,
    /// From when on it serves.
    pub since: EpochMs,
    /// The catalogue of features that it was formed under.
    pub schema_id: Text<16>,
    /// The version of the reference that features are computed against.
    pub reference: Text<64>,
    /// In which features shoppers are compared.
    pub space: Space,
    /// How a shopper is assigned.
    pub method: Method,
    /// The cohorts; a shopper's index is the place here. That of those like nobody, if there is one, is the last.
    pub members: Vec<Cohort>,
    /// How well they tell shoppers apart.
    pub quality: Quality,
    /// How many shoppers they were formed from.
    pub sampled: u64,
    /// How many shoppers there were.
    pub shoppers: u64,
    /// What its draws were named by.
    pub seed: u64,
    /// The number of the next cohort that is born.
    pub next_number: u32,
    /// How many re-formings lie behind it.
    pub generation: u64,
    /// What became of the cohorts that served before.
    pub lineage: Vec<Change>,
}

/// How a shopper is assigned to a cohort.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "algorithm", rename_all = "snake_case", deny_unknown_fields)]
pub enum Method {
    /// The cohort with the nearest centroid; of several, the first.
    KMeans,
    /// The cohort of the nearest core point, if it is within reach; else that of those like nobody.
    Dbscan {
        /// How far apart neighbours are at most, in scaled units.
        epsilon: f64,
        /// How many neighbours, itself included, make a core point.
        minimum_neighbours: usize,
        /// How far from a core point a newcomer may lie, in scaled units: `epsilon` and how far the points that were left out
        /// lie from those that are kept.
        reach: f64,
        /// Core points that stand for all.
        core: Vec<Point>,
    },
}

impl Method {
    /// Which algorithm it comes from.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::KMeans => Algorithm::KMeans,
            Self::Dbscan { .. } => Algorithm::Dbscan,
        }
    }
}

/// A core point of a cohort.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The place of its cohort.
    pub cohort: u16,
    /// Where it lies, scaled.
    pub at: Vec<f32>,
}

/// One cohort.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cohort {
    /// Its id, such as `c-7`; it stays as long as the cohort lives, and is never given again.
    pub id: Text<32>,
    /// What sets its shoppers apart, such as "price-sensitive browsers".
    pub name: Text<80>,
    /// Whether it is that of those who are like nobody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub noise: bool,
    /// Where its middle lies, scaled; one number a dimension.
    pub centroid: Vec<f32>,
    /// What is typical of its shoppers, in real units, a feature each.
    pub typical: Vec<Typical>,
    /// What sets them apart, the most first.
    pub traits: Vec<Trait>,
    /// Its shoppers: estimated from the sample, or [counted](Cohorts::counted).
    pub size: u64,
    /// Its part of all shoppers.
    pub share: f64,
    /// How far its shoppers are from its middle, root mean square, in scaled units.
    pub radius: f64,
    /// When it was born.
    pub born_at: EpochMs,
}

/// What is typical of a cohort in one feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Typical {
    /// The feature.
    #[serde(with = "feature_name")]
    pub feature: Feature,
    /// The mean of those of whom it is known, in its own unit; of what has a heavy tail, the middle one by logarithm.
    /// `None` where it is known of nobody.
    pub value: Option<f64>,
    /// Of which share of the shoppers it is known.
    pub known: f64,
}

/// What sets a cohort apart in one feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trait {
    /// The feature.
    #[serde(with = "feature_name")]
    pub feature: Feature,
    /// How far its middle lies from that of all shoppers, in standard deviations of all; above zero is more.
    pub difference: f64,
}

/// How well cohorts tell shoppers apart, on shoppers whom they were not formed from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// The mean squared distance of a shopper from the middle of the own cohort, in scaled units.
    pub inertia: f64,
    /// The part of the variance among shoppers that is between cohorts rather than within, 0 to 1.
    pub explained: f64,
    /// The mean simplified silhouette, -1 to 1: (b − a) / max(a, b) of the distances to the own middle (a) and to the
    /// nearest other (b); 0 for those like nobody. (Hruschka, de Castro & Campello 2004.)
    pub silhouette: f64,
    /// How many shoppers it was measured on.
    pub measured_on: u64,
}

/// What became of a cohort in a re-forming (after MONIC: Spiliopoulou, Ntoutsi, Theodoridis & Schult 2006).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// It lives on under its id.
    Kept {
        /// Which.
        id: Text<32>,
    },
    /// It is new, and its shoppers come from no single one.
    Born {
        /// Which.
        id: Text<32>,
    },
    /// It is gone, and its shoppers went to no single one, or there were none left.
    Died {
        /// Which.
        id: Text<32>,
    },
    /// Its shoppers are in several now; the first has its id if it lives on.
    Split {
        /// Which.
        from: Text<32>,
        /// Into which.
        into: Vec<Text<32>>,
    },
    /// The shoppers of several are in one now.
    Merged {
        /// Which.
        from: Vec<Text<32>>,
        /// Into which.
        into: Text<32>,
    },
}

/// In which cohort a shopper is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Membership {
    /// The place of the cohort among [`Form::members`].
    pub index: u16,
    /// How far the shopper is from its centroid, or from the nearest core point, in scaled units.
    pub distance: f32,
}

/// Why something is no artefact of cohorts.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    /// It is of another program.
    #[error(
        "format {0} of cohorts is not known to this version of Foretide; it reads format {FORMAT}"
    )]
    Format(u32),
    /// It was formed under other features.
    #[error("the cohorts rest on feature catalogue `{}`, and this program has `{ours}`", .theirs.to_string())]
    Schema {
        /// The catalogue that it names.
        theirs: Text<16>,
        /// The catalogue of this program.
        ours: String,
    },
    /// A part of it does not hold.
    #[error("`{part}` {cause}")]
    Unsound {
        /// Which field.
        part: String,
        /// What is wrong with it.
        cause: &'static str,
    },
    /// It is no JSON of this form.
    #[error("the cohorts cannot be read: {0}")]
    Unreadable(String),
}

/// One version of the cohorts, checked: what serves.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct Cohorts {
    form: Form,
    /// Centroids or core points, to which shoppers are nearest.
    points: Rows,
    /// The cohort of each point.
    owners: Vec<u16>,
    /// How far a shopper may be from the nearest point, if there is a bound.
    reach: Option<f64>,
}

impl PartialEq for Cohorts {
    fn eq(&self, other: &Self) -> bool {
        self.form == other.form
    }
}

impl Deref for Cohorts {
    type Target = Form;

    fn deref(&self) -> &Form {
        &self.form
    }
}

impl From<Cohorts> for Form {
    fn from(cohorts: Cohorts) -> Self {
        cohorts.form
    }
}

impl TryFrom<Form> for Cohorts {
    type Error = Refused;

    fn try_from(form: Form) -> Result<Self, Refused> {
        form.check()?;
        let mut points = Rows::new(form.space.len(), Vec::new());
        let mut owners = Vec::new();
        let mut reach = None;
        match &form.method {
            Method::KMeans => {
                for (index, cohort) in (0_u16..).zip(&form.members) {
                    points.push(&cohort.centroid);
                    owners.push(index);
                }
            }
            Method::Dbscan {
                core,
                reach: within,
                ..
            } => {
                reach = Some(*within);
                for point in core {
                    points.push(&point.at);
                    owners.push(point.cohort);
                }
            }
        }
        Ok(Self {
            form,
            points,
            owners,
            reach,
        })
    }
}

impl Cohorts {
    /// Reads what [`Self::to_json`] wrote, and checks it.
    pub fn from_json(json: &[u8]) -> Result<Self, Refused> {
        let form: Form =
            serde_json::from_slice(json).map_err(|error| Refused::Unreadable(error.to_string()))?;
        Self::try_from(form)
    }

    /// As it is written.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.form).unwrap_or_default()
    }

    /// Checks it again; what exists has passed.
    pub fn check(&self) -> Result<(), Refused> {
        self.form.check()
    }

    /// The cohort of a shopper with these features.
    pub fn assign(&self, get: impl FnMut(Feature) -> Option<f64>) -> Membership {
        let mut row = [0.0; MAX_DIMENSIONS];
        self.form.space.place(get, &mut row);
        self.assign_row(&row[..self.form.space.len()])
    }

    /// The cohort of a shopper who lies at `row` of [`Form::space`].
    pub fn assign_row(&self, row: &[f32]) -> Membership {
        let mut nearest = (f64::INFINITY, 0);
        for (place, point) in self.points.iter().enumerate() {
            let distance = squared_distance(row, point);
            if distance < nearest.0 {
                nearest = (distance, place);
            }
        }
        let (squared, place) = nearest;
        #[expect(clippy::cast_possible_truncation, reason = "distances are small")]
        let distance = squared.sqrt() as f32;
        Membership {
            index: self.owner(place, squared),
            distance,
        }
    }

    /// The cohorts of many shoppers, who lie at `rows` of [`Form::space`], in their order: the same as
    /// [`Self::assign_row`] of each, on so many threads.
    pub fn assign_rows(&self, rows: &Rows, threads: usize) -> Vec<u16> {
        let mut labels = vec![0; rows.len()];
        Kernel::new(&self.points).assign(rows, &mut labels, threads);
        // Without a reach the points are the centroids, in the order of cohorts.
        if self.reach.is_some() {
            for (label, row) in labels.iter_mut().zip(rows.iter()) {
                let place = usize::from(*label);
                *label = self.owner(place, squared_distance(row, self.points.row(place)));
            }
        }
        labels
    }

    /// The cohort of who is nearest to the point at `place`, at this squared distance.
    fn owner(&self, place: usize, squared: f64) -> u16 {
        let within = self.reach.is_none_or(|reach| squared <= reach * reach);
        if within {
            self.owners[place]
        } else {
            self.noise().unwrap_or_default()
        }
    }

    /// The place of the cohort of those like nobody, if there is one.
    pub fn noise(&self) -> Option<u16> {
        let place = self.members.iter().position(|cohort| cohort.noise)?;
        u16::try_from(place).ok()
    }

    /// The cohort at `index`.
    pub fn get(&self, index: u16) -> Option<&Cohort> {
        self.members.get(usize::from(index))
    }

    /// The cohort called `id`, and its place.
    pub fn by_id(&self, id: &str) -> Option<(u16, &Cohort)> {
        (0..)
            .zip(&self.members)
            .find(|(_, cohort)| &*cohort.id == id)
    }

    /// The same under another name and from another instant on.
    #[must_use]
    pub fn named(mut self, version: Text<64>, since: EpochMs) -> Self {
        self.form.version = version;
        self.form.since = since;
        self
    }

    /// The same with the sizes that were counted, in the order of members: `None` if there are more or fewer.
    #[must_use]
    pub fn counted(mut self, sizes: &[u64]) -> Option<Self> {
        if sizes.len() != self.form.members.len() {
            return None;
        }
        let all = sizes
            .iter()
            .fold(0_u64, |sum, size| sum.saturating_add(*size));
        for (cohort, size) in self.form.members.iter_mut().zip(sizes) {
            cohort.size = *size;
            cohort.share = *size as f64 / all.max(1) as f64;
        }
        self.form.shoppers = all;
        Some(self)
    }

    /// The cohorts that have fewer shoppers than `minimum`. That of those like nobody may be empty, but not merely small.
    pub fn smaller_than(&self, minimum: u64) -> impl Iterator<Item = &Cohort> {
        self.form
            .members
            .iter()
            .filter(move |cohort| cohort.size < minimum && !(cohort.noise && cohort.size == 0))
    }

    /// Says what it holds, whatever its name and the instant from which it serves.
    pub fn content_hash(&self) -> u64 {
        let plain = self.clone().named(Text::default(), EpochMs(0));
        xxh3_64(&plain.to_json())
    }
}
