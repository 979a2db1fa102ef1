//! Saying what would become of events, instead of taking them.

use axum::http::Uri;
use foretide_events::{Event, Receipt, RejectionReason, Timing, native::Ignored, wire};
use foretide_http::{Problem, ProblemCode};
use foretide_privacy::{PseudonymKey, Pseudonymiser};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::query;

/// The parameter that asks for it.
pub(crate) const PARAMETER: &str = "dry_run";

/// Whether the query of `uri` asks to say only what would happen.
pub(crate) fn is_wanted(uri: &Uri) -> Result<bool, Problem> {
    let mut wanted = false;
    for (name, value) in query::pairs(uri) {
        if name != PARAMETER {
            continue;
        }
        if value != "1" && value != "true" {
            let detail = "is `1` or `true`, or left out";
            return Err(Problem::new(ProblemCode::InvalidField, detail).at(PARAMETER));
        }
        wanted = true;
    }
    Ok(wanted)
}

/// What a dry run answers beside the counts.
#[derive(Serialize, JsonSchema)]
pub(crate) struct DryRun {
    /// Always true: nothing was stored, and nothing was counted.
    dry_run: bool,
    /// What would become of each event, in the order of the request.
    events: Vec<Explained>,
}

/// What would become of one event.
#[derive(Serialize, JsonSchema)]
struct Explained {
    /// Its place in the request, from 0.
    index: usize,
    #[serde(flatten)]
    outcome: Outcome,
    /// Members that say nothing, with what may have been meant (native actions only).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ignored: Vec<Ignored>,
}

#[derive(Serialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    /// It would be stored.
    Accepted {
        /// The type of the action that it means.
        r#type: &'static str,
        /// How its time came about.
        time: Option<Timing>,
        /// What would be stored, with pseudonyms for raw ids. They are not those of the log: a write key may be public, and
        /// must not tell anyone the pseudonym of a shopper. An id that was made here is another one next time.
        #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
        stored: Option<Box<RawValue>>,
    },
    /// It would be rejected.
    Rejected {
        /// Its id, where it has one that can be read.
        id: Option<String>,
        /// Why.
        code: RejectionReason,
        /// The path of the field at fault; null when it is the event as a whole.
        field: Option<String>,
        /// What is wrong, for a person.
        message: String,
    },
}

impl DryRun {
    /// Explains `receipts`; `timings` are those of the accepted events, `ignored` those of all.
    pub(crate) fn of(
        receipts: &[Receipt],
        timings: Vec<Timing>,
        ignored: Vec<Vec<Ignored>>,
    ) -> Self {
        let mut timings = timings.into_iter();
        let mut ignored = ignored.into_iter();
        let events = receipts.iter().enumerate().map(|(index, receipt)| {
            let outcome = match receipt {
                Ok(event) => accepted(event, timings.next()),
                Err(rejection) => Outcome::Rejected {
                    id: rejection.id.clone(),
                    code: rejection.code,
                    field: rejection.field.clone(),
                    message: rejection.message.clone(),
                },
            };
            Explained {
                index,
                outcome,
                ignored: ignored.next().unwrap_or_default(),
            }
        });
        Self {
            dry_run: true,
            events: events.collect(),
        }
    }
}

fn accepted(event: &Event, timing: Option<Timing>) -> Outcome {
    let mut stored = Vec::new();
    wire::encode(event, &mut stored);
    Outcome::Accepted {
        r#type: event.action.action_type().as_str(),
        time: timing,
        stored: serde_json::from_slice(&stored).ok(),
    }
}

/// Makes the pseudonyms that dry runs show, with a key that nobody knows and that ends with the process.
pub(crate) fn pseudonymiser() -> Pseudonymiser {
    let mut key = [0; 32];
    let (first, second) = key.split_at_mut(16);
    first.copy_from_slice(Uuid::new_v4().as_bytes());
    second.copy_from_slice(Uuid::new_v4().as_bytes());
    Pseudonymiser::new(&PseudonymKey::from_bytes(key))
}
