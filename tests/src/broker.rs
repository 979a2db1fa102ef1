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
        let dir = tempfile::Builder::new()
            .prefix("foretide-broker-")
            .tempdir()
            .unwrap();
        let (process, port) = run(dir.path(), None);
        Self {
            port,
            process: Some(process),
            dir,
        }
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
        let (process, port) = run(self.dir.path(), Some(self.port));
        assert_eq!(port, self.port, "a broker keeps its port");
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

/// Runs the script in the foreground of a child process and waits until the broker answers.
fn run(dir: &Path, port: Option<u16>) -> (Child, u16) {
    let mut command = Command::new(script());
    command.args(["run", "--while-stdin", "--dir"]).arg(dir);
    if let Some(port) = port {
        command.args(["--port", &port.to_string()]);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.trim().strip_prefix("bootstrap ");
    let port = address.and_then(|address| address.rsplit(':').next()?.parse().ok());
    (
        child,
        port.unwrap_or_else(|| panic!("the broker did not start; its script says why above")),
    )
}

fn script() -> PathBuf {
    project_root().join("deploy/kafka/broker")
}
