//! What may be learnt from.

use std::{collections::BTreeMap, fmt, sync::Arc};

use foretide_events::{EpochMs, ShopperId, Text};
use foretide_features::{CATALOGUE, Feature};
use foretide_models::Target;

use super::{
    DriftRule, Kept, WindowSettings,
    exposure::{Exposures, Treatment},
    points::{Held, Points, Told},
};

/// How far from the end of the horizon a shopper's record may lie that tells what became of a point, in milliseconds: there is one a day.
const NEAR_MS: i64 = 12 * 60 * 60 * 1000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A point that may be learnt from.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its id.
    pub id: Text<128>,
    /// The instant of the point: nothing it holds is from later, but the label.
    pub at: EpochMs,
    /// From when on its label was certain, whatever it is.
    pub certain_at: EpochMs,
    /// Whom it is about.
    pub shopper: ShopperId,
    /// When its session began, for abandonment.
    pub session_started_at: Option<EpochMs>,
    /// Whether it happened, with no offer shown.
    pub label: bool,
    /// How much it counts among the points of its session, or of drift among those of its shopper on one day: together 1.
    pub share: f64,
    /// How many points like it it stands for: 1 / P(no offer was served).
    pub stands_for: f64,
    features: Features,
}

/// A value for each feature, in the order of the catalogue; NaN where it is missing. Equal to the last bit, so that missing values are.
#[derive(Clone)]
struct Features(Arc<[f32]>);

impl PartialEq for Features {
    fn eq(&self, other: &Self) -> bool {
        let bits = |features: &Self| {
            features
                .0
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<_>>()
        };
        bits(self) == bits(other)
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let there = CATALOGUE
            .iter()
            .zip(&*self.0)
            .filter(|(_, value)| !value.is_nan());
        f.debug_map()
            .entries(there.map(|(spec, value)| (spec.name, value)))
            .finish()
    }
}

impl Row {
    /// A row of these `features`, one for each of the catalogue in its order, NaN where missing: for examples from elsewhere.
    pub fn new(
        id: Text<128>,
        shopper: ShopperId,
        (at, certain_at): (EpochMs, EpochMs),
        label: bool,
        features: Arc<[f32]>,
    ) -> Self {
        Self {
            id,
            at,
            certain_at,
            shopper,
            session_started_at: None,
            label,
            share: 1.0,
            stands_for: 1.0,
            features: Features(features),
        }
    }

    /// How much it counts.
    pub fn weight(&self) -> f64 {
        self.share * self.stands_for
    }

    /// The value of `feature`; `None` if it is missing.
    pub fn get(&self, feature: Feature) -> Option<f64> {
        let value = self.features.0.get(feature as usize)?;
        (!value.is_nan()).then(|| f64::from(*value))
    }

    /// A number that names the shopper.
    pub fn group(&self) -> u64 {
        // A pseudonym is as good as random in every bit.
        let (half, _) = self.shopper.0.split_at(8);
        half.iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

/// How many points were left out, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// What becomes of them is not certain yet.
    pub uncertain: u64,
    /// An offer was served: in the session, or of drift within a horizon before the point or after it.
    pub treated: u64,
    /// They lie before decisions that were let go.
    pub unknown_treatment: u64,
    /// The shopper did too little before.
    pub inactive: u64,
    /// The shopper is a device that turned out to be someone's, under whose name it goes on.
    pub signed_in: u64,
}

/// What may be learnt from, by instant and id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The points.
    pub rows: Vec<Row>,
    /// What was left out.
    pub left_out: LeftOut,
    /// When the points lay that were treated, ascending.
    pub treated_at: Vec<EpochMs>,
    /// From when on nothing is missing: of earlier points some may have been let go, or the decisions that bear on them.
    pub whole_from: EpochMs,
}

/// Points that share one fate: those of a session; of drift one, because the horizons of a shopper's others overlap with its own. A
/// comparison counts each of them once.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit<'a> {
    /// Its points, by instant; at least one.
    pub rows: Vec<&'a Row>,
    /// From when on what became of it was certain.
    pub certain_at: EpochMs,
}

