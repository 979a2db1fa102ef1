//! What a trainer has to remember from one attempt to the next: it is part of the report, so that whichever trainer comes next
//! knows it.

use foretide_events::EpochMs;
use foretide_models::Target;
use foretide_ports::{Report, Reports};
use foretide_training::{promotion::Ledger, window::Rows};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xxhash_rust::xxh3::Xxh3;

/// Where it is among the details of a report.
const PLACE: &str = "memory";

/// A model is trained anew once this share of the examples is new.
const NEW_SHARE: f64 = 0.01;
/// How many new ones there have to be at least.
const NEW_LEAST: f64 = 10.0;

/// What is remembered of one target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// How many models were trained, ever.
    #[serde(default)]
    pub(super) challengers: u64,
    /// The comparisons of challengers with what serves: each later one has to prove more.
    #[serde(default)]
    pub(super) comparisons: Ledger,
    /// What serves, watched beside what would be gone back to.
    #[serde(default)]
    pub(super) watches: Ledger,
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

    /// What the draws of a training for `target` on this follow from: others for other examples, so that not the same few are drawn
    /// again and again, and the same for the same examples, whenever that is.
    pub(super) fn seed(&self, target: Target, seed: u64) -> u64 {
        let mut hash = Xxh3::with_seed(seed);
        hash.update(target.as_str().as_bytes());
        hash.update(&self.examples.to_le_bytes());
        hash.update(&self.newest_at.0.to_le_bytes());
        hash.digest()
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
    fn draws_follow_from_the_examples_and_the_seed_alone() {
        let of = |rows: &Rows, target, seed| Basis::of(rows, None).seed(target, seed);
        let own = of(&rows(0..20), Target::Drift, 1);
        assert_eq!(own, of(&rows(0..20), Target::Drift, 1));
        for other in [
            of(&rows(0..21), Target::Drift, 1),
            of(&rows(1..21), Target::Drift, 1),
            of(&rows(0..20), Target::Abandonment, 1),
            of(&rows(0..20), Target::Drift, 2),
        ] {
            assert_ne!(own, other);
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

    fn ledger(begun: u64) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.at_least(begun);
        ledger
    }

    #[test]
    fn what_is_remembered_is_found_in_the_report_and_garbage_is_nothing() {
        let memory = Memory {
            challengers: 7,
            thinning: 2,
            comparisons: ledger(9),
            watches: ledger(2),
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
