//! One address for services apart, as a load balancer gives it: requests go round robin over the instances of their service.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// The longest head of a request.
const MAX_HEAD: usize = 64 * 1024;

/// What scoring answers; everything else is sent in.
const ASKED: [&str; 12] = [
    "decisions",
    "shoppers",
    "sources",
    "cohorts",
    "models",
    "features",
    "offers",
    "keys",
    "settings",
    "get-online-features",
    "health",
    "openapi.json",
];

/// A gateway on 127.0.0.1, for as long as the process lives.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    port: u16,
}

/// The ports of the instances behind a gateway.
#[derive(Debug)]
pub(crate) struct Behind {
    pub(crate) ingest: Vec<u16>,
    pub(crate) scoring: Vec<u16>,
}

impl Gateway {
    pub(crate) fn start(behind: Behind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (behind, turn) = (Arc::new(behind), Arc::new(AtomicUsize::new(0)));
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (behind, turn) = (Arc::clone(&behind), Arc::clone(&turn));
                thread::spawn(move || {
                    // A client or an instance that went away: the other side notices.
                    let _ = serve(&connection, &behind, &turn);
                });
            }
        });
        Self { port }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// A request as it came.
struct Request {
    head: String,
    body: Vec<u8>,
}

fn serve(client: &TcpStream, behind: &Behind, turn: &AtomicUsize) -> std::io::Result<()> {
    let mut from_client = BufReader::new(client);
    let mut to_client = client;
    while let Some(request) = read(&mut from_client)? {
        let first = turn.fetch_add(1, Ordering::Relaxed);
        let instances = request.instances(behind);
        // An instance that is not there is passed over. One that breaks off is not: the request may have been taken.
        let there = (0..instances.len()).find_map(|step| {
            TcpStream::connect(("127.0.0.1", instances[(first + step) % instances.len()])).ok()
        });
        let Some(mut instance) = there else {
            to_client.write_all(
                b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
            )?;
            continue;
        };
        instance.write_all(request.closing().as_bytes())?;
        instance.write_all(&request.body)?;
        // The instance closes after its answer, and so does this.
        std::io::copy(&mut instance, &mut to_client)?;
        return to_client.shutdown(std::net::Shutdown::Both);
    }
    Ok(())
}

/// The next request; `None` at the end.
fn read(from: &mut BufReader<&TcpStream>) -> std::io::Result<Option<Request>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head)? == 0 || head.len() > MAX_HEAD {
            return Ok(None);
        }
    }
    let request = Request {
        head,
        body: Vec::new(),
    };
    let length = request
        .header("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Some(Request { body, ..request }))
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn instances<'a>(&self, behind: &'a Behind) -> &'a [u16] {
        let path = self.head.split(' ').nth(1).unwrap_or_default();
        let path = path.trim_start_matches("/v1").trim_start_matches('/');
        let first = path.split(['/', '?']).next().unwrap_or_default();
        if ASKED.contains(&first) {
            &behind.scoring
        } else {
            &behind.ingest
        }
    }

    /// The head, asking for the connection to be closed after the answer.
    fn closing(&self) -> String {
        let kept: Vec<&str> = self
            .head
            .trim_end()
            .lines()
            .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"))
            .collect();
        format!("{}\r\nConnection: close\r\n\r\n", kept.join("\r\n"))
    }
}
