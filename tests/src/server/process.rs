//! One process of the product: started, killed and started again.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
};

use serde_json::Value;

use super::client::agent;
use crate::{free_port, project_root};

/// The binary `name`, built once in the profile of the tests.
pub(crate) fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<Mutex<BTreeMap<String, PathBuf>>> = OnceLock::new();
    let mut built = BUILT
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = built.get(name) {
        return path.clone();
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--package", name, "--bin", name]);
    cargo.arg("--message-format=json");
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo
        .current_dir(project_root())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{name} does not build");
    let messages = String::from_utf8(output.stdout).unwrap();
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    };
    let path = messages.lines().filter_map(executable).next_back().unwrap();
    built.insert(name.to_owned(), path.clone());
    path
}

/// A process that may run.
pub struct Process {
    /// Such as `ingest-1`; its data directory and log are called so.
    pub(crate) name: String,
    program: &'static str,
    words: Vec<OsString>,
    log: PathBuf,
    port: u16,
    admin_port: u16,
    child: Option<Child>,
}

impl Process {
    /// Prepares the process `name` of `program` with everything it keeps in `directory`. `words` are its first arguments.
    pub(crate) fn new(directory: &Path, name: &str, program: &'static str, words: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            program,
            words: words.iter().map(OsString::from).collect(),
            log: directory.join(format!("{name}.log")),
            port: free_port(),
            admin_port: free_port(),
            child: None,
        }
    }

    /// Starts it with further `arguments`, unless it runs.
    pub(crate) fn launch(&mut self, arguments: &[String], environment: &[(String, String)]) {
        if self.child.is_some() {
            return;
        }
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .unwrap();
        let mut command = Command::new(program(self.program));
        command.args(&self.words);
        if self.program != "foretide-processor" {
            command.args(["--listen", &format!("127.0.0.1:{}", self.port)]);
        }
        let child = command
            .args(["--admin-listen", &format!("127.0.0.1:{}", self.admin_port)])
            .args(arguments)
            .envs(environment.iter().cloned())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Its public port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Which program it runs.
    pub fn program(&self) -> &'static str {
        self.program
    }

    /// Whether it has been started and not yet waited for.
    pub fn is_started(&self) -> bool {
        self.child.is_some()
    }

    /// How it ended, if it did by itself.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child
            .as_mut()
            .and_then(|child| child.try_wait().unwrap())
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        if let Some(child) = &self.child {
            signal(child, "TERM");
        }
    }

    /// Asks it to end (SIGTERM) and waits; it must end with success.
    pub fn stop(&mut self) {
        self.terminate();
        if let Some(mut child) = self.child.take() {
            let status = child.wait().unwrap();
            assert!(
                status.success(),
                "{} ended with {status}:\n{}",
                self.name,
                self.log_tail()
            );
        }
    }

    /// Waits until it ends by itself; whether it reported success.
    pub fn wait_end(&mut self) -> bool {
        self.child
            .take()
            .is_some_and(|mut child| child.wait().unwrap().success())
    }

    /// Its process id; 0 when it does not run.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// The status of `/readyz` and what it says; `None` while nobody answers.
    pub fn readiness(&self) -> Option<(u16, String)> {
        let mut answer = self.admin("readyz")?;
        let status = answer.status().as_u16();
        Some((
            status,
            answer.body_mut().read_to_string().unwrap_or_default(),
        ))
    }

    /// The text of `/metrics`.
    pub fn metrics(&self) -> String {
        let mut answer = self.admin("metrics").unwrap();
        answer.body_mut().read_to_string().unwrap()
    }

    fn admin(&self, path: &str) -> Option<ureq::http::Response<ureq::Body>> {
        let url = format!("http://127.0.0.1:{}/{path}", self.admin_port);
        agent().get(&url).call().ok()
    }

    /// Everything it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The file that it logs to.
    pub(crate) fn log_file(&self) -> &Path {
        &self.log
    }

    /// The end of its log, for messages of failing tests.
    pub fn log_tail(&self) -> String {
        let text = self.log();
        let lines: Vec<&str> = text.lines().collect();
        format!(
            "{}:\n{}",
            self.name,
            lines[lines.len().saturating_sub(20)..].join("\n")
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal such as `TERM` to a process.
pub fn signal(child: &Child, name: &str) {
    let done = Command::new("kill")
        .args([format!("-{name}"), child.id().to_string()])
        .status();
    assert!(done.unwrap().success());
}
