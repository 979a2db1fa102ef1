//! `/v1/models`: the models that were trained, and which of them serve.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::HeaderMap,
};
use foretide_events::{EpochMs, Text};
use foretide_http::{Problem, ProblemCode, Role, documented, openapi::KEYED};
use foretide_models::Target;
use foretide_ports::{LogError, ModelVersion, ServingCause, ServingChange, Versioned as _};
use schemars::JsonSchema;

use super::variable;
use crate::api::Api;

mod shown;

use self::shown::{ShownChange, ShownModel, ShownModels};

/// How long after it was published a change counts, in milliseconds: by then every instance has it.
const LEAD_MS: i64 = 5_000;

/// Where a model is.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "documents the path")]
pub(crate) struct ModelPath {
    /// The model's id, such as `drift-0123456789abcdef`.
    id: String,
}

documented! {
    answered ShownModels;
    answered ShownModel;
    answered ShownChange;
    path ModelPath;
    refused ListRefusals = KEYED;
    refused ShowRefusals = KEYED, &[ProblemCode::InvalidField, ProblemCode::NotFound];
    refused ServeRefusals = KEYED, &[
        ProblemCode::InvalidField, ProblemCode::NotFound, ProblemCode::VersionConflict,
        ProblemCode::LogAway, ProblemCode::LogFull,
    ];
}

/// Lists the models that are kept.
///
/// By what they predict: which serves and since when, and all that were trained, the newest first, with their figures on data that
/// they had not seen. Where none serves, the prior does.
#[utoipa::path(get, path = "/v1/models", operation_id = "list_models", tag = "models",
    responses((status = 200, description = "The models", body = ShownModels), ListRefusals))]
pub(crate) async fn list(State(api): State<Arc<Api>>) -> Json<ShownModels> {
    Json(ShownModels::now(&api.artefacts, now(&api)))
}

/// Shows a model.
///
/// With its metrics and their intervals, the calibration curve, what matters how much, its corrections by cohort, the data,
/// reference, cohorts, features and seed that it comes from, and when it served.
#[utoipa::path(get, path = "/v1/models/{id}", operation_id = "get_model", tag = "models", params(ModelPath),
    responses((status = 200, description = "The model", body = ShownModel), ShowRefusals))]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<ShownModel>, Problem> {
    let model = find(&api, id)?;
    Ok(Json(ShownModel::of(&api.artefacts, &model, now(&api))))
}

/// Lets a model serve.
///
/// In place of the one that serves, from five seconds later on, in every instance, until another is promoted or this one is rolled
/// back. One that serves already stays.
#[utoipa::path(post, path = "/v1/models/{id}/promote", operation_id = "promote_model", tag = "models",
    params(ModelPath),
    responses((status = 200, description = "What serves from when on", body = ShownChange), ServeRefusals))]
pub(crate) async fn promote(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Json<ShownChange>, Problem> {
    let model = find(&api, id)?;
    let version = Some(model.version.clone());
    let by = who(&api, &headers)?;
    serve(&api, model.target, version, ServingCause::Admin, by).await
}

/// Takes a model that serves out of service.
///
/// What served before it serves again, from five seconds later on, in every instance: the model before, or the prior. 412 if another
/// serves by now.
#[utoipa::path(post, path = "/v1/models/{id}/rollback", operation_id = "roll_back_model", tag = "models",
    params(ModelPath),
    responses((status = 200, description = "What serves from when on", body = ShownChange), ServeRefusals))]
pub(crate) async fn roll_back(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Json<ShownChange>, Problem> {
    let model = find(&api, id)?;
    let by = who(&api, &headers)?;
    // What will serve once all that was decided so far counts.
    let then = now(&api).plus(LEAD_MS);
    let models = &api.artefacts.models;
    let serving = models.at(model.target, then);
    if serving.is_none_or(|serving| serving.version != model.version) {
        let detail = "is not the model that serves: GET /v1/models tells which one does";
        return Err(Problem::new(ProblemCode::VersionConflict, detail).at("id"));
    }
    let former = models.former(model.target, then);
    let version = former.map(|former| former.version.clone());
    serve(&api, model.target, version, ServingCause::RolledBack, by).await
}

fn now(api: &Api) -> EpochMs {
    EpochMs(api.clock.now_ms())
}

/// The model that the path names.
fn find(api: &Api, id: Result<Path<String>, PathRejection>) -> Result<Arc<ModelVersion>, Problem> {
    let id = variable(id, "id")?;
    let mut targets = Target::ALL.into_iter();
    let found = targets.find_map(|target| api.artefacts.models.get(target, &id));
    found.ok_or_else(|| {
        let detail = "is no model that is kept: GET /v1/models lists them";
        Problem::new(ProblemCode::NotFound, detail).at("id")
    })
}

/// The key that asks.
fn who(api: &Api, headers: &HeaderMap) -> Result<Text<128>, Problem> {
    let key = api.keys.require(headers, Role::Admin)?;
    Ok(Text::new(&key.to_string()).unwrap_or_default())
}

/// Publishes that `version` serves.
async fn serve(
    api: &Api,
    target: Target,
    version: Option<Text<64>>,
    cause: ServingCause,
    by: Text<128>,
) -> Result<Json<ShownChange>, Problem> {
    let models = &api.artefacts.models;
    let since = now(api).plus(LEAD_MS);
    let changes = models.changes(target);
    if let Some(last) = changes.last().filter(|last| last.version == version) {
        // It is what was said last.
        return Ok(Json(ShownChange::of(last)));
    }
    let change = ServingChange {
        target,
        sequence: models.next_sequence(target),
        version,
        since,
        cause,
        by,
        by_hand: true,
    };
    let record = change.record().map_err(|error| refused(&error))?;
    let appended = api.log.append(vec![record]).await;
    appended.map_err(|error| refused(&error))?;
    let version = change.version.as_deref().unwrap_or("the prior");
    tracing::info!(%target, version, cause = cause.as_str(), admin_key.id = &*change.by, "another model serves soon");
    Ok(Json(ShownChange::of(&change)))
}

fn refused(error: &LogError) -> Problem {
    let code = match error {
        LogError::Away(_) => ProblemCode::LogAway,
        LogError::Full(_) => ProblemCode::LogFull,
        _ => {
            tracing::error!(%error, "a change of the model that serves could not be published");
            return Problem::new(ProblemCode::Internal, "the log tells more");
        }
    };
    Problem::new(code, error.to_string()).retry_after_s(1)
}

#[cfg(test)]
mod tests;
