//! `foretide serve` as a process: started, asked, killed and started again like an operator would.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{free_port, project_root};

/// The key that only ingests.
pub const WRITE_KEY: &str = "test-write-key";
/// The key that reads and decides.
pub const ADMIN_KEY: &str = "test-admin-key";

/// The `foretide` binary, built once in the profile of the tests.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--bin", "foretide", "--message-format=json"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let output = build
            .current_dir(project_root())
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "foretide does not build");
        let messages = String::from_utf8(output.stdout).unwrap();
        let executable = |line: &str| {
            let message: Value = serde_json::from_str(line).ok()?;
            message["executable"].as_str().map(PathBuf::from)
        };
        messages.lines().filter_map(executable).next_back().unwrap()
    })
}

/// An answer: its status and, where it is JSON, its body.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Response headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; a JSON string where it is not JSON.
    pub body: Value,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A `foretide serve` on a throw-away directory. Killed when dropped.
pub struct Server {
    directory: TempDir,
    port: u16,
    admin_port: u16,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    process: Option<Child>,
}

impl Server {
    /// Prepares a server with an embedded log; nothing runs yet.
    pub fn embedded() -> Self {
        Self {
            directory: TempDir::with_prefix("foretide-test-").unwrap(),
            port: free_port(),
            admin_port: free_port(),
            arguments: Vec::new(),
            environment: Vec::new(),
            process: None,
        }
    }

    /// Prepares a server over Kafka, with the pseudonym key `key`.
    pub fn kafka(bootstrap: &str, key: &[u8]) -> Self {
        let server = Self::embedded();
        let file = server.directory.path().join("pseudonym.key");
        fs::write(&file, key).unwrap();
        server
            .with(&["--log", &format!("kafka:{bootstrap}")])
            .with(&["--pseudonym-key-file", file.to_str().unwrap()])
    }

    /// Adds arguments to `serve`.
    #[must_use]
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Adds a variable to the environment of `serve`.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The data directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts it and waits until it says that it is ready.
    pub fn start(&mut self) {
        self.launch();
        self.wait_ready(Duration::from_mins(1));
    }

