//! What cohorts look like from outside.

use foretide_cohorts::{Algorithm, Change, Cohort, Typical};
use foretide_decision as decision;
use foretide_events::{EpochMs, Text};
use foretide_ports::{CohortsVersion, Report};
use schemars::JsonSchema;
use serde::Serialize;

use super::{LEAST_SHOPPERS, serving};
use crate::{api::Api, movements::Flows};

/// The cohorts.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Cohorts")]
pub(crate) struct ShownCohorts {
    /// Names this version of the cohorts; `null` before any have formed.
    version: Option<Text<64>>,
    /// From when on it serves.
    since: Option<EpochMs>,
    /// How many shoppers there were at the last attempt to re-form; before, how many there are.
    shoppers: u64,
    /// How it formed; `null` before any have.
    formed: Option<ShownForming>,
    /// What became of the last attempt to form them anew; `null` before the first.
    last_reforming: Option<ShownReport>,
    /// The cohorts.
    cohorts: Vec<ShownCohort>,
}

/// How cohorts formed, and how good they are.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CohortForming")]
struct ShownForming {
    /// `kmeans`, or `dbscan`.
    algorithm: &'static str,
    /// How many shoppers they were formed from; all were assigned.
    sampled: u64,
    /// The reference that their features are told against.
    reference: Text<64>,
    /// How often cohorts have formed anew before.
    generation: u64,
    /// Measured on shoppers that they were not formed from.
    quality: ShownQuality,
    /// What became of the cohorts that served before: all others were kept.
    changes: Vec<ShownChange>,
}

/// How well cohorts tell shoppers apart.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CohortQuality")]
struct ShownQuality {
    /// Mean squared distance of a shopper from the middle of the own cohort, in scaled units.
    inertia: f64,
    /// The share of the variance among shoppers that lies between cohorts, 0 to 1.
    explained: f64,
    /// Mean simplified silhouette, -1 to 1: above zero, shoppers are nearer to their own cohort than to the next.
    silhouette: f64,
}

/// What became of cohorts.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CohortChange")]
struct ShownChange {
    /// `born`, `died`, `split` or `merged`.
    change: &'static str,
    /// The cohorts that were; none for one that was born.
    from: Vec<Text<32>>,
    /// The cohorts that are; none for one that died.
    into: Vec<Text<32>>,
}

/// What became of an attempt to learn.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Report")]
pub(crate) struct ShownReport {
    /// When it ended.
    at: EpochMs,
    /// How it ended, such as `published`, `unchanged` or `refused`.
    outcome: Text<32>,
    /// Why.
    causes: Vec<String>,
}

/// A cohort.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CohortDescription")]
pub(crate) struct ShownCohort {
    /// Its id: it stays as long as the cohort lives, and is never given again.
    id: Text<32>,
    /// What it is called.
    name: Text<80>,
    /// The name that was made from what sets its shoppers apart.
    made_name: Text<80>,
    /// Whether it holds those who are like nobody.
    noise: bool,
    /// When it was born; `null` of everyone.
    born_at: Option<EpochMs>,
    /// Whether there are so few shoppers in it that nothing is told of them.
    suppressed: bool,
    /// How many shoppers were in it at the last attempt to re-form; `null` where they are too few.
    size: Option<u64>,
    /// Their share of all; `null` where they are too few.
    share: Option<f64>,
    /// How far they are from its middle, root mean square in scaled units; `null` where they are too few.
    radius: Option<f64>,
    /// Its middle: what is typical of its shoppers, a feature each.
    centroid: Vec<ShownTypical>,
    /// What sets its shoppers apart from all, the most first.
    traits: Vec<ShownTrait>,
    /// Who came and went since this version serves; `null` where that is not known, or they are too few.
    movement: Option<ShownMovement>,
}

/// What is typical of a cohort in a feature.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CentroidValue")]
struct ShownTypical {
    /// The feature.
    feature: &'static str,
    /// The typical value, in the feature's unit; `null` where it is missing of all.
    value: Option<f64>,
    /// What it is counted in.
    unit: &'static str,
    /// Of which share of its shoppers it is known.
    known: f64,
}

/// What sets a cohort apart.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CohortTrait")]
struct ShownTrait {
    /// The feature.
    feature: &'static str,
    /// How far the cohort's middle is from that of all shoppers, in standard deviations; above zero is more.
    difference: f64,
}

/// Who came and went.
#[derive(Default, Serialize, JsonSchema)]
#[schemars(rename = "CohortMovement")]
struct ShownMovement {
    /// Moves into it.
    joined: u64,
    /// Moves out of it.
    left: u64,
}

impl ShownCohorts {
    /// Those that serve now.
    pub(super) fn now(api: &Api) -> Self {
        let last = api.artefacts.reports.get("cohorts");
        let last_reforming = last.as_deref().map(ShownReport::of);
        match serving(api) {
            Some(serving) => Self::of(api, &serving, last_reforming),
            None => Self::everyone(api.table.len() as u64, last_reforming),
        }
    }

