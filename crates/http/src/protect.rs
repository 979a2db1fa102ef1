//! Bounds around the routes of one service: requests in flight, time, panics.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse as _, Response},
    routing::Route,
};
use futures_util::{FutureExt as _, poll};
use tokio::time::timeout;

use crate::{
    BodyReader, Problem, ProblemCode,
    around::{answered, around},
    observe::method_not_allowed,
};

/// What a service takes upon itself. Clones share one bound on requests in flight.
#[derive(Clone, Debug)]
pub struct Protection {
    slots: Arc<Slots>,
    timeout: Duration,
}

/// Room for requests in flight.
#[derive(Debug)]
struct Slots {
    most: usize,
    taken: AtomicUsize,
}

/// Room for one request, given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Slots>);

impl Protection {
    /// Works on `in_flight_requests` at once, refusing more, and on each for `timeout`, reading its body included.
    pub fn new(in_flight_requests: usize, timeout: Duration) -> Self {
        let slots = Slots {
            most: in_flight_requests,
            taken: AtomicUsize::new(0),
        };
        Self {
            slots: Arc::new(slots),
            timeout,
        }
    }

    /// Room for one more request, if there is any.
    pub(crate) fn slot(&self) -> Option<Slot> {
        let one_more = |taken| (taken < self.slots.most).then_some(taken + 1);
        let taken = self
            .slots
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.is_ok().then(|| Slot(Arc::clone(&self.slots)))
    }

    /// What `answer` comes to, in its `slot` and within the time; a panic of it is a problem, logged.
    pub(crate) async fn bound<T>(
        _slot: Slot,
        limit: Duration,
        answer: impl Future<Output = T>,
    ) -> Result<T, Problem> {
        // Nothing of the handler is looked at after its panic.
        let mut answer = pin!(AssertUnwindSafe(answer).catch_unwind());
        let answered = match poll!(answer.as_mut()) {
            Poll::Ready(answered) => answered,
            // Only who is waited for is worth a timer: most answers are there at once.
            Poll::Pending => match timeout(limit, answer).await {
                Ok(answered) => answered,
                Err(_) => return Err(timed_out(limit)),
            },
        };
        answered.map_err(|panic| panicked(&*panic))
    }

    /// How long a request may take.
    pub(crate) fn limit(&self) -> Duration {
        self.timeout
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
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
    let limit = protection.limit();
    let begun = match protection.slot() {
        Some(slot) => Ok((slot, answered(route, request))),
        None => Err(request),
    };
    async move {
        let outcome = match begun {
            Ok((slot, answer)) => Protection::bound(slot, limit, answer).await,
            Err(request) => Err(overloaded(BodyReader::of(request).1).await),
        };
        outcome.unwrap_or_else(Problem::into_response)
    }
}

/// The refusal of a request for which there is no room.
pub(crate) async fn overloaded(mut body: BodyReader) -> Problem {
    body.discard().await;
    let detail = "more requests are in flight than are taken: try again";
    Problem::new(ProblemCode::Overloaded, detail).retry_after_s(1)
}

fn timed_out(limit: Duration) -> Problem {
    let detail = format!("the request took longer than {} ms", limit.as_millis());
    Problem::new(ProblemCode::TimedOut, detail).retry_after_s(1)
}

fn panicked(payload: &(dyn Any + Send)) -> Problem {
    let words = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = words, "a request handler panicked");
    let detail = "the request could not be handled; the log tells more";
    Problem::new(ProblemCode::Internal, detail)
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
