//! The commands that look at a log, as a person or a script uses them, over both kinds of log.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use foretide_tests::{
    broker::Broker,
    data, segment,
    server::{Server, binary, signal, summary},
};
use serde_json::Value;

const KEY: &[u8] = b"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n";
const TOPICS: [&str; 9] = [
    "actions",
    "profiles",
    "links",
    "sessions",
    "transitions",
    "examples",
    "artefacts",
    "decisions",
    "dead-letters",
];

/// What a command answered on its standard output, a value for each line.
fn lines(server: &Server, command: &[&str]) -> Vec<Value> {
    let output = server.offline(command);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The one line that a command answered.
fn line(server: &Server, command: &[&str]) -> Value {
    lines(server, command).pop().unwrap()
}

/// What a command that fails says on standard error, and its exit status.
fn complaint(command: &[&str]) -> (i32, String) {
    let output = Command::new(binary()).args(command).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), error)
}

/// A server over a log into which a click log of `events` rows was imported.
fn with_events(mut server: Server, events: usize) -> Server {
    server.start();
    let file = server.directory().join("clicks.csv");
    fs::write(&file, data::rees46(events, 40)).unwrap();
    assert_eq!(summary(server.import("rees46", &file))["accepted"], events);
    server
}

/// How many records every topic was ever given, by the offsets behind the last of them.
fn ends(server: &Server) -> BTreeMap<String, Vec<u64>> {
    let mut ends = BTreeMap::new();
    for topic in TOPICS {
        let mut of_topic = BTreeMap::<u64, u64>::new();
        for line in lines(server, &["topics", "tail", topic]) {
            let partition = line["partition"].as_u64().unwrap();
            let end = of_topic.entry(partition).or_default();
            *end = line["offset"].as_u64().unwrap() + 1;
        }
        ends.insert(topic.to_owned(), of_topic.into_values().collect());
    }
    ends
}

/// What must hold of a replay over either log, whose server is stopped.
fn a_replay_is_exact_and_silent(server: &Server, events: u64) {
    let digest = server.digest();
    let before = ends(server);
    let replayed = line(server, &["replay", "--check"]);
    assert_eq!(replayed["digest"], digest["digest"], "{replayed}");
    assert_eq!(replayed["shoppers"], digest["shoppers"]);
    assert_eq!(replayed["folded"], digest["events"]);
    assert_eq!(replayed["events"], events);
    assert_eq!(replayed["check"]["differ"], 0, "{replayed}");
    assert_eq!(replayed["check"]["compared"], digest["shoppers"]);
    assert_eq!(ends(server), before, "a replay publishes nothing");

    let file = server.directory().join("profiles.ndjson");
    let file = file.to_str().unwrap();
    let part = line(server, &["replay", "--to", "10", "--profiles", file]);
    let partitions = part["partitions"].as_array().unwrap();
    let offsets: u64 = partitions
        .iter()
        .map(|p| p["reached"].as_u64().unwrap())
        .sum();
    assert_eq!(part["events"].as_u64(), Some(offsets), "{part}");
    assert!(offsets <= 10 * partitions.len() as u64);
    let profiles = fs::read_to_string(file).unwrap();
    assert_eq!(
        profiles.lines().count() as u64,
        part["shoppers"].as_u64().unwrap()
    );
    let profile: Value = serde_json::from_str(profiles.lines().next().unwrap()).unwrap();
    assert!(profile["features"].is_object(), "{profile}");

    let nothing = line(server, &["replay", "--from", "2200-01-01T00:00:00Z"]);
    assert_eq!(nothing["events"], 0, "{nothing}");
    assert_eq!(nothing["complete"], true);
}

