//! `POST /get-online-features` and `GET /health`: what Feast's clients ask its feature server, read only.
//!
//! Every feature of the catalogue is in the feature view `shopper`, and the feature service `foretide` stands for them all.
//! A shopper is an entity by `user_id`, `anonymous_id` or `shopper_id`. Feast's own client sends the admin key as a token:
//!
//! ```yaml
//! online_store: { type: remote, path: "http://localhost:8080" }
//! auth: { type: oidc, token_env_var: FORETIDE_ADMIN_KEY }
//! ```

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use foretide_events::EpochMs;
use foretide_http::{
    Problem, ProblemCode, documented, json_answer,
    openapi::{BODY, KEYED},
    parse_json, read_body,
};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::task::spawn_blocking;

use self::{answer::Answer, asked::Asked, question::Question};
use super::{BODY_LIMITS, parameters};
use crate::{api::Api, instant::parse_at, knowledge::not_ready};

mod answer;
mod asked;
mod question;

/// About how many bytes of an answer a value takes, with its status and timestamp.
const VALUE_BYTES: usize = 64;

/// With more values than this, or of the past, an answer is worked out where nobody waits for the thread.
const MANY_VALUES: usize = 8_192;

/// What the query may hold.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Parameters {
    /// The instant it is about; now by default.
    #[schemars(with = "Option<EpochMs>")]
    at: Option<String>,
}

documented! {
    asked Asked;
    answered Answer;
    query Parameters;
    refused Refusals = KEYED, BODY, &[ProblemCode::NotFound, ProblemCode::NotRemembered];
    refused HealthRefusals = OPEN;
}

/// Why any request to a route that needs no key may be refused.
const OPEN: &[ProblemCode] = &[
    ProblemCode::Overloaded,
    ProblemCode::TimedOut,
    ProblemCode::NotReady,
    ProblemCode::Internal,
];

/// Reads features of shoppers, as Feast's feature server answers.
///
/// Features are named `shopper:NAME`, by the names of `/v1/features`; the `feature_service` named `foretide` stands for all of
/// them. Shoppers are named by one list of ids. `results` has one entry for each name in `metadata.feature_names`, the
/// shoppers' ids first, and in each one value for each shopper.
///
/// Statuses: `PRESENT`; `NULL_VALUE`, the shopper has no such value; `NOT_FOUND`, nothing is known of the shopper, or the id is
/// `null` or blank; `OUTSIDE_MAX_AGE`, the shopper's newest event is older than the feature's `max_age_ms`, the value is
/// `null`; `INVALID`, there is no such feature. An event timestamp is the time of the shopper's newest event, 1970 where there
/// is none.
///
/// With `at` (RFC 3339): what was known then. The whole is refused (422) where `at` lies before what is still remembered of one of
/// the shoppers: the 25 hours before the newest action, and 256 actions at most. `foretide export` goes back further.
#[utoipa::path(post, path = "/get-online-features", operation_id = "get_online_features", tag = "shoppers",
    params(Parameters), request_body = Asked,
    responses((status = 200, description = "The features", body = Answer), Refusals))]
pub(crate) async fn read(
    State(api): State<Arc<Api>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = read_body(request, BODY_LIMITS, &api.budget).await?;
    let Parameters { at } = parameters(&parts.uri)?;
    let at = parse_at(at.as_deref())?;
    let question = Question::of(parse_json(&body)?, at, &api.pseudonymiser)?;
    drop(body);
    if question.values() <= MANY_VALUES && !question.is_of_the_past() {
        return answer(&api, &question);
    }
    let answering = spawn_blocking(move || answer(&api, &question));
    answering.await.unwrap_or_else(|error| {
        tracing::error!(%error, "features could not be read");
        Err(Problem::new(
            ProblemCode::Internal,
            "the features cannot be read",
        ))
    })
}

fn answer(api: &Api, question: &Question) -> Result<Response, Problem> {
    let answer = Answer::to(question, api)?;
    answer.count(&api.metrics);
    json_answer(&answer, question.values() * VALUE_BYTES)
}

/// Tells whether features can be read, to anyone.
///
/// 200 without a body once the profiles are there, 503 while they are being restored.
#[utoipa::path(get, path = "/health", operation_id = "health", tag = "shoppers", security(()),
    responses((status = 200, description = "Features can be read"), HealthRefusals))]
pub(crate) async fn health(State(api): State<Arc<Api>>) -> Result<StatusCode, Problem> {
    let mut partitions = 0..api.table.partitions();
    if partitions.all(|partition| api.table.fresh_as_of(partition).is_some()) {
        return Ok(StatusCode::OK);
    }
    Err(not_ready("profiles are still being restored"))
}

#[cfg(test)]
mod tests;
