//! The product as processes: `foretide serve` alone, or the services apart; started, asked, killed and started again like an
//! operator would.

mod client;
mod gateway;
mod process;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

pub use self::{
    client::{Answer, send},
    process::{Process, signal},
};
use self::{
    gateway::{Behind, Gateway},
    process::program,
};

/// The key that only ingests.
pub const WRITE_KEY: &str = "test-write-key";
/// The key that reads and decides.
pub const ADMIN_KEY: &str = "test-admin-key";

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// The `foretide` binary, built once in the profile of the tests.
pub fn binary() -> PathBuf {
    program("foretide")
}

/// Any binary of the workspace, built once in the profile of the tests.
pub fn build(name: &str) -> PathBuf {
    program(name)
}

/// How many instances of each service run apart.
#[derive(Clone, Copy, Debug)]
pub struct Instances {
    /// Of ingest.
    pub ingests: usize,
    /// Of the processor.
    pub processors: usize,
    /// Of scoring.
    pub scorings: usize,
}

impl Instances {
    /// Two of each.
    pub const TWO: Self = Self {
        ingests: 2,
        processors: 2,
        scorings: 2,
    };
}

/// The product on a throw-away directory: one process, or several behind one address. Killed when dropped.
pub struct Server {
    processes: Vec<Process>,
    gateway: Option<Gateway>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    next_victim: AtomicUsize,
    // Last: the processes end before their directory does.
    directory: TempDir,
}

/// Where requests go.
#[derive(Clone, Debug)]
pub struct Address(String);

impl Address {
    /// Sends a body with the write key.
    pub fn ingest(&self, path: &str, body: &[u8]) -> Answer {
        let url = format!("{}{path}", self.0);
        let headers = [("Content-Type", "application/json")];
        send("POST", &url, WRITE_KEY, &headers, body)
    }
}

impl Address {
    /// Asks for a decision about `user`, with the admin key.
    pub fn decide(&self, user: &str) -> Answer {
        let url = format!("{}/v1/decisions", self.0);
        let headers = [("Content-Type", "application/json")];
        let ask = json!({ "shopper": { "user_id": user } }).to_string();
        send("POST", &url, ADMIN_KEY, &headers, ask.as_bytes())
    }
}

impl Server {
    /// Prepares `foretide serve` with an embedded log; nothing runs yet.
    pub fn embedded() -> Self {
        let directory = TempDir::with_prefix("foretide-test-").unwrap();
        let data = directory.path().join("data");
        let words = [
            "serve",
            "--data-dir",
            data.to_str().unwrap(),
            "--write-key",
            WRITE_KEY,
            "--admin-key",
            ADMIN_KEY,
        ];
        let serve = Process::new(directory.path(), "serve", "foretide", &words);
        Self {
            processes: vec![serve],
            gateway: None,
            arguments: Vec::new(),
            // A test that expects an offer asks of a certain shopper, who must not be of those who never get one.
            environment: vec![("FORETIDE_UNTREATED_SHARE".to_owned(), "0".to_owned())],
            next_victim: AtomicUsize::new(0),
            directory,
        }
    }

    /// Prepares `foretide serve` over Kafka, with the pseudonym key `key`.
    pub fn kafka(bootstrap: &str, key: &[u8]) -> Self {
        let server = Self::embedded();
        let file = server.key_file(key);
        server
            .with(&["--log", &format!("kafka:{bootstrap}")])
            .with(&["--pseudonym-key-file", &file])
    }

    /// Prepares the services apart, over Kafka and the database at `database`, with the pseudonym key `key`. One address
    /// stands before them, and hands requests out in turn.
    pub fn apart(bootstrap: &str, database: &str, key: &[u8], instances: Instances) -> Self {
        let mut server = Self::embedded();
        let file = server.key_file(key);
        let folder = server.directory.path().to_owned();
        let new = |service: &str, number: usize, program, more: &[&str]| {
            let name = format!("{service}-{}", number + 1);
            let data = folder.join(&name);
            let words = [&["--data-dir", data.to_str().unwrap()], more].concat();
            Process::new(&folder, &name, program, &words)
        };
        let edge = [
            ["--database", database],
            ["--pseudonym-key-file", &file],
            ["--write-key", WRITE_KEY],
            ["--admin-key", ADMIN_KEY],
        ]
        .concat();
        let ingests = (0..instances.ingests).map(|n| new("ingest", n, "foretide-ingest", &edge));
        let processors =
            (0..instances.processors).map(|n| new("processor", n, "foretide-processor", &[]));
        let scorings =
            (0..instances.scorings).map(|n| new("scoring", n, "foretide-scoring", &edge));
        server.processes = ingests.chain(processors).chain(scorings).collect();
        let ports = |program: &str| {
            let of = server
                .processes
                .iter()
                .filter(|one| one.program() == program);
            of.map(Process::port).collect()
        };
        server.gateway = Some(Gateway::start(Behind {
            ingest: ports("foretide-ingest"),
            scoring: ports("foretide-scoring"),
        }));
        server.with(&["--log", &format!("kafka:{bootstrap}")])
    }

    /// Adds a trainer, `trainer-1`, to services apart.
    #[must_use]
    pub fn with_trainer(mut self) -> Self {
        let (folder, name) = (self.directory.path(), "trainer-1");
        let data = folder.join(name);
        let words = ["--data-dir", data.to_str().unwrap()];
        let trainer = Process::new(folder, name, "foretide-trainer", &words);
        self.processes.push(trainer);
        self
    }

