//! The routing table.

mod actions;
mod schema;
mod segment;

use std::time::Duration;

use axum::{
    Router,
    http::{HeaderName, Method, header},
    routing::{get, post},
};
use foretide_events::BatchRefusal;
use foretide_http::{Problem, ProblemCode, Protection, protect};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::{IngestState, intake::Ingest};

/// How long a browser may remember the answer to a preflight.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_hours(2);

/// Every route of ingest, bounded by `protection`. Any page of any origin may call them: what protects is the key.
pub fn router(state: IngestState, protection: Protection) -> Router {
    let ingest = Ingest::new(state);
    let native = Router::new()
        .route("/v1/actions", post(actions::post))
        .route("/v1/schema/actions", get(schema::get))
        .with_state(ingest.clone());
    let segment = Router::new()
        .route("/v1/batch", post(segment::post))
        .route("/v1/batch/", post(segment::post))
        .route("/v1/import", post(segment::post))
        .route("/v1/import/", post(segment::post))
        .with_state(ingest);
    let segment = segment::shaped(protect(segment, protection.clone()));
    protect(native, protection).merge(segment).layer(cors())
}

/// Mirrors the origin and the headers asked for. There are no cookies to protect, so credentials are not allowed.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            header::RETRY_AFTER,
            HeaderName::from_static("x-ratelimit-reset"),
        ])
        .max_age(PREFLIGHT_MAX_AGE)
}

/// A body of which nothing can be taken, as a problem.
#[expect(clippy::needless_pass_by_value, reason = "used with `map_err`")]
fn refused(refusal: BatchRefusal) -> Problem {
    let code = match &refusal {
        BatchRefusal::NotUtf8 { .. } => ProblemCode::NotUtf8,
        BatchRefusal::NotJson { .. } => ProblemCode::NotJson,
        BatchRefusal::TooDeep { .. } => ProblemCode::TooDeep,
        BatchRefusal::Shape { .. } => ProblemCode::InvalidBody,
    };
    let problem = Problem::new(code, refusal.to_string());
    match refusal {
        BatchRefusal::Shape { field, .. } => problem.at(field),
        _ => problem,
    }
}
