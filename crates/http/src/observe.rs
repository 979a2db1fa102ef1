//! One log event and two metrics for every request.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use axum::{
    Router,
    body::HttpBody,
    extract::{MatchedPath, Request},
    http::{self, Method, StatusCode},
    response::Response,
    routing::Route,
};
use foretide_runtime::{
    metrics::SECONDS,
    prometheus::{Histogram, IntCounter},
    telemetry::REQUEST_TARGET,
};

use crate::{
    Problem, ProblemCode,
    around::{answered, around},
};

foretide_runtime::metrics! {
    /// What is counted of every HTTP service. Routes are the patterns of the routing table, never paths.
    pub struct HttpMetrics {
        /// Requests answered, by route, method and class of status.
        pub requests: IntCounterVec = "foretide_http_requests_total" by ["route", "method", "status"],
        /// Time from the request's head to the answer's head, in seconds, by route, method and class of status.
        pub duration: HistogramVec = "foretide_http_request_duration_seconds" by ["route", "method", "status"] in SECONDS,
        /// Requests being worked on.
        pub in_flight: IntGauge = "foretide_http_requests_in_flight",
    }
}

/// Classes of status, as labels.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What a handler adds to the log event of its request: put it into the response's extensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchFacts {
    /// Events accepted.
    pub accepted: usize,
    /// Events rejected.
    pub rejected: usize,
}

/// Logs and counts every request to `router`, and answers what it has no route for with a problem.
pub fn observe(router: Router, metrics: HttpMetrics) -> Router {
    let metrics = Arc::new(metrics);
    with_fallbacks(router).layer(around(move |request, route| {
        observed(&metrics, request, route)
    }))
}

/// Answers unknown paths and methods with problems.
pub(crate) fn with_fallbacks(router: Router) -> Router {
    router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
}

async fn not_found() -> Problem {
    Problem::new(ProblemCode::NotFound, "there is no such route")
}

pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(
        ProblemCode::MethodNotAllowed,
        "the route does not take this method",
    )
}

fn observed(
    metrics: &Arc<HttpMetrics>,
    request: Request,
    route: &mut Route,
) -> impl Future<Output = Response> + use<> {
    let observed = Observed::begin(metrics, &request);
    let pattern = request.extensions().get::<MatchedPath>().cloned();
    let answer = answered(route, request);
    async move {
        let response = answer.await;
        let pattern = pattern.as_ref().map_or("unmatched", MatchedPath::as_str);
        observed.end(pattern, &response);
        response
    }
}

/// A request that is being answered. Until it ends, or its client goes away, it is in flight.
pub(crate) struct Observed {
    began: Instant,
    method: &'static str,
    request_bytes: Option<u64>,
    metrics: Arc<HttpMetrics>,
}

impl Observed {
    /// Begins with the head of `request`.
    pub(crate) fn begin<B: HttpBody>(
        metrics: &Arc<HttpMetrics>,
        request: &http::Request<B>,
    ) -> Self {
        metrics.in_flight.inc();
        Self {
            began: Instant::now(),
            method: method_name(request.method()),
            request_bytes: request.body().size_hint().exact(),
            metrics: Arc::clone(metrics),
        }
    }

    /// Counts and logs the request to `route`, which `response` answers.
    pub(crate) fn end<B: HttpBody>(self, route: &str, response: &http::Response<B>) {
        let class = CLASSES[class_of(response.status())];
        let counted = Counted::find(&self.metrics, route, self.method, class);
        self.tell(route, response, &counted);
    }

    /// The same with what is known of the route beforehand.
    pub(crate) fn end_known<B: HttpBody>(self, known: &KnownRoute, response: &http::Response<B>) {
        let class = class_of(response.status());
        let find = || Counted::find(&self.metrics, known.route, self.method, CLASSES[class]);
        let counted = known.counted[class].get_or_init(find);
        self.tell(known.route, response, counted);
    }

    fn tell<B: HttpBody>(&self, route: &str, response: &http::Response<B>, counted: &Counted) {
        let duration = self.began.elapsed().as_secs_f64();
        counted.requests.inc();
        counted.duration.observe(duration);
        log(self.method, route, self.request_bytes, duration, response);
    }
}

/// A route of one method whose metrics are found once, not for each request.
#[derive(Debug)]
pub(crate) struct KnownRoute {
    route: &'static str,
    /// By class of status; none before there was such an answer.
    counted: [OnceLock<Counted>; CLASSES.len()],
}

impl KnownRoute {
    /// The route with this pattern.
    pub(crate) fn new(route: &'static str) -> Self {
        Self {
            route,
            counted: Default::default(),
        }
    }
}

