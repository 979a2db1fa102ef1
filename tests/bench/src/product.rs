//! The product itself, `foretide serve`, as a process under measurement.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use foretide_embedded::{EmbeddedLog, EmbeddedOptions};
use foretide_events::EpochMs;
use foretide_kafka::{KafkaLog, KafkaOptions};
use foretide_ports::{Log, foretide_topics};
use foretide_privacy::{PseudonymKey, Pseudonymiser};
use foretide_runtime::{Clock as _, SystemClock};
use foretide_tests::free_port;

use crate::measure::cpu_seconds;

/// The key that sends actions.
pub const WRITE_KEY: &str = "bench-write-key";
/// The key that asks for decisions.
pub const ADMIN_KEY: &str = "bench-admin-key";
/// Partitions of the topics keyed by shopper, as `foretide serve` has them by default.
pub const PARTITIONS: u32 = 8;
/// The key of the pseudonyms.
const PSEUDONYM_KEY: [u8; 32] = [7; 32];
/// How long it may take to be ready: a million profiles are restored meanwhile.
const READY_WITHIN: Duration = Duration::from_mins(5);

/// Which log the product runs over.
#[derive(Clone, Debug)]
pub enum LogKind {
    /// The one in its own directory.
    Embedded,
    /// This broker's.
    Kafka(String),
}

/// Where one instance keeps everything, and over which log it runs.
pub struct Installation {
    directory: PathBuf,
    log: LogKind,
}

/// A process that serves; ended when dropped.
pub struct Served {
    process: Child,
    /// Where its public port is.
    pub address: SocketAddr,
    /// Its admin port, on this machine.
    pub admin: u16,
}

impl Installation {
    /// In `directory`, which is there.
    pub fn new(directory: &Path, log: LogKind) -> anyhow::Result<Self> {
        let key = PseudonymKey::from_bytes(PSEUDONYM_KEY).to_text();
        let directory = directory.to_owned();
        fs::write(directory.join("key"), key)?;
        let made = Self { directory, log };
        Ok(made)
    }

    /// Makes pseudonyms as the product does.
    pub fn pseudonymiser() -> Pseudonymiser {
        Pseudonymiser::new(&PseudonymKey::from_bytes(PSEUDONYM_KEY))
    }

    /// Starts `foretide serve`, found beside this binary, with `settings`, on `core` alone where one is given. Returns once
    /// it is ready.
    pub fn start(&self, core: Option<usize>, settings: &[&str]) -> anyhow::Result<Served> {
        let (public, admin) = (free_port(), free_port());
        let binary = std::env::current_exe()?.with_file_name("foretide");
        ensure!(
            binary.exists(),
            "there is no {}: cargo build --release -p foretide",
            binary.display()
        );
        let mut command = on_core(core, &binary);
        command
            .arg("serve")
            .arg("--data-dir")
            .arg(self.directory.join("data"))
            .arg("--pseudonym-key-file")
            .arg(self.directory.join("key"))
            .args(["--write-key", WRITE_KEY, "--admin-key", ADMIN_KEY])
            .args(["--listen", &format!("127.0.0.1:{public}")])
            .args(["--admin-listen", &format!("127.0.0.1:{admin}")])
            .args(settings);
        if let LogKind::Kafka(brokers) = &self.log {
            command.args(["--log", &format!("kafka:{brokers}")]);
        }
        let told = File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("told"))?;
        let process = command.stdout(Stdio::null()).stderr(told).spawn()?;
        let mut served = Served {
            process,
            address: SocketAddr::from(([127, 0, 0, 1], public)),
            admin,
        };
        served.wait_ready(admin)?;
        Ok(served)
    }

    /// The command that runs `foretide-processor`, found beside this binary, with its admin port at `admin`. The log is Kafka's.
    pub fn processor(&self, admin: u16) -> anyhow::Result<Command> {
        let LogKind::Kafka(brokers) = &self.log else {
            bail!("a processor of its own needs Kafka");
        };
        let binary = std::env::current_exe()?.with_file_name("foretide-processor");
        ensure!(
            binary.exists(),
            "there is no {}: cargo build --release -p foretide-processor",
            binary.display()
        );
        let mut command = Command::new(binary);
        command
            .arg("--data-dir")
            .arg(self.directory.join("data"))
            .arg("--pseudonym-key-file")
            .arg(self.directory.join("key"))
            .args(["--admin-listen", &format!("127.0.0.1:{admin}")])
            .args(["--log", &format!("kafka:{brokers}")]);
        Ok(command)
    }

    /// Opens the log while nobody serves it.
    pub async fn open_log(&self) -> anyhow::Result<Arc<dyn Log>> {
        let now = Arc::new(|| EpochMs(SystemClock.now_ms()));
        let log: Arc<dyn Log> = match &self.log {
            LogKind::Embedded => Arc::new(EmbeddedLog::open(
                &self.directory.join("data/log"),
                EmbeddedOptions::default(),
                now,
            )?),
            LogKind::Kafka(brokers) => Arc::new(KafkaLog::connect(KafkaOptions {
                brokers: brokers.clone(),
                instance: "bench".to_owned(),
                settings: Vec::new(),
            })?),
        };
        log.declare(&foretide_topics(PARTITIONS)).await?;
        Ok(log)
    }
}