    fn key_file(&self, key: &[u8]) -> String {
        let file = self.directory.path().join("pseudonym.key");
        fs::write(&file, key).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// Adds arguments to every process.
    #[must_use]
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Adds a variable to the environment of every process.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes its processors such as can be made to end at a named point.
    #[must_use]
    pub fn with_fault_points(mut self) -> Self {
        let processors = |process: &&mut Process| process.program() == "foretide-processor";
        let processors = self.processes.iter_mut().filter(processors);
        processors.for_each(Process::set_fault_points);
        self
    }

    /// The throw-away directory; data of `foretide serve` are in `data` below it.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts what does not run and waits until all say that they are ready.
    pub fn start(&mut self) {
        self.launch();
        self.wait_ready(PATIENCE);
    }

    /// Starts what does not run, without waiting.
    pub fn launch(&mut self) {
        for process in &mut self.processes {
            process.launch(&self.arguments, &self.environment);
        }
    }

    /// Starts one process, unless it runs, without waiting.
    pub fn launch_one(&mut self, name: &str) {
        let (arguments, environment) = (self.arguments.clone(), self.environment.clone());
        self.process(name).launch(&arguments, &environment);
    }

    /// Starts one process, unless it runs, which is to end at `point` of the program: such as `before-commit:3`, the third time
    /// that is reached.
    pub fn launch_to_end_at(&mut self, name: &str, point: &str) {
        let arguments = self.arguments.clone();
        let mut environment = self.environment.clone();
        environment.push(("FORETIDE_FAULT_POINT".to_owned(), point.to_owned()));
        self.process(name).launch(&arguments, &environment);
    }

    /// One of the processes: `serve`, or such as `ingest-1`.
    pub fn process(&mut self, name: &str) -> &mut Process {
        self.processes
            .iter_mut()
            .find(|process| process.name == name)
            .unwrap_or_else(|| panic!("there is no process {name}"))
    }

    /// Waits until `/readyz` of all processes that have been started answers 200.
    pub fn wait_ready(&mut self, patience: Duration) {
        let start = Instant::now();
        while start.elapsed() < patience {
            let ended = self.processes.iter_mut().find_map(Process::ended);
            if let Some(status) = ended {
                panic!("a process ended with {status}:\n{}", self.log_tail());
            }
            if self.readiness() == Some(200) {
                return;
            }
            sleep(Duration::from_millis(50));
        }
        let said: Vec<_> = self.processes.iter().map(Process::readiness).collect();
        panic!(
            "not ready after {patience:?}: {said:?}\n{}",
            self.log_tail()
        );
    }

    /// The worst status of `/readyz` among the processes that have been started; `None` while one does not answer.
    pub fn readiness(&self) -> Option<u16> {
        let mut worst = None;
        for process in self.processes.iter().filter(|process| process.is_started()) {
            let (status, _) = process.readiness()?;
            worst = worst.max(Some(status));
        }
        worst
    }

    /// The text of `/metrics` of all processes that run.
    pub fn metrics(&self) -> String {
        let running = self.processes.iter().filter(|process| process.is_started());
        running.map(Process::metrics).collect()
    }

    /// `kill -9` for all.
    pub fn kill(&mut self) {
        self.processes.iter_mut().for_each(Process::kill);
    }

    /// `kill -9` for one process, the next in turn.
    pub fn kill_next(&mut self) {
        let turn = self.next_victim.fetch_add(1, Ordering::Relaxed) % self.processes.len();
        self.processes[turn].kill();
    }

    /// Asks all to stop (SIGTERM) and waits; they must end with success.
    pub fn stop(&mut self) {
        self.processes.iter().for_each(Process::terminate);
        self.processes.iter_mut().for_each(Process::wait_stopped);
    }

    /// Waits until the only process ends by itself; whether it reported success.
    pub fn wait_end(&mut self) -> bool {
        self.processes[0].wait_end()
    }

    /// The id of the first process.
    pub fn pid(&self) -> u32 {
        self.processes[0].pid()
    }

    /// Resident memory of all processes, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let resident = |process: &Process| -> u64 {
            let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
            let line = status
                .lines()
                .find(|line| line.starts_with("VmRSS:"))
                .unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        self.processes.iter().map(resident).sum()
    }

    /// The URL of the public port.
    pub fn url(&self) -> String {
        let port = match &self.gateway {
            Some(gateway) => gateway.port(),
            None => self.processes[0].port(),
        };
        format!("http://127.0.0.1:{port}")
    }

    /// Its public address alone, which stays while processes come and go.
    pub fn address(&self) -> Address {
        Address(self.url())
    }

    /// Sends a body with the write key.
    pub fn ingest(&self, path: &str, body: &[u8]) -> Answer {
        self.address().ingest(path, body)
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
        send(method, &format!("{}{path}", self.url()), key, headers, body)
    }

    /// A command of `foretide` that works on this server's data directory and log, ready to be run.
    pub fn command(&self, command: &[&str]) -> Command {
        let mut ready = Command::new(binary());
        ready
            .args(command)
            .arg("--data-dir")
            .arg(self.directory.path().join("data"))
            .args(&self.arguments)
            .arg("--json");
        ready
    }

    /// Runs such a command.
    pub fn offline(&self, command: &[&str]) -> Output {
        self.command(command).output().unwrap()
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
            .open(self.processes[0].log_file())
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

    /// The end of each log, for messages of failing tests.
    pub fn log_tail(&self) -> String {
        let tails: Vec<_> = self.processes.iter().map(Process::log_tail).collect();
        tails.join("\n")
    }
}

/// Asks until `done` says yes; whether it did within 30 s.
pub fn eventually(mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if done() {
            return true;
        }
        if start.elapsed() > Duration::from_secs(30) {
            return false;
        }
        sleep(Duration::from_millis(50));
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
