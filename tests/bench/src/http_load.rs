//! Load over HTTP from one thread that never sleeps: as fast as answers come, or at a rate that does not wait for them.
//!
//! One thread on one core asks over many connections, each with one request on its way. At a given rate the instants of the
//! requests are those of a Poisson process, drawn beforehand from a seed: a request whose connection is busy waits, and the
//! time to its answer counts from the instant it was due, so that a slow server cannot slow down its own load.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Nothing answered for so long: something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);
/// Room for an answer.
const ANSWER_BYTES: usize = 16 << 10;

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// The next as soon as the one before it on the same connection was answered.
    AsAnswered,
    /// So many a second, whether answers come or not.
    PerSecond(f64),
}

/// Whom to ask what.
pub struct Load<'a> {
    /// The server.
    pub address: SocketAddr,
    /// Whole requests, asked one after the other, over and over.
    pub requests: &'a [Vec<u8>],
    /// Connections.
    pub connections: usize,
}

/// What came of a run.
pub struct Report {
    /// Requests answered.
    pub answers: u64,
    /// Answers a second.
    pub per_second: f64,
    /// The time to an answer, in milliseconds, sorted.
    waits_ms: Vec<f64>,
    /// The same in the order of the answers, each with the instant at which its request was due.
    answered: Vec<(Instant, f64)>,
}

impl Report {
    /// Of the requests that were due between two instants, as [`quantile_ms`](Self::quantile_ms), and how many they are.
    pub fn quantile_between_ms(&self, share: f64, from: Instant, to: Instant) -> (f64, usize) {
        let due = self
            .answered
            .iter()
            .filter(|(due, _)| (from..to).contains(due));
        let mut waits: Vec<f64> = due.map(|(_, wait)| *wait).collect();
        waits.sort_by(f64::total_cmp);
        (quantile(&waits, share), waits.len())
    }

    /// The time to an answer that a share of them, 0 to 1, does not exceed, in milliseconds.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        quantile(&self.waits_ms, share)
    }
}

/// The number that a share of `sorted`, 0 to 1, does not exceed.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share) as usize;
    let last = sorted.len().saturating_sub(1);
    sorted.get(place.min(last)).copied().unwrap_or(f64::NAN)
}

