//! A real PostgreSQL server for a test: started, killed and started again through `deploy/postgres/server`.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use tempfile::TempDir;

use crate::project_root;

/// Holds the URL of a server to use instead of starting one, for the tests that only need some server. Its user must be
/// allowed to make databases.
pub const EXTERNAL: &str = "FORETIDE_TEST_POSTGRES";

/// A server on 127.0.0.1 with a throw-away directory. It ends when dropped, or with the process of the test, however that
/// ends.
pub struct Postgres {
    url: String,
    process: Option<Child>,
    dir: TempDir,
}

/// The URL of a new, empty database, on a server that all tests of a process share: the one of [`EXTERNAL`], else one
/// started at the first call.
pub fn fresh_database() -> String {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    match std::env::var(EXTERNAL) {
        Ok(url) if !url.is_empty() => make_database(&url),
        _ => make_database(SHARED.get_or_init(Postgres::start).url()),
    }
}

impl Postgres {
    /// A new server, once it answers. Panics with what to install if PostgreSQL is missing.
    pub fn start() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("foretide-postgres-")
            .tempdir()
            .unwrap();
        let (process, url) = run(dir.path());
        Self {
            url,
            process: Some(process),
            dir,
        }
    }

    /// The URL of its first database, which is empty at first.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of another new, empty database.
    pub fn fresh_database(&self) -> String {
        make_database(&self.url)
    }

    /// Ends it and everything it started without any goodbye, as `kill -9` or a power cut does. Its data stay.
    pub fn kill(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        // The script first: it would delete the directory.
        process.kill().unwrap();
        process.wait().unwrap();
        self.signal("KILL");
        while TcpStream::connect(("127.0.0.1", port_of(&self.url))).is_ok() {
            sleep(Duration::from_millis(10));
        }
    }

    /// Starts it again on the same port, with what it held.
    pub fn restart(&mut self) {
        self.kill();
        let (process, url) = run(self.dir.path());
        assert_eq!(url, self.url, "a server keeps its port and password");
        self.process = Some(process);
    }

    /// Freezes it: its connections stay open and new ones are taken, but nothing answers.
    pub fn freeze(&self) {
        // The first of them first, so that no new one is missed.
        self.signal("STOP");
        self.signal("STOP");
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Sends a signal to the server and to every process that it started.
    fn signal(&self, name: &str) {
        let text = fs::read_to_string(self.dir.path().join("server.pid")).unwrap();
        let server: u32 = text.trim().parse().unwrap();
        for id in std::iter::once(server).chain(children(server)) {
            // One that ended meanwhile is no trouble.
            let _ = Command::new("kill")
                .args(["-s", name, &id.to_string()])
                .stderr(Stdio::null())
                .status()
                .unwrap();
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        // Without its standard input the script ends the server and deletes the directory.
        drop(process.stdin.take());
        let _ = process.wait();
    }
}

/// Runs a statement in the database at `url` and gives the answer, unaligned.
pub fn sql(url: &str, statement: &str) -> String {
    let output = Command::new("psql")
        .args(["--no-psqlrc", "-At", "-v", "ON_ERROR_STOP=1", "-c"])
        .args([statement, url])
        .output()
        .expect("psql is missing: on Debian, apt-get install postgresql");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{statement}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn make_database(url: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("test_{}_{number}", std::process::id());
    sql(url, &format!("CREATE DATABASE {name}"));
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

fn port_of(url: &str) -> u16 {
    let (_, address) = url.rsplit_once('@').unwrap();
    let (address, _) = address.split_once('/').unwrap();
    address.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// The processes that `parent` started.
fn children(parent: u32) -> Vec<u32> {
    let wanted = format!("PPid:\t{parent}");
    let is_child = |id: &u32| {
        let status = fs::read_to_string(format!("/proc/{id}/status"));
        status.is_ok_and(|status| status.lines().any(|line| line == wanted))
    };
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(is_child)
        .collect()
}

/// Runs the script in the foreground of a child process and waits until the server answers.
fn run(dir: &Path) -> (Child, String) {
    let mut child = Command::new(project_root().join("deploy/postgres/server"))
        .args(["run", "--while-stdin", "--dir"])
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let url = line.trim().strip_prefix("url ").map(str::to_owned);
    (
        child,
        url.expect("the server did not start; its script says why above"),
    )
}