    /// Starts it without waiting.
    pub fn launch(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())
            .unwrap();
        let child = Command::new(binary())
            .arg("serve")
            .arg("--data-dir")
            .arg(self.directory.path().join("data"))
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--admin-listen", &format!("127.0.0.1:{}", self.admin_port)])
            .args(["--write-key", WRITE_KEY, "--admin-key", ADMIN_KEY])
            .args(&self.arguments)
            .envs(self.environment.iter().cloned())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(child);
    }

    /// Waits until `/readyz` answers 200.
    pub fn wait_ready(&mut self, patience: Duration) {
        let start = Instant::now();
        while start.elapsed() < patience {
            if let Some(status) = self
                .process
                .as_mut()
                .and_then(|child| child.try_wait().unwrap())
            {
                panic!("serve ended with {status}:\n{}", self.log_tail());
            }
            if self.readiness() == Some(200) {
                return;
            }
            sleep(Duration::from_millis(50));
        }
        panic!(
            "serve is not ready after {patience:?}:\n{}",
            self.log_tail()
        );
    }

    /// The status of `/readyz`; `None` while nobody answers.
    pub fn readiness(&self) -> Option<u16> {
        let url = format!("http://127.0.0.1:{}/readyz", self.admin_port);
        agent()
            .get(&url)
            .call()
            .ok()
            .map(|answer| answer.status().as_u16())
    }

    /// The text of `/metrics`.
    pub fn metrics(&self) -> String {
        let url = format!("http://127.0.0.1:{}/metrics", self.admin_port);
        agent()
            .get(&url)
            .call()
            .unwrap()
            .body_mut()
            .read_to_string()
            .unwrap()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.process.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks it to stop (SIGTERM) and waits; it must end with success.
    pub fn stop(&mut self) {
        let Some(mut child) = self.process.take() else {
            return;
        };
        signal(&child, "TERM");
        let status = child.wait().unwrap();
        assert!(
            status.success(),
            "serve ended with {status}:\n{}",
            self.log_tail()
        );
    }

    /// Waits until it ends by itself; whether it reported success.
    pub fn wait_end(&mut self) -> bool {
        self.process
            .take()
            .is_some_and(|mut child| child.wait().unwrap().success())
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, Child::id)
    }

    /// Resident memory, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The URL of its public port.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Sends a body with the write key.
    pub fn ingest(&self, path: &str, body: &[u8]) -> Answer {
        self.send(
            "POST",
            path,
            WRITE_KEY,
            &[("Content-Type", "application/json")],
            body,
        )
    }

    /// Sends JSON with the admin key.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        let body = serde_json::to_vec(body).unwrap();
        self.send(
            "POST",
            path,
            ADMIN_KEY,
            &[("Content-Type", "application/json")],
            &body,
        )
    }

    /// Reads with the admin key.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, ADMIN_KEY, &[], b"")
    }

    /// Sends anything with any key (as Bearer). Status 0 where nobody answers.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        key: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let url = format!("{}{path}", self.url());
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(url)
            .header("Authorization", format!("Bearer {key}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let Ok(mut answer) = agent().run(request.body(body).unwrap()) else {
            return Answer {
                status: 0,
                headers: Vec::new(),
                body: Value::Null,
            };
        };
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        let header = |(name, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
            (
                name.as_str().to_owned(),
                value.to_str().unwrap_or_default().to_owned(),
            )
        };
        Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().iter().map(header).collect(),
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        }
    }

    /// A command of the same binary that works on this server's data directory and log.
    pub fn offline(&self, command: &[&str]) -> Output {
        Command::new(binary())
            .args(command)
            .arg("--data-dir")
            .arg(self.directory.path().join("data"))
            .args(&self.arguments)
            .arg("--json")
            .output()
            .unwrap()
    }

    /// `foretide digest` of this server's log. An embedded one must be stopped.
    pub fn digest(&self) -> Value {
        let output = self.offline(&["digest"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "digest: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_str(text.lines().last().unwrap()).unwrap()
    }

    /// Starts `foretide import` of `file` into this server.
    pub fn import(&self, format: &str, file: &Path) -> Child {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())
            .unwrap();
        Command::new(binary())
            .args(["import", "--format", format])
            .arg(file)
            .args([
                "--to",
                &self.url(),
                "--write-key",
                WRITE_KEY,
                "--admin-key",
                ADMIN_KEY,
                "--json",
            ])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// The end of its log, for messages of failing tests.
    pub fn log_tail(&self) -> String {
        let text = fs::read_to_string(self.log_file()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("serve.log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits for an import and returns its summary; it must have ended with success.
pub fn summary(import: Child) -> Value {
    let output = import.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "import: {}\n{out}", output.status);
    serde_json::from_str(out.lines().last().unwrap()).unwrap()
}

/// Checks that every event of an import has one receipt and every stored copy one fate.
pub fn assert_adds_up(summary: &Value) {
    let count = |name: &str| {
        summary[name]
            .as_u64()
            .unwrap_or_else(|| panic!("no count `{name}` in {summary}"))
    };
    let rejected: u64 = summary["rejected"]
        .as_object()
        .unwrap()
        .values()
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(
        count("sent"),
        count("accepted") + rejected,
        "receipts of {summary}"
    );
    let fates = count("folded") + count("duplicate") + count("late");
    assert_eq!(
        count("accepted") + count("resent"),
        fates,
        "fates of {summary}"
    );
}

/// Sends a signal such as `TERM` to a process.
pub fn signal(child: &Child, name: &str) {
    let done = Command::new("kill")
        .args([format!("-{name}"), child.id().to_string()])
        .status();
    assert!(done.unwrap().success());
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into()
}
