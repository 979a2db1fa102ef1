//! The public port before and after the services are wired.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use axum::{BoxError, Router, body::HttpBody, http::Request};
use bytes::Bytes;
use foretide_http::{
    Answer, Front, FrontFuture, Problem, ProblemCode, RequestBody, open_to_pages, routed,
};
use tower::Service;

/// When a caller may try again, in seconds.
const RETRY_AFTER_S: u32 = 2;

/// What the public port answers with: 503 to everything until the services are wired, and by them afterwards. Clones share
/// one state.
#[derive(Clone, Debug, Default)]
pub struct PublicRoutes {
    wired: Arc<OnceLock<Front>>,
}

impl PublicRoutes {
    /// Answers by `front` from now on. Only the first one counts.
    pub fn wire(&self, front: Front) {
        let _ = self.wired.set(front);
    }
}

impl<B> Service<Request<B>> for PublicRoutes
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Into<RequestBody> + Send + 'static,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = FrontFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Routers always are, and what is in front of them.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.wired.get() {
            Some(front) => front.answer(request),
            None => routed(not_yet().call(request)),
        }
    }
}

/// A page of any origin may read the refusal, and so try again; its preflight passes.
fn not_yet() -> Router {
    let refuse = async || {
        Problem::new(ProblemCode::NotReady, "the server is starting").retry_after_s(RETRY_AFTER_S)
    };
    // Of which of the routes that is true later, a browser asks again.
    let for_now = open_to_pages().max_age(Duration::ZERO);
    Router::new().fallback(refuse).layer(for_now)
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, routing::post};
    use foretide_http::HttpMetrics;
    use foretide_runtime::prometheus::Registry;
    use tower::ServiceExt as _;

    use super::*;

    async fn status(router: &PublicRoutes, method: &str, path: &str) -> u16 {
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
        let port = PublicRoutes::default();
        let response = port.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 503);
        let allowed = &response.headers()["access-control-allow-origin"];
        assert_eq!(allowed, "https://shop.example");
    }

    #[tokio::test]
    async fn all_is_503_until_the_services_are_wired() {
        let routes = PublicRoutes::default();
        let port = routes.clone();
        assert_eq!(status(&port, "POST", "/v1/actions").await, 503);
        assert_eq!(status(&port, "GET", "/nowhere").await, 503);
        let actions = Router::new().route("/v1/actions", post(async || "taken"));
        let metrics = HttpMetrics::register(&Registry::new()).unwrap();
        routes.wire(Front::new(actions, Vec::new(), metrics));
        assert_eq!(status(&port, "POST", "/v1/actions").await, 200);
        assert_eq!(status(&port, "GET", "/v1/actions").await, 405);
        assert_eq!(status(&port, "GET", "/nowhere").await, 404);
    }
}
