//! Routes that are answered in front of the router.
//!
//! A router puts a request and the future of its answer into a box for each layer around the route, looks the path up in a
//! tree and notes in maps what it found: together that costs about as much as deciding does. A route that is asked for every
//! page of a shop is worth a way around it: method and path are compared, and the request goes on as it came off the
//! connection. What surrounds the routes of a router surrounds these too, by the same code: they are counted and logged,
//! bounded in number and in time, and a panic is a problem. The router has each of them as well, so that the description
//! holds them and other methods are refused as ever.

use std::{convert::Infallible, fmt, sync::Arc};

use axum::{
    BoxError, Router,
    body::{Body, HttpBody},
    http::{Method, Request, Response},
    response::IntoResponse as _,
    routing::future::RouteFuture,
};
use bytes::Bytes;
use futures_util::{
    FutureExt as _,
    future::{self, BoxFuture, Map},
};
use http_body_util::{Either, Full};
use tower::Service as _;

use crate::{
    BodyReader, HttpMetrics, Problem, Protection, RequestBody, observe,
    observe::{KnownRoute, Observed},
    protect::overloaded,
};

/// The body of an answer: whole, or in the box of a router.
pub type AnswerBody = Either<Full<Bytes>, Body>;

/// An answer on its way to the connection.
pub type Answer = Response<AnswerBody>;

/// A route that is answered in front of the router.
#[derive(Clone)]
pub struct DirectRoute {
    method: Method,
    path: &'static str,
    handler: Arc<dyn Handler>,
}

impl DirectRoute {
    /// Answers `method` on exactly `path`, which has no variable part, by `handler`, within the bounds of `protection`.
    pub fn new<H, A>(method: Method, path: &'static str, protection: Protection, handler: H) -> Self
    where
        H: Fn(Request<RequestBody>) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        Self {
            method,
            path,
            handler: Arc::new(Bounded {
                protection,
                handler,
            }),
        }
    }
}

impl fmt::Debug for DirectRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DirectRoute({} {})", self.method, self.path)
    }
}

/// A handler with everything around it, whose future takes one box.
trait Handler: Send + Sync {
    fn answer(
        self: Arc<Self>,
        route: Arc<KnownRoute>,
        observed: Observed,
        request: Request<RequestBody>,
    ) -> BoxFuture<'static, Result<Answer, Infallible>>;
}

struct Bounded<H> {
    protection: Protection,
    handler: H,
}

impl<H, A> Handler for Bounded<H>
where
    H: Fn(Request<RequestBody>) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Answer, Problem>> + Send + 'static,
{
    fn answer(
        self: Arc<Self>,
        route: Arc<KnownRoute>,
        observed: Observed,
        request: Request<RequestBody>,
    ) -> BoxFuture<'static, Result<Answer, Infallible>> {
        Box::pin(async move {
            let limit = self.protection.limit();
            let outcome = match self.protection.slot() {
                Some(slot) => Protection::bound(slot, limit, (self.handler)(request))
                    .await
                    .flatten(),
                None => Err(Box::pin(overloaded(BodyReader::of(request).1)).await),
            };
            let answer =
                outcome.unwrap_or_else(|problem| problem.into_response().map(Either::Right));
            observed.end_known(&route, &answer);
            Ok(answer)
        })
    }
}

/// A router with direct routes in front of it. Clones are the same.
#[derive(Clone, Debug)]
pub struct Front {
    direct: Arc<[(DirectRoute, Arc<KnownRoute>)]>,
    router: Router,
    metrics: Arc<HttpMetrics>,
}

/// What a [`Front`] answers with, in time.
pub type FrontFuture = future::Either<
    BoxFuture<'static, Result<Answer, Infallible>>,
    Map<
        RouteFuture<Infallible>,
        fn(Result<Response<Body>, Infallible>) -> Result<Answer, Infallible>,
    >,
>;

impl Front {
    /// Answers by `direct` where one fits, else by `router`; logs and counts every request by `metrics`.
    pub fn new(router: Router, direct: Vec<DirectRoute>, metrics: HttpMetrics) -> Self {
        let known = |route: DirectRoute| {
            let known = KnownRoute::new(route.path);
            (route, Arc::new(known))
        };
        Self {
            direct: direct.into_iter().map(known).collect(),
            router: observe(router, metrics.clone()),
            metrics: Arc::new(metrics),
        }
    }

    /// Begins to answer `request`.
    pub fn answer<B>(&self, request: Request<B>) -> FrontFuture
    where
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Into<RequestBody> + Send + 'static,
    {
        let fits = |(route, _): &&(DirectRoute, _)| {
            route.method == *request.method() && route.path == request.uri().path()
        };
        if let Some((direct, known)) = self.direct.iter().find(fits) {
            let observed = Observed::begin(&self.metrics, &request);
            let handler = Arc::clone(&direct.handler);
            let answer = handler.answer(Arc::clone(known), observed, request.map(Into::into));
            return future::Either::Left(answer);
        }
        routed(self.router.clone().call(request))
    }
}

