//! The public port before and after the services are wired.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse as _, Response},
};
use foretide_http::{Problem, ProblemCode, open_to_pages};
use tower::ServiceExt as _;

/// When a caller may try again, in seconds.
const RETRY_AFTER_S: u32 = 2;

/// What the public port answers with. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct PublicRoutes {
    wired: Arc<OnceLock<Router>>,
}

impl PublicRoutes {
    /// Answers by `router` from now on. Only the first one counts.
    pub fn wire(&self, router: Router) {
        let _ = self.wired.set(router);
    }

    /// Answers everything with 503 until the services are wired, and by them afterwards.
    pub fn router(&self) -> Router {
        let routes = self.clone();
        Router::new().fallback(async move |request: Request| routes.answer(request).await)
    }

    async fn answer(&self, request: Request) -> Response {
        match self.wired.get() {
            Some(router) => router.clone().oneshot(request).await.into_response(),
            None => not_yet(request).await,
        }
    }
}

/// A page of any origin may read the refusal, and so try again; its preflight passes.
async fn not_yet(request: Request) -> Response {
    let refuse = async || {
        Problem::new(ProblemCode::NotReady, "the server is starting").retry_after_s(RETRY_AFTER_S)
    };
    // Of which of the routes that is true later, a browser asks again.
    let for_now = open_to_pages().max_age(Duration::ZERO);
    let router: Router = Router::new().fallback(refuse).layer(for_now);
    router.oneshot(request).await.into_response()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, routing::post};

    use super::*;

    async fn status(router: &Router, method: &str, path: &str) -> u16 {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        if response.status() == 503 {
            assert_eq!(response.headers()["retry-after"], "2");
            assert_eq!(
                response.headers()["content-type"],
                foretide_http::PROBLEM_JSON
            );
        }
        response.status().as_u16()
    }

    #[tokio::test]
    async fn a_page_of_another_origin_can_read_the_refusal() {
        let request = Request::post("/v1/t")
            .header("origin", "https://shop.example")
            .body(Body::empty())
            .unwrap();
        let port = PublicRoutes::default().router();
        let response = port.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 503);
        let allowed = &response.headers()["access-control-allow-origin"];
        assert_eq!(allowed, "https://shop.example");
    }

    #[tokio::test]
    async fn all_is_503_until_the_services_are_wired() {
        let routes = PublicRoutes::default();
        let port = routes.router();
        assert_eq!(status(&port, "POST", "/v1/actions").await, 503);
        assert_eq!(status(&port, "GET", "/nowhere").await, 503);
        routes.wire(Router::new().route("/v1/actions", post(async || "taken")));
        assert_eq!(status(&port, "POST", "/v1/actions").await, 200);
        assert_eq!(status(&port, "GET", "/v1/actions").await, 405);
        assert_eq!(status(&port, "GET", "/nowhere").await, 404);
    }
}
