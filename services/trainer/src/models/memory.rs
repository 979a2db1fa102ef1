//! What a trainer has to remember from one attempt to the next: it is part of the report, so that whichever trainer comes next
//! knows it.

use foretide_events::EpochMs;
use foretide_models::Target;
use foretide_ports::{Report, Reports};
use foretide_training::window::Rows;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where it is among the details of a report.
const PLACE: &str = "memory";

/// A model is trained anew once this share of the examples is new.
const NEW_SHARE: f64 = 0.01;
/// How many new ones there have to be at least.
const NEW_LEAST: f64 = 10.0;

/// What is remembered of one target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// How many models were trained, ever: each later one has to prove more.
    #[serde(default)]
    pub(super) challengers: u64,
    /// Points of one in 2^n shoppers are held.
    #[serde(default)]
    pub(super) thinning: u32,
    /// What the newest model was trained on; `None` before the first.
    #[serde(default)]
    pub(super) learnt_from: Option<Basis>,
}

/// What a training rested on, as far as is needed to tell whether there is something new.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Basis {
    /// How many examples.
    pub(super) examples: u64,
    /// The instant of the newest.
    pub(super) newest_at: EpochMs,
    /// The version of the cohorts.
    pub(super) cohorts: Option<String>,
}

impl Memory {
    /// What is remembered of `target`; nothing where the report is none of ours.
    pub(super) fn of(reports: &Reports, target: Target) -> Self {
        let report = reports.get(target.as_str());
        let told = report.and_then(|report| report.details.get(PLACE).cloned());
        let read = told.and_then(|told| serde_json::from_value(told).ok());
        read.unwrap_or_default()
    }

    /// Puts it where it will be looked for.
    pub(super) fn put_into(&self, report: &mut Report) {
        if let (Value::Object(details), Ok(memory)) =
            (&mut report.details, serde_json::to_value(self))
        {
            details.insert(PLACE.to_owned(), memory);
        }
    }
}

impl Basis {
    /// What a training on `rows` with these `cohorts` would rest on.
    pub(super) fn of(rows: &Rows, cohorts: Option<&str>) -> Self {
        Self {
            examples: rows.rows.len() as u64,
            newest_at: rows.rows.last().map_or(EpochMs::EARLIEST, |row| row.at),
            cohorts: cohorts.map(str::to_owned),
        }
    }

    /// Whether there is so much in `rows` that was not there when a model was trained on this that another one is worth it.
    pub(super) fn is_outdated(&self, rows: &Rows, cohorts: Option<&str>) -> bool {
        let later = rows
            .rows
            .iter()
            .rev()
            .take_while(|row| row.at > self.newest_at)
            .count();
        let more = (rows.rows.len() as u64).saturating_sub(self.examples);
        let new = (later as f64).max(more as f64);
        let needed = (NEW_SHARE * self.examples as f64).max(NEW_LEAST);
        new >= needed || self.cohorts.as_deref() != cohorts
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use foretide_events::{ShopperId, Text};
    use foretide_ports::Record;
    use foretide_ports::Versioned as _;
    use serde_json::json;

    use super::*;

    fn rows(instants: std::ops::Range<i64>) -> Rows {
        let row = |at: i64| {
            let id = Text::new(&format!("{at}")).unwrap();
            let features: Arc<[f32]> = Arc::from(Vec::new());
            let instants = (EpochMs(at), EpochMs(at));
            foretide_training::window::Row::new(id, ShopperId([1; 16]), instants, true, features)
        };
        Rows {
            rows: instants.map(row).collect(),
            ..Rows::default()
        }
    }

    #[test]
    fn a_model_is_outdated_by_more_examples_later_ones_and_other_cohorts() {
        let basis = Basis::of(&rows(0..2000), Some("cohorts-1"));
        assert!(!basis.is_outdated(&rows(0..2000), Some("cohorts-1")));
        assert!(!basis.is_outdated(&rows(10..2019), Some("cohorts-1")));
        assert!(
            basis.is_outdated(&rows(10..2020), Some("cohorts-1")),
            "a full window"
        );
        assert!(
            basis.is_outdated(&rows(-20..2000), Some("cohorts-1")),
            "history"
        );
        assert!(basis.is_outdated(&rows(0..2000), Some("cohorts-2")));
        let small = Basis::of(&rows(0..5), None);
        assert!(!small.is_outdated(&rows(0..14), None));
        assert!(small.is_outdated(&rows(0..15), None));
    }

    #[test]
    fn what_is_remembered_is_found_in_the_report_and_garbage_is_nothing() {
        let memory = Memory {
            challengers: 7,
            thinning: 2,
            learnt_from: Some(Basis::of(&rows(0..3), Some("cohorts-1"))),
        };
        let mut report = Report {
            kind: Text::new("drift").unwrap(),
            at: EpochMs(1),
            outcome: Text::default(),
            causes: Vec::new(),
            details: json!({}),
        };
        let take = |report: &Report| {
            let reports = Reports::default();
            let new = report.record().unwrap();
            reports.take(&Record {
                offset: 0,
                appended_at: EpochMs(1),
                key: new.key,
                value: new.value,
            });
            Memory::of(&reports, Target::Drift)
        };
        assert_eq!(take(&report), Memory::default());
        memory.put_into(&mut report);
        assert_eq!(take(&report), memory);
        report.details = json!({ "memory": "nonsense" });
        assert_eq!(take(&report), Memory::default());
    }
}
