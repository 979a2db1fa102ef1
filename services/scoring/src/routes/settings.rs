//! `/v1/settings`: the numbers of the rule.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Request, State, rejection::PathRejection},
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use foretide_decision::catalogue::{MAX_FEATURES_AGE_LIMIT_MS, Setting, SettingName};
use foretide_events::EpochMs;
use foretide_http::{
    Problem, ProblemCode, documented,
    openapi::{BODY, KEYED},
    parse_json, read_body,
};
use foretide_ports::store::Snapshot;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BODY_LIMITS, DATABASE, offers::Precondition, variable};
use crate::{
    api::Api,
    stored::{self, etag, expected},
};

/// A setting as it is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Setting")]
pub(crate) struct ShownSetting {
    /// Its name.
    #[schemars(schema_with = "name_schema")]
    name: SettingName,
    /// What counts now.
    #[schemars(schema_with = "number")]
    value: Value,
    /// What counts while it is not set: the value of the server's flag.
    #[schemars(schema_with = "number")]
    default: Value,
    /// The least value.
    minimum: f64,
    /// The largest value.
    maximum: f64,
    /// What it does.
    meaning: &'static str,
    /// How often it was written or removed, as the `ETag` has it; `null` while it is not set.
    version: Option<u64>,
    /// When it was set; `null` while it is not.
    updated_at: Option<EpochMs>,
}

/// Settings.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Settings {
    /// Every setting there is.
    settings: Vec<ShownSetting>,
}

/// The value that a setting is to have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskedSetting {
    value: serde_json::Number,
}

/// Where a setting is.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "documents the path")]
pub(crate) struct SettingPath {
    /// The setting's name.
    #[schemars(schema_with = "name_schema")]
    name: String,
}

fn name_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": SettingName::ALL.map(SettingName::as_str) })
}

fn number(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "number" })
}

impl JsonSchema for AskedSetting {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SettingValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The value that a setting is to have.",
            "type": "object",
            "properties": { "value": {
                "type": "number", "minimum": 0,
                "description": "In the range that `GET /v1/settings` tells; whole milliseconds for times.",
            } },
            "required": ["value"],
            "additionalProperties": false,
            "examples": [{ "value": 0.65 }],
        })
    }
}

documented! {
    asked AskedSetting;
    answered ShownSetting;
    answered Settings;
    path SettingPath;
    refused ListRefusals = KEYED;
    refused SetRefusals = KEYED, BODY, DATABASE,
        &[ProblemCode::NotFound, ProblemCode::VersionConflict, ProblemCode::OutOfRange];
    refused ResetRefusals = KEYED, DATABASE,
        &[ProblemCode::InvalidField, ProblemCode::NotFound, ProblemCode::VersionConflict];
}

/// What a setting does, in which range.
fn described(name: SettingName) -> (&'static str, f64) {
    match name {
        SettingName::DiscountThreshold => (
            "a probability of abandonment above this gets a discount",
            1.0,
        ),
        SettingName::DriftThreshold => (
            "otherwise, a probability of drift above this gets recommendations",
            1.0,
        ),
        SettingName::MaxFeaturesAgeMs => (
            "answers that rest on features older than this, in milliseconds, say that they are degraded",
            MAX_FEATURES_AGE_LIMIT_MS as f64,
        ),
    }
}

fn shown(api: &Api, snapshot: &Snapshot, name: SettingName) -> ShownSetting {
    let stored = snapshot
        .settings
        .iter()
        .find(|setting| setting.name == name);
    let default = api.rulebook.flag(name).json();
    let (meaning, maximum) = described(name);
    ShownSetting {
        name,
        value: stored.map_or_else(|| default.clone(), |setting| setting.value.json()),
        default,
        minimum: 0.0,
        maximum,
        meaning,
        version: stored.map(|setting| setting.version),
        updated_at: stored.map(|setting| setting.updated_at),
    }
}

/// Lists the settings.
///
/// Each with the value that counts, the one that counts while it is not set, its range, and its meaning.
#[utoipa::path(get, path = "/v1/settings", operation_id = "list_settings", tag = "settings",
    responses((status = 200, description = "The settings", body = Settings), ListRefusals))]
pub(crate) async fn list(State(api): State<Arc<Api>>) -> Json<Settings> {
    let snapshot = stored::newest(&api.store).await;
    let settings = SettingName::ALL.map(|name| shown(&api, &snapshot, name));
    Json(Settings {
        settings: settings.into(),
    })
}

/// Gives a setting a value.
///
/// It counts from the next decision on, before the server's flag; on other instances within about a second. The records of
/// decisions name the values they went by.
#[utoipa::path(put, path = "/v1/settings/{name}", operation_id = "change_setting", tag = "settings",
    params(SettingPath, Precondition), request_body = AskedSetting,
    responses(
        (status = 200, description = "The setting as it is now", body = ShownSetting,
            headers(("ETag" = String, description = "The version, for `If-Match`"))),
        SetRefusals,
    ))]
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = read_body(request, BODY_LIMITS, &api.budget).await?;
    let name = parse_name(name)?;
    let AskedSetting { value } = parse_json(&body)?;
    let value = name
        .check(&Value::from(value))
        .map_err(|error| Problem::new(ProblemCode::OutOfRange, error.to_string()).at("value"))?;
    let expected = expected(&parts.headers)?;
    let at = EpochMs(api.clock.now_ms());
    let setting = api.store.store().put_setting(value, expected, at);
    let Setting { version, .. } = stored::change(&api, setting).await?;
    let now = shown(&api, &api.store.current(), name);
    Ok((etag(version), Json(now)).into_response())
}

/// Takes a setting's value away.
///
/// The server's flag counts again. One that is not set stays as it is.
#[utoipa::path(delete, path = "/v1/settings/{name}", operation_id = "reset_setting", tag = "settings",
    params(SettingPath, Precondition),
    responses((status = 200, description = "The setting as it is now", body = ShownSetting), ResetRefusals))]
pub(crate) async fn reset(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Json<ShownSetting>, Problem> {
    let name = parse_name(name)?;
    let removing = api.store.store().remove_setting(name, expected(&headers)?);
    stored::change(&api, removing).await?;
    Ok(Json(shown(&api, &api.store.current(), name)))
}

fn parse_name(name: Result<Path<String>, PathRejection>) -> Result<SettingName, Problem> {
    SettingName::parse(&variable(name, "name")?)
        .map_err(|error| Problem::new(ProblemCode::NotFound, error.to_string()).at("name"))
}

#[cfg(test)]
mod tests;
