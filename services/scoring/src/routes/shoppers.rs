//! `GET /v1/shoppers/{id}` and `GET /v1/shoppers?user_id=…`: what is known of a shopper.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::Uri,
};
use foretide_events::{EpochMs, InvalidId, ShopperId, Text, limits};
use foretide_features::{Reference, State as Statistics};
use foretide_http::{Problem, ProblemCode, documented, openapi::KEYED};
use foretide_ports::Serving;
use schemars::JsonSchema;
use serde::Deserialize;

use self::answer::Answer;
use super::{parameters, variable};
use crate::{api::Api, instant::parse_at, knowledge::known, shopper::NamedShopper};

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
/// missing, or holds no longer: `/v1/shoppers/{id}/features` says which), unit and age.
///
/// `at` (RFC 3339, now by default): what was known then, told against the `reference` of then. 404 if the shopper was unknown,
/// 422 if `at` lies before what is still remembered: the 25 hours before the shopper's newest action, and 256 actions at most
/// (`foretide export` goes back further); 503 while the profile may still have to be restored. Ages are in
/// milliseconds: how long before `at` everything on the log was folded.
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

/// What is read of a shopper, with what an answer says beside it.
struct Read<T> {
    known: T,
    /// The instant it is about.
    at: EpochMs,
    /// How long before that everything on the log was folded; `None` while that is not known.
    age_ms: Option<i64>,
    /// What is usual at that instant.
    serving: Serving,
}

impl<T> Read<T> {
    /// What `read` makes of `shopper` as of the instant `at`, now where none is given, and of what is usual then.
    fn of(
        api: &Api,
        shopper: &ShopperId,
        at: Option<&str>,
        read: impl FnOnce(&Statistics, EpochMs, &Reference) -> T,
    ) -> Result<Self, Problem> {
        let (at, now) = (parse_at(at)?, EpochMs(api.clock.now_ms()));
        let instant = at.unwrap_or(now);
        let serving = api.artefacts.references.serving(instant);
        let (found, freshness) = known(api, shopper, at, now, |state| {
            read(state, instant, &serving.reference)
        })?;
        let nothing = || Problem::new(ProblemCode::NotFound, "nothing is known of this shopper");
        Ok(Self {
            known: found.ok_or_else(nothing)?,
            at: instant,
            age_ms: freshness.age_ms(),
            serving,
        })
    }
}

fn answer(api: &Api, shopper: ShopperId, at: Option<&str>) -> Result<Json<Answer>, Problem> {
    let read = Read::of(api, &shopper, at, |state, _, _| state.clone())?;
    Ok(Json(Answer::of(shopper, &read, &api.rules)))
}

#[cfg(test)]
mod tests;