impl Rows {
    /// The units whose points all lie at `from` or later, in the order in which they became certain. Of drift the first point of a shopper,
    /// the first `apart_ms` after that, and so on.
    pub fn units(&self, from: EpochMs, apart_ms: i64) -> Vec<Unit<'_>> {
        let mut sessions: BTreeMap<(ShopperId, EpochMs), Vec<&Row>> = BTreeMap::new();
        let mut next: BTreeMap<ShopperId, EpochMs> = BTreeMap::new();
        for row in &self.rows {
            match row.session_started_at {
                Some(start) => sessions.entry((row.shopper, start)).or_default().push(row),
                None if row.at < from => {}
                None => {
                    let earliest = next.entry(row.shopper).or_insert(row.at);
                    if row.at >= *earliest {
                        *earliest = row.at.plus(apart_ms);
                        sessions.entry((row.shopper, row.at)).or_default().push(row);
                    }
                }
            }
        }
        let whole = sessions
            .into_values()
            .filter(|rows| rows.iter().all(|row| row.at >= from));
        let mut units: Vec<Unit<'_>> = whole.filter_map(Unit::of).collect();
        units.sort_by(|a, b| {
            let by_id = || a.rows[0].id.cmp(&b.rows[0].id);
            a.certain_at.cmp(&b.certain_at).then_with(by_id)
        });
        units
    }
}

impl<'a> Unit<'a> {
    fn of(rows: Vec<&'a Row>) -> Option<Self> {
        let certain_at = rows.iter().map(|row| row.certain_at).max()?;
        Some(Self { rows, certain_at })
    }
}

pub(super) fn rows(kept: &Kept, settings: &WindowSettings, target: Target, now: EpochMs) -> Rows {
    let Kept {
        points,
        exposures,
        devices,
    } = kept;
    let after_ms = settings.certain_after_ms(target);
    let outcomes = match target {
        Target::Drift => Outcomes::of(points, &settings.drift),
        Target::Abandonment => Outcomes::default(),
    };
    let mut found = Rows {
        whole_from: whole_from(points, exposures, settings, target),
        ..Rows::default()
    };
    let mut days: BTreeMap<(ShopperId, i64), f64> = BTreeMap::new();
    let day = |held: &Held| (held.shopper, held.at.0.div_euclid(DAY_MS));
    if target == Target::Drift {
        points
            .iter()
            .for_each(|(held, _)| *days.entry(day(held)).or_default() += 1.0);
    }
    let of_day = |held: &Held| days.get(&day(held)).copied().unwrap_or(1.0);
    for (held, told) in points.iter() {
        if target == Target::Drift && devices.is_one(&held.shopper) {
            found.left_out.signed_in += 1;
            continue;
        }
        let certain_at = told.certain_at.max(held.at.plus(after_ms));
        let (label, during) = match target {
            Target::Abandonment => (
                fate_of_session(told, certain_at, now),
                session(held, told, settings),
            ),
            Target::Drift => {
                let horizon_ms = settings.drift.horizon_ms;
                let fate = outcomes.fate(points, held, certain_at, now, &settings.drift);
                // What was offered during the horizon before the point still acts on what happens in the one after it.
                let during = (held.at.plus(-horizon_ms), held.at.plus(horizon_ms));
                (fate, during)
            }
        };
        let label = match label {
            Fate::Label(label) => label,
            Fate::Uncertain => {
                found.left_out.uncertain += 1;
                continue;
            }
            Fate::Inactive => {
                found.left_out.inactive += 1;
                continue;
            }
        };
        let names = devices.names(&held.shopper);
        let p = match exposures.treatment(names, during.0, during.1) {
            Treatment::Treated => {
                found.left_out.treated += 1;
                found.treated_at.push(held.at);
                continue;
            }
            Treatment::Unknown => {
                found.left_out.unknown_treatment += 1;
                continue;
            }
            Treatment::Untreated(p) => p,
        };
        found.rows.push(Row {
            id: held.id.clone(),
            at: held.at,
            certain_at,
            shopper: held.shopper,
            session_started_at: told.session_started_at,
            label,
            share: told.weight / of_day(held),
            stands_for: (1.0 / p).min(settings.most_weight.max(1.0)),
            features: Features(Arc::clone(&told.features)),
        });
    }
    found
}

