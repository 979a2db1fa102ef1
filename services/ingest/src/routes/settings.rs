//! What SDKs that run at shoppers ask for before they send anything: `GET /v1/projects/{writeKey}/settings` for Segment's,
//! `GET /sourceConfig/` for RudderStack's.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Request, State, rejection::PathRejection},
    http::{HeaderName, header},
    response::{IntoResponse, Response},
    routing::get,
};
use foretide_http::{KeyFingerprint, Problem, ProblemCode, Role, documented, openapi::KEYED};
use schemars::JsonSchema;
use serde_json::{Value, json};
use utoipa::IntoResponses;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    document::ANYONE,
    segment::{BeaconKey, Refusal, Responses, WRITE_KEY, refusals},
};
use crate::{PublicUrl, caller::Caller, intake::Ingest, query};

/// How long what only the operator changes may be remembered.
const MAX_AGE: &str = "public, max-age=300";

/// Whose settings.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Project {
    /// A write key.
    key: String,
}

documented! {
    path Project;
}

/// Names the refusals of the settings of a project in the document.
struct OfProject;

impl IntoResponses for OfProject {
    fn responses() -> Responses {
        refusals(&[ANYONE, &[ProblemCode::MissingField]].concat())
    }
}

/// Names the refusals of the configuration of a source in the document.
struct OfSource;

impl IntoResponses for OfSource {
    fn responses() -> Responses {
        refusals(KEYED)
    }
}

pub(super) fn routes() -> OpenApiRouter<Arc<Ingest>> {
    OpenApiRouter::default()
        .routes(routes!(settings))
        .routes(routes!(source_config))
        .route("/v1/projects/{key}/settings/", get(settings))
        .route("/sourceConfig", get(source_config))
}

/// Answers what Segment's SDKs in browsers and apps are to do: send everything to us, and to nobody else.
///
/// Set the SDK's `cdnURL` to this server; no other change is needed. Where a proxy is in front that does not say in
/// `X-Forwarded-Host` and `X-Forwarded-Proto` what it was asked for, start the server with `--public-url`.
#[utoipa::path(
    get,
    path = "/v1/projects/{key}/settings",
    operation_id = "get_settings_of_project",
    tag = "segment",
    security(()),
    params(Project),
    responses(
        (status = 200, description = "The settings", body = Object),
        (status = 404, description = "Refused: `not_found`", body = Refusal),
        OfProject,
    )
)]
async fn settings(
    State(ingest): State<Arc<Ingest>>,
    key: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let answer = || {
        let (key, _) = known(&ingest, key.ok().map(|Path(key)| key))?;
        let configured = ingest.state().config.public_url.clone();
        let is_fixed = configured.is_some();
        let here = configured
            .or_else(|| PublicUrl::of_request(request.headers(), request.uri()))
            .ok_or_else(|| {
                let detail = "where the request was sent to is not known: start the server with --public-url";
                Problem::new(ProblemCode::MissingField, detail).at("Host")
            })?;
        Ok((kept(is_fixed), Json(segment_settings(&key, &here))).into_response())
    };
    answer().map_err(|problem| ingest.refused(problem))
}

/// Answers what RudderStack's SDK in browsers is to do: nothing beside sending events to us.
///
/// Set the SDK's `configUrl` and its data plane to this server. The key comes as Basic user name, as Bearer token, or in the
/// query.
#[utoipa::path(
    get,
    path = "/sourceConfig/",
    operation_id = "get_source_config",
    tag = "segment",
    security(("write_key" = []), ("write_key_basic" = []), ()),
    params(BeaconKey),
    responses((status = 200, description = "The configuration", body = Object), OfSource)
)]
async fn source_config(
    State(ingest): State<Arc<Ingest>>,
    request: Request,
) -> Result<Response, Problem> {
    let in_query = query::parameter(request.uri(), WRITE_KEY);
    let key = Caller::of(&ingest.state().keys, request.headers(), in_query.as_deref())
        .and_then(|caller| caller.signed(None))
        .map_err(|problem| ingest.refused(problem))?;
    Ok((kept(false), Json(rudder_config(key))).into_response())
}

/// The key, if it is one that sends events. Whether a project exists is all that the SDKs ask.
fn known(ingest: &Ingest, key: Option<String>) -> Result<(String, KeyFingerprint), Problem> {
    let unknown = || {
        let detail = "no project has this write key";
        Problem::new(ProblemCode::NotFound, detail).at(WRITE_KEY)
    };
    let key = key.ok_or_else(unknown)?;
    let checked = ingest.state().keys.check(&key, Role::Write);
    checked
        .map(|fingerprint| (key, fingerprint))
        .map_err(|_| unknown())
}

/// Whether the answer may be remembered: not where it repeats what a request says of itself.
fn kept(may_be: bool) -> [(HeaderName, &'static str); 1] {
    [(
        header::CACHE_CONTROL,
        if may_be { MAX_AGE } else { "no-store" },
    )]
}

/// What the browser SDK takes. Without `metrics` it would report on itself to Segment.
fn segment_settings(key: &str, here: &PublicUrl) -> Value {
    let enabled = json!({ "__default": { "enabled": true, "integrations": {} } });
    json!({
        "integrations": {
            "Segment.io": {
                "apiKey": key,
                "apiHost": here.api_host(),
                "protocol": here.protocol(),
                "versionSettings": { "version": "4.4.7", "componentTypes": ["browser"] },
            },
        },
        "plan": { "track": enabled, "identify": enabled, "group": enabled },
        "analyticsNextEnabled": true,
        "edgeFunction": {},
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "legacyVideoPluginsEnabled": false,
        "remotePlugins": [],
        "metrics": { "sampleRate": 0 },
    })
}

fn rudder_config(key: KeyFingerprint) -> Value {
    json!({
        "source": {
            "id": key.to_string(),
            "name": "Foretide",
            "enabled": true,
            "config": { "statsCollection": { "errors": { "enabled": false }, "metrics": { "enabled": false } } },
            "connections": [],
            "destinations": [],
        },
    })
}

#[cfg(test)]
mod tests;
