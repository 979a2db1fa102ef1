//! `GET /v1/sources/{source}`: what became of the events of one write key or import run.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::Uri,
};
use foretide_events::SourceId;
use foretide_http::{Problem, ProblemCode};
use serde::{Deserialize, Serialize};

use super::{parameters, variable};
use crate::{SourceAnswer, api::Api};

/// The longest a question waits, in milliseconds; a longer wish is taken for this.
const LONGEST_WAIT_MS: u64 = 20_000;

/// What the query may hold.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Parameters {
    wait_ms: Option<String>,
}

/// What is answered.
#[derive(Serialize)]
pub(crate) struct Answer {
    source: SourceId,
    #[serde(flatten)]
    answer: SourceAnswer,
}

/// The receipts and fates of `source`: `accepted` (events of it on the log), of which `folded`, `duplicate` and `late`; and
/// `rejected`, an object by reason, counted by ingest since it started. A source nobody sent for has zeros.
///
/// `wait_ms` (0 by default, at most 20 000): waits that long until everything that is on the log now has been folded;
/// `complete` says whether it has. 503 while the log cannot say how far it reaches.
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    source: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<Answer>, Problem> {
    let source = SourceId::new(&variable(source, "source")?)
        .map_err(|error| Problem::new(ProblemCode::InvalidField, error.to_string()).at("source"))?;
    let wait = wait(&parameters(&uri)?)?;
    let answer =
        api.sources.read(&source, wait).await.map_err(|error| {
            Problem::new(ProblemCode::LogAway, error.to_string()).retry_after_s(1)
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