/// What must hold of `topics tail` over either log, into which `events` actions were imported.
fn every_topic_can_be_read(server: &Server, events: usize) {
    let actions = lines(server, &["topics", "tail", "actions"]);
    assert_eq!(actions.len(), events);
    let first = &actions[0];
    assert_eq!(first["topic"], "foretide.actions");
    assert_eq!(first["value"]["v"], 1, "{first}");
    assert!(first["problem"].is_null(), "{first}");

    let profiles = lines(server, &["topics", "tail", "foretide.profiles"]);
    let (counts, profiles): (Vec<_>, Vec<_>) = profiles
        .iter()
        .partition(|line| line["key"].as_str().unwrap().starts_with("counts/"));
    assert!(
        counts
            .iter()
            .all(|line| line["value"]["sources"].is_object())
    );
    assert!(
        profiles
            .iter()
            .all(|line| line["value"]["features"].is_object())
    );
    assert!(!counts.is_empty() && !profiles.is_empty());

    let shopper = first["key"].as_str().unwrap();
    let own = lines(server, &["topics", "tail", "actions", "--shopper", shopper]);
    let expected = actions.iter().filter(|line| line["key"] == shopper).count();
    assert_eq!(own.len(), expected);
    assert!(own.iter().all(|line| line["key"] == shopper));

    let partition = first["partition"].to_string();
    let tail = ["topics", "tail", "actions", "--partition", &partition];
    let of_partition = lines(server, &tail);
    let newest = lines(server, &[&tail[..], &["--from", "-3"]].concat());
    assert_eq!(newest, of_partition[of_partition.len() - 3..]);
    let begin = of_partition[5]["offset"].to_string();
    let stop = of_partition[9]["offset"].to_string();
    let middle = [&tail[..], &["--from", &begin, "--to", &stop]].concat();
    assert_eq!(lines(server, &middle), of_partition[5..9]);
    let limited = lines(server, &["topics", "tail", "actions", "--limit", "7"]);
    assert_eq!(limited.len(), 7);
    let since = first["appended_at"].as_str().unwrap();
    // Times of one format and zone are in order as texts.
    let later = |line: &&Value| line["appended_at"].as_str().unwrap() >= since;
    let expected = actions.iter().filter(later).count();
    let from_then = lines(server, &["topics", "tail", "actions", "--from", since]);
    assert_eq!(from_then.len(), expected);
    assert!(from_then.iter().all(|line| later(&line)));
    let future = [
        "topics",
        "tail",
        "actions",
        "--from",
        "2200-01-01T00:00:00Z",
    ];
    assert_eq!(lines(server, &future).len(), 0);
    for topic in TOPICS {
        lines(server, &["topics", "tail", topic]);
    }
}

#[test]
fn an_embedded_log_is_read_and_replayed_when_its_server_is_stopped() {
    let mut server = with_events(Server::embedded(), 3_000);
    let data = server.directory().join("data");
    let held = [
        "topics",
        "tail",
        "actions",
        "--data-dir",
        data.to_str().unwrap(),
    ];
    let (status, complaint) = complaint(&held);
    assert_eq!(status, 1);
    assert!(
        complaint.contains("in use by another process"),
        "{complaint}"
    );
    assert!(complaint.contains("stop the server"), "{complaint}");
    server.stop();
    every_topic_can_be_read(&server, 3_000);
    a_replay_is_exact_and_silent(&server, 3_000);
    let topics = lines(&server, &["topics", "stats"]);
    assert_eq!(topics[0]["records"], 3_000);
    assert_eq!(topics[0]["exact"], true);
    let made = lines(&server, &["topics", "create"]);
    assert!(
        made.iter().all(|topic| topic["created"] == false),
        "{made:?}"
    );
    a_server_goes_on_with_profiles_made_anew(server);
}

/// What must hold of a refold over either log, whose server is stopped.
fn a_server_goes_on_with_profiles_made_anew(mut server: Server) {
    let before = server.digest();
    let anew = line(&server, &["refold"]);
    for member in ["digest", "shoppers", "events"] {
        assert_eq!(anew[member], before[member], "{anew}");
    }
    assert_eq!(anew["gone"], 0);
    assert_eq!(server.digest(), before);
    server.start();
    let sent = segment::batch("anew", 20, 3).to_string();
    assert_eq!(server.ingest("/v1/batch", sent.as_bytes()).status, 200);
    server.stop();
    let after = line(&server, &["replay", "--check"]);
    assert_eq!(after["check"]["differ"], 0, "{after}");
    assert_ne!(after["digest"], before["digest"]);
}

