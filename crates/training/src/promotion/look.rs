//! One look at all there is: the serving model, what served before, and the challengers.

use foretide_events::{EpochMs, Text};
use foretide_models::Model;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Comparison, Pair, PromotionSettings, Scores, Stretch, Verdict, Watch, Worse, compare, watch,
};
use crate::window::{Row, Rows, Unit};

/// A model that wants to serve.
#[derive(Clone, Copy, Debug)]
pub struct Challenger<'a> {
    /// The model.
    pub model: &'a Model,
    /// Its comparison with what serves: how many there were of its target before, ever, and from when on it is made.
    pub stretch: Stretch,
}

/// How what serves is watched.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'a> {
    /// What would be gone back to; `None` is the prior.
    pub former: Option<&'a Model>,
    /// How many times a model was watched before, ever, and from when on this one is.
    pub stretch: Stretch,
}

/// Who serves, and who wants to.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// What serves; `None` is the prior.
    pub serving: Option<&'a Model>,
    /// How it is watched, where there is something to go back to.
    pub watched: Option<Watched<'a>>,
    /// The challengers, without those that were rolled back.
    pub challengers: &'a [Challenger<'a>],
    /// The version of the cohorts that serves. Where it corrects for these and what serves does not, a challenger counts as fresher.
    pub cohorts: Option<&'a str>,
    /// How far apart points of one shopper lie that do not share a fate, in milliseconds: the horizon of drift; 0 for abandonment.
    pub apart_ms: i64,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "decision")]
pub enum Decision {
    /// What serves goes on.
    Keep,
    /// A challenger is to serve.
    Promote {
        /// Which.
        version: Text<64>,
        /// Why.
        verdict: Verdict,
    },
    /// What served before is to serve again.
    RollBack {
        /// In what the model got worse.
        worse: Worse,
    },
}

/// How a challenger, or what served before, did beside what serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// Which model; absent for the prior.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Text<64>>,
    /// From when on the points lie that both were judged on.
    #[serde(default)]
    pub from: EpochMs,
    /// How many comparisons of the target there were before this one, ever: the more, the less of the error is left for it.
    #[serde(default)]
    pub earlier: u64,
    /// Sessions, or horizons of shoppers, that both were judged on.
    pub units: u64,
    /// The mean log-loss of what serves.
    pub serving_loss: f64,
    /// The mean log-loss of this one.
    pub own_loss: f64,
    /// The evidence that its loss is smaller, as a logarithm.
    pub log_evidence_superior: f64,
    /// The evidence that its loss is not larger by more than the margin, as a logarithm.
    pub log_evidence_not_inferior: f64,
    /// How much evidence its part of the error asks for, as a logarithm.
    pub log_evidence_needed: f64,
    /// What follows.
    pub verdict: Verdict,
}

/// What was seen, and what is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Look {
    /// What is to be done.
    #[serde(flatten)]
    pub decision: Decision,
    /// Each challenger, in the order they were given.
    pub challengers: Vec<Figures>,
    /// What served before, beside what serves, on what has happened since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<Figures>,
    /// The evidence that what serves is not calibrated, as a logarithm; where it is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_evidence_not_calibrated: Option<f64>,
}

/// From when on the points lie that neither of two models was trained on. `gap_ms` is the gap that models leave between what they were
/// trained on and what they are judged on, in milliseconds: [`Window::certain_after_ms`](crate::window::Window::certain_after_ms).
pub fn judged_from(challenger: &Model, serving: Option<&Model>, gap_ms: i64) -> EpochMs {
    let ends = |model: &Model| model.parts().window.until.plus(gap_ms);
    let own = ends(challenger);
    serving.map_or(own, |serving| own.max(ends(serving)))
}

