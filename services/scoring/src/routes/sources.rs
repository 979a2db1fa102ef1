//! `GET /v1/sources/{source}`: what became of the events of one write key or import run.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::Uri,
};
use foretide_events::SourceId;
use foretide_http::{Problem, ProblemCode, documented, openapi::KEYED};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{parameters, variable};
use crate::{SourceAnswer, SourceError, api::Api};

/// The longest a question waits, in milliseconds; a longer wish is taken for this.
const LONGEST_WAIT_MS: u64 = 20_000;

/// What the query may hold.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Parameters {
    /// How long to wait at most until everything that is on the log now has been folded, in milliseconds. More than 20 000
    /// counts as 20 000.
    #[schemars(schema_with = "wait_schema")]
    wait_ms: Option<String>,
}

/// What is answered.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Source")]
pub(crate) struct Answer {
    /// Which source.
    source: SourceId,
    #[serde(flatten)]
    answer: SourceAnswer,
}

/// Which source.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "documents the path")]
pub(crate) struct SourcePath {
    /// `key:` and the first 8 hexadecimal digits of the write key's SHA-256, or `import:` and the name of the run.
    source: SourceId,
}

fn wait_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 0, "maximum": u64::MAX, "default": 0 })
}

documented! {
    answered Answer;
    query Parameters;
    path SourcePath;
    refused Refusals = KEYED,
        &[ProblemCode::InvalidField, ProblemCode::LogAway, ProblemCode::DatabaseAway];
}

/// Tells what became of a source's events.
///
/// `accepted` (events of it on the log), of which `folded`, `duplicate` and `late`; and `rejected`, an object by reason,
/// summed over all instances of ingest (each adds its own within about a second). A source nobody sent for has zeros.
///
/// `wait_ms` (0 by default, at most 20 000): waits that long until everything that is on the log now has been folded and
/// published, links of anonymous shoppers to known ones included; `complete` says whether it has. 503 while the log cannot say how far it reaches, or the database how many were rejected.
#[utoipa::path(get, path = "/v1/sources/{source}", operation_id = "get_source", tag = "sources",
    params(SourcePath, Parameters),
    responses((status = 200, description = "The counts", body = Answer), Refusals))]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    source: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<Answer>, Problem> {
    let source = SourceId::new(&variable(source, "source")?)
        .map_err(|error| Problem::new(ProblemCode::InvalidField, error.to_string()).at("source"))?;
    let wait = wait(&parameters(&uri)?)?;
    let answer = api.sources.read(&source, wait).await.map_err(|error| {
        let code = match &error {
            SourceError::Log(_) => ProblemCode::LogAway,
            SourceError::Store(_) => ProblemCode::DatabaseAway,
        };
        Problem::new(code, error.to_string()).retry_after_s(1)
    })?;
    Ok(Json(Answer { source, answer }))
}

fn wait(parameters: &Parameters) -> Result<Duration, Problem> {
    let Some(text) = &parameters.wait_ms else {
        return Ok(Duration::ZERO);
    };
    let wait_ms: u64 = text.parse().map_err(|_| {
        Problem::new(
            ProblemCode::InvalidField,
            "is not a whole number of milliseconds",
        )
        .at("wait_ms")
    })?;
    Ok(Duration::from_millis(wait_ms.min(LONGEST_WAIT_MS)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Shop, page};

    #[tokio::test]
    async fn a_source_has_its_counts_and_says_whether_all_is_folded() {
        let shop = Shop::new().declared().await;
        let answer = shop.get("/v1/sources/import:one").await.ok();
        assert_eq!(
            answer,
            json!({"source": "import:one", "accepted": 0, "folded": 0, "duplicate": 0, "late": 0,
                   "rejected": {"missing_identity": 3}, "complete": true})
        );
        shop.append("ann", page()).await;
        let answer = shop.get("/v1/sources/import:one?wait_ms=1").await.ok();
        assert_eq!(answer["complete"], false);
    }

    #[tokio::test]
    async fn a_log_that_is_away_is_said_and_bad_input_named() {
        let shop = Shop::new().declared().await;
        let refused = shop
            .get("/v1/sources/import:one?wait_ms=soon")
            .await
            .problem();
        assert_eq!(
            refused,
            (400, "invalid_field".to_owned(), "wait_ms".to_owned())
        );
        shop.log.faults().set_away(true);
        let refused = shop.get("/v1/sources/import:one").await.problem();
        assert_eq!((refused.0, &*refused.1), (503, "log_away"));
    }
}