/// What a router answers, as a [`Front`] does.
pub fn routed(answer: RouteFuture<Infallible>) -> FrontFuture {
    future::Either::Right(answer.map(|answered| Ok(answered?.map(Either::Right))))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::routing::post;
    use foretide_runtime::prometheus::Registry;
    use http_body_util::BodyExt as _;
    use tokio::sync::Notify;

    use super::*;
    use crate::{BodyLimits, MemoryBudget, ProblemCode, read_body};

    const LIMITS: BodyLimits = BodyLimits {
        sent_bytes: 10,
        decompressed_bytes: 10,
    };

    /// Says the body again, and panics or refuses where told to.
    async fn echo(request: Request<RequestBody>) -> Result<Answer, Problem> {
        let (_, body) = read_body(request, LIMITS, &MemoryBudget::new(100)).await?;
        match &*body {
            b"panic" => panic!("as told"),
            b"refuse" => Err(Problem::new(ProblemCode::OutOfRange, "as told")),
            body => Ok(Response::new(Either::Left(
                Bytes::copy_from_slice(body).into(),
            ))),
        }
    }

    fn front(protection: Protection) -> (Front, HttpMetrics) {
        let metrics = HttpMetrics::register(&Registry::new()).unwrap();
        let direct = DirectRoute::new(Method::POST, "/echo", protection, echo);
        let router = Router::new()
            .route("/echo", post(async || "from the router"))
            .route("/other", post(async || "from the router"));
        (Front::new(router, vec![direct], metrics.clone()), metrics)
    }

    async fn ask(front: &Front, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let Ok(answer) = front.answer(request).await;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_direct_route_is_answered_in_front_and_all_else_by_the_router() {
        let (front, metrics) = front(Protection::default());
        let is = |text: &str| (200, text.to_owned());
        assert_eq!(ask(&front, "POST", "/echo", "hello").await, is("hello"));
        assert_eq!(ask(&front, "POST", "/echo?q=1", "hello").await, is("hello"));
        assert_eq!(
            ask(&front, "POST", "/other", "").await,
            is("from the router")
        );
        assert_eq!(ask(&front, "GET", "/echo", "").await.0, 405);
        assert_eq!(ask(&front, "POST", "/echo/", "").await.0, 404);
        let count = |route, status| {
            let labels = [route, "POST", status];
            metrics.requests.with_label_values(&labels).get()
        };
        assert_eq!((count("/echo", "2xx"), count("/other", "2xx")), (2, 1));
        assert_eq!(metrics.in_flight.get(), 0);
    }

    #[tokio::test]
    async fn refusals_and_panics_are_problems_and_counted() {
        let (front, metrics) = front(Protection::default());
        for (body, status, code) in [
            ("refuse", 422, "out_of_range"),
            ("panic", 500, "internal"),
            ("far too long", 413, "too_large"),
        ] {
            let (answered, text) = ask(&front, "POST", "/echo", body).await;
            assert_eq!(answered, status, "{text}");
            assert!(text.contains(&format!("\"code\":\"{code}\"")), "{text}");
        }
        let durations = |status| {
            let labels = ["/echo", "POST", status];
            metrics
                .duration
                .with_label_values(&labels)
                .get_sample_count()
        };
        assert_eq!((durations("4xx"), durations("5xx")), (2, 1));
    }

    #[tokio::test]
    async fn beyond_the_bound_requests_are_refused_until_one_ends() {
        let finish = Arc::new(Notify::new());
        let held = Arc::clone(&finish);
        let handler = move |_| {
            let held = Arc::clone(&held);
            async move {
                held.notified().await;
                Ok(Response::new(Either::Left(Full::default())))
            }
        };
        let protection = Protection::new(1, Duration::from_hours(1));
        let direct = DirectRoute::new(Method::POST, "/", protection, handler);
        let metrics = HttpMetrics::register(&Registry::new()).unwrap();
        let front = Front::new(Router::new(), vec![direct], metrics.clone());
        let first = tokio::spawn({
            let front = front.clone();
            async move { ask(&front, "POST", "/", "").await }
        });
        tokio::task::yield_now().await;
        assert_eq!(metrics.in_flight.get(), 1);
        assert_eq!(ask(&front, "POST", "/", "").await.0, 503);
        finish.notify_one();
        assert_eq!(first.await.unwrap().0, 200);
        finish.notify_one();
        assert_eq!(ask(&front, "POST", "/", "").await.0, 200);
    }
}
