//! Bounds around the routes of one service: requests in flight, time, panics.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse as _, Response},
    routing::Route,
};
use futures_util::FutureExt as _;
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    BodyReader, Problem, ProblemCode,
    around::{answered, around},
    observe::method_not_allowed,
};

/// What a service takes upon itself. Clones share one bound on requests in flight.
#[derive(Clone, Debug)]
pub struct Protection {
    slots: Arc<Semaphore>,
    timeout: Duration,
}

impl Protection {
    /// Works on `in_flight_requests` at once, refusing more, and on each for `timeout`, reading its body included.
    pub fn new(in_flight_requests: usize, timeout: Duration) -> Self {
        let slots = in_flight_requests.min(Semaphore::MAX_PERMITS);
        Self {
            slots: Arc::new(Semaphore::new(slots)),
            timeout,
        }
    }
}

impl Default for Protection {
    /// 1024 requests at once, 30 s each.
    fn default() -> Self {
        Self::new(1024, Duration::from_secs(30))
    }
}

/// Puts `protection` around every route of `router`. Refusals are 503 with `Retry-After`; a panic is a 500, logged.
pub fn protect(router: Router, protection: Protection) -> Router {
    router
        // Before the layer, or a fallback set later would replace it for methods without a handler: preflights among these.
        .method_not_allowed_fallback(method_not_allowed)
        .layer(around(move |request, route| {
            protected(&protection, request, route)
        }))
}

/// Answers `request` by `route`, within the bounds of `protection`.
fn protected(
    protection: &Protection,
    request: Request,
    route: &mut Route,
) -> impl Future<Output = Response> + use<> {
    let limit = protection.timeout;
    let begun = match Arc::clone(&protection.slots).try_acquire_owned() {
        Ok(slot) => Ok((slot, answered(route, request))),
        Err(_) => Err(request),
    };
    async move {
        let (_slot, answer) = match begun {
            Ok(begun) => begun,
            Err(request) => return overloaded(request).await,
        };
        // Nothing of the handler is looked at after its panic.
        match timeout(limit, AssertUnwindSafe(answer).catch_unwind()).await {
            Ok(Ok(response)) => response,
            Ok(Err(panic)) => panicked(&*panic),
            Err(_) => timed_out(limit),
        }
    }
}

async fn overloaded(request: Request) -> Response {
    BodyReader::of(request).1.discard().await;
    let detail = "more requests are in flight than are taken: try again";
    Problem::new(ProblemCode::Overloaded, detail)
        .retry_after_s(1)
        .into_response()
}

fn timed_out(limit: Duration) -> Response {
    let detail = format!("the request took longer than {} ms", limit.as_millis());
    Problem::new(ProblemCode::TimedOut, detail)
        .retry_after_s(1)
        .into_response()
}

fn panicked(payload: &(dyn Any + Send)) -> Response {
    let words = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = words, "a request handler panicked");
    Problem::new(
        ProblemCode::Internal,
        "the request could not be handled; the log tells more",
    )
    .into_response()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, routing::get};
    use tokio::sync::Notify;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(router: &Router) -> Response {
        let request = Request::get("/").body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap()
    }

    fn code(response: &Response) -> Option<ProblemCode> {
        response.extensions().get::<Problem>().map(Problem::code)
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_problem_and_the_next_request_is_served() {
        async fn handler() {
            panic!("oh");
        }
        let router = protect(
            Router::new().route("/", get(handler)),
            Protection::default(),
        );
        for _ in 0..2 {
            let response = ask(&router).await;
            assert_eq!(
                (response.status().as_u16(), code(&response)),
                (500, Some(ProblemCode::Internal))
            );
        }
    }

    #[tokio::test]
    async fn beyond_the_bound_requests_are_refused_until_one_ends() {
        let finish = Arc::new(Notify::new());
        let held = Arc::clone(&finish);
        let handler = move || async move { held.notified().await };
        let router = Router::new().route("/", get(handler));
        let router = protect(router, Protection::new(1, Duration::from_mins(1)));
        let first = tokio::spawn({
            let router = router.clone();
            async move { ask(&router).await }
        });
        tokio::task::yield_now().await;
        let refused = ask(&router).await;
        assert_eq!(
            (refused.status().as_u16(), code(&refused)),
            (503, Some(ProblemCode::Overloaded))
        );
        assert_eq!(refused.headers()["retry-after"], "1");
        finish.notify_one();
        assert_eq!(first.await.unwrap().status(), 200);
        finish.notify_one();
        assert_eq!(ask(&router).await.status(), 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_too_long_is_refused() {
        let handler = std::future::pending::<()>;
        let response = ask(&protect(
            Router::new().route("/", get(handler)),
            Protection::default(),
        ))
        .await;
        assert_eq!(
            (response.status().as_u16(), code(&response)),
            (503, Some(ProblemCode::TimedOut))
        );
    }
}
