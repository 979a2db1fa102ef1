//! A real Apache Kafka broker for a test: started, killed and started again through `deploy/kafka/broker`.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread::sleep,
    time::Duration,
};

use tempfile::TempDir;

use crate::project_root;

/// Names the `host:port` of a broker to use instead of starting one, for the tests that only need some broker.
pub const EXTERNAL: &str = "FORETIDE_TEST_KAFKA";

/// A broker on 127.0.0.1 with a throw-away directory. It ends when dropped, or with the process of the test, however
/// that ends.
pub struct Broker {
    port: u16,
    options: Vec<String>,
    process: Option<Child>,
    dir: TempDir,
}

/// The address of a broker that all tests of a process share: the one of [`EXTERNAL`], else one started at the first call.
pub fn shared() -> String {
    static SHARED: OnceLock<Broker> = OnceLock::new();
    match std::env::var(EXTERNAL) {
        Ok(address) if !address.is_empty() => address,
        _ => SHARED.get_or_init(Broker::start).bootstrap(),
    }
}

impl Broker {
    /// A new broker, once it answers. Panics with what to install if Java or Maven are missing.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with further options of `deploy/kafka/broker`, such as `--tls`.
    pub fn start_with(options: &[&str]) -> Self {
        let dir = TempDir::with_prefix("foretide-broker-").unwrap();
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        let (process, bootstrap) = run(dir.path(), &options);
        Self {
            port: port(&bootstrap),
            options,
            process: Some(process),
            dir,
        }
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        self.dir.path()
    }

    /// `host:port`.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it without any goodbye, as `kill -9` does. Its data stay.
    pub fn kill(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        self.signal("KILL");
        // The script notices that the broker is gone only with its standard input.
        process.kill().unwrap();
        process.wait().unwrap();
        while TcpStream::connect(self.bootstrap()).is_ok() {
            sleep(Duration::from_millis(10));
        }
    }

    /// Starts it again on the same port, with what it held.
    pub fn restart(&mut self) {
        self.kill();
        let (process, bootstrap) = run(self.dir.path(), &self.options);
        assert_eq!(port(&bootstrap), self.port, "a broker keeps its port");
        self.process = Some(process);
    }

    /// Freezes it: its connections stay open, but nothing answers.
    pub fn freeze(&self) {
        self.signal("STOP");
        let status = format!("/proc/{}/stat", self.id());
        while !fs::read_to_string(&status).unwrap().contains(") T ") {
            sleep(Duration::from_millis(1));
        }
    }

    /// Lets a frozen broker go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Its process.
    fn id(&self) -> String {
        let id = fs::read_to_string(self.dir.path().join("broker.pid")).unwrap();
        id.trim().to_owned()
    }

    fn signal(&self, name: &str) {
        let id = self.id();
        let sent = Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .unwrap();
        assert!(sent.success(), "the broker's process {id} is not there");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Several brokers of one cluster. They end when dropped, or with the process of the test, however that ends.
pub struct Brokers {
    bootstrap: String,
    process: Child,
    dir: TempDir,
}

impl Brokers {
    /// `count` new brokers, once all answer.
    pub fn start(count: usize) -> Self {
        let dir = TempDir::with_prefix("foretide-brokers-").unwrap();
        let options = ["--brokers".to_owned(), count.to_string()];
        let (process, bootstrap) = run(dir.path(), &options);
        Self {
            bootstrap,
            process,
            dir,
        }
    }

    /// `host:port` of each, with commas between.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Ends one, counted from 1, as `kill -9` does. Its data stay.
    pub fn kill(&self, number: usize) {
        let file = self.dir.path().join(number.to_string()).join("broker.pid");
        let id = fs::read_to_string(file).unwrap();
        let killed = Command::new("kill")
            .args(["-s", "KILL", id.trim()])
            .status()
            .unwrap();
        assert!(killed.success(), "the broker's process {id} is not there");
    }

    /// Starts again those that were killed.
    pub fn restart(&self) {
        let started = Command::new(script())
            .args(["start", "--dir"])
            .arg(self.dir.path())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(started.success(), "the brokers do not start again");
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        // The script ends all of them with its standard input.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Runs the script in the foreground of a child process, waits until the brokers answer and returns their addresses.
fn run(dir: &Path, options: &[String]) -> (Child, String) {
    let mut child = Command::new(script())
        .args(["run", "--while-stdin", "--dir"])
        .arg(dir)
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let bootstrap = line
        .trim()
        .strip_prefix("bootstrap ")
        .unwrap_or_else(|| panic!("the broker did not start; its script says why above"));
    (child, bootstrap.to_owned())
}

/// The port of `host:port`.
fn port(address: &str) -> u16 {
    let port = address
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok());
    port.unwrap_or_else(|| panic!("{address} has no port"))
}

fn script() -> PathBuf {
    project_root().join("deploy/kafka/broker")
}