#[test]
fn a_log_on_kafka_is_read_and_replayed_beside_its_server() {
    let broker = Broker::start();
    let mut server = with_events(Server::kafka(&broker.bootstrap(), KEY), 3_000);
    // What is published and what follows on the log come to the same at any time.
    let live = line(&server, &["replay", "--check"]);
    assert_eq!(
        (&live["check"]["differ"], &live["events"]),
        (&0.into(), &3_000.into())
    );

    let mut tail = Tail::start(&server, &["actions", "--follow"]);
    assert_eq!(tail.lines(3_000).len(), 3_000);
    let sent = segment::batch("now", 20, 3).to_string();
    assert_eq!(server.ingest("/v1/batch", sent.as_bytes()).status, 200);
    assert_eq!(tail.lines(20).len(), 20, "what comes while it runs");
    tail.interrupt();
    let mut head = Tail::start(&server, &["actions", "--follow"]);
    assert_eq!(head.lines(5).len(), 5);
    assert!(head.close(), "it ends in peace when nobody reads on");

    server.stop();
    every_topic_can_be_read(&server, 3_020);
    a_replay_is_exact_and_silent(&server, 3_020);
    let group = ["replay", "--group", "foretide.replay.test"];
    assert_eq!(line(&server, &group)["events"], 3_020);
    assert_eq!(
        line(&server, &group)["events"],
        3_020,
        "a group begins anew"
    );
    let counted = lines(&server, &["topics", "stats", "--exact"]);
    assert_eq!(counted[0]["records"], 3_020);
    let log = format!("kafka:{}", broker.bootstrap());
    for command in [
        &["topics", "tail", "actions", "--limit", "1"][..],
        &["topics", "stats"],
        &["topics", "create"],
        &["digest", "--wait", "90"],
        &["replay", "--check"],
    ] {
        let (status, said) = complaint(&[command, &["--log", &log][..]].concat());
        assert_eq!(status, 0, "without a data directory: {command:?}: {said}");
    }
    a_server_goes_on_with_profiles_made_anew(server);

    let other = Server::kafka(
        &broker.bootstrap(),
        b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
    );
    let output = other.offline(&["digest"]);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && complaint.contains("pseudonym key"),
        "{complaint}"
    );
}

#[test]
fn a_broker_that_goes_away_is_told_of_and_waited_for() {
    let mut broker = Broker::start();
    let mut server = with_events(Server::kafka(&broker.bootstrap(), KEY), 100);
    let mut tail = Tail::start_with(&server, &["actions", "--follow"], Stdio::piped());
    assert_eq!(tail.lines(100).len(), 100);
    server.stop();
    broker.kill();
    let errors = BufReader::new(tail.process.stderr.take().unwrap());
    let mut warnings = errors.lines().map(Result::unwrap);
    assert!(warnings.any(|line| line.starts_with("warning: ")));
    broker.restart();
    server.start();
    let sent = segment::batch("now", 20, 3).to_string();
    assert_eq!(server.ingest("/v1/batch", sent.as_bytes()).status, 200);
    assert_eq!(tail.lines(20).len(), 20, "it goes on where it was");
}

#[test]
fn topics_are_made_as_declared_and_never_changed() {
    let broker = Broker::start();
    let server = Server::kafka(&broker.bootstrap(), KEY);
    let look = server.offline(&["topics", "stats"]);
    let complaint = String::from_utf8(look.stderr).unwrap();
    assert!(complaint.contains("foretide topics create"), "{complaint}");
    let create = ["topics", "create", "--partitions", "3"];
    let made = lines(&server, &create);
    assert_eq!(made.len(), TOPICS.len());
    assert!(
        made.iter().all(|topic| topic["created"] == true),
        "{made:?}"
    );
    assert_eq!(made[0]["partitions"], 3);
    let again = lines(&server, &create);
    assert!(
        again.iter().all(|topic| topic["created"] == false),
        "{again:?}"
    );
    let other = server.offline(&["topics", "create", "--partitions", "4"]);
    let complaint = String::from_utf8(other.stderr).unwrap();
    assert!(
        !other.status.success() && complaint.contains("has 3"),
        "{complaint}"
    );
}

#[test]
fn completions_are_written_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = Command::new(binary())
            .args(["completions", shell])
            .output()
            .unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && script.contains("replay"),
            "{shell}"
        );
    }
    let script = Command::new(binary())
        .args(["completions", "bash"])
        .output()
        .unwrap()
        .stdout;
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), script).unwrap();
    let checked = Command::new("bash")
        .arg("-n")
        .arg(file.path())
        .status()
        .unwrap();
    assert!(checked.success(), "bash reads what is written for it");
}

