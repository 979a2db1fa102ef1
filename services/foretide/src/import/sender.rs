//! Sends batches until they are answered.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Client, StatusCode, Url, header::RETRY_AFTER};
use serde::Deserialize;

use super::{backoff::Backoff, row::Row};

/// How long one try may take. A server that stores a batch durably answers within milliseconds.
const TRY_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where batches go, and on whose behalf.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    client: Client,
    url: Url,
    member: &'static str,
    write_key: String,
    run: String,
}

/// What the server said of a batch.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) struct Receipts {
    /// Events stored.
    pub(crate) accepted: u64,
    /// Events refused.
    #[serde(default)]
    pub(crate) rejected: Vec<Refused>,
}

/// One event refused.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Why, by a stable name.
    pub(crate) code: String,
    /// Its place in the batch, from 0.
    #[serde(default)]
    pub(crate) index: u64,
    /// The field at fault, where it is one.
    #[serde(default)]
    pub(crate) field: Option<String>,
    /// Why, for people.
    #[serde(default)]
    pub(crate) message: String,
}

/// How a batch was answered in the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) receipts: Receipts,
    /// How many tries went before the one that was answered.
    pub(crate) retries: u64,
}

/// What became of one try.
enum Try {
    Answered(Receipts),
    /// Not answered, or not now: for this cause, and not again before this long.
    Again(String, Option<Duration>),
}

impl Sender {
    /// Sends to `path` of the server at `base`, with items as the list `member` of the body, as the import run `run`.
    pub(crate) fn new(
        base: &Url,
        path: &str,
        member: &'static str,
        write_key: &str,
        run: &str,
    ) -> anyhow::Result<Self> {
        let client = client()?;
        let url = base.join(path).with_context(|| format!("--to {base}"))?;
        Ok(Self {
            client,
            url,
            member,
            write_key: write_key.to_owned(),
            run: run.to_owned(),
        })
    }

    /// Sends `rows` until they are answered, saying to `on_retry` why a try failed.
    ///
    /// # Errors
    /// The server refuses the batch as a whole: trying again would not help.
    pub(crate) async fn send(
        &self,
        rows: &[Row],
        on_retry: impl Fn(&str),
    ) -> anyhow::Result<Answered> {
        let items: Vec<&str> = rows.iter().map(|row| row.item.as_str()).collect();
        let body = format!("{{\"{}\":[{}]}}", self.member, items.join(","));
        let mut backoff = Backoff::new();
        let mut retries = 0;
        loop {
            match self.try_once(body.clone()).await? {
                Try::Answered(receipts) => {
                    let answered = receipts.accepted + receipts.rejected.len() as u64;
                    if answered != rows.len() as u64 {
                        bail!(
                            "{} answered for {answered} of {} events",
                            self.url,
                            rows.len()
                        );
                    }
                    return Ok(Answered { receipts, retries });
                }
                Try::Again(cause, not_before) => {
                    on_retry(&cause);
                    retries += 1;
                    backoff.wait(not_before).await;
                }
            }
        }
    }

    async fn try_once(&self, body: String) -> anyhow::Result<Try> {
        let sent = self
            .client
            .post(self.url.clone())
            .basic_auth(&self.write_key, Some(""))
            .header("Foretide-Import", &self.run)
            .header("Content-Type", "application/json")
            .body(body)
            .send()
            .await;
        let response = match sent {
            Ok(response) => response,
            Err(error) if error.is_builder() => return Err(error.into()),
            Err(error) => return Ok(Try::Again(cause_of(&error), None)),
        };
        let status = response.status();
        let not_before = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let text = match response.text().await {
            Ok(text) => text,
            Err(error) => return Ok(Try::Again(cause_of(&error), None)),
        };
        if status == StatusCode::OK {
            let receipts = serde_json::from_str(&text)
                .with_context(|| format!("{} answered: {text}", self.url))?;
            return Ok(Try::Answered(receipts));
        }
        if status.is_server_error()
            || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status)
        {
            return Ok(Try::Again(
                format!("the server answered {status}"),
                not_before.map(Duration::from_secs),
            ));
        }
        bail!(
            "{} refused a batch with {status}: {}",
            self.url,
            text.trim()
        );
    }
}

