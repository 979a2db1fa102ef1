//! The admin port: is it alive, is it ready, what has it counted.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use foretide_runtime::{ComponentReport, Readiness};
use prometheus::{Registry, TEXT_FORMAT, TextEncoder};
use schemars::JsonSchema;
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{Problem, ProblemCode, documented, observe::with_fallbacks, openapi};

/// How ready a process is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Readiness")]
struct Ready {
    /// Whether every component is ready.
    ready: bool,
    /// Each component, by name.
    components: BTreeMap<&'static str, ReadyComponent>,
}

/// How ready one component is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ComponentReadiness")]
struct ReadyComponent {
    /// Whether it can do its work now.
    ready: bool,
    /// Why not; of one that is ready, what it does without.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
}

impl From<ComponentReport> for ReadyComponent {
    fn from(report: ComponentReport) -> Self {
        Self {
            ready: report.ready,
            cause: report.cause,
        }
    }
}

/// Why metrics may not be shown.
const UNSHOWN: &[ProblemCode] = &[ProblemCode::Internal];

documented! {
    answered Ready;
    refused MetricsRefusals = UNSHOWN;
}

/// `GET /livez`, `GET /readyz`, `GET /metrics`, and `GET /openapi.json`, which describes them. None needs a key: keep the
/// port away from the public.
pub fn admin_router(registry: Registry, readiness: Readiness) -> Router {
    let (routes, document) = OpenApiRouter::new()
        .routes(routes!(livez))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(readyz))
                .with_state(readiness),
        )
        .merge(
            OpenApiRouter::new()
                .routes(routes!(metrics))
                .with_state(registry),
        )
        .split_for_parts();
    with_fallbacks(routes.merge(openapi::admin_route(document)))
}

/// Whether the process runs.
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "get_liveness",
    tag = "health",
    security(()),
    responses((status = 200, description = "It does", body = String, content_type = "text/plain"))
)]
async fn livez() -> &'static str {
    "live\n"
}

/// Whether the process can do its work, and each of its components.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "get_readiness",
    tag = "health",
    security(()),
    responses(
        (status = 200, description = "Every component is ready", body = Ready),
        (status = 503, description = "Some component is not, and says why", body = Ready),
    )
)]
async fn readyz(State(readiness): State<Readiness>) -> (StatusCode, Json<Ready>) {
    let report = readiness.report();
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let components = report.components.into_iter();
    let ready = Ready {
        ready: report.ready,
        components: components.map(|(name, of)| (name, of.into())).collect(),
    };
    (status, Json(ready))
}

/// Every metric in the Prometheus text format.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "get_metrics",
    tag = "health",
    security(()),
    responses(
        (status = 200, description = "The metrics", body = String, content_type = "text/plain; version=0.0.4"),
        MetricsRefusals,
    )
)]
async fn metrics(State(registry): State<Registry>) -> Response {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be shown");
            Problem::new(ProblemCode::Internal, "metrics cannot be shown").into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use http_body_util::BodyExt as _;
    use prometheus::IntCounter;
    use serde_json::{Value, json};
    use tower::ServiceExt as _;

    use super::*;

    async fn get_text(router: &Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readyz_turns_red_with_its_components_and_says_why() {
        let readiness = Readiness::new();
        let log = readiness.component("log");
        let router = admin_router(Registry::new(), readiness);
        let (status, body) = get_text(&router, "/readyz").await;
        assert_eq!(
            (status.as_u16(), body.contains("starting")),
            (503, true),
            "{body}"
        );
        log.ready();
        assert_eq!(get_text(&router, "/readyz").await.0, 200);
        log.not_ready("the broker is away");
        let (status, body) = get_text(&router, "/readyz").await;
        assert_eq!(
            (status.as_u16(), body.contains("the broker is away")),
            (503, true),
            "{body}"
        );
        assert_eq!(get_text(&router, "/livez").await.0, 200);
    }

    #[tokio::test]
    async fn metrics_shows_what_is_registered() {
        let registry = Registry::new();
        let loaves = IntCounter::new("loaves_total", "Loaves baked.").unwrap();
        registry.register(Box::new(loaves.clone())).unwrap();
        loaves.inc();
        let (status, body) = get_text(&admin_router(registry, Readiness::new()), "/metrics").await;
        assert_eq!(status, 200);
        assert!(
            body.contains("# HELP loaves_total Loaves baked.\n")
                && body.contains("loaves_total 1\n")
        );
    }

    #[tokio::test]
    async fn every_route_is_described_and_answers_as_it_is() {
        let readiness = Readiness::new();
        readiness.component("log").ready();
        let router = admin_router(Registry::new(), readiness);
        let (_, body) = get_text(&router, "/openapi.json").await;
        let document: Value = serde_json::from_str(&body).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let names: Vec<_> = paths.keys().map(String::as_str).collect();
        assert_eq!(names, ["/livez", "/metrics", "/openapi.json", "/readyz"]);
        for (path, methods) in paths {
            assert_eq!(methods["get"]["security"], json!([{}]), "{path}");
            assert_eq!(get_text(&router, path).await.0, 200, "{path}");
        }
        let members = &document["components"]["schemas"]["Readiness"]["properties"];
        assert!(members["components"].is_object(), "{document:#}");
    }

    #[tokio::test]
    async fn another_path_is_a_problem() {
        let (status, body) = get_text(&admin_router(Registry::new(), Readiness::new()), "/").await;
        assert_eq!(
            (status.as_u16(), body.contains("\"code\":\"not_found\"")),
            (404, true)
        );
    }
}
