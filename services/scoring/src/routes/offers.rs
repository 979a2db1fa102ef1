//! `/v1/offers`: what can be offered.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Request, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use foretide_decision::{
    OfferId,
    catalogue::{CatalogueOffer, NewOffer, OfferState},
};
use foretide_events::EpochMs;
use foretide_http::{
    Problem, ProblemCode, documented,
    openapi::{BODY, KEYED},
    parse_json, read_body,
};
use foretide_ports::store::{Expected, StoreError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::form::{AskedOffer, ShownOffer, parse_id};
use super::{
    BODY_LIMITS, DATABASE, parameters, variable,
    versions::{Precondition, etag, expected, read_change},
};
use crate::{api::Api, stored};

pub(super) mod form;

/// What the query may hold.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Filter {
    /// Only offers in this state.
    #[schemars(schema_with = "form::state_of_query")]
    state: Option<String>,
}

/// Where an offer is.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "documents the path")]
pub(crate) struct OfferPath {
    /// The offer's id.
    #[schemars(regex(pattern = form::ID_PATTERN))]
    id: String,
}

/// Offers.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Offers {
    /// The offers, by id.
    offers: Vec<ShownOffer>,
}

documented! {
    asked AskedOffer;
    asked form::ChangedOffer;
    asked form::OfferPatch;
    answered Offers;
    answered ShownOffer;
    query Filter;
    path OfferPath;
    refused ListRefusals = KEYED, &[ProblemCode::InvalidField];
    refused MakeRefusals = KEYED, BODY, DATABASE, &[ProblemCode::AlreadyExists];
    refused ShowRefusals = KEYED, &[ProblemCode::InvalidField, ProblemCode::NotFound];
    refused ChangeRefusals = KEYED, BODY, DATABASE, &[ProblemCode::NotFound, ProblemCode::VersionConflict];
    refused ArchiveRefusals = KEYED, DATABASE,
        &[ProblemCode::InvalidField, ProblemCode::NotFound, ProblemCode::VersionConflict];
}

/// Lists the offers.
///
/// By id; archived ones too, because decisions of the past name them.
///
/// The rule makes, of each kind it chooses from (`discount` and `recommendations`), the active offer whose id comes first. A
/// kind without an active offer is not made, and decisions say so by the reason `no_active_offer`.
#[utoipa::path(get, path = "/v1/offers", operation_id = "list_offers", tag = "offers", params(Filter),
    responses((status = 200, description = "The offers", body = Offers), ListRefusals))]
pub(crate) async fn list(State(api): State<Arc<Api>>, uri: Uri) -> Result<Json<Offers>, Problem> {
    let Filter { state } = parameters(&uri)?;
    let state = state.as_deref().map(form::parse_state).transpose()?;
    let snapshot = stored::newest(&api.store).await;
    let wanted = |offer: &&CatalogueOffer| state.is_none_or(|state| offer.state == state);
    let offers = snapshot.offers.iter().filter(wanted);
    Ok(Json(Offers {
        offers: offers.map(ShownOffer::of).collect(),
    }))
}

/// Adds an offer.
///
/// It counts from the next decision on; on other instances within about a second.
#[utoipa::path(post, path = "/v1/offers", operation_id = "make_offer", tag = "offers", request_body = AskedOffer,
    responses(
        (status = 201, description = "The offer is there", body = ShownOffer, headers(
            ("ETag" = String, description = "The version, for `If-Match`"),
            ("Location" = String, description = "Where the offer is"),
        )),
        MakeRefusals,
    ))]
pub(crate) async fn make(
    State(api): State<Arc<Api>>,
    request: Request,
) -> Result<Response, Problem> {
    let (_, body) = read_body(request, BODY_LIMITS, &api.budget).await?;
    let offer = parse_json::<AskedOffer>(&body)?.offer()?;
    let id = offer.id.clone();
    let at = EpochMs(api.clock.now_ms());
    let putting = api.store.store().put_offer(offer, Expected::Absent, at);
    let made = stored::change(&api, async {
        match putting.await {
            Err(StoreError::Conflict { .. }) => Ok(None),
            made => made.map(Some),
        }
    });
    let made = made.await?.ok_or_else(|| {
        let detail = format!("there is an offer {id} already: change it with PUT /v1/offers/{id}");
        Problem::new(ProblemCode::AlreadyExists, detail).at("id")
    })?;
    let location = [(header::LOCATION, format!("/v1/offers/{}", made.id))];
    Ok((StatusCode::CREATED, location, answer(&made)).into_response())
}

