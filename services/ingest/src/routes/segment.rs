//! `POST /v1/batch` and `POST /v1/import`, as Segment's SDKs send and read them.

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    middleware,
    response::{IntoResponse, Response},
};
use foretide_events::{Rejection, segment};
use foretide_http::{BodyReader, Keys, Problem, ProblemCode, Role, missing_key, presented_key};
use serde::Serialize;

use super::refused;
use crate::intake::{Ingest, Taken};

/// The answer to a batch that was taken. Its status is 200 exactly, and it is a JSON object with `success`: anything else
/// makes one SDK or another send the batch again.
#[derive(Serialize)]
struct Reply<'a> {
    success: bool,
    /// How many events were accepted: the log holds them durably.
    accepted: usize,
    /// Each that was not, by its place in the batch, with the cause.
    rejected: Vec<Verdict<'a>>,
}

/// Why one event of a batch was rejected.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verdict<'a> {
    index: usize,
    message_id: Option<&'a str>,
    code: &'static str,
    field: Option<&'a str>,
    message: &'a str,
}

/// The answer to a batch that was refused as a whole: the Python SDK needs `code` and `message`, the Ruby one reads `error`.
#[derive(Serialize)]
struct Refusal<'a> {
    success: bool,
    error: &'a str,
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

/// Takes a batch of calls, plain or gzip, whatever its content type says (browsers send `text/plain`).
///
/// The key comes as Basic user name, as Bearer token, or as `writeKey` in the body; where several come they must agree. The
/// answer is 200 with a verdict for each event that was rejected; 400 for a body that cannot be taken (which SDKs do not
/// send again), 401 for the key, 503 with `Retry-After` when the log cannot take it now.
pub(super) async fn post(
    State(ingest): State<Arc<Ingest>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, mut body) = BodyReader::of(request);
    match take(&ingest, &parts.headers, &mut body).await {
        Ok(taken) => {
            let rejected = taken.rejected.iter().map(Verdict::of).collect();
            let reply = Reply {
                success: true,
                accepted: taken.accepted,
                rejected,
            };
            Ok((Extension(taken.facts()), Json(reply)).into_response())
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
    let keys = &ingest.state().keys;
    let in_header = presented_key(headers)?;
    if let Some(key) = &in_header {
        keys.check(key, Role::Write)?;
    }
    let source = ingest.source(headers)?;
    let body = ingest.read(body).await?;
    let batch = segment::open(&body).map_err(refused)?;
    check_key_in_body(keys, in_header.as_deref(), batch.write_key())?;
    let receipts = ingest.receipts(&source, |intake| batch.receipts(intake));
    ingest.take(&source, receipts).await
}

/// Lets a batch pass whose body brings the write key, or none if the header brought it.
fn check_key_in_body(
    keys: &Keys,
    in_header: Option<&str>,
    in_body: Option<&str>,
) -> Result<(), Problem> {
    match (in_header, in_body.filter(|key| !key.is_empty())) {
        (_, Some(key)) => keys
            .check(key, Role::Write)
            .map_err(|problem| problem.at("writeKey")),
        (Some(_), None) => Ok(()),
        (None, None) => Err(missing_key()),
    }
}

impl<'a> Verdict<'a> {
    fn of(rejection: &'a Rejection) -> Self {
        Self {
            index: rejection.index,
            message_id: rejection.id.as_deref(),
            code: rejection.code.as_str(),
            field: rejection.field.as_deref(),
            message: &rejection.message,
        }
    }
}

/// Gives every problem that comes out of `routes` the shape and the status that Segment's SDKs need.
pub(super) fn shaped(routes: Router) -> Router {
    routes.layer(middleware::map_response(shape))
}

async fn shape(mut response: Response) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    let refusal = Refusal {
        success: false,
        error: problem.detail(),
        code: problem.code().as_str(),
        message: problem.detail(),
        field: problem.field(),
    };
    let mut shaped = (status(problem.code()), Json(refusal)).into_response();
    problem.attach_to(&mut shaped);
    shaped
}

/// Segment knows fewer statuses: SDKs decide by them whether to send again.
fn status(code: ProblemCode) -> StatusCode {
    match code.status() {
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            StatusCode::BAD_REQUEST
        }
        StatusCode::FORBIDDEN => StatusCode::UNAUTHORIZED,
        other => other,
    }
}

#[cfg(test)]
mod tests;
