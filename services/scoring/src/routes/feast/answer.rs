//! The features that were read.

use std::{borrow::Cow, sync::Arc};

use foretide_events::{EpochMs, ShopperId};
use foretide_http::Problem;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;

use super::question::{Asking, Question};
use crate::{
    api::Api,
    freshness::Freshness,
    knowledge::known,
    metrics::ScoringMetrics,
    reference::ShownReference,
    served::{FEATURE_VIEW, Served, Status},
};

/// The event timestamp where there is no event.
const NEVER: EpochMs = EpochMs(0);

/// What is answered.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OnlineFeatures")]
pub(crate) struct Answer {
    metadata: Heading,
    /// One for each name in `feature_names`.
    results: Vec<Column>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OnlineFeaturesMetadata")]
struct Heading {
    /// What the results are: first the kind of id, then the features in the order asked for.
    feature_names: Vec<Cow<'static, str>>,
    /// The feature view, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    feature_view_metadata: Option<[ShownView; 1]>,
    /// Names the catalogue.
    schema: Arc<str>,
    /// What is usual among shoppers at the instant: features that use it are told against it.
    reference: ShownReference,
    /// How long before the instant everything on the log was folded, of the shoppers where it is longest; `null` while
    /// profiles are being restored, and without shoppers.
    features_age_ms: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FeatureView")]
struct ShownView {
    name: &'static str,
    /// Always 0: the catalogue's versions have names, not numbers.
    version: u32,
}

/// One name's values. All three lists have an entry for each shopper.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OnlineFeature")]
struct Column {
    values: Values,
    statuses: Vec<Status>,
    /// When the newest event happened that the value rests on.
    event_timestamps: Vec<EpochMs>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Values {
    Ids(Vec<Value>),
    Features(Vec<Option<f64>>),
}

impl JsonSchema for Values {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Values".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Numbers or `null`; the ids as they were sent in the first result.",
            "type": "array",
            "items": { "type": ["string", "number", "null"] },
        })
    }
}

impl Answer {
    /// What is known to answer `question` with. Refused as a whole where one of the shoppers is not there yet, or is no longer
    /// remembered as of the instant.
    pub(super) fn to(question: &Question, api: &Api) -> Result<Self, Problem> {
        let now = EpochMs(api.clock.now_ms());
        let serving = api.artefacts.references.serving(question.at.unwrap_or(now));
        let read = |shopper: &Option<ShopperId>| {
            let Some(shopper) = shopper else {
                return Ok(Row::NOBODY);
            };
            let (served, freshness) = known(api, shopper, question.at, now, |state| {
                let at = question.at.unwrap_or(now);
                Served::of(state, at, &api.rules, &serving.reference)
            })?;
            Ok(Row {
                served,
                freshness: Some(freshness),
            })
        };
        let rows: Vec<Row> = question
            .shoppers
            .iter()
            .map(read)
            .collect::<Result<_, Problem>>()?;
        let ages = rows.iter().filter_map(|row| row.freshness);
        let features_age_ms = ages.map(Freshness::age_ms).try_fold(None, |oldest, age| {
            // One that is not known makes the whole unknown.
            age.map(|age| oldest.max(Some(age)))
        });
        let features = question
            .features
            .iter()
            .map(|asking| Column::of(asking, &rows));
        let results = std::iter::once(Column::ids(question.sent.clone()))
            .chain(features)
            .collect();
        Ok(Self {
            metadata: Heading {
                feature_names: question.names(),
                feature_view_metadata: question.with_view.then_some([ShownView {
                    name: FEATURE_VIEW,
                    version: 0,
                }]),
                schema: Arc::clone(&api.catalogue),
                reference: ShownReference::of(&serving),
                features_age_ms: features_age_ms.flatten(),
            },
            results,
        })
    }

    /// Counts what is served.
    pub(super) fn count(&self, metrics: &ScoringMetrics) {
        let mut counts = [0_u64; Status::ALL.len()];
        // The first are the ids.
        for column in self.results.iter().skip(1) {
            for status in &column.statuses {
                counts[*status as usize] += 1;
            }
        }
        for (status, count) in Status::ALL.into_iter().zip(counts) {
            let counter = metrics.online_features.with_label_values(&[status.label()]);
            counter.inc_by(count);
        }
        if let Some(age_ms) = self.metadata.features_age_ms {
            metrics.online_features_age.observe(age_ms as f64 / 1000.0);
        }
    }
}

/// What is known of one shopper.
struct Row {
    served: Option<Served>,
    /// `None` where the id is nobody's.
    freshness: Option<Freshness>,
}

impl Row {
    const NOBODY: Self = Self {
        served: None,
        freshness: None,
    };
}

impl Column {
    fn ids(sent: Vec<Value>) -> Self {
        Self {
            statuses: vec![Status::Present; sent.len()],
            event_timestamps: vec![NEVER; sent.len()],
            values: Values::Ids(sent),
        }
    }

    fn of(asking: &Asking, rows: &[Row]) -> Self {
        let mut values = Vec::with_capacity(rows.len());
        let mut statuses = Vec::with_capacity(rows.len());
        let mut event_timestamps = Vec::with_capacity(rows.len());
        for row in rows {
            let (value, status, as_of) = match (asking, &row.served) {
                (Asking::Unknown(_), _) => (None, Status::Invalid, NEVER),
                (Asking::Known(_), None) => (None, Status::NotFound, NEVER),
                (Asking::Known(spec), Some(served)) => {
                    let (value, status) = served.get(spec);
                    (value, status, served.as_of)
                }
            };
            values.push(value);
            statuses.push(status);
            event_timestamps.push(as_of);
        }
        Self {
            values: Values::Features(values),
            statuses,
            event_timestamps,
        }
    }
}