/// A client that never goes elsewhere than it was told and never waits for ever.
pub(crate) fn client() -> anyhow::Result<Client> {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TRY_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .context("setting up the HTTP client")
}

/// The innermost cause, which is what tells: "connection refused" rather than "error sending request".
pub(crate) fn cause_of(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use axum::{
        Router,
        extract::{Json, State},
        http::HeaderMap,
        response::{IntoResponse, Response},
        routing::post,
    };
    use serde_json::{Value, json};
    use tokio::net::TcpListener;

    use super::*;

    type Answers = fn(usize) -> Response;

    /// A server that gives `answers` by the number of the request, after checking how it came.
    async fn server(answers: Answers) -> Url {
        async fn answer(
            State((turn, answers)): State<(Arc<AtomicUsize>, Answers)>,
            headers: HeaderMap,
            Json(body): Json<Value>,
        ) -> Response {
            assert_eq!(headers["Foretide-Import"], "run-1");
            assert_eq!(headers["Authorization"], "Basic dzo=");
            assert_eq!(body, json!({ "actions": [{ "n": 1 }, { "n": 2 }] }));
            answers(turn.fetch_add(1, Ordering::SeqCst))
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let turn = Arc::new(AtomicUsize::new(0));
        let router = Router::new()
            .route("/v1/actions", post(answer))
            .with_state((turn, answers));
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    async fn send(to: &Url) -> anyhow::Result<Answered> {
        let sender = Sender::new(to, "v1/actions", "actions", "w", "run-1").unwrap();
        let row = |line: u64| Row {
            shopper: 1,
            item: json!({ "n": line }).to_string(),
            line,
        };
        sender.send(&[row(1), row(2)], |_| {}).await
    }

    fn accepted(count: u64) -> Response {
        Json(json!({ "accepted": count, "rejected": [] })).into_response()
    }

    #[tokio::test]
    async fn a_batch_is_sent_until_it_is_answered() {
        let url = server(|turn| match turn {
            0 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            1 => (StatusCode::TOO_MANY_REQUESTS, [("Retry-After", "0")]).into_response(),
            _ => accepted(2),
        })
        .await;
        let answered = send(&url).await.unwrap();
        assert_eq!((answered.receipts.accepted, answered.retries), (2, 2));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_yet_is_waited_for() {
        let port = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let url = format!("http://{port}/").parse().unwrap();
        let (answered, ()) = tokio::join!(send(&url), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let listener = TcpListener::bind(port).await.unwrap();
            let router = Router::new().route("/v1/actions", post(async || accepted(2)));
            tokio::spawn(async move { axum::serve(listener, router).await });
        });
        assert!(answered.unwrap().retries >= 1);
    }

    #[tokio::test]
    async fn a_batch_that_is_refused_stops_with_the_servers_words() {
        let url =
            server(|_| (StatusCode::UNAUTHORIZED, "the key is not known here").into_response())
                .await;
        let refusal = send(&url).await.unwrap_err().to_string();
        assert!(
            refusal.contains("401") && refusal.contains("not known here"),
            "{refusal}"
        );
    }

    #[tokio::test]
    async fn an_answer_for_another_number_of_events_is_an_error() {
        let url = server(|_| accepted(1)).await;
        assert!(send(&url).await.unwrap_err().to_string().contains("1 of 2"));
    }

    #[test]
    fn both_routes_answers_are_understood() {
        let native = r#"{"accepted":1,"rejected":[{"index":1,"id":"x","code":"invalid_field","field":"at","message":"no"}]}"#;
        let receipts: Receipts = serde_json::from_str(native).unwrap();
        assert_eq!(
            (receipts.accepted, receipts.rejected[0].code.as_str()),
            (1, "invalid_field")
        );
        let segment = r#"{"success":true,"accepted":2}"#;
        assert_eq!(
            serde_json::from_str::<Receipts>(segment).unwrap().accepted,
            2
        );
    }
}
