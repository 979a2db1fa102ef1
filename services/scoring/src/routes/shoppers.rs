//! `GET /v1/shoppers/{id}` and `GET /v1/shoppers?user_id=…`: what is known of a shopper.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::Uri,
};
use foretide_events::{EpochMs, InvalidId, ShopperId, Text, limits};
use foretide_http::{Problem, ProblemCode, documented, openapi::KEYED};
use schemars::JsonSchema;
use serde::Deserialize;

use self::answer::Answer;
use super::{parameters, variable};
use crate::{
    api::Api,
    freshness::Freshness,
    instant::{no_longer_remembered, parse_at},
    knowledge::{Found, look_up},
    shopper::NamedShopper,
};

mod answer;
pub(crate) mod features;

/// What the query may hold.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Named {
    /// The shop's id of a shopper who has signed in.
    #[schemars(length(max = limits::MAX_RAW_ID_CHARS), extend("examples" = ["ann"]))]
    user_id: Option<String>,
    /// The shop's id of a device or browser. Where both are given, `user_id` counts.
    #[schemars(length(max = limits::MAX_RAW_ID_CHARS))]
    anonymous_id: Option<String>,
    /// The instant it is about; now by default.
    #[schemars(with = "Option<EpochMs>")]
    at: Option<String>,
}

/// What the query may hold beside a path.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Instant {
    /// The instant it is about; now by default.
    #[schemars(with = "Option<EpochMs>")]
    at: Option<String>,
}

/// Who is meant.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "documents the path")]
pub(crate) struct ShopperPath {
    /// The shopper's pseudonym.
    id: ShopperId,
}

documented! {
    answered Answer;
    query Named;
    query Instant;
    path ShopperPath;
    refused Refusals = KEYED, &[ProblemCode::InvalidField, ProblemCode::NotFound, ProblemCode::NotRemembered];
    refused FindRefusals = KEYED, &[
        ProblemCode::InvalidField,
        ProblemCode::MissingField,
        ProblemCode::NotFound,
        ProblemCode::NotRemembered,
    ];
}

/// Shows a shopper, by the pseudonym.
///
/// When first and last seen, sessions, cart, purchases, affinity, and every feature with its value (`null` where it is
/// missing), unit and age.
///
/// `at` (RFC 3339, now by default): what was known then. 404 if the shopper was unknown, 422 if `at` lies before what is
/// still remembered. Ages are in milliseconds: how long before `at` everything on the log was folded.
#[utoipa::path(get, path = "/v1/shoppers/{id}", operation_id = "get_shopper", tag = "shoppers",
    params(ShopperPath, Instant),
    responses((status = 200, description = "The shopper", body = Answer), Refusals))]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<Answer>, Problem> {
    let Instant { at } = parameters(&uri)?;
    answer(&api, path_shopper(id)?, at.as_deref())
}

/// Finds a shopper, by the shop's own id.
///
/// By `user_id` or `anonymous_id`, which is never part of the answer. What is answered is what `/v1/shoppers/{id}` shows.
#[utoipa::path(get, path = "/v1/shoppers", operation_id = "find_shopper", tag = "shoppers", params(Named),
    responses((status = 200, description = "The shopper", body = Answer), FindRefusals))]
pub(crate) async fn find(State(api): State<Arc<Api>>, uri: Uri) -> Result<Json<Answer>, Problem> {
    let named: Named = parameters(&uri)?;
    let shopper = named.shopper(&api)?;
    answer(&api, shopper, named.at.as_deref())
}

impl Named {
    /// The pseudonym of the shopper that is named.
    fn shopper(&self, api: &Api) -> Result<ShopperId, Problem> {
        let named = NamedShopper {
            user_id: text(self.user_id.as_deref(), "user_id")?,
            anonymous_id: text(self.anonymous_id.as_deref(), "anonymous_id")?,
            shopper_id: None,
        };
        named.resolve(&api.pseudonymiser, "user_id")
    }
}

/// The shopper whose pseudonym is in the path.
fn path_shopper(id: Result<Path<String>, PathRejection>) -> Result<ShopperId, Problem> {
    variable(id, "id")?.parse().map_err(|error: InvalidId| {
        Problem::new(ProblemCode::InvalidField, error.to_string()).at("id")
    })
}

fn text<const MAX: usize>(
    given: Option<&str>,
    field: &'static str,
) -> Result<Option<Text<MAX>>, Problem> {
    let Some(given) = given else { return Ok(None) };
    let text = Text::new(given).ok_or_else(|| {
        Problem::new(
            ProblemCode::InvalidField,
            format!("is longer than {MAX} characters"),
        )
        .at(field)
    })?;
    Ok(Some(text))
}

fn answer(api: &Api, shopper: ShopperId, at: Option<&str>) -> Result<Json<Answer>, Problem> {
    let at = parse_at(at)?;
    let now = EpochMs(api.clock.now_ms());
    let instant = at.unwrap_or(now);
    match look_up(&api.table, &shopper, at, &api.rules, |state, _| {
        state.clone()
    }) {
        Found::NotRemembered => Err(no_longer_remembered()),
        Found::Nobody => Err(nothing_known()),
        Found::Known(state) => {
            let freshness = Freshness::of(&api.table, &shopper, instant, now);
            Ok(Json(Answer::of(
                shopper,
                instant,
                &state,
                freshness.age_ms(),
                &api.rules,
                &api.reference,
            )))
        }
    }
}

fn nothing_known() -> Problem {
    Problem::new(ProblemCode::NotFound, "nothing is known of this shopper")
}

#[cfg(test)]
mod tests;
