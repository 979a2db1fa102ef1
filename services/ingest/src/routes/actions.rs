//! `POST /v1/actions`

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Request, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use foretide_events::{Rejection, native};
use foretide_http::{BodyReader, Problem, Role};
use serde::Serialize;

use super::refused;
use crate::intake::{Ingest, Taken};

/// Media types of one JSON value a line.
const NDJSON: [&str; 5] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/json-lines",
];

/// What became of the actions of a request.
#[derive(Serialize)]
struct Reply {
    /// How many were accepted: the log holds them durably. Whether one is a duplicate, only the fold knows.
    accepted: usize,
    /// Each that was not, by its place in the request, with the cause.
    rejected: Vec<Rejection>,
}

/// Takes one action, `{"actions":[…]}`, or, by content type `application/x-ndjson`, one action a line; plain or gzip.
///
/// The key comes as Basic user name or Bearer token. `Foretide-Import: <run>` counts the events for that import run instead
/// of the key. The reply is 200 also when some or all actions were rejected: each with its cause, and none harms another.
/// Anything else is a problem document, and then nothing was accepted: 400 and 413 for a body that cannot be taken, 401 and
/// 403 for the key, 503 with `Retry-After` when the log cannot take it now.
pub(super) async fn post(
    State(ingest): State<Arc<Ingest>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, mut body) = BodyReader::of(request);
    match take(&ingest, &parts.headers, &mut body).await {
        Ok(taken) => {
            let facts = taken.facts();
            let reply = Reply {
                accepted: taken.accepted,
                rejected: taken.rejected,
            };
            Ok((Extension(facts), Json(reply)).into_response())
        }
        Err(problem) => {
            body.discard().await;
            Err(ingest.refused(problem))
        }
    }
}

async fn take(
    ingest: &Ingest,
    headers: &HeaderMap,
    body: &mut BodyReader,
) -> Result<Taken, Problem> {
    ingest.state().keys.require(headers, Role::Write)?;
    let source = ingest.source(headers)?;
    let body = ingest.read(body).await?;
    let parse = if is_ndjson(headers) {
        native::parse_ndjson
    } else {
        native::parse_json
    };
    let receipts = ingest
        .receipts(&source, |intake| parse(&body, intake))
        .map_err(refused)?;
    ingest.take(&source, receipts).await
}

/// Whether the content type is one of a value a line. Anything else is taken for JSON: senders are careless with it.
fn is_ndjson(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = content_type
        .and_then(|value| value.split(';').next())
        .map(str::trim);
    media_type.is_some_and(|name| NDJSON.iter().any(|known| name.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests;
