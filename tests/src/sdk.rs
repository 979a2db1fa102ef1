//! Stock SDKs of the Segment family as processes, through `tests/sdk/run`.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    project_root,
    server::{Server, WRITE_KEY},
};

/// The events sent with [`WRITE_KEY`], as `GET /v1/sources/{source}` knows them: the key's hash begins with these digits.
pub const SOURCE: &str = "key:04c0218b";

/// How long a program may take, its packages' download included, before a test gives up.
const PATIENCE: Duration = Duration::from_mins(10);

/// What an SDK's program is told to do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How often it sends its round of events.
    pub rounds: u32,
    /// How long it waits after each round.
    pub pause: Duration,
    /// Whether it sends one event more that Foretide rejects.
    pub bad: bool,
}

/// An SDK's program at work. Killed when dropped.
pub struct Run {
    name: String,
    output: PathBuf,
    complaints: PathBuf,
    process: Child,
}

/// What an SDK's program said at its end.
#[derive(Debug)]
pub struct Outcome {
    /// The events it gave to the SDK.
    pub sent: u64,
    /// What the SDK reported as failed.
    pub errors: Vec<String>,
}

/// Starts the program of the SDK `name`, a folder of `tests/sdk`, against `server`.
pub fn start(name: &str, server: &Server, plan: Plan) -> Run {
    let output = server.directory().join(format!("{name}.out"));
    let complaints = server.directory().join(format!("{name}.err"));
    let process = Command::new(project_root().join("tests/sdk/run"))
        .args([name, &server.url(), WRITE_KEY])
        .args([plan.rounds.to_string(), plan.pause.as_millis().to_string()])
        .args(plan.bad.then_some("bad"))
        .stdin(Stdio::null())
        .stdout(File::create(&output).unwrap())
        .stderr(File::create(&complaints).unwrap())
        .spawn()
        .unwrap();
    Run {
        name: name.to_owned(),
        output,
        complaints,
        process,
    }
}

impl Run {
    /// Waits for its end and returns what it said. Panics if it failed.
    pub fn outcome(mut self) -> Outcome {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "it does not end: {}",
                self.said()
            );
            sleep(Duration::from_millis(50));
        };
        assert!(status.success(), "{status}: {}", self.said());
        let said = fs::read_to_string(&self.output).unwrap();
        let last: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        let errors = last["errors"].as_array().unwrap();
        Outcome {
            sent: last["sent"].as_u64().unwrap(),
            errors: errors.iter().map(ToString::to_string).collect(),
        }
    }

    /// What it said so far, for messages of failing tests.
    fn said(&self) -> String {
        let text = |file| fs::read_to_string(file).unwrap_or_default();
        format!(
            "{}\n{}{}",
            self.name,
            text(&self.output),
            text(&self.complaints)
        )
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What became of the events of [`SOURCE`], once all that is stored is folded.
pub fn counts(server: &Server) -> Value {
    let answer = server.get(&format!("/v1/sources/{SOURCE}?wait_ms=20000"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["complete"], true, "{}", answer.body);
    answer.body
}

/// The requests by which events came, as the server saw them, and the events in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Requests that send anything, whatever became of them.
    pub requests: u64,
    /// Those among them of which events were taken.
    pub taken: u64,
    /// The events in these, rejected ones included, as often as they came.
    pub events: u64,
}

/// What the SDKs have sent since the server was started.
pub fn sent(server: &Server) -> Sent {
    let metrics = server.metrics();
    let sum = |begin: &str, and: &str| -> u64 {
        let lines = metrics.lines();
        let of_it = lines.filter(|line| line.starts_with(begin) && line.contains(and));
        let values = of_it.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
        values.sum()
    };
    Sent {
        requests: sum("foretide_http_requests_total{", r#"method="POST""#),
        taken: sum("foretide_ingest_batch_events_count ", ""),
        events: sum("foretide_ingest_batch_events_sum ", ""),
    }
}

/// The ids of all events on the log, in any order, as often as they are there; links between them are none. The server must be
/// stopped.
pub fn stored_ids(server: &Server) -> Vec<String> {
    let tail = server.offline(&["topics", "tail", "actions"]);
    let said = String::from_utf8(tail.stdout).unwrap();
    let id = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        let event = &record["value"];
        let id = event["id"].as_str();
        let id = id.unwrap_or_else(|| panic!("no id in {line}")).to_owned();
        (event["type"] != "link").then_some(id)
    };
    said.lines().filter_map(id).collect()
}

/// The requests of the SDKs that were not answered with success, as lines of the metrics.
pub fn refused_requests(server: &Server) -> Vec<String> {
    let metrics = server.metrics();
    metrics
        .lines()
        .filter(|line| line.starts_with("foretide_http_requests_total"))
        .filter(|line| !line.contains(r#"status="2xx""#))
        .map(str::to_owned)
        .collect()
}

/// A counter of the metrics that has no labels.
pub fn counter(server: &Server, name: &str) -> u64 {
    let metrics = server.metrics();
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value
        .unwrap_or_else(|| panic!("no counter {name} in:\n{metrics}"))
        .parse()
        .unwrap()
}
