//! Decisions over HTTP, on one core, with the profiles of a large shop loaded: against axum answering a constant.

use std::{
    cell::RefCell,
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use foretide_events::EpochMs;
use foretide_ports::DECISIONS;
use foretide_runtime::{Clock as _, SystemClock};
use foretide_tests::{broker::Broker, free_port};
use memchr::memmem;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use crate::{
    http_load::{Load, Pace, Report},
    load::{ACTION_DAY, bodies, send},
    measure::{Pairs, cpu_seconds, print_head},
    population::Population,
    product::{
        ADMIN_KEY, Installation, LogKind, PARTITIONS, WRITE_KEY, on_core, stay_on_core,
        wait_listening, wait_quiet,
    },
};

/// The core of the server under measurement, and that of the load (and of the broker).
pub const SERVER_CORE: usize = 0;
pub const LOAD_CORE: usize = 1;
pub const CONNECTIONS: usize = 32;
/// Different requests.
const REQUESTS: usize = 100_000;
/// Days that are simulated.
const DAYS: i64 = 14;
/// Batches of actions on the log, from which popular products are learnt.
const ACTION_BATCHES: usize = 50;
/// Each side works so long before anything is measured.
const WARM_UP: Duration = Duration::from_secs(3);

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Shoppers who are simulated; those who were there have profiles, and so have their devices.
    pub shoppers: u32,
    /// How long each side is asked in each turn, at full and at half load.
    pub turn: Duration,
    /// Turns of each side.
    pub pairs: usize,
}

/// Over the embedded log, in `directory`.
pub fn embedded(directory: &Path, settings: Settings) -> anyhow::Result<()> {
    stay_on_core(LOAD_CORE)?;
    run(directory, LogKind::Embedded, "embedded", settings)
}

/// Over a broker on the load's core.
pub fn kafka(directory: &Path, settings: Settings) -> anyhow::Result<()> {
    stay_on_core(LOAD_CORE)?;
    let broker = Broker::start();
    run(
        directory,
        LogKind::Kafka(broker.bootstrap()),
        "Kafka",
        settings,
    )
}

fn run(directory: &Path, log: LogKind, name: &str, settings: Settings) -> anyhow::Result<()> {
    let directory = TempDir::new_in(directory)?;
    let installation = Installation::new(directory.path(), log)?;
    let population = populate(&installation, settings.shoppers)?;
    let ours = installation.start(Some(SERVER_CORE), &[])?;
    wait_settled(ours.id())?;
    let requests = requests(&population);
    drop(population);
    let seen = RefCell::new(Seen::default());
    let product = Side {
        load: Load {
            address: ours.address,
            requests: &requests,
            connections: CONNECTIONS,
        },
        process: ours.id(),
        check: &|body| seen.borrow_mut().check(body),
    };
    product.ask(Pace::AsAnswered, 0, WARM_UP)?;

    let constant = directory.path().join("answer");
    fs::write(&constant, seen.borrow().typical()?)?;
    let constant = Floor::start(&constant)?;
    let floor = Side {
        load: Load {
            address: constant.address,
            ..product.load
        },
        process: constant.process.id(),
        check: &|body| Seen::default().check(body),
    };
    floor.ask(Pace::AsAnswered, 0, WARM_UP)?;

    let turns = Turns::take(&floor, &product, settings)?;
    ours.stop()?;
    let seen = seen.into_inner();
    println!("\n{seen}");
    seen.check_recorded(&installation)?;
    turns.print(name);
    Ok(())
}

/// Waits until the server has done all that its start brings with it: the points of a day are told of every shopper, and followed by the
/// trainer.
pub fn wait_settled(process: u32) -> anyhow::Result<()> {
    for _ in 0..1_200 {
        let before = cpu_seconds(process)?;
        sleep(Duration::from_millis(500));
        if cpu_seconds(process)? - before <= 0.02 {
            return Ok(());
        }
    }
    bail!("the server is still busy ten minutes after its start")
}

/// Puts the profiles of a simulated shop on the log, and some actions from which popular products are learnt.
pub fn populate(installation: &Installation, shoppers: u32) -> anyhow::Result<Population> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let served = installation.start(None, &[])?;
    let url = format!("http://{}/v1/actions", served.address);
    // Of today, or what time does to shoppers would have to be told of every day since then.
    let today = EpochMs(SystemClock.now_ms()).to_string();
    let today = today.get(..10).context("an instant begins with its day")?;
    let of_today = |body: String| body.replace(ACTION_DAY, today);
    let bodies: Vec<_> = bodies(0, ACTION_BATCHES)
        .into_iter()
        .map(of_today)
        .collect();
    runtime.block_on(send(&url, WRITE_KEY, &bodies, 1))?;
    wait_quiet(served.id())?;
    served.stop()?;
    let now = EpochMs(SystemClock.now_ms());
    let pseudonymiser = Installation::pseudonymiser();
    let population = Population::simulate(&pseudonymiser, shoppers, DAYS, now)?;
    println!(
        "{} profiles of {shoppers} simulated shoppers, from {} actions in {DAYS} days",
        population.residents.len(),
        population.actions
    );
    runtime.block_on(async {
        let log = installation.open_log().await?;
        population.publish(&*log, PARTITIONS).await
    })?;
    Ok(population)
}

