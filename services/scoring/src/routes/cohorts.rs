//! `/v1/cohorts`: the groups of shoppers who behave alike, as they are now.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{Path, Request, State, rejection::PathRejection},
};
use foretide_decision::catalogue::{CohortNames, MOST_COHORT_NAMES, Setting, SettingValue};
use foretide_events::{EpochMs, Text};
use foretide_http::{
    Problem, ProblemCode, documented,
    openapi::{BODY, KEYED},
    parse_json, read_body,
};
use foretide_ports::{
    CohortsVersion,
    store::{Expected, StoreError},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::{
    BODY_LIMITS, DATABASE,
    offers::form::{parse_text, text_schema},
    variable,
};
use crate::{api::Api, stored};

pub(super) mod movements;
mod shown;

pub(super) use self::shown::ShownReport;
use self::shown::{ShownCohort, ShownCohorts};

/// Of cohorts with fewer shoppers nothing is told but that they are there: it could be told of a few people.
pub(crate) const LEAST_SHOPPERS: u64 = 50;

/// How often a change of names is tried again when another one came in between.
const ATTEMPTS: usize = 5;

/// Where a cohort is.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "documents the path")]
pub(crate) struct CohortPath {
    /// The cohort's id.
    id: String,
}

/// What a cohort is to be called.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "CohortName", example = serde_json::json!({"name": "Bargain hunters"}))]
pub(crate) struct AskedName {
    /// `null` for the name that is made from what sets its shoppers apart.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schemars(required, schema_with = "name_schema")]
    name: Option<String>,
}

fn name_schema(_: &mut SchemaGenerator) -> Schema {
    let mut schema = text_schema(80, "`null` for the name that is made for it.");
    schema["type"] = serde_json::json!(["string", "null"]);
    Schema::try_from(schema).unwrap_or_default()
}

documented! {
    asked AskedName;
    answered ShownCohorts;
    answered ShownCohort;
    path CohortPath;
    refused ListRefusals = KEYED;
    refused ShowRefusals = KEYED, &[ProblemCode::InvalidField, ProblemCode::NotFound];
    refused NameRefusals = KEYED, BODY, DATABASE, &[ProblemCode::NotFound];
}

/// Lists the cohorts that serve now.
///
/// Each with its name, its size at the last attempt to re-form, what is typical of its shoppers in real units, what sets them apart, and how
/// many shoppers came and went since. Until any have formed there is one, that of everyone. Of cohorts with fewer than 50
/// shoppers only id and name are told.
#[utoipa::path(get, path = "/v1/cohorts", operation_id = "list_cohorts", tag = "cohorts",
    responses((status = 200, description = "The cohorts", body = ShownCohorts), ListRefusals))]
pub(crate) async fn list(State(api): State<Arc<Api>>) -> Json<ShownCohorts> {
    Json(ShownCohorts::now(&api))
}

/// Shows a cohort that serves now.
#[utoipa::path(get, path = "/v1/cohorts/{id}", operation_id = "get_cohort", tag = "cohorts", params(CohortPath),
    responses((status = 200, description = "The cohort", body = ShownCohort), ShowRefusals))]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<ShownCohort>, Problem> {
    let id = variable(id, "id")?;
    ShownCohorts::now(&api).take(&id).map(Json).ok_or_else(none)
}

/// Calls a cohort by another name.
///
/// What `GET` answers can be sent back with another `name`; everything else in it is not looked at. The name stays for as long as the
/// cohort lives, in decisions as well, whatever its shoppers come to; `null` gives it the name back that is made for it.
#[utoipa::path(put, path = "/v1/cohorts/{id}", operation_id = "name_cohort", tag = "cohorts",
    params(CohortPath), request_body = AskedName,
    responses((status = 200, description = "The cohort as it is now", body = ShownCohort), NameRefusals))]
pub(crate) async fn name(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Json<ShownCohort>, Problem> {
    let (_, body) = read_body(request, BODY_LIMITS, &api.budget).await?;
    let id = variable(id, "id")?;
    let asked: AskedName = parse_json(&body)?;
    let name = asked
        .name
        .map(|name| parse_text(&name, "name"))
        .transpose()?;
    let serving = serving(&api).ok_or_else(none)?;
    let (_, cohort) = serving.cohorts.by_id(&id).ok_or_else(none)?;
    stored::change(&api, rename(&api, &serving, &cohort.id, name)).await?;
    ShownCohorts::now(&api).take(&id).map(Json).ok_or_else(none)
}

fn none() -> Problem {
    let detail = "is no cohort that serves now: GET /v1/cohorts lists them";
    Problem::new(ProblemCode::NotFound, detail).at("id")
}

/// The cohorts that serve now, with the sizes that were counted last.
fn serving(api: &Api) -> Option<Arc<CohortsVersion>> {
    api.artefacts.cohorts_counted(EpochMs(api.clock.now_ms()))
}

/// All names are one setting: who changes one must not lose what another has changed meanwhile.
async fn rename(
    api: &Api,
    serving: &CohortsVersion,
    id: &Text<32>,
    name: Option<Text<80>>,
) -> Result<(), StoreError> {
    let store = api.store.store();
    let mut attempt = 0;
    loop {
        let settings = store.settings().await?;
        let held = settings.iter().find_map(names_of);
        let expected = match &held {
            Some((_, version)) => Expected::Version(*version),
            None => Expected::Absent,
        };
        let before = held.map(|(names, _)| names).unwrap_or_default();
        let after = renamed(&before, serving, id, name.clone());
        let at = EpochMs(api.clock.now_ms());
        let value = SettingValue::CohortNames(Arc::new(after));
        match store.put_setting(value, expected, at).await {
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            changed => return changed.map(drop),
        }
    }
}

fn names_of(setting: &Setting) -> Option<(CohortNames, u64)> {
    match &setting.value {
        SettingValue::CohortNames(names) => Some((Arc::clone(names), setting.version)),
        _ => None,
    }
}

/// Names of cohorts that do not serve any more make room when there are many: ids are never given again.
fn renamed(
    before: &CohortNames,
    serving: &CohortsVersion,
    id: &Text<32>,
    name: Option<Text<80>>,
) -> BTreeMap<Text<32>, Text<80>> {
    let mut names = BTreeMap::clone(before);
    match name {
        Some(name) => names.insert(id.clone(), name),
        None => names.remove(id),
    };
    if names.len() > MOST_COHORT_NAMES {
        names.retain(|id, _| serving.cohorts.by_id(id).is_some());
    }
    names
}

#[cfg(test)]
mod tests;