/// The metrics of the answers of one class to one route and method.
#[derive(Debug)]
struct Counted {
    requests: IntCounter,
    duration: Histogram,
}

impl Counted {
    fn find(metrics: &HttpMetrics, route: &str, method: &str, class: &str) -> Self {
        let labels = [route, method, class];
        Self {
            requests: metrics.requests.with_label_values(&labels),
            duration: metrics.duration.with_label_values(&labels),
        }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}

/// The request's one log event.
fn log<B: HttpBody>(
    method: &str,
    route: &str,
    request_bytes: Option<u64>,
    duration: f64,
    response: &http::Response<B>,
) {
    let batch = response.extensions().get::<BatchFacts>();
    let problem = response.extensions().get::<Problem>();
    tracing::info!(
        target: REQUEST_TARGET,
        {
            http.method = method,
            http.route = route,
            http.status = response.status().as_u16(),
            http.request_bytes = request_bytes,
            http.response_bytes = response.body().size_hint().exact(),
            duration_ms = (duration * 1e6).round() / 1e3,
            problem.code = problem.map(|problem| problem.code().as_str()),
            events.accepted = batch.map(|batch| batch.accepted),
            events.rejected = batch.map(|batch| batch.rejected),
        },
        "request"
    );
}

/// The method's name if it is a usual one: a label takes few values.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The place of its class among [`CLASSES`].
fn class_of(status: StatusCode) -> usize {
    match status.as_u16() / 100 {
        hundreds @ 1..=4 => usize::from(hundreds) - 1,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use axum::{Extension, body::Body, http::header, routing::get};
    use prometheus::Registry;
    use tower::ServiceExt as _;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    async fn ask(router: &Router, method: Method, path: &str) -> Response {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        router.clone().oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn requests_are_counted_by_the_pattern_of_their_route() {
        let metrics = HttpMetrics::register(&Registry::new()).unwrap();
        let router = Router::new().route("/shoppers/{id}", get(async || "found"));
        let router = observe(router, metrics.clone());
        for id in ["ann", "bob"] {
            assert_eq!(
                ask(&router, Method::GET, &format!("/shoppers/{id}?q=1"))
                    .await
                    .status(),
                200
            );
        }
        let labels = ["/shoppers/{id}", "GET", "2xx"];
        assert_eq!(metrics.requests.with_label_values(&labels).get(), 2);
        assert_eq!(
            metrics
                .duration
                .with_label_values(&labels)
                .get_sample_count(),
            2
        );
        assert_eq!(metrics.in_flight.get(), 0);
    }

    #[tokio::test]
    async fn one_event_is_logged_that_names_no_one() {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_writer(log.clone())
            .finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let metrics = HttpMetrics::register(&Registry::new()).unwrap();
        let handler = async || {
            (
                Extension(BatchFacts {
                    accepted: 3,
                    rejected: 1,
                }),
                "found",
            )
        };
        let router = observe(Router::new().route("/shoppers/{id}", get(handler)), metrics);
        ask(&router, Method::GET, "/shoppers/ann?user_id=bob").await;

        let written = log.text();
        assert_eq!(written.lines().count(), 1, "{written}");
        assert!(
            !written.contains("ann") && !written.contains("bob"),
            "{written}"
        );
        let event: serde_json::Value = serde_json::from_str(&written).unwrap();
        let fields = &event["fields"];
        assert_eq!(fields["http.route"], "/shoppers/{id}");
        assert_eq!(fields["http.status"], 200);
        assert_eq!(
            (&fields["events.accepted"], &fields["events.rejected"]),
            (&3.into(), &1.into())
        );
        assert!(fields["duration_ms"].is_f64());
    }

    /// What was logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Log {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Log {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[tokio::test]
    async fn unknown_paths_and_methods_are_problems_under_one_label() {
        let metrics = HttpMetrics::register(&Registry::new()).unwrap();
        let router = observe(
            Router::new().route("/here", get(async || "")),
            metrics.clone(),
        );
        for path in ["/a", "/b"] {
            let response = ask(&router, Method::GET, path).await;
            assert_eq!(
                response.headers()[header::CONTENT_TYPE],
                crate::PROBLEM_JSON
            );
            assert_eq!(response.status(), 404);
        }
        assert_eq!(
            metrics
                .requests
                .with_label_values(&["unmatched", "GET", "4xx"])
                .get(),
            2
        );
        let refused = ask(&router, Method::DELETE, "/here").await;
        assert_eq!(refused.status(), 405);
        assert_eq!(refused.headers()[header::ALLOW], "GET,HEAD");
    }
}
