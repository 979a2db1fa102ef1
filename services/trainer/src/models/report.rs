//! What is told of an attempt: in `report/<target>` and in the log.

use std::time::Duration;

use foretide_events::{EpochMs, Text};
use foretide_features::Feature;
use foretide_models::Target;
use foretide_ports::{ModelVersion, Report, ServingCause, ServingChange};
use foretide_training::window::Rows;
use serde_json::{Map, Value, json};

use super::{Outcome, memory::Memory, task::Done};

/// What came of an attempt.
pub(super) struct Told {
    target: Target,
    outcome: Outcome,
    causes: Vec<String>,
    details: Map<String, Value>,
    /// The new model in one line.
    trained: Option<String>,
}

impl Told {
    /// Of `done`, after which `change` comes; drift is measured by `measure`.
    pub(super) fn of(
        target: Target,
        done: &Done,
        change: Option<&ServingChange>,
        measure: Feature,
    ) -> Self {
        let (trained, cause) = match &done.trained {
            Some(Ok(model)) => (Some(model), None),
            Some(Err(error)) => (None, Some((error.is_too_little(), error.to_string()))),
            None => (None, None),
        };
        let outcome = match (change.map(|change| change.cause), &cause) {
            (Some(ServingCause::RolledBack), _) => Outcome::RolledBack,
            (Some(_), _) => Outcome::Promoted,
            (None, Some((true, _))) => Outcome::TooLittle,
            (None, Some((false, _))) => Outcome::Failed,
            (None, None) if trained.is_some() => Outcome::Trained,
            (None, None) => Outcome::Kept,
        };
        let mut told = Self {
            target,
            outcome,
            causes: cause.into_iter().map(|(_, cause)| cause).collect(),
            details: Map::new(),
            trained: trained.map(|model| model.card.summary()),
        };
        told.add("examples", examples(&done.rows));
        if target == Target::Drift {
            told.add("measure", json!(measure.spec().name));
        }
        told.add(
            "trained",
            trained.map_or(Value::Null, |model| figures(model)),
        );
        told.add("look", json!(done.look));
        told.add("change", json!(change));
        told
    }

    fn add(&mut self, name: &str, value: Value) {
        if !value.is_null() {
            self.details.insert(name.to_owned(), value);
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The record for everyone, at `now`, where it took so long, with what is to be remembered.
    pub(super) fn report(&self, memory: &Memory, now: EpochMs, took: Duration) -> Report {
        let mut details = self.details.clone();
        details.insert("took_seconds".to_owned(), json!(took.as_secs_f64()));
        let text = |text: &str| Text::new(text).unwrap_or_default();
        let mut report = Report {
            kind: text(self.target.as_str()),
            at: now,
            outcome: text(self.outcome.label()),
            causes: self.causes.clone(),
            details: Value::Object(details),
        };
        memory.put_into(&mut report);
        report
    }

    /// Logs it.
    pub(super) fn log(&self, change: Option<&ServingChange>, took: Duration) {
        let (target, took_ms) = (self.target.as_str(), took.as_millis());
        let trained = self.trained.as_deref();
        if let Some(change) = change {
            let version = change.version.as_deref().unwrap_or("the prior");
            tracing::info!(
                predicts = target,
                version,
                since = %change.since,
                cause = change.cause.as_str(),
                trained,
                took_ms,
                "another model is going to serve"
            );
            return;
        }
        let causes = self.causes.join("; ");
        match self.outcome {
            Outcome::Failed => tracing::warn!(
                predicts = target,
                causes,
                took_ms,
                "no model could be trained: what serves goes on serving"
            ),
            Outcome::Trained => {
                tracing::info!(predicts = target, trained, took_ms, "trained a model");
            }
            outcome => tracing::debug!(
                predicts = target,
                outcome = outcome.label(),
                causes,
                took_ms,
                "the models stay as they are"
            ),
        }
    }
}

/// How many examples there were, and how many were left out for what cause.
fn examples(rows: &Rows) -> Value {
    let positives = rows.rows.iter().filter(|row| row.label).count();
    json!({
        "learnt_from": rows.rows.len(),
        "positives": positives,
        "uncertain": rows.left_out.uncertain,
        "treated": rows.left_out.treated,
        "unknown_treatment": rows.left_out.unknown_treatment,
        "inactive": rows.left_out.inactive,
        "signed_in": rows.left_out.signed_in,
    })
}

/// What people look at first.
fn figures(model: &ModelVersion) -> Value {
    json!({
        "version": &*model.version,
        "kind": model.card.kind,
        "examples": model.card.training.examples,
        "test_examples": model.card.test.examples,
        "metrics": model.card.metrics,
        "prior_metrics": model.card.prior_metrics,
    })
}
