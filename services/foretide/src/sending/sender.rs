//! Sends batches until they are answered.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use reqwest::{Client, StatusCode, Url, header::RETRY_AFTER};
use serde::Deserialize;

use super::Backoff;

/// How long one try may take. A server that stores a batch durably answers within milliseconds.
const TRY_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where batches go, and on whose behalf.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    client: Client,
    url: Url,
    write_key: String,
    run: Option<String>,
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
    /// Sends to `path` of the server at `base`, as the import run `run` if it is one.
    pub(crate) fn new(
        base: &Url,
        path: &str,
        write_key: &str,
        run: Option<&str>,
    ) -> anyhow::Result<Self> {
        let client = client()?;
        let url = base.join(path).with_context(|| format!("--to {base}"))?;
        Ok(Self {
            client,
            url,
            write_key: write_key.to_owned(),
            run: run.map(str::to_owned),
        })
    }

    /// Sends `body`, which holds `events` events, until it is answered, saying to `on_retry` why a try failed.
    ///
    /// # Errors
    /// The server refuses the batch as a whole: trying again would not help.
    pub(crate) async fn send(
        &self,
        body: impl Into<Bytes>,
        events: usize,
        on_retry: impl Fn(&str),
    ) -> anyhow::Result<Answered> {
        let body = body.into();
        let mut backoff = Backoff::new();
        let mut retries = 0;
        loop {
            match self.try_once(body.clone()).await? {
                Try::Answered(receipts) => {
                    let answered = receipts.accepted + receipts.rejected.len() as u64;
                    if answered != events as u64 {
                        bail!("{} answered for {answered} of {events} events", self.url);
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

    async fn try_once(&self, body: Bytes) -> anyhow::Result<Try> {
        let mut request = self
            .client
            .post(self.url.clone())
            .basic_auth(&self.write_key, Some(""))
            .header("Content-Type", "application/json");
        if let Some(run) = &self.run {
            request = request.header("Foretide-Import", run);
        }
        let response = match request.body(body).send().await {
            Ok(response) => response,
            Err(error) if error.is_builder() => return Err(error.into()),
            Err(error) => return self.no_answer(&error),
        };
        let status = response.status();
        let not_before = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let text = match response.text().await {
            Ok(text) => text,
            Err(error) => return self.no_answer(&error),
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
            "{} refused a batch with {status}: {}{}",
            self.url,
            text.trim(),
            what_to_do(status, "--write-key")
        );
    }

    /// What to make of a try that got no answer: most causes pass.
    fn no_answer(&self, error: &reqwest::Error) -> anyhow::Result<Try> {
        let cause = cause_of(error);
        if cause.contains("certificate") {
            bail!(
                "{} shows a certificate that is not trusted: {cause}. Let the system trust who signed it, or name a file of \
                 trusted certificates by SSL_CERT_FILE",
                self.url
            );
        }
        let cause = format!(
            "{} does not answer ({cause}): is it up, and is that its address (--to)?",
            self.url
        );
        Ok(Try::Again(cause, None))
    }
}

/// What a refusal with `status` of a request that carried the key of `flag` calls for, as the end of a sentence.
pub(crate) fn what_to_do(status: StatusCode, flag: &str) -> String {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            format!(". Give the key that the server was started with ({flag})")
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            ". Is that the public address of a foretide server (--to), or of scoring where the services run alone (--scoring)?".to_owned()
        }
        status if status.is_redirection() => {
            ". It sends elsewhere, which keys do not follow: give the address where it ends (--to)"
                .to_owned()
        }
        _ => String::new(),
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

/// Takes the address of a server, with or without a path, so that joining a route to it keeps the path.
pub(crate) fn server_url(text: &str) -> Result<Url, String> {
    let url: Url = format!("{}/", text.trim_end_matches('/'))
        .parse()
        .map_err(|error| format!("{error}"))?;
    match url.scheme() {
        "http" => Ok(url),
        "https" if cfg!(feature = "tls") => Ok(url),
        "https" => Err(
            "this binary was built without TLS: build it with `--features tls` (the container image is), or go through a local \
             proxy or tunnel"
                .to_owned(),
        ),
        other => Err(format!(
            "{other} is not spoken here, only http and https"
        )),
    }
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
        let sender = Sender::new(to, "v1/actions", "w", Some("run-1")).unwrap();
        let body = json!({ "actions": [{ "n": 1 }, { "n": 2 }] }).to_string();
        sender.send(body, 2, |_| {}).await
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
        assert!(refusal.contains("--write-key"), "{refusal}");
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

    #[test]
    fn a_servers_address_keeps_its_path() {
        let url = server_url("http://10.0.0.7:8080/shop").unwrap();
        let route = url.join("v1/actions").unwrap();
        assert_eq!(route.as_str(), "http://10.0.0.7:8080/shop/v1/actions");
        assert!(server_url("10.0.0.7:8080").is_err());
        assert!(server_url("ftp://10.0.0.7/").unwrap_err().contains("ftp"));
        let encrypted = server_url("https://shop.example");
        assert_eq!(encrypted.is_ok(), cfg!(feature = "tls"));
    }
}
