//! `POST /v1/actions`

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use foretide_events::Rejection;
use foretide_http::{
    Problem, ProblemCode, documented,
    openapi::{BODY, KEYED},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::document::{Asked, actions_body};
use crate::{dry_run::DryRun, form::Form, intake::Ingest};

/// What became of the actions of a request.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ActionsReply")]
struct Reply {
    /// How many were accepted: the log holds them durably. Whether one is a duplicate, only the fold knows.
    accepted: usize,
    /// Each that was not, by its place in the request, with the cause.
    rejected: Vec<Rejection>,
    #[serde(flatten)]
    dry_run: Option<DryRun>,
}

documented! {
    written ActionsBody = actions_body();
    answered Reply;
    refused Refusals = KEYED, BODY, &[ProblemCode::LogAway, ProblemCode::LogFull];
}

/// Sends actions.
///
/// The body is one action, `{"actions":[…]}`, or, by content type `application/x-ndjson`, one action a line; plain, gzip or
/// zstd. The reply is 200 also when some or all actions were rejected: each with its cause, and none harms another, not even
/// one that is not JSON where the bounds of the others are beyond doubt. Members that mean nothing are ignored;
/// `?dry_run=1` names them, and what may have been meant. Anything else than 200 means that nothing was accepted; what is answered with 503 may be sent again as it is, since an action with an `id`
/// counts once.
///
/// `Foretide-Import: <run>` counts the actions for that import run instead of the key.
#[utoipa::path(
    post,
    path = "/v1/actions",
    operation_id = "send_actions",
    tag = "actions",
    security(("write_key" = []), ("write_key_basic" = [])),
    params(Asked),
    request_body(content(
        (ActionsBody = "application/json", example = json!({"actions": [{
            "type": "product_view", "id": "e-1", "at": "2026-11-22T08:00:00Z", "shopper": {"user_id": "ann"},
            "product": {"product_id": "p-7", "category": "shoes"},
        }]})),
        (String = "application/x-ndjson"),
    )),
    responses((status = 200, description = "Taken, but for those rejected", body = Reply), Refusals)
)]
pub(super) async fn post(
    State(ingest): State<Arc<Ingest>>,
    request: Request,
) -> Result<Response, Problem> {
    let form = Form::of_actions(request.headers());
    let taken = ingest.take(form, request, None).await?;
    let facts = taken.facts().map(Extension);
    let reply = Reply {
        accepted: taken.accepted,
        rejected: taken.rejected,
        dry_run: taken.dry_run,
    };
    Ok((facts, Json(reply)).into_response())
}

#[cfg(test)]
mod tests;