/// Looks at everything, and decides. Of several challengers that could be promoted the one with the smallest loss beside what serves is.
pub fn look(
    field: &Field<'_>,
    rows: &Rows,
    scores: &Scores<'_>,
    settings: &PromotionSettings,
) -> Look {
    let watched = field.watched.map(|Watched { former, stretch }| {
        let units = rows.units(stretch.from, field.apart_ms);
        let pairs = scored(&units, scores, field.serving, former);
        let watched = watch(pairs, settings);
        let worse = watched.worse(stretch.earlier, settings);
        (former, stretch, watched, worse)
    });
    let compared: Vec<(&Challenger<'_>, Comparison, Verdict)> = field
        .challengers
        .iter()
        .map(|challenger| {
            let units = rows.units(challenger.stretch.from, field.apart_ms);
            let pairs = scored(&units, scores, field.serving, Some(challenger.model));
            let comparison = compare(pairs, settings);
            let is_fresher = is_fresher(challenger.model, field, settings);
            let verdict = comparison.verdict(challenger.stretch.earlier, is_fresher, settings);
            (challenger, comparison, verdict)
        })
        .collect();
    let best = compared
        .iter()
        .filter(|(_, _, verdict)| verdict.promotes())
        .max_by(|a, b| a.1.gain().total_cmp(&b.1.gain()));
    let decision = match (&watched, best) {
        (Some((_, _, _, Some(worse))), _) => Decision::RollBack { worse: *worse },
        (_, Some((challenger, _, verdict))) => Decision::Promote {
            version: challenger.model.version().clone(),
            verdict: *verdict,
        },
        _ => Decision::Keep,
    };
    let own = |(challenger, comparison, verdict): &(&Challenger<'_>, Comparison, Verdict)| {
        figures(
            Some(challenger.model),
            comparison,
            *verdict,
            challenger.stretch,
            settings,
        )
    };
    Look {
        decision,
        challengers: compared.iter().map(own).collect(),
        former: watched.as_ref().map(|(former, stretch, watched, worse)| {
            let verdict = match worse {
                Some(Worse::Loss) => Verdict::Superior,
                _ => Verdict::Open,
            };
            figures(*former, watched.comparison(), verdict, *stretch, settings)
        }),
        log_evidence_not_calibrated: watched
            .as_ref()
            .map(|(_, _, watched, _)| finite(Watch::log_e_not_calibrated(watched))),
    }
}

/// Whether a challenger rests on later data than what serves, or knows the cohorts that serve, where that does not.
fn is_fresher(challenger: &Model, field: &Field<'_>, settings: &PromotionSettings) -> bool {
    let knows = |model: &Model| {
        let own = model.cohorts().map(|version| &**version);
        field.cohorts.is_some() && own == field.cohorts
    };
    field.serving.is_none_or(|serving| {
        if knows(challenger) && !knows(serving) {
            return true;
        }
        let later = challenger
            .parts()
            .window
            .until
            .since(serving.parts().window.until);
        later >= settings.fresher_by_ms
    })
}

fn scored(
    units: &[Unit<'_>],
    scores: &Scores<'_>,
    serving: Option<&Model>,
    challenger: Option<&Model>,
) -> Vec<(Vec<Pair>, f64)> {
    let pair = |row: &&Row| Pair {
        serving: scores.of(serving, row),
        challenger: scores.of(challenger, row),
        label: row.label,
        share: row.share,
    };
    let stands_for = |unit: &Unit<'_>| {
        unit.rows
            .iter()
            .map(|row| row.stands_for)
            .fold(0.0, f64::max)
    };
    units
        .iter()
        .map(|unit| (unit.rows.iter().map(pair).collect(), stands_for(unit)))
        .collect()
}

fn figures(
    model: Option<&Model>,
    comparison: &Comparison,
    verdict: Verdict,
    stretch: Stretch,
    settings: &PromotionSettings,
) -> Figures {
    Figures {
        version: model.map(|model| model.version().clone()),
        from: stretch.from,
        earlier: stretch.earlier,
        units: comparison.units(),
        serving_loss: comparison.serving_loss(),
        own_loss: comparison.challenger_loss(),
        log_evidence_superior: finite(comparison.log_e_superior()),
        log_evidence_not_inferior: finite(comparison.log_e_not_inferior()),
        log_evidence_needed: super::compare::needed(settings.error, stretch.earlier),
        verdict,
    }
}

/// No evidence at all, minus infinity, is no number in JSON.
fn finite(log_e: f64) -> f64 {
    log_e.max(-1e6)
}