/// Requests about random shoppers; three in ten name the cart.
pub fn requests(population: &Population) -> Vec<Vec<u8>> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut request = || {
        let number = rng.random_range(0..population.residents.len());
        let shopper = population.named(&population.residents[number]);
        let product = rng.random_range(0..5000);
        let cart = if rng.random_bool(0.3) {
            let pieces = rng.random_range(1..4);
            format!(
                r#","cart":{{"currency":"EUR","items":[{{"product_id":"p{product}","quantity":{pieces},"price":"24.90"}},{{"product_id":"p7","price":"9.99"}}]}}"#
            )
        } else {
            String::new()
        };
        let body = format!(
            r#"{{"shopper":{{{shopper}}},"session":"s{number}","page":"/products/p{product}","placement":"product-page"{cart}}}"#
        );
        let length = body.len();
        format!(
            "POST /v1/decisions HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Bearer {ADMIN_KEY}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    };
    (0..REQUESTS).map(|_| request()).collect()
}

/// The server of constants.
struct Floor {
    process: Child,
    address: SocketAddr,
}

impl Floor {
    fn start(answer: &Path) -> anyhow::Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let process = on_core(Some(SERVER_CORE), &std::env::current_exe()?)
            .args([
                "serve-constant",
                "--listen",
                &address.to_string(),
                "--answer",
            ])
            .arg(answer)
            .stdout(Stdio::null())
            .spawn()?;
        let floor = Self { process, address };
        wait_listening(address)?;
        Ok(floor)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One side of the comparison.
struct Side<'a> {
    load: Load<'a>,
    process: u32,
    check: &'a dyn Fn(&[u8]) -> anyhow::Result<()>,
}

impl Side<'_> {
    fn ask(&self, pace: Pace, turn: usize, duration: Duration) -> anyhow::Result<Report> {
        let first = turn * 7919;
        self.load
            .run(pace, first, duration, &mut |body| (self.check)(body))
    }

    /// Full load, then half of what that came to. The turn ends when all work it left behind is done.
    fn turn(&self, turn: usize, duration: Duration) -> anyhow::Result<[f64; 4]> {
        let before = cpu_seconds(self.process)?;
        let full = self.ask(Pace::AsAnswered, turn, duration)?;
        wait_quiet(self.process)?;
        let cpu_us = (cpu_seconds(self.process)? - before) * 1e6 / full.answers as f64;
        let half = self.ask(Pace::PerSecond(full.per_second / 2.0), turn, duration)?;
        wait_quiet(self.process)?;
        let (p99, p50) = (half.quantile_ms(0.99), half.quantile_ms(0.5));
        Ok([full.per_second, cpu_us, p99, p50])
    }
}

/// What each side came to in each turn, as [`Side::turn`] has it.
struct Turns {
    floor: Vec<[f64; 4]>,
    ours: Vec<[f64; 4]>,
}

impl Turns {
    fn take(floor: &Side<'_>, product: &Side<'_>, settings: Settings) -> anyhow::Result<Self> {
        let (mut floors, mut ours) = (Vec::new(), Vec::new());
        for turn in 1..=settings.pairs {
            floors.push(floor.turn(turn, settings.turn)?);
            ours.push(product.turn(turn, settings.turn)?);
        }
        Ok(Self {
            floor: floors,
            ours,
        })
    }

    fn print(&self, name: &str) {
        let what = format!("decisions over HTTP, {name} log, 1 core");
        let rows = [
            (&*what, "answers/s", "≥ 0.5"),
            ("the same: CPU time of the server an answer", "µs", "none"),
            ("the same: p99 at half load", "ms", "≤ 2"),
            ("the same: median at half load", "ms", "none"),
        ];
        print_head();
        for (place, (what, unit, goal)) in rows.into_iter().enumerate() {
            let of = |turns: &[[f64; 4]]| turns.iter().map(|turn| turn[place]).collect();
            let pairs = Pairs {
                floor: of(&self.floor),
                ours: of(&self.ours),
            };
            pairs.print(what, unit, goal);
        }
    }
}

/// What the answers were.
#[derive(Default)]
pub struct Seen {
    answers: u64,
    bytes: u64,
    discounts: u64,
    recommendations: u64,
    /// Some of the first answers.
    first: Vec<Vec<u8>>,
}

impl Seen {
    /// Counts an answer; one that is degraded, or to an unknown shopper, ends the run.
    pub fn check(&mut self, body: &[u8]) -> anyhow::Result<()> {
        let has = |text: &str| memmem::find(body, text.as_bytes()).is_some();
        ensure!(
            has(r#""degraded":false"#) && !has("unknown_shopper"),
            "an answer is degraded or knows nothing: {}",
            String::from_utf8_lossy(body)
        );
        self.answers += 1;
        self.bytes += body.len() as u64;
        self.discounts += u64::from(has(r#""kind":"discount""#));
        self.recommendations += u64::from(has(r#""kind":"recommendations""#));
        if self.first.len() < 1001 {
            self.first.push(body.to_vec());
        }
        Ok(())
    }

    /// An answer of median size.
    fn typical(&self) -> anyhow::Result<Vec<u8>> {
        let mut first = self.first.clone();
        first.sort_by_key(Vec::len);
        let middle = first.len() / 2;
        first
            .into_iter()
            .nth(middle)
            .context("nothing was answered")
    }

    /// Every answer's decision is on the log, and no other.
    pub fn check_recorded(&self, installation: &Installation) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let ends = runtime.block_on(async {
            let log = installation.open_log().await?;
            anyhow::Ok(log.end_offsets(DECISIONS).await?)
        })?;
        let recorded: u64 = ends.iter().sum();
        println!(
            "decisions on the log: {recorded}; answers: {}",
            self.answers
        );
        ensure!(recorded == self.answers, "the log and the answers differ");
        Ok(())
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let share = |count: u64| 100.0 * count as f64 / self.answers as f64;
        write!(
            f,
            "{} answers of {} bytes in the mean, none degraded; discounts {:.1} %, recommendations {:.1} %",
            self.answers,
            self.bytes / self.answers.max(1),
            share(self.discounts),
            share(self.recommendations)
        )
    }
}
