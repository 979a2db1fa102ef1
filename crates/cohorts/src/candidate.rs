//! A candidate as an artefact: its sizes, what is typical of its cohorts, what sets them apart, and their names.

use foretide_events::{EpochMs, Text};
use foretide_features::schema_id;

use crate::{
    Cohort, Cohorts, Form, Kind, Measured, Method, Quality, Refused, Rows, Sample, Space, Trait,
    Typical,
    artefact::FORMAT,
    assign::{Kernel, squared_distance},
    dbscan,
    identity::Identities,
    names::{Unnamed, name_all},
    quality::Middles,
};

/// The id of the cohort of those like nobody.
const NOISE_ID: &str = "noise";
/// Its name.
const NOISE_NAME: &str = "shoppers like nobody else";

/// What an algorithm formed of the sample.
#[derive(Clone, Debug)]
pub(crate) struct Formed {
    pub(crate) method: Method,
    /// The middle of each cohort, that of those like nobody included.
    pub(crate) centroids: Rows,
    /// The cohort of each shopper of the sample.
    pub(crate) labels: Vec<u16>,
    /// Whether the last cohort is that of those like nobody.
    pub(crate) noise: bool,
    /// Whether the centroids went on from those that serve.
    pub(crate) warm: bool,
}

impl Formed {
    /// The middles of all but those like nobody.
    pub(crate) fn regular(&self) -> Rows {
        if self.noise {
            self.centroids.without(self.centroids.len() - 1)
        } else {
            self.centroids.clone()
        }
    }

    /// The same with other centroids, to which the shoppers at `rows` are assigned anew.
    pub(crate) fn with_centroids(&self, centroids: Rows, rows: &Rows, threads: usize) -> Self {
        let mut labels = vec![0; rows.len()];
        Kernel::new(&centroids).assign(rows, &mut labels, threads);
        Self {
            centroids,
            labels,
            ..self.clone()
        }
    }

    /// The cohorts of other shoppers.
    pub(crate) fn assign(&self, rows: &Rows) -> Vec<u16> {
        if let Some(labels) = dbscan::assign_by(&self.method, self.centroids.len(), rows) {
            return labels;
        }
        let mut labels = vec![0; rows.len()];
        Kernel::new(&self.centroids).assign(rows, &mut labels, 1);
        labels
    }

    /// Shoppers of the sample in each cohort.
    pub(crate) fn sizes(&self) -> Vec<u64> {
        let mut sizes = vec![0; self.centroids.len()];
        for label in &self.labels {
            sizes[usize::from(*label)] += 1;
        }
        sizes
    }

    /// The sum of squared distances to the own centroid.
    pub(crate) fn inertia(&self, rows: &Rows) -> f64 {
        let own = rows.iter().zip(&self.labels);
        own.map(|(row, label)| squared_distance(row, self.centroids.row(usize::from(*label))))
            .sum()
    }

    /// The root mean squared distance of its shoppers to each centroid.
    fn radii(&self, rows: &Rows) -> Vec<f64> {
        let mut sums = vec![0.0; self.centroids.len()];
        for (row, label) in rows.iter().zip(&self.labels) {
            let place = usize::from(*label);
            sums[place] += squared_distance(row, self.centroids.row(place));
        }
        let sizes = self.sizes();
        let own = sums.iter().zip(sizes);
        own.map(|(sum, size)| (sum / size.max(1) as f64).sqrt())
            .collect()
    }
}

/// What a candidate rests on.
pub(crate) struct Basis<'a> {
    pub(crate) train: &'a Sample,
    pub(crate) rows: &'a Rows,
    pub(crate) space: &'a Space,
    pub(crate) serving: Option<&'a Cohorts>,
    pub(crate) since: EpochMs,
    pub(crate) reference: &'a Text<64>,
    pub(crate) seed: u64,
}

/// The artefact of what was formed.
pub(crate) fn build(
    basis: &Basis<'_>,
    formed: &Formed,
    identities: Identities,
    measured: Measured,
) -> Result<Cohorts, Refused> {
    let form = Form {
        format: FORMAT,
        version: Text::new("unnamed").unwrap_or_default(),
        since: basis.since,
        schema_id: Text::new(&schema_id()).unwrap_or_default(),
        reference: basis.reference.clone(),
        space: basis.space.clone(),
        method: formed.method.clone(),
        members: members(basis, formed, &identities),
        quality: Quality {
            inertia: measured.inertia,
            explained: measured.explained,
            silhouette: measured.silhouette,
            measured_on: measured.measured_on,
        },
        sampled: basis.train.len() as u64,
        shoppers: basis.train.shoppers(),
        seed: basis.seed,
        next_number: identities.next_number,
        generation: basis.serving.map_or(0, |serving| serving.generation + 1),
        lineage: identities.lineage,
    };
    let cohorts = Cohorts::try_from(form)?;
    let version = format!("cohorts-{:08x}", cohorts.content_hash() >> 32);
    Ok(cohorts.named(Text::new(&version).unwrap_or_default(), basis.since))
}

