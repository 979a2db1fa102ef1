//! `GET /v1/shoppers/{id}/features` and `GET /v1/shoppers/features?user_id=…`: every feature of a shopper, as it is served.

use std::{borrow::Cow, sync::Arc};

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::Uri,
};
use foretide_events::{EpochMs, ShopperId};
use foretide_features::CATALOGUE;
use foretide_http::{Problem, documented};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::{FindRefusals, Instant, Named, Read, Refusals, ShopperPath, parameters, path_shopper};
use crate::{
    api::Api,
    reference::ShownReference,
    served::{Served, Status, max_age_ms},
};

/// What is answered.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ShopperFeatures")]
pub(crate) struct Answer {
    shopper_id: ShopperId,
    /// The instant it is about.
    at: EpochMs,
    /// When the newest event happened that the features rest on. Where this is longer before `at` than a feature's
    /// `max_age_ms`, the feature is `OUTSIDE_MAX_AGE`.
    as_of: EpochMs,
    /// Names the catalogue.
    schema: Arc<str>,
    /// What is usual among shoppers at that instant: features that use it are told against it.
    reference: ShownReference,
    /// How long before `at` everything on the log was folded; `null` while profiles are being restored.
    features_age_ms: Option<i64>,
    /// Every feature of the catalogue, by name.
    features: Features,
}

/// Every feature by name, in the catalogue's order.
struct Features {
    served: Served,
    age_ms: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServedFeature")]
struct ShownFeature {
    /// `null` unless the status is `PRESENT`.
    value: Option<f64>,
    unit: &'static str,
    status: Status,
    /// How long before `at` everything on the log was folded.
    age_ms: Option<i64>,
    /// How old the shopper's newest event may be; absent where any age will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age_ms: Option<i64>,
}

documented! {
    answered Answer;
}

/// Shows every feature of a shopper, by the pseudonym.
///
/// Each with its value, unit, age and status, in the words of `/get-online-features`, which serves the same for many shoppers
/// at once.
///
/// `at` (RFC 3339, now by default): what was known then, told against the `reference` of then. 404 if the shopper was unknown,
/// 422 if `at` lies before what is still remembered: the 25 hours before the shopper's newest action, and 256 actions at most
/// (`foretide export` goes back further); 503 while the profile may still have to be restored.
#[utoipa::path(get, path = "/v1/shoppers/{id}/features", operation_id = "get_shopper_features", tag = "shoppers",
    params(ShopperPath, Instant),
    responses((status = 200, description = "The features", body = Answer), Refusals))]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<Answer>, Problem> {
    let Instant { at } = parameters(&uri)?;
    answer(&api, path_shopper(id)?, at.as_deref())
}

/// Finds every feature of a shopper, by the shop's own id.
///
/// By `user_id` or `anonymous_id`, which is never part of the answer. What is answered is what `/v1/shoppers/{id}/features`
/// shows.
#[utoipa::path(get, path = "/v1/shoppers/features", operation_id = "find_shopper_features", tag = "shoppers",
    params(Named),
    responses((status = 200, description = "The features", body = Answer), FindRefusals))]
pub(crate) async fn find(State(api): State<Arc<Api>>, uri: Uri) -> Result<Json<Answer>, Problem> {
    let named: Named = parameters(&uri)?;
    let shopper = named.shopper(&api)?;
    answer(&api, shopper, named.at.as_deref())
}

fn answer(api: &Api, shopper_id: ShopperId, at: Option<&str>) -> Result<Json<Answer>, Problem> {
    let shown = Read::of(api, &shopper_id, at, |state, at, reference| {
        Served::of(state, at, &api.rules, reference)
    })?;
    let age_ms = shown.age_ms;
    Ok(Json(Answer {
        shopper_id,
        at: shown.at,
        as_of: shown.known.as_of,
        schema: Arc::clone(&api.catalogue),
        reference: ShownReference::of(&shown.serving),
        features_age_ms: age_ms,
        features: Features {
            served: shown.known,
            age_ms,
        },
    }))
}

impl JsonSchema for Features {
    fn schema_name() -> Cow<'static, str> {
        "ServedFeatures".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<ShownFeature>();
        json_schema!({ "type": "object", "additionalProperties": value })
    }
}

impl Serialize for Features {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(CATALOGUE.len()))?;
        for spec in &CATALOGUE {
            let (value, status) = self.served.get(spec);
            let shown = ShownFeature {
                value,
                unit: spec.unit.as_str(),
                status,
                age_ms: self.age_ms,
                max_age_ms: max_age_ms(spec, self.served.rules()),
            };
            map.serialize_entry(spec.name, &shown)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests;
