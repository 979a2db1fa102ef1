//! `deploy/local/foretide`: the services apart, started and stopped by one script.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output},
};

use foretide_tests::{
    free_port, project_root,
    server::{build, eventually, send},
};
use serde_json::json;
use tempfile::TempDir;

fn script(command: &str, dir: &Path, more: &[&str]) -> Output {
    Command::new(project_root().join("deploy/local/foretide"))
        .args([command, "--dir"])
        .arg(dir)
        .args(more)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{err}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Stops what a failing test leaves behind.
struct Stopped(TempDir);

impl Drop for Stopped {
    fn drop(&mut self) {
        script("stop", self.0.path(), &[]);
    }
}

/// What runs and what is ready, as the script says.
fn states(dir: &Path) -> BTreeMap<String, String> {
    let said = text(&script("status", dir, &[]));
    let pair = |line: &str| {
        let (name, state) = line.split_once(' ').unwrap();
        (name.to_owned(), state.trim().to_owned())
    };
    said.lines().map(pair).collect()
}

/// Started with the arguments of one that runs, a folder gets nothing of that one's.
fn another_folder_does_not_join_what_runs_on_its_ports(start: &[&str]) {
    let other = Stopped(TempDir::with_prefix("foretide-local-").unwrap());
    let refused = script("start", other.0.path(), start);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("--base-port"), "{said}");
    let states = states(other.0.path());
    assert!(states.values().all(|state| state == "does not run"));
}

/// `foretide` reads the log with the settings that the script has written.
fn tool_over_its_settings(dir: &Path, foretide: &Path) {
    let look =
        "set -a; . \"$1/foretide.env\"; \"$0\" topics stats --json --data-dir \"$1/data/look\"";
    let output = Command::new("bash")
        .args(["-ec", look])
        .args([foretide, dir])
        .output()
        .unwrap();
    assert!(text(&output).contains("foretide.actions"));
}

#[test]
fn one_script_starts_everything_again_and_again_and_leaves_nothing_behind() {
    let binaries = [
        "foretide",
        "foretide-ingest",
        "foretide-processor",
        "foretide-scoring",
        "foretide-trainer",
    ]
    .map(build);
    let folder = binaries[0].parent().unwrap().to_str().unwrap();
    // A folder of an operator may have a blank in its name.
    let held = Stopped(TempDir::with_prefix("foretide local ").unwrap());
    let dir = held.0.path();
    // The whole range has to be free: below those that Linux gives to outgoing connections it nearly always is.
    let base = 20_000 + free_port() % 10_000;
    let start = ["--base-port", &base.to_string(), "--binaries", folder];
    let said = text(&script("start", dir, &start));
    assert!(
        states(dir)
            .values()
            .all(|state| state == "ready" || state == "runs")
    );

    another_folder_does_not_join_what_runs_on_its_ports(&start);
    tool_over_its_settings(dir, &binaries[0]);

    let key = |name: &str| {
        let line = said.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    };
    let (write_key, admin_key) = (key("write key"), key("admin key"));
    let json = [("Content-Type", "application/json")];
    let action = json!({ "type": "search", "query": "tent", "shopper": { "user_id": "ann" } });
    let to = |offset: u16, path: &str| format!("http://127.0.0.1:{}{path}", base + offset);
    let sent = send(
        "POST",
        &to(1, "/v1/actions"),
        &write_key,
        &json,
        action.to_string().as_bytes(),
    );
    assert_eq!(sent.status, 200, "{}", sent.body);
    // Both instances of scoring come to know it.
    for scoring in [2, 3] {
        let url = to(scoring, "/v1/shoppers?user_id=ann");
        assert!(eventually(|| send("GET", &url, &admin_key, &[], b"")
            .status
            == 200));
    }

    text(&script("stop", dir, &[]));
    assert!(states(dir).values().all(|state| state == "does not run"));
    text(&script("start", dir, &start[2..]));
    let found = send(
        "GET",
        &to(2, "/v1/shoppers?user_id=ann"),
        &admin_key,
        &[],
        b"",
    );
    assert_eq!(
        found.status, 200,
        "what was there is there again: {}",
        found.body
    );
}
