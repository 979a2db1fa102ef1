//! What pages in browsers may ask.

use std::time::Duration;

use axum::http::{Method, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

/// How long a browser may remember the answer to a preflight.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_hours(2);

/// Opens the routes below to any page of any origin: what protects them is the key, which no browser adds by itself. Put it
/// only around routes that read no cookie, and that a key for sending opens.
///
/// Mirrors the origin and the headers asked for: SDKs send `Authorization`, `Content-Type`, `X-Retry-Count`, `AnonymousId`,
/// `SentAt` and whatever begins with `Rsa-`. Pages may send their cookies, as some SDKs are told to.
pub fn open_to_pages() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::RETRY_AFTER])
        .max_age(PREFLIGHT_MAX_AGE)
}
