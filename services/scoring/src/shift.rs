//! How far the shoppers that models speak of are from those that they were trained on, feature by feature.
//!
//! Each decision in which a model speaks is counted, by the bins of the model's card. Every minute the population stability
//! index of each feature is shown, and what was counted fades where it is plenty: so in a large shop an index tells of the last
//! minutes, in a small one of as long as it takes to say anything.

use std::{sync::Arc, time::Duration};

use foretide_decision::Predictors;
use foretide_features::{CATALOGUE, Feature};
use foretide_models::{
    InputSummary, Target,
    shift::{Alarm, Level, Observed, Shift as Measured},
};
use foretide_ports::ModelVersion;
use foretide_runtime::CancellationToken;
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::serving::{Known, Serving};

/// How often the indices are looked at.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// From so many decisions on, half of them is forgotten at a look.
const PLENTY: u64 = 2_000;

foretide_runtime::metrics! {
    /// What can be watched of the inputs of models.
    pub(crate) struct ShiftMetrics {
        /// Population stability index of a feature between decisions lately and the training of the model that serves: below 0.1 is
        /// no shift, from 0.25 on a large one. Absent while too few decisions were made.
        psi: GaugeVec = "foretide_model_input_shift_psi" by ["target", "feature"],
        /// 1 for a feature that has shifted at three looks running and by more than chance does, until it is steady again.
        alarm: IntGaugeVec = "foretide_model_input_shift_alarm" by ["target", "feature"],
        /// Decisions that the indices rest on.
        decisions: IntGaugeVec = "foretide_model_input_shift_decisions" by ["target"],
    }
}

/// What is counted, by target. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Shift(Arc<[Mutex<Option<Watched>>; Target::ALL.len()]>);

/// The inputs of one model.
struct Watched {
    model: Arc<ModelVersion>,
    inputs: Vec<Input>,
}

/// One input.
struct Input {
    feature: Feature,
    observed: Observed,
    alarm: Alarm,
}

impl Shift {
    /// Counts a decision in which `predictors`, of those that serve, spoke.
    pub(crate) fn observe(&self, serving: &Serving, predictors: &Predictors, known: &Known) {
        for model in serving.models() {
            let spoke = match model.target {
                Target::Drift => &predictors.drift,
                Target::Abandonment => &predictors.abandonment,
            };
            if spoke.is_some() {
                self.count(model, |feature| known.feature(feature));
            }
        }
    }

    fn count(&self, model: &Arc<ModelVersion>, get: impl Fn(Feature) -> Option<f64>) {
        let mut slot = self.0[model.target as usize].lock();
        let watched = match &mut *slot {
            Some(watched) if Arc::ptr_eq(&watched.model, model) => watched,
            other => other.insert(Watched::of(Arc::clone(model))),
        };
        for input in &mut watched.inputs {
            input.observed.observe(get(input.feature));
        }
    }
}

impl Watched {
    fn of(model: Arc<ModelVersion>) -> Self {
        let card = &model.card;
        let input = |summary: &InputSummary| {
            let found = CATALOGUE.iter().find(|spec| spec.name == summary.feature)?;
            Some(Input {
                feature: found.feature,
                observed: Observed::new(summary, card.training.examples),
                alarm: Alarm::default(),
            })
        };
        Self {
            inputs: card.inputs.iter().filter_map(input).collect(),
            model,
        }
    }
}

impl Input {
    /// Looks how far it has shifted, and whether that is an alarm.
    fn look(&mut self) -> (Measured, bool) {
        let measured = self.observed.shift();
        let alarm = self.alarm.look(measured.level());
        if measured.examples >= PLENTY {
            self.observed.fade();
        }
        (measured, alarm)
    }
}

/// Shows the indices.
pub(crate) struct ShownShift {
    pub(crate) shift: Shift,
    pub(crate) metrics: ShiftMetrics,
}

impl ShownShift {
    /// Shows them until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let show = async {
            loop {
                sleep(LOOK_EVERY).await;
                self.show();
            }
        };
        tokio::select! {
            () = show => {}
            () = stop.cancelled() => {}
        }
    }

    fn show(&self) {
        let ShiftMetrics {
            psi,
            alarm,
            decisions,
        } = &self.metrics;
        psi.reset();
        alarm.reset();
        for (target, slot) in Target::ALL.into_iter().zip(&*self.shift.0) {
            let target = target.as_str();
            let mut most = 0;
            for input in slot
                .lock()
                .iter_mut()
                .flat_map(|watched| &mut watched.inputs)
            {
                let labels = [target, input.feature.spec().name];
                let (measured, raised) = input.look();
                most = most.max(measured.examples);
                if measured.level() != Level::TooFew {
                    psi.with_label_values(&labels).set(measured.psi);
                    alarm.with_label_values(&labels).set(raised.into());
                }
            }
            let shown = decisions.with_label_values(&[target]);
            shown.set(i64::try_from(most).unwrap_or(i64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use foretide_runtime::prometheus::Registry;

    use super::*;
    use crate::testing::model;

    fn shown() -> ShownShift {
        ShownShift {
            shift: Shift::default(),
            metrics: ShiftMetrics::register(&Registry::new()).unwrap(),
        }
    }

    #[test]
    fn shoppers_other_than_those_in_training_raise_an_alarm_at_the_third_look() {
        let shown = shown();
        let model = Arc::new(model(Target::Drift, 1.0));
        let labels = ["drift", "sessions_total"];
        for look in 1..=3 {
            for _ in 0..3_000 {
                shown.shift.count(&model, |_| Some(1e6));
            }
            shown.show();
            assert!(shown.metrics.psi.with_label_values(&labels).get() > 0.25);
            let alarm = shown.metrics.alarm.with_label_values(&labels).get();
            assert_eq!(alarm, i64::from(look == 3), "look {look}");
        }
    }

    #[test]
    fn a_few_decisions_tell_nothing_and_another_model_starts_anew() {
        let shown = shown();
        let (one, another) = (model(Target::Drift, 1.0), model(Target::Drift, 2.0));
        for model in [one, another] {
            let model = Arc::new(model);
            for _ in 0..99 {
                shown.shift.count(&model, |_| Some(1e6));
            }
            shown.show();
            let decisions = shown.metrics.decisions.with_label_values(&["drift"]);
            assert_eq!(decisions.get(), 99);
        }
    }
}