/// Commands that cannot be done, the exit status, and words of the complaint.
const MISTAKES: &[(&str, i32, &[&str])] = &[
    ("topcs", 2, &["topics"]),
    ("completions", 2, &["SHELL", "bash", "fish"]),
    (
        "import x --write-key k",
        2,
        &["--format", "rees46, retentioneering"],
    ),
    (
        "topics tail orders --data-dir DIR",
        2,
        &["actions", "profiles"],
    ),
    ("topics tail action --data-dir DIR", 2, &["actions"]),
    (
        "topics tail actions --data-dir DIR",
        1,
        &["no log at", "--data-dir"],
    ),
    ("topics tail actions", 2, &["--data-dir", "kafka:HOST:PORT"]),
    ("digest", 2, &["--data-dir", "kafka:HOST:PORT"]),
    ("digest --data-dir DIR --wait 0", 2, &["--wait"]),
    // Nothing is kept here: a broker is all it takes.
    ("topics stats --log BROKER", 1, &["--log", "broker"]),
    ("refold --data-dir DIR", 1, &["no log at", "--data-dir"]),
    (
        "simulate --decisions --speed 60",
        2,
        &["--write-key", "--admin-key", "--duration"],
    ),
    ("simulate --out DIR/x", 2, &["--days"]),
    (
        "topics tail actions --from yesterday --data-dir DIR",
        2,
        &["beginning", "2026-11-22T10:00:00Z"],
    ),
    (
        "topics tail actions --data-dir DIR --log BROKER",
        1,
        &["--log", "broker"],
    ),
    // Flags that rule each other out are looked at one by one.
    (
        "topics tail actions --to 9 --partitions 0 --data-dir DIR",
        2,
        &["--partitions"],
    ),
    (
        "replay --group foretide.processor --data-dir DIR",
        2,
        &["own"],
    ),
    ("replay --check --to 5 --data-dir DIR", 2, &["--check"]),
    (
        "replay --from 9 --to 5 --data-dir DIR",
        2,
        &["--from 9", "--to 5"],
    ),
    (
        "replay --profiles /nowhere/x --data-dir DIR",
        1,
        &["/nowhere/x", "--profiles"],
    ),
    (
        "import --format rees46 /nowhere.csv --write-key k --to URL",
        1,
        &["/nowhere.csv"],
    ),
    (
        "import --format rees46 x --write-key k --to ftp://x",
        2,
        &["http"],
    ),
];

#[test]
fn what_goes_wrong_is_said_with_what_to_do_and_the_exit_status() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().to_str().unwrap();
    let port = foretide_tests::free_port();
    let broker = format!("kafka:127.0.0.1:{port}");
    let url = format!("http://127.0.0.1:{port}");
    for (line, status, words) in MISTAKES {
        let filled = line
            .replace("DIR", dir)
            .replace("BROKER", &broker)
            .replace("URL", &url);
        let command: Vec<&str> = filled.split(' ').collect();
        let (found, complaint) = complaint(&command);
        assert_eq!(found, *status, "{line}: {complaint}");
        for word in *words {
            assert!(
                complaint.contains(word),
                "{line}: {word:?} is missing in {complaint}"
            );
        }
    }
}

/// A `topics tail` that runs while the test goes on.
struct Tail {
    process: Child,
    out: Option<BufReader<ChildStdout>>,
}

impl Tail {
    fn start(server: &Server, arguments: &[&str]) -> Self {
        Self::start_with(server, arguments, Stdio::inherit())
    }

    fn start_with(server: &Server, arguments: &[&str], errors: Stdio) -> Self {
        let mut command = server.command(&["topics", "tail"]);
        let mut process = command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        let out = process.stdout.take().map(BufReader::new);
        Self { process, out }
    }

    fn lines(&mut self, count: usize) -> Vec<String> {
        let lines = self.out.as_mut().unwrap().lines().take(count);
        lines.map(Result::unwrap).collect()
    }

    /// Ctrl-C: it ends with success, and nothing half-written.
    fn interrupt(&mut self) {
        signal(&self.process, "INT");
        let mut rest = String::new();
        self.out
            .as_mut()
            .unwrap()
            .read_to_string(&mut rest)
            .unwrap();
        assert!(
            rest.lines()
                .all(|line| serde_json::from_str::<Value>(line).is_ok())
        );
        assert!(self.process.wait().unwrap().success());
    }

    /// Closes the pipe that it writes to, as `head` does; whether it then ends with success.
    fn close(&mut self) -> bool {
        drop(self.out.take());
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(30) {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.success();
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
