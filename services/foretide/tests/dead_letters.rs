//! Dead letters from the record that nobody can read to the event that it should have been, with the real binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use foretide_embedded::{EmbeddedLog, EmbeddedOptions};
use foretide_events::EpochMs;
use foretide_ports::{
    ACTIONS, Log as _, NewRecord, TopicPartition, foretide_topics, partition_for,
};
use foretide_runtime::{Clock as _, SystemClock};
use serde_json::{Value, json};
use tokio::time::sleep;

/// A server makes as many unless it is told otherwise.
const PARTITIONS: u32 = 8;
const SHOPPER: &str = "00112233445566778899aabbccddeeff";

/// A server that is killed with the test.
struct Server {
    child: Child,
    admin: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Server {
    fn start(data: &Path) -> Self {
        let (public, admin) = (free_port(), free_port());
        let child = Command::new(env!("CARGO_BIN_EXE_foretide"))
            .args(["serve", "--write-key", "write", "--admin-key", "admin"])
            .arg("--data-dir")
            .arg(data)
            .args(["--listen", &format!("127.0.0.1:{public}")])
            .args(["--admin-listen", &format!("127.0.0.1:{admin}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, admin }
    }

    async fn until_ready(&self) {
        for _ in 0..600 {
            let url = format!("http://127.0.0.1:{}/readyz", self.admin);
            if reqwest::get(url)
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("it never was ready");
    }

    /// Waits until the metric called `name` adds up to `count`.
    async fn until(&self, name: &str, count: u32) {
        for _ in 0..600 {
            let url = format!("http://127.0.0.1:{}/metrics", self.admin);
            let answer = reqwest::get(url).await;
            if let Ok(answer) = answer {
                let text = answer.text().await.unwrap_or_default();
                let of_name = text.lines().filter(|line| line.starts_with(name));
                let values =
                    of_name.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
                if (values.sum::<f64>() - f64::from(count)).abs() < 0.5 {
                    return;
                }
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("{name} never came to {count}");
    }

    /// Asks it to end and waits.
    fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

fn command(data: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_foretide"))
        .args(words)
        .arg("--data-dir")
        .arg(data)
        .arg("--json")
        .output()
        .unwrap()
}

/// What a command answered, and whether it went well.
fn answers(data: &Path, words: &[&str]) -> (Vec<Value>, bool) {
    let output = command(data, words);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (lines.collect(), output.status.success())
}

fn stored(id: &str) -> Value {
    json!({
        "v": 1, "type": "cart_view", "id": id, "at": "2026-11-22T08:00:00.000Z",
        "received_at": "2026-11-22T08:00:01.000Z", "shopper": {"user": SHOPPER}, "source": "key:0a1b2c3d", "cart_id": "c-1",
    })
}

/// Appends `values` to the log of a stopped server as someone does who knows nothing of the product: into any partition.
async fn write_foreign(data: &Path, values: &[(u32, String)]) {
    let now = Arc::new(|| EpochMs(SystemClock.now_ms()));
    let log = EmbeddedLog::open(&data.join("log"), EmbeddedOptions::default(), now).unwrap();
    log.declare(&foretide_topics(PARTITIONS)).await.unwrap();
    let record = |(partition, value): &(u32, String)| NewRecord {
        at: TopicPartition {
            topic: ACTIONS,
            partition: *partition,
        },
        key: SHOPPER.into(),
        value: Some(value.clone().into()),
    };
    log.append(values.iter().map(record).collect())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_set_right_is_folded_once_and_settled_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let server = Server::start(data);
    server.until_ready().await;
    server.stop();
    let own = partition_for(SHOPPER.as_bytes(), PARTITIONS);
    let mut misspelt = stored("e-2");
    misspelt["type"] = "cart_look".into();
    write_foreign(
        data,
        &[
            ((own + 1) % PARTITIONS, stored("e-1").to_string()),
            (own, misspelt.to_string()),
            (own, "nonsense".to_owned()),
        ],
    )
    .await;
    let server = Server::start(data);
    server
        .until("foretide_processor_dead_letters_total", 3)
        .await;
    server.stop();

    let (listed, _) = answers(data, &["dead-letters", "list"]);
    let causes: Vec<&str> = listed
        .iter()
        .map(|l| l["cause"].as_str().unwrap())
        .collect();
    assert_eq!(listed.len(), 3, "{listed:?}");
    assert_eq!(causes.iter().filter(|c| **c == "not_an_event").count(), 2);
    let (wrong, _) = answers(
        data,
        &["dead-letters", "list", "--cause", "wrong_partition"],
    );
    let wrong = wrong[0]["id"].as_str().unwrap();
    let raw = command(data, &["dead-letters", "show", wrong, "--raw"]);
    assert_eq!(raw.stdout, stored("e-1").to_string().as_bytes());

    // Tried first: nothing is written, and what is wrong is said.
    let fix = "sed s/cart_look/cart_view/";
    let rerun = ["dead-letters", "rerun", "--all", "--fix", fix];
    let (tried, all_right) = answers(data, &[&rerun[..], &["--dry-run"]].concat());
    assert!(!all_right);
    let of = |event: &str| tried.iter().find(|line| line["event_id"] == event).unwrap();
    assert_eq!(
        of("e-2")["changes"],
        json!(["- \"type\": \"cart_look\"", "+ \"type\": \"cart_view\""])
    );
    assert_eq!(of("e-1").get("changes"), None);
    let open = tried
        .iter()
        .find(|line| line["problem"].is_string())
        .unwrap();
    assert!(
        open["problem"].as_str().unwrap().contains("not JSON"),
        "{open}"
    );
    assert_eq!(answers(data, &["dead-letters", "list"]).0.len(), 3);

    let (done, all_right) = answers(data, &rerun);
    assert!(!all_right, "one stays open");
    let appended = done.iter().filter(|line| line["partition"] == own).count();
    assert_eq!(appended, 2, "{done:?}");
    let (left, _) = answers(data, &["dead-letters", "list"]);
    assert_eq!((left.len(), &left[0]["content"]), (1, &json!("nonsense")));
    let (again, _) = answers(data, &["dead-letters", "rerun", wrong]);
    assert_eq!(again.len(), 0, "it is settled");
    let (twice, _) = answers(data, &["dead-letters", "rerun", wrong, "--again"]);
    assert_eq!(twice[0]["event_id"], "e-1");
    let id = left[0]["id"].as_str().unwrap();
    assert!(answers(data, &["dead-letters", "dismiss", id]).1);
    assert_eq!(answers(data, &["dead-letters", "list"]).0.len(), 0);

    // The server folds what was run again, each event once; folding all anew forgets no settlement.
    let server = Server::start(data);
    server
        .until("foretide_processor_events_total{fate=\"folded\"}", 2)
        .await;
    server
        .until("foretide_processor_events_total{fate=\"duplicate\"}", 1)
        .await;
    server.stop();
    let (checked, is_same) = answers(data, &["replay", "--check"]);
    assert!(is_same, "{checked:?}");
    assert_eq!(
        (&checked[0]["folded"], &checked[0]["duplicate"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(checked[0]["dead_letters"], 3);
    assert!(answers(data, &["refold"]).1);
    let (settled, _) = answers(data, &["dead-letters", "list", "--settled"]);
    assert_eq!(settled.len(), 3);
    assert!(
        settled.iter().all(|line| !line["settled"].is_null()),
        "{settled:?}"
    );
}
