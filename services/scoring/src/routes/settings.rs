//! `/v1/settings`: the numbers of the rule.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Request, State, rejection::PathRejection},
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use foretide_decision::catalogue::{
    MAX_FEATURES_AGE_LIMIT_MS, Setting, SettingName, UnknownSetting,
};
use foretide_events::EpochMs;
use foretide_http::{
    Problem, ProblemCode, documented,
    openapi::{BODY, KEYED},
    parse_json,
};
use foretide_ports::store::Snapshot;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Value, json};

use super::{
    DATABASE,
    offers::form::present,
    variable,
    versions::{Precondition, etag, expected, read_change},
};
use crate::{api::Api, stored};

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
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    // What answers hold besides may be sent back, and is not looked at.
    #[serde(default, rename = "default")]
    _default: IgnoredAny,
    #[serde(default, rename = "minimum")]
    _minimum: IgnoredAny,
    #[serde(default, rename = "maximum")]
    _maximum: IgnoredAny,
    #[serde(default, rename = "meaning")]
    _meaning: IgnoredAny,
    #[serde(default, rename = "version")]
    _version: IgnoredAny,
    #[serde(default, rename = "updated_at")]
    _updated_at: IgnoredAny,
}

impl AskedSetting {
    /// The value, if it is meant for the setting `name`.
    fn value_of(self, name: SettingName) -> Result<serde_json::Number, Problem> {
        match self.name {
            Some(other) if other != name.as_str() => {
                let detail = format!(
                    "is another setting than {}, which the path names",
                    name.as_str()
                );
                Err(Problem::new(ProblemCode::InvalidField, detail).at("name"))
            }
            _ => Ok(self.value),
        }
    }
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
    json_schema!({ "type": "string", "enum": SettingName::NUMBERS.map(SettingName::as_str) })
}

fn number(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "number" })
}

impl JsonSchema for AskedSetting {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SettingValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let as_read =
            json!({ "description": "May be sent back as it was read, and is not looked at." });
        json_schema!({
            "description": "The value that a setting is to have.",
            "type": "object",
            "properties": {
                "value": {
                    "type": "number", "minimum": 0,
                    "description": "In the range that `GET /v1/settings` tells; whole milliseconds for times.",
                },
                "name": {
                    "type": "string", "enum": SettingName::NUMBERS.map(SettingName::as_str),
                    "description": "May be left out; it is the one in the path.",
                },
                "default": as_read, "minimum": as_read, "maximum": as_read, "meaning": as_read,
                "version": as_read, "updated_at": as_read,
            },
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
    refused ShowRefusals = KEYED, &[ProblemCode::InvalidField, ProblemCode::NotFound];
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
        // It is changed where the cohorts are shown.
        SettingName::CohortNames => ("what the cohorts are called", 0.0),
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
    let settings = SettingName::NUMBERS.map(|name| shown(&api, &snapshot, name));
    Json(Settings {
        settings: settings.into(),
    })
}

/// Shows a setting.
///
/// `ETag` is its version; there is none while it is not set.
#[utoipa::path(get, path = "/v1/settings/{name}", operation_id = "get_setting", tag = "settings", params(SettingPath),
    responses(
        (status = 200, description = "The setting", body = ShownSetting,
            headers(("ETag" = String, description = "The version, for `If-Match`"))),
        ShowRefusals,
    ))]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let name = parse_name(name)?;
    let snapshot = stored::newest(&api.store).await;
    let shown = shown(&api, &snapshot, name);
    Ok((shown.version.map(etag), Json(shown)).into_response())
}

/// Gives a setting a value.
///
/// What `GET` answers can be sent back with another `value`. It counts from the next decision on, before the server's flag; on other instances within about a second. The records of
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
    let (body, expected) = read_change(&api, request).await?;
    let name = parse_name(name)?;
    let value = parse_json::<AskedSetting>(&body)?.value_of(name)?;
    let value = name
        .check(&Value::from(value))
        .map_err(|error| Problem::new(ProblemCode::OutOfRange, error.to_string()).at("value"))?;
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
    let name = SettingName::parse(&variable(name, "name")?);
    // What the cohorts are called is no number, and is changed where they are shown.
    let number = name.and_then(|name| match name {
        SettingName::CohortNames => Err(UnknownSetting),
        number => Ok(number),
    });
    number.map_err(|error| Problem::new(ProblemCode::NotFound, error.to_string()).at("name"))
}

#[cfg(test)]
mod tests;