/// From when on nothing is missing: no point has left that lies later, and no decision that could bear on one.
fn whole_from(
    points: &Points,
    exposures: &Exposures,
    settings: &WindowSettings,
    target: Target,
) -> EpochMs {
    let points = points.left_at().map(|left_at| left_at.plus(1));
    let before_ms = match target {
        // What was decided from a horizon before the point on.
        Target::Drift => settings.drift.horizon_ms + 1,
        // What was decided from the beginning of its session on, which is no longer ago than it takes until it is certain.
        Target::Abandonment => settings.session_certain_after_ms,
    };
    let decisions = exposures.left_at();
    let decisions = decisions.map(|left_at| left_at.plus(before_ms));
    points.max(decisions).unwrap_or(EpochMs::EARLIEST)
}

/// What became of a point.
enum Fate {
    Label(bool),
    Uncertain,
    Inactive,
}

fn fate_of_session(told: &Told, certain_at: EpochMs, now: EpochMs) -> Fate {
    match told.label {
        Some(label) if certain_at <= now => Fate::Label(label),
        _ => Fate::Uncertain,
    }
}

/// From when until when an offer bears on what becomes of a session: from its beginning, because the points after an offer are not those of
/// a shopper who got none, to its end, because an offer after a point changes what becomes of that too.
fn session(held: &Held, told: &Told, settings: &WindowSettings) -> (EpochMs, EpochMs) {
    let from = told.session_started_at.unwrap_or(held.at).min(held.at);
    let last = told
        .session_ended_at
        .unwrap_or(told.certain_at)
        .max(held.at);
    (from, last.plus(settings.session_gap_ms))
}

/// What was measured of each shopper, by instant.
#[derive(Default)]
struct Outcomes(BTreeMap<(ShopperId, EpochMs), Outcome>);

#[derive(Clone, Copy)]
struct Outcome {
    measure: f64,
    certain_at: EpochMs,
}

impl Outcomes {
    fn of(points: &Points, rule: &DriftRule) -> Self {
        let outcome = |(held, told): (&Held, &Told)| {
            let outcome = Outcome {
                measure: measure(told, rule),
                certain_at: told.certain_at,
            };
            ((held.shopper, held.at), outcome)
        };
        Self(points.iter().map(outcome).collect())
    }

    /// A point of which nothing is told after the horizon, though its partition has told of points that late: nothing has happened.
    fn fate(
        &self,
        points: &Points,
        held: &Held,
        certain_at: EpochMs,
        now: EpochMs,
        rule: &DriftRule,
    ) -> Fate {
        let before = self.0.get(&(held.shopper, held.at));
        let before = before.map_or(0.0, |outcome| outcome.measure);
        // Also what no later point denies: `not (before ≥ minimum)` takes in what is no number.
        if !(before >= rule.minimum && before > 0.0) {
            return Fate::Inactive;
        }
        if certain_at > now.min(points.clock(held.partition)) {
            return Fate::Uncertain;
        }
        let due = held.at.plus(rule.horizon_ms);
        let near = (held.shopper, due.plus(-NEAR_MS))..=(held.shopper, due.plus(NEAR_MS));
        let nearest = self
            .0
            .range(near)
            .filter(|((_, at), _)| *at > held.at)
            .min_by_key(|((_, at), _)| (at.since(due).abs(), *at));
        match nearest {
            Some((_, after)) if after.certain_at > now => Fate::Uncertain,
            Some(((_, at), after)) => {
                let elapsed_ms = at.since(held.at);
                Fate::Label(rule.drifted(before, Some(after.measure), elapsed_ms))
            }
            None => Fate::Label(rule.drifted(before, None, rule.horizon_ms)),
        }
    }
}

/// What the shopper had done: nothing where it is missing.
fn measure(told: &Told, rule: &DriftRule) -> f64 {
    let value = told.features.get(rule.measure as usize).copied();
    f64::from(value.filter(|value| !value.is_nan()).unwrap_or(0.0))
}
