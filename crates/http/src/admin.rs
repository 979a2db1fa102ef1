//! The admin port: is it alive, is it ready, what has it counted.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use foretide_runtime::{Readiness, ReadinessReport};
use prometheus::{Registry, TEXT_FORMAT, TextEncoder};

use crate::{Problem, ProblemCode, observe::with_fallbacks};

/// `GET /livez`, `GET /readyz` and `GET /metrics`. None needs a key: keep the port away from the public.
pub fn admin_router(registry: Registry, readiness: Readiness) -> Router {
    let routes = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(metrics).with_state(registry));
    with_fallbacks(routes)
}

/// 200 as long as the process runs.
async fn livez() -> &'static str {
    "live\n"
}

/// 200 when every component is ready, else 503; either way each component with the cause why not.
async fn readyz(State(readiness): State<Readiness>) -> (StatusCode, Json<ReadinessReport>) {
    let report = readiness.report();
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(report))
}

/// Every metric in the Prometheus text format.
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
    async fn another_path_is_a_problem() {
        let (status, body) = get_text(&admin_router(Registry::new(), Readiness::new()), "/").await;
        assert_eq!(
            (status.as_u16(), body.contains("\"code\":\"not_found\"")),
            (404, true)
        );
    }
}