impl Load<'_> {
    /// Asks for `duration` from request number `first` on; `check` sees the body of every answer.
    pub fn run(
        &self,
        pace: Pace,
        first: usize,
        duration: Duration,
        check: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<Report> {
        let begin = Instant::now();
        self.run_while(pace, first, &|| begin.elapsed() < duration, check)
    }

    /// The same for as long as `goes_on`.
    pub fn run_while(
        &self,
        pace: Pace,
        first: usize,
        goes_on: &dyn Fn() -> bool,
        check: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<Report> {
        let mut run = Run {
            lanes: Lanes::connect(self.address, self.connections)?,
            requests: self
                .requests
                .iter()
                .cycle()
                .skip(first % self.requests.len()),
            due: VecDeque::new(),
            answered: Vec::new(),
        };
        let begin = Instant::now();
        let mut arrivals = Arrivals::new(pace, begin, first as u64);
        let mut answered_at = begin;
        loop {
            let now = Instant::now();
            if goes_on() {
                arrivals.until(now, run.lanes.idle.len(), &mut run.due);
            } else if run.lanes.are_idle() && run.due.is_empty() {
                break;
            }
            run.send()?;
            if run.receive(check)? > 0 {
                answered_at = Instant::now();
            }
            ensure!(
                answered_at.elapsed() < PATIENCE,
                "the server does not answer"
            );
        }
        let answers = run.answered.len();
        let per_second = answers as f64 / begin.elapsed().as_secs_f64();
        let mut waits_ms: Vec<f64> = run.answered.iter().map(|(_, wait)| *wait).collect();
        waits_ms.sort_by(f64::total_cmp);
        Ok(Report {
            answers: answers as u64,
            per_second,
            waits_ms,
            answered: run.answered,
        })
    }
}

/// When requests are due.
struct Arrivals {
    /// The mean time between two of them, in seconds; none where requests follow answers.
    gap: Option<f64>,
    next: Instant,
    rng: ChaCha8Rng,
}

impl Arrivals {
    fn new(pace: Pace, begin: Instant, seed: u64) -> Self {
        Self {
            gap: match pace {
                Pace::AsAnswered => None,
                Pace::PerSecond(rate) => Some(1.0 / rate),
            },
            next: begin,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Adds to `due` what has become due by `now`, with `idle` connections waiting for something to do.
    fn until(&mut self, now: Instant, idle: usize, due: &mut VecDeque<Instant>) {
        let Some(gap) = self.gap else {
            due.resize(idle, now);
            return;
        };
        while self.next <= now {
            due.push_back(self.next);
            let chance: f64 = self.rng.random_range(f64::MIN_POSITIVE..1.0);
            self.next += Duration::from_secs_f64(-chance.ln() * gap);
        }
    }
}

struct Run<R> {
    lanes: Lanes,
    requests: R,
    due: VecDeque<Instant>,
    /// When each answered request was due, and how long its answer took, in milliseconds.
    answered: Vec<(Instant, f64)>,
}

impl<'a, R: Iterator<Item = &'a Vec<u8>>> Run<R> {
    /// Sends what is due, as far as connections are free.
    fn send(&mut self) -> anyhow::Result<()> {
        while !self.due.is_empty()
            && let Some(lane) = self.lanes.idle.pop()
            && let (Some(due), Some(request)) = (self.due.pop_front(), self.requests.next())
        {
            self.lanes.all[lane].send(due, request)?;
        }
        Ok(())
    }

    /// Takes the answers that have come; returns how many.
    fn receive(
        &mut self,
        check: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        let Lanes {
            poll,
            events,
            all,
            idle,
        } = &mut self.lanes;
        match poll.poll(events, Some(Duration::ZERO)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        let mut answers = 0;
        for event in events.iter() {
            let place = event.token().0;
            let lane = &mut all[place];
            let Some(body) = lane.receive()? else {
                continue;
            };
            check(body)?;
            if let Some(due) = lane.due.take() {
                self.answered.push((due, due.elapsed().as_secs_f64() * 1e3));
                idle.push(place);
                answers += 1;
            }
        }
        Ok(answers)
    }
}

struct Lanes {
    poll: Poll,
    events: Events,
    all: Vec<Lane>,
    /// Those without a request on its way.
    idle: Vec<usize>,
}

impl Lanes {
    fn connect(address: SocketAddr, count: usize) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let mut all = Vec::with_capacity(count);
        for place in 0..count {
            let stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(place), Interest::READABLE)?;
            all.push(Lane {
                stream,
                due: None,
                answer: vec![0; ANSWER_BYTES].into_boxed_slice(),
                filled: 0,
            });
        }
        Ok(Self {
            poll,
            events: Events::with_capacity(count),
            idle: (0..count).collect(),
            all,
        })
    }

    fn are_idle(&self) -> bool {
        self.idle.len() == self.all.len()
    }
}

/// One connection.
struct Lane {
    stream: TcpStream,
    /// When the request on its way was due.
    due: Option<Instant>,
    answer: Box<[u8]>,
    filled: usize,
}

impl Lane {
    fn send(&mut self, due: Instant, request: &[u8]) -> anyhow::Result<()> {
        // There is nothing else on its way: a request of a few hundred bytes always has room.
        let sent = self.stream.write(request).context("sending a request")?;
        ensure!(sent == request.len(), "a request was cut short");
        self.due = Some(due);
        self.filled = 0;
        Ok(())
    }

    /// The body of the answer, once it is whole.
    fn receive(&mut self) -> anyhow::Result<Option<&[u8]>> {
        loop {
            match self.stream.read(&mut self.answer[self.filled..]) {
                Ok(0) => bail!("the server closed a connection, or an answer is too long"),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            if let Some((from, to)) = body_of(&self.answer[..self.filled])? {
                return Ok(Some(&self.answer[from..to]));
            }
        }
    }
}

/// Where the body of an answer is, once all of it is there. Only 200 will do.
fn body_of(answer: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let Some(head_end) = memchr::memmem::find(answer, b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&answer[..head_end])?;
    ensure!(
        head.starts_with("HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(answer)
    );
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    let begin = head_end + 4;
    let end = begin + length.context("an answer without its length")?;
    Ok((answer.len() >= end).then_some((begin, end)))
}
