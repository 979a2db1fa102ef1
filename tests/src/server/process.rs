//! One process of the product: started, killed and started again.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::client::agent;
use crate::{free_port, project_root};

/// Binaries by name, and with what features besides.
type Built = BTreeMap<(String, Option<&'static str>), PathBuf>;

fn built() -> MutexGuard<'static, Built> {
    static BUILT: OnceLock<Mutex<Built>> = OnceLock::new();
    BUILT
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// The binary `name`, built once in the profile of the tests.
pub(crate) fn program(name: &str) -> PathBuf {
    let mut built = built();
    let built = built.entry((name.to_owned(), None));
    built.or_insert_with(|| build(name, None)).clone()
}

/// The binary `name` that ends at a named point (`foretide_faults`), built once and kept apart from the usual one.
pub(crate) fn program_with_fault_points(name: &str) -> PathBuf {
    const FEATURE: &str = "fault-points";
    let mut built = built();
    let faulty = built.entry((name.to_owned(), Some(FEATURE)));
    let copied = faulty.or_insert_with(|| {
        let path = build(name, Some(FEATURE));
        if std::env::var_os(READY_MADE).is_some() {
            return path;
        }
        let folder = path.parent().unwrap().join(FEATURE);
        fs::create_dir_all(&folder).unwrap();
        // Under another name first: a copy that runs elsewhere must stay as it is.
        let (new, copy) = (
            folder.join(format!("{name}.{}", std::process::id())),
            folder.join(name),
        );
        fs::copy(&path, &new).unwrap();
        fs::rename(&new, &copy).unwrap();
        // Cargo puts both in one place: the usual one has to be there again.
        build(name, None);
        copy
    });
    copied.clone()
}

/// Names a folder whose binaries are to be tested instead of new ones; those with fault points lie in `fault-points` in it.
const READY_MADE: &str = "FORETIDE_TEST_BINARIES";

fn build(name: &str, feature: Option<&str>) -> PathBuf {
    if let Some(folder) = std::env::var_os(READY_MADE) {
        return PathBuf::from(folder)
            .join(feature.unwrap_or_default())
            .join(name);
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--package", name, "--bin", name]);
    if let Some(feature) = feature {
        cargo.args(["--features", feature]);
    }
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
    messages.lines().filter_map(executable).next_back().unwrap()
}

/// A process that may run.
pub struct Process {
    /// Such as `ingest-1`; its data directory and log are called so.
    pub(crate) name: String,
    program: &'static str,
    /// Whether it can be made to end at a named point.
    fault_points: bool,
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
            fault_points: false,
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
        let mut command = Command::new(if self.fault_points {
            program_with_fault_points(self.program)
        } else {
            program(self.program)
        });
        command.args(&self.words);
        if !["foretide-processor", "foretide-trainer"].contains(&self.program) {
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

    /// From now on it can be made to end at a named point.
    pub(crate) fn set_fault_points(&mut self) {
        self.fault_points = true;
    }

    /// Waits until it ends by itself, calling `meanwhile`; how it ended, if it did within `patience`.
    pub fn ended_within(
        &mut self,
        patience: Duration,
        mut meanwhile: impl FnMut(),
    ) -> Option<ExitStatus> {
        let begin = Instant::now();
        while begin.elapsed() < patience {
            if let Some(status) = self.ended() {
                self.child = None;
                return Some(status);
            }
            meanwhile();
            sleep(Duration::from_millis(5));
        }
        None
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
        self.wait_stopped();
    }

    /// Waits for the end of a process that was asked to end, once: a second signal would stop it at once. It must end with
    /// success.
    pub(crate) fn wait_stopped(&mut self) {
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

    /// The URL of its admin port.
    pub fn admin_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.admin_port)
    }

    fn admin(&self, path: &str) -> Option<ureq::http::Response<ureq::Body>> {
        let url = format!("{}/{path}", self.admin_url());
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

    /// The end of its log, for messages of failing tests; requests that went well are left out.
    pub fn log_tail(&self) -> String {
        let text = self.log();
        let went_well =
            |line: &&str| line.contains(r#""message":"request""#) && line.contains(r#""INFO""#);
        let lines: Vec<&str> = text.lines().filter(|line| !went_well(line)).collect();
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
