use std::time::Duration;

use clap::Parser as _;
use foretide_privacy::PseudonymKey;
use foretide_runtime::SystemClock;

use super::*;
use crate::cli::{Cli, Command};

fn serve_args(words: &str) -> ServeArgs {
    let args = format!(
        "foretide serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --write-key w --admin-key a {words}"
    );
    match Cli::try_parse_from(args.split_whitespace())
        .unwrap()
        .command
    {
        Command::Serve(args) => *args,
        other => panic!("{other:?}"),
    }
}

/// Starts a server that waits for its log, looks at both ports, and tells it to end once `/readyz` shows `cause`.
async fn answers_tells_and_ends(words: &str, cause: &str) {
    let args = serve_args(words);
    let ports = Ports::bind(&args.edge.http, args.host.admin).await.unwrap();
    let public = format!("http://{}/v1/actions", ports.public.local_addr().unwrap());
    let ready = format!("http://{}/readyz", ports.admin.local_addr().unwrap());
    let lifecycle = Lifecycle::new(Duration::from_secs(15));
    let caller = async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let refusal = client.post(public).body("{}").send().await.unwrap();
        assert_eq!(refusal.status(), 503);
        assert!(refusal.headers().contains_key("retry-after"));
        loop {
            let report = client.get(&ready).send().await.unwrap();
            if report.text().await.unwrap().contains(cause) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        lifecycle.shut_down();
    };
    let (started, ()) = tokio::join!(
        start(&args, ports, &lifecycle, Arc::new(SystemClock)),
        caller
    );
    assert!(started.unwrap().is_none());
    lifecycle.run_until_done().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_log_is_away_answers_tells_why_and_ends_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let key_file = dir.path().join("key");
    let key = PseudonymKey::from_bytes([7; 32]);
    std::fs::write(&key_file, key.to_text().as_bytes()).unwrap();
    let words = format!(
        "--data-dir {} --log kafka:127.0.0.1:1 --pseudonym-key-file {}",
        dir.path().display(),
        key_file.display()
    );
    answers_tells_and_ends(&words, "the log is away").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_log_is_full_answers_tells_why_and_ends_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let words = format!(
        "--data-dir {} --disk-reserve-bytes {}",
        dir.path().display(),
        u64::MAX
    );
    answers_tells_and_ends(&words, "the log is full").await;
}