/// Shows an offer.
///
/// An archived one too: its `state` says so.
#[utoipa::path(get, path = "/v1/offers/{id}", operation_id = "get_offer", tag = "offers", params(OfferPath),
    responses(
        (status = 200, description = "The offer", body = ShownOffer,
            headers(("ETag" = String, description = "The version, for `If-Match`"))),
        ShowRefusals,
    ))]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let id = parse_id(&variable(id, "id")?)?;
    let snapshot = stored::newest(&api.store).await;
    let found = snapshot.offers.iter().find(|offer| offer.id == id);
    let offer = found.ok_or_else(|| no_such_offer(&id))?;
    Ok(answer(offer))
}

/// Changes an offer.
///
/// Replaces everything but the id: send all members, with `state` as `paused` to stop making it for a while. What `GET` answers
/// can be changed and sent back as it is. The version rises by one, and the records of decisions name the version that was made.
#[utoipa::path(put, path = "/v1/offers/{id}", operation_id = "change_offer", tag = "offers",
    params(OfferPath, Precondition), request_body = form::ChangedOffer,
    responses(
        (status = 200, description = "The offer as it is now", body = ShownOffer,
            headers(("ETag" = String, description = "The version, for `If-Match`"))),
        ChangeRefusals,
    ))]
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (body, expected) = read_change(&api, request).await?;
    let id = parse_id(&variable(id, "id")?)?;
    let changed = parse_json::<form::ChangedOffer>(&body)?.offer(id)?;
    kept(&api, &changed.id).await?;
    Ok(answer(&put(&api, changed, expected).await?))
}

/// Changes some members of an offer.
///
/// A JSON merge patch (RFC 7396): what is not named stays, and `null` takes a member away. To pause an offer, send
/// `{"state": "paused"}`. The whole must be an offer again: who changes `kind` sends the member of the new kind, and `null` for
/// that of the old. 412 without `If-Match` means that somebody else changed it at the same moment: send it again.
#[utoipa::path(patch, path = "/v1/offers/{id}", operation_id = "patch_offer", tag = "offers",
    params(OfferPath, Precondition),
    request_body(content((form::OfferPatch = "application/merge-patch+json"), (form::OfferPatch = "application/json"))),
    responses(
        (status = 200, description = "The offer as it is now", body = ShownOffer,
            headers(("ETag" = String, description = "The version, for `If-Match`"))),
        ChangeRefusals,
    ))]
pub(crate) async fn patch(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (body, expected) = read_change(&api, request).await?;
    let id = parse_id(&variable(id, "id")?)?;
    let patch: form::OfferPatch = parse_json(&body)?;
    let before = kept(&api, &id).await?;
    let patched = patch.apply(&ShownOffer::of(&before))?.offer(id)?;
    let expected = unless_another(expected, &before);
    Ok(answer(&put(&api, patched, expected).await?))
}

/// Archives an offer.
///
/// It is not made any more, and stays in the catalogue because decisions name it. `PUT` brings it back. One that is archived
/// already stays as it is.
#[utoipa::path(delete, path = "/v1/offers/{id}", operation_id = "archive_offer", tag = "offers",
    params(OfferPath, Precondition),
    responses(
        (status = 200, description = "The offer, archived", body = ShownOffer,
            headers(("ETag" = String, description = "The version, for `If-Match`"))),
        ArchiveRefusals,
    ))]
pub(crate) async fn archive(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = parse_id(&variable(id, "id")?)?;
    let expected = expected(&headers)?;
    let before = kept(&api, &id).await?;
    if before.state == OfferState::Archived && expected.check(Some(before.version)).is_ok() {
        return Ok(answer(&before));
    }
    let expected = unless_another(expected, &before);
    let archived = NewOffer {
        id: before.id,
        name: before.name,
        terms: before.terms,
        state: OfferState::Archived,
    };
    Ok(answer(&put(&api, archived, expected).await?))
}

/// What a change of some members of `before` takes to be there: what another writes meanwhile is not to be lost.
fn unless_another(expected: Expected, before: &CatalogueOffer) -> Expected {
    match expected {
        Expected::Any => Expected::Version(before.version),
        other => other,
    }
}

/// The offer as the store keeps it.
async fn kept(api: &Api, id: &OfferId) -> Result<CatalogueOffer, Problem> {
    let found = stored::answered(api.store.store().offer(id)).await?;
    found.ok_or_else(|| no_such_offer(id))
}

async fn put(api: &Api, offer: NewOffer, expected: Expected) -> Result<CatalogueOffer, Problem> {
    let at = EpochMs(api.clock.now_ms());
    stored::change(api, api.store.store().put_offer(offer, expected, at)).await
}

fn answer(offer: &CatalogueOffer) -> Response {
    (etag(offer.version), Json(ShownOffer::of(offer))).into_response()
}

fn no_such_offer(id: &OfferId) -> Problem {
    let detail = format!("there is no offer {id}: POST /v1/offers adds one");
    Problem::new(ProblemCode::NotFound, detail).at("id")
}

#[cfg(test)]
mod tests;