fn members(basis: &Basis<'_>, formed: &Formed, identities: &Identities) -> Vec<Cohort> {
    let traits = traits(basis, formed);
    let parents: Vec<Option<&Cohort>> = (0..formed.centroids.len())
        .map(|place| {
            let parent = identities.parents.get(place).copied().flatten();
            parent.and_then(|parent| basis.serving?.members.get(parent))
        })
        .collect();
    let regular = identities.ids.len();
    let unnamed: Vec<_> = traits[..regular]
        .iter()
        .zip(&parents)
        .map(|(traits, parent)| {
            let before = parent.map(|parent| (&*parent.name, &parent.traits[..]));
            Unnamed { traits, before }
        })
        .collect();
    let names = name_all(&unnamed);
    let (sizes, radii) = (formed.sizes(), formed.radii(basis.rows));
    let typical = typical(basis, formed);
    let sampled = basis.rows.len().max(1) as f64;
    (0..formed.centroids.len())
        .map(|place| {
            let noise = place >= regular;
            let share = sizes[place] as f64 / sampled;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a part of a count"
            )]
            let size = (share * basis.train.shoppers() as f64).round() as u64;
            let fixed = |text: &str| Text::new(text).unwrap_or_default();
            Cohort {
                id: identities.ids.get(place).cloned().unwrap_or_else(|| {
                    // Only that of those like nobody has no identity of its own.
                    Text::new(NOISE_ID).unwrap_or_default()
                }),
                name: names
                    .get(place)
                    .cloned()
                    .unwrap_or_else(|| fixed(NOISE_NAME)),
                noise,
                centroid: formed.centroids.row(place).to_vec(),
                typical: typical[place].clone(),
                traits: traits[place].clone(),
                size,
                share,
                radius: radii[place],
                born_at: parents[place].map_or(basis.since, |parent| parent.born_at),
            }
        })
        .collect()
}

/// What sets each cohort apart, the most first.
fn traits(basis: &Basis<'_>, formed: &Formed) -> Vec<Vec<Trait>> {
    let cohorts = formed.centroids.len();
    let middles = Middles::of(basis.rows, &formed.labels, cohorts);
    let (means, deviations) = moments(basis.rows);
    (0..cohorts)
        .map(|cohort| {
            let middle = middles.middle(cohort).unwrap_or_default();
            let mut traits: Vec<Trait> = basis
                .space
                .dimensions
                .iter()
                .zip(middle)
                .enumerate()
                .filter(|(place, (dimension, _))| {
                    dimension.kind == Kind::Value && deviations[*place] > 0.0
                })
                .map(|(place, (dimension, middle))| Trait {
                    feature: dimension.feature,
                    difference: (f64::from(middle) - means[place]) / deviations[place],
                })
                .collect();
            traits.sort_by(|one, other| other.difference.abs().total_cmp(&one.difference.abs()));
            traits
        })
        .collect()
}

/// The mean and the standard deviation of each dimension.
fn moments(rows: &Rows) -> (Vec<f64>, Vec<f64>) {
    let count = rows.len().max(1) as f64;
    let mut means = vec![0.0; rows.width()];
    for row in rows.iter() {
        for (mean, number) in means.iter_mut().zip(row) {
            *mean += f64::from(*number) / count;
        }
    }
    let mut variances = vec![0.0; rows.width()];
    for row in rows.iter() {
        for ((variance, mean), number) in variances.iter_mut().zip(&means).zip(row) {
            *variance += (f64::from(*number) - mean).powi(2) / count;
        }
    }
    (means, variances.into_iter().map(f64::sqrt).collect())
}

/// What is typical of each cohort, a feature each, in real units.
fn typical(basis: &Basis<'_>, formed: &Formed) -> Vec<Vec<Typical>> {
    let sizes = formed.sizes();
    let mut typical = vec![Vec::new(); sizes.len()];
    let values = basis.space.dimensions.iter().enumerate();
    for (place, dimension) in values.filter(|(_, own)| own.kind == Kind::Value) {
        let column = basis.train.column(dimension.feature);
        let mut sums = vec![(0.0, 0_u64); sizes.len()];
        for (row, label) in formed.labels.iter().enumerate() {
            let known = column.is_some_and(|column| basis.train.value(row, column).is_some());
            if known {
                let (sum, count) = &mut sums[usize::from(*label)];
                *sum += f64::from(basis.rows.row(row)[place]);
                *count += 1;
            }
        }
        for ((own, (sum, known)), size) in typical.iter_mut().zip(sums).zip(&sizes) {
            #[expect(clippy::cast_possible_truncation, reason = "places are small")]
            let middle = (sum / known.max(1) as f64) as f32;
            own.push(Typical {
                feature: dimension.feature,
                value: (known > 0).then(|| dimension.real(middle)),
                known: known as f64 / (*size).max(1) as f64,
            });
        }
    }
    typical
}
