//! How far the inputs of the model that serves are from those that it was trained on, feature by feature.
//!
//! Like is compared with like: the points of the last week that may be learnt from, untreated and certain as those of training were, with these. A
//! comparison with all who are decided for would tell another thing: of drift the points lie on a daily schedule, of either target
//! none is near an offer, and decisions are made in the middle of a visit and bring offers about. What is seen is as old as it takes until
//! a label is certain.

use foretide_events::{EpochMs, Text};
use foretide_features::{CATALOGUE, Feature};
use foretide_models::{
    InputSummary, Target,
    shift::{Alarm, Level, Observed, Shift as Measured},
};
use foretide_ports::ModelVersion;
use foretide_training::window::{Row, Rows};

use crate::TrainerMetrics;

/// How far back from the newest point is looked, in milliseconds: days of the week differ, so it is a whole one.
const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// About as many points of that are looked at, spread evenly.
const ENOUGH: usize = 2_000;

/// The inputs of the model that serves one target.
#[derive(Default)]
pub(super) struct InputShift {
    watched: Option<Watched>,
}

struct Watched {
    model: Text<64>,
    /// The newest point that was looked at: without another one a look tells nothing that the last did not.
    newest_at: Option<EpochMs>,
    inputs: Vec<Input>,
}

struct Input {
    feature: Feature,
    summary: InputSummary,
    alarm: Alarm,
}

impl Watched {
    fn of(model: &ModelVersion) -> Self {
        let input = |summary: &InputSummary| {
            let found = CATALOGUE.iter().find(|spec| spec.name == summary.feature)?;
            Some(Input {
                feature: found.feature,
                summary: summary.clone(),
                alarm: Alarm::default(),
            })
        };
        Self {
            model: model.version.clone(),
            newest_at: None,
            inputs: model.card.inputs.iter().filter_map(input).collect(),
        }
    }
}

impl Input {
    fn label(&self) -> &'static str {
        self.feature.spec().name
    }
}

impl InputShift {
    /// Looks at the newest of `rows` beside what `serving` was trained on, and shows what is seen. Of the prior nothing is shown.
    pub(super) fn look(
        &mut self,
        target: Target,
        serving: Option<&ModelVersion>,
        rows: &Rows,
        metrics: &TrainerMetrics,
    ) {
        if self.watched.as_ref().map(|known| &known.model) != serving.map(|known| &known.version) {
            self.forget(target, metrics);
            self.watched = serving.map(Watched::of);
        }
        let shown = metrics.shift_examples.with_label_values(&[target.as_str()]);
        let (Some(model), Some(watched)) = (serving, &mut self.watched) else {
            shown.set(0);
            return;
        };
        let trained_on = model.card.training.examples;
        let newest = newest(rows);
        shown.set(i64::try_from(newest.len()).unwrap_or(i64::MAX));
        let newest_at = rows.rows.last().map(|row| row.at);
        if newest_at == watched.newest_at {
            return;
        }
        watched.newest_at = newest_at;
        for input in &mut watched.inputs {
            let mut observed = Observed::new(&input.summary, trained_on);
            for row in &newest {
                observed.observe(row.get(input.feature));
            }
            input.show(target, observed.shift(), metrics);
        }
    }

    /// Nothing is shown any more of the model that served.
    fn forget(&mut self, target: Target, metrics: &TrainerMetrics) {
        for input in self.watched.take().iter().flat_map(|known| &known.inputs) {
            input.hide(target, metrics);
        }
    }
}

/// Those of the last week, or every so many of them. A shift that lasts is seen also where a model was trained on a part of them.
fn newest(rows: &Rows) -> Vec<&Row> {
    let from = rows.rows.last().map(|row| row.at.plus(-WEEK_MS));
    let first = rows.rows.partition_point(|row| Some(row.at) <= from);
    let later = &rows.rows[first..];
    later
        .iter()
        .step_by((later.len() / ENOUGH).max(1))
        .collect()
}

impl Input {
    fn show(&mut self, target: Target, measured: Measured, metrics: &TrainerMetrics) {
        let raised = self.alarm.look(measured.level());
        if measured.level() == Level::TooFew {
            self.hide(target, metrics);
            return;
        }
        let labels = [target.as_str(), self.label()];
        metrics
            .shift_psi
            .with_label_values(&labels)
            .set(measured.psi);
        metrics
            .shift_alarm
            .with_label_values(&labels)
            .set(raised.into());
    }

    fn hide(&self, target: Target, metrics: &TrainerMetrics) {
        let labels = [target.as_str(), self.label()];
        // It fails where nothing is shown, which is what is wanted.
        let _ = metrics.shift_psi.remove_label_values(&labels);
        let _ = metrics.shift_alarm.remove_label_values(&labels);
    }
}