impl Served {
    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Asks it to end, and waits: everything it held is written.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let id = self.process.id().to_string();
        Command::new("kill").args(["-s", "TERM", &id]).status()?;
        let status = self.process.wait()?;
        ensure!(status.success(), "foretide serve ended with {status}");
        Ok(())
    }

    fn wait_ready(&mut self, admin: u16) -> anyhow::Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < READY_WITHIN {
            if let Some(status) = self.process.try_wait()? {
                bail!("foretide serve ended with {status}");
            }
            let public = self.address.port();
            // The public port answers 503 until its routes are wired.
            if answers(admin, "/readyz", 200).unwrap_or(false)
                && answers(public, "/nowhere", 404).unwrap_or(false)
            {
                return Ok(());
            }
            sleep(Duration::from_millis(100));
        }
        bail!("foretide serve is not ready after {READY_WITHIN:?}")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether `path` on `port` answers with `status`.
fn answers(port: u16, path: &str, status: u16) -> io::Result<bool> {
    Ok(get(port, path)?.starts_with(&format!("HTTP/1.1 {status}")))
}

/// What `path` on `port` of this machine answers, head included.
pub fn get(port: u16, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A command that runs `binary`, on `core` alone where one is given.
pub fn on_core(core: Option<usize>, binary: &Path) -> Command {
    let Some(core) = core else {
        return Command::new(binary);
    };
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(binary);
    command
}

/// Keeps this process, and what it starts from now on, on `core`.
pub fn stay_on_core(core: usize) -> anyhow::Result<()> {
    let id = std::process::id().to_string();
    let status = Command::new("taskset")
        .args(["-acp", &core.to_string(), &id])
        .stdout(Stdio::null())
        .status()
        .context("taskset, of Debian's util-linux")?;
    ensure!(status.success(), "taskset ended with {status}");
    Ok(())
}

/// Waits until a process does next to nothing: what one turn left to be done belongs to no other.
pub fn wait_quiet(process: u32) -> anyhow::Result<()> {
    for _ in 0..60 {
        let before = cpu_seconds(process)?;
        sleep(Duration::from_millis(500));
        if cpu_seconds(process)? - before <= 0.02 {
            break;
        }
    }
    Ok(())
}

/// Waits until somebody listens on `address`.
pub fn wait_listening(address: SocketAddr) -> anyhow::Result<()> {
    for _ in 0..200 {
        if TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        sleep(Duration::from_millis(50));
    }
    bail!("nobody listens on {address}")
}