    fn everyone(shoppers: u64, last_reforming: Option<ShownReport>) -> Self {
        Self {
            version: None,
            since: None,
            shoppers,
            formed: None,
            last_reforming,
            cohorts: vec![ShownCohort::everyone(shoppers)],
        }
    }

    fn of(api: &Api, serving: &CohortsVersion, last_reforming: Option<ShownReport>) -> Self {
        let cohorts = &serving.cohorts;
        let rules = api.rulebook.current();
        let movements = api.movements.read();
        let moved = movements.of(&serving.version);
        let shown = cohorts.members.iter().map(|cohort| {
            let given = rules.cohort_name(&cohort.id).and_then(Text::new);
            ShownCohort::of(cohort, given, moved)
        });
        Self {
            version: Some(serving.version.clone()),
            since: Some(serving.since),
            shoppers: cohorts.shoppers,
            formed: Some(ShownForming {
                algorithm: match cohorts.method.algorithm() {
                    Algorithm::KMeans => "kmeans",
                    Algorithm::Dbscan => "dbscan",
                },
                sampled: cohorts.sampled,
                reference: cohorts.reference.clone(),
                generation: cohorts.generation,
                quality: ShownQuality {
                    inertia: cohorts.quality.inertia,
                    explained: cohorts.quality.explained,
                    silhouette: cohorts.quality.silhouette,
                },
                changes: cohorts.lineage.iter().filter_map(ShownChange::of).collect(),
            }),
            last_reforming,
            cohorts: shown.collect(),
        }
    }

    /// The one called `id`.
    pub(super) fn take(self, id: &str) -> Option<ShownCohort> {
        self.cohorts.into_iter().find(|cohort| &*cohort.id == id)
    }
}

impl ShownCohort {
    fn everyone(shoppers: u64) -> Self {
        let named = |text: &str| Text::new(text).unwrap_or_default();
        let name = named(&decision::Cohort::EVERYONE.name);
        let suppressed = shoppers < LEAST_SHOPPERS;
        Self {
            id: Text::new(&decision::Cohort::EVERYONE.id).unwrap_or_default(),
            made_name: name.clone(),
            name,
            noise: false,
            born_at: None,
            suppressed,
            size: (!suppressed).then_some(shoppers),
            share: (!suppressed).then_some(1.0),
            radius: None,
            centroid: Vec::new(),
            traits: Vec::new(),
            movement: None,
        }
    }

    fn of(cohort: &Cohort, given: Option<Text<80>>, moved: Option<&Flows>) -> Self {
        let suppressed = cohort.size < LEAST_SHOPPERS;
        let told = |value| (!suppressed).then_some(value);
        let typical = |typical: &Typical| ShownTypical {
            feature: typical.feature.spec().name,
            value: typical.value,
            unit: typical.feature.spec().unit.as_str(),
            known: typical.known,
        };
        let differing = cohort.traits.iter().map(|differing| ShownTrait {
            feature: differing.feature.spec().name,
            difference: differing.difference,
        });
        Self {
            id: cohort.id.clone(),
            name: given.unwrap_or_else(|| cohort.name.clone()),
            made_name: cohort.name.clone(),
            noise: cohort.noise,
            born_at: Some(cohort.born_at),
            suppressed,
            size: (!suppressed).then_some(cohort.size),
            share: told(cohort.share),
            radius: told(cohort.radius),
            centroid: if suppressed {
                Vec::new()
            } else {
                cohort.typical.iter().map(typical).collect()
            },
            traits: if suppressed {
                Vec::new()
            } else {
                differing.collect()
            },
            movement: moved
                .filter(|_| !suppressed)
                .map(|moved| ShownMovement::of(&cohort.id, moved)),
        }
    }
}

impl ShownMovement {
    fn of(id: &Text<32>, moved: &Flows) -> Self {
        let mut movement = Self::default();
        for (way, count) in moved {
            if way.to == *id {
                movement.joined += count;
            }
            if way.from == *id {
                movement.left += count;
            }
        }
        movement
    }
}

impl ShownReport {
    /// Shows `report`.
    pub(crate) fn of(report: &Report) -> Self {
        Self {
            at: report.at,
            outcome: report.outcome.clone(),
            causes: report.causes.clone(),
        }
    }
}

impl ShownChange {
    /// `None` of what stayed.
    fn of(change: &Change) -> Option<Self> {
        let one = |id: &Text<32>| vec![id.clone()];
        let (change, from, into) = match change {
            Change::Kept { .. } => return None,
            Change::Born { id } => ("born", Vec::new(), one(id)),
            Change::Died { id } => ("died", one(id), Vec::new()),
            Change::Split { from, into } => ("split", one(from), into.clone()),
            Change::Merged { from, into } => ("merged", from.clone(), one(into)),
        };
        Some(Self { change, from, into })
    }
}
