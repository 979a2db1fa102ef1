//! Decisions while all cohorts re-form: the 99th percentile of the time to an answer at half load, against the same process's own
//! before.
//!
//! Each turn is a start of `foretide serve` over the same profiles, with one cohort more or fewer than the turn before: so that what is
//! formed is another set, and the re-forming goes all the way, to counting everyone and publishing. It is due half a minute after the
//! start, and what is asked until then is the quiet side.

use std::{
    cell::RefCell,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread::{scope, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use clap::Args;
use tempfile::TempDir;

use crate::{
    decide::{CONNECTIONS, LOAD_CORE, SERVER_CORE, Seen, populate, requests},
    http_load::{Load, Pace, Report},
    measure::{Pairs, print_head},
    product::{Installation, LogKind, Served, get, stay_on_core, wait_quiet},
};

/// How long full load is asked for, to know what half of it is.
const FULL: Duration = Duration::from_secs(4);
/// How long after it is ready a process re-forms, about.
const QUIET: Duration = Duration::from_secs(40);
/// The first answers of the quiet side do not count, nor does a quiet side that is shorter.
const SETTLING: Duration = Duration::from_secs(2);
const LEAST_QUIET: Duration = Duration::from_secs(8);
/// For how long is asked on when the cohorts are published: they serve five seconds later, and moves are told.
const AFTER: Duration = Duration::from_secs(20);
/// How often is looked whether the cohorts have re-formed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Whatever takes longer has gone wrong.
const PATIENCE: Duration = Duration::from_mins(10);

/// What is measured.
#[derive(Args, Clone, Copy, Debug)]
pub struct Scope {
    /// Shoppers who are simulated; those who were there have profiles, and so have their devices
    #[arg(long, default_value_t = 515_000)]
    shoppers: u32,
    /// How many cohorts, and one more in every other turn
    #[arg(long, default_value_t = 16)]
    cohorts: u16,
    /// Shoppers of the sample that cohorts are formed from
    #[arg(long, default_value_t = 50_000)]
    sample: u32,
}

/// A re-forming, as it was seen from outside.
#[derive(Clone, Copy, Debug)]
struct Reforming {
    began: Instant,
    ended: Instant,
}

/// What one turn came to: the 99th and the 99.9th percentile of the time to an answer, in milliseconds, before, during and after.
struct Turn {
    quiet: [f64; 2],
    during: [f64; 2],
    after: [f64; 2],
}

/// The quantiles that are told.
const SHARES: [f64; 2] = [0.99, 0.999];

/// Takes `pairs` turns; everything is kept in `directory` meanwhile.
pub fn run(directory: &Path, scope: Scope, pairs: usize) -> anyhow::Result<()> {
    stay_on_core(LOAD_CORE)?;
    let own = TempDir::new_in(directory)?;
    let installation = Installation::new(own.path(), LogKind::Embedded)?;
    let population = populate(&installation, scope.shoppers)?;
    let requests = requests(&population);
    drop(population);

    // The first cohorts form at once, and nobody is asked meanwhile.
    let mut start = Start::of(scope);
    let served = start.served(&installation, Duration::from_mins(1))?;
    let mut formed = Instant::now();
    while reformings(served.admin)?.0 == 0 {
        ensure!(formed.elapsed() < PATIENCE, "no cohorts have formed");
        sleep(LOOK_EVERY);
    }
    formed = Instant::now();
    // They serve before the process ends, and who is in which of them is told.
    sleep(AFTER);
    wait_quiet(served.id())?;
    served.stop()?;

    let seen = RefCell::new(Seen::default());
    let mut turns = Vec::new();
    for number in 1..=pairs {
        start.cohorts = scope.cohorts + u16::from(number % 2 == 1);
        let interval = formed.elapsed() + start.took + QUIET;
        let served = start.served(&installation, interval)?;
        let turn = turn(&served, &requests, number, &seen)?;
        formed = turn.1;
        wait_quiet(served.id())?;
        served.stop()?;
        turns.push(turn.0);
    }
    let seen = seen.into_inner();
    println!("\n{seen}");
    seen.check_recorded(&installation)?;
    print(&turns);
    Ok(())
}

/// How the product is started.
struct Start {
    cohorts: u16,
    sample: u32,
    /// How long the last start took.
    took: Duration,
}

impl Start {
    fn of(scope: Scope) -> Self {
        Self {
            cohorts: scope.cohorts,
            sample: scope.sample,
            took: Duration::ZERO,
        }
    }

    /// Starts it on the server's core, to re-form `interval` after the last time.
    fn served(
        &mut self,
        installation: &Installation,
        interval: Duration,
    ) -> anyhow::Result<Served> {
        let (count, sample) = (self.cohorts.to_string(), self.sample.to_string());
        let interval = interval.as_secs().clamp(1, 3600).to_string();
        let settings = [
            "--cohorts-least",
            &count,
            "--cohorts-most",
            &count,
            "--cohorts-sample",
            &sample,
            "--cohorts-interval-s",
            &interval,
        ];
        let began = Instant::now();
        let served = installation.start(Some(SERVER_CORE), &settings)?;
        self.took = began.elapsed();
        Ok(served)
    }
}

/// Asks at half load until the cohorts have re-formed and a while after; says when that was, too.
fn turn(
    served: &Served,
    requests: &[Vec<u8>],
    number: usize,
    seen: &RefCell<Seen>,
) -> anyhow::Result<(Turn, Instant)> {
    let load = Load {
        address: served.address,
        requests,
        connections: CONNECTIONS,
    };
    let first = number * 7919;
    // What the start left to be done belongs to neither side; and until it is done answers may be degraded.
    wait_quiet(served.id())?;
    let mut check = |body: &[u8]| seen.borrow_mut().check(body);
    let full = load.run(Pace::AsAnswered, first, FULL, &mut check)?;
    wait_quiet(served.id())?;
    let asked_from = Instant::now();
    let done = AtomicBool::new(false);
    let (report, reforming) = scope(|scope| {
        let watching = scope.spawn(|| {
            let found = watch(served.admin);
            if found.is_ok() {
                sleep(AFTER);
            }
            done.store(true, Ordering::Release);
            found
        });
        let goes_on = || !done.load(Ordering::Acquire);
        let pace = Pace::PerSecond(full.per_second / 2.0);
        let report = load.run_while(pace, first, &goes_on, &mut check)?;
        let reforming = watching
            .join()
            .map_err(|_| anyhow::anyhow!("watching broke off"))??;
        anyhow::Ok((report, reforming))
    })?;
    let Reforming { began, ended } = reforming;
    let quiet_from = asked_from + SETTLING;
    ensure!(
        began.saturating_duration_since(quiet_from) >= LEAST_QUIET,
        "the cohorts re-formed too soon after the start: nothing to compare with"
    );
    let turn = Turn {
        quiet: quantiles(&report, quiet_from, began),
        during: quantiles(&report, began, ended),
        after: quantiles(&report, ended, ended + AFTER),
    };
    println!(
        "turn {number}: {:.0} answers a second, quiet for {:.1} s, re-formed in {:.1} s",
        report.per_second,
        began.duration_since(quiet_from).as_secs_f64(),
        ended.duration_since(began).as_secs_f64()
    );
    Ok((turn, ended))
}

fn quantiles(report: &Report, from: Instant, to: Instant) -> [f64; 2] {
    SHARES.map(|share| report.quantile_between_ms(share, from, to).0)
}

/// Waits until the process has re-formed all the way. It is seen up to a second late, so its beginning is put a second early.
fn watch(admin: u16) -> anyhow::Result<Reforming> {
    let asked = Instant::now();
    let (before, took_before) = reformings(admin)?;
    loop {
        sleep(LOOK_EVERY);
        let (published, took) = reformings(admin)?;
        let ended = Instant::now();
        if published > before {
            let took = Duration::from_secs_f64(took - took_before) + LOOK_EVERY;
            let began = ended.checked_sub(took).context("a clock that began now")?;
            return Ok(Reforming { began, ended });
        }
        ensure!(asked.elapsed() < PATIENCE, "the cohorts do not re-form");
    }
}

/// How many re-formings were published, and how long all of them took, in seconds. One that came to anything else is an error: it
/// is no complete one.
fn reformings(admin: u16) -> anyhow::Result<(u64, f64)> {
    let (mut published, mut seconds) = (0.0, 0.0);
    for line in get(admin, "/metrics")?.lines() {
        let Some((name, number)) = line.rsplit_once(' ') else {
            continue;
        };
        let is_count = name.starts_with("foretide_reforming_total{");
        if is_count && name.contains("\"published\"") {
            published = number.parse()?;
        } else if is_count {
            ensure!(number == "0", "a re-forming was not published: {line}");
        } else if name == "foretide_reforming_seconds_sum" {
            seconds = number.parse()?;
        }
    }
    Ok((published as u64, seconds))
}

fn print(turns: &[Turn]) {
    print_head();
    let name = ["p99", "p99.9"];
    for (place, quantile) in name.into_iter().enumerate() {
        let pairs = |of: fn(&Turn) -> &[f64; 2]| Pairs {
            floor: turns.iter().map(|turn| turn.quiet[place]).collect(),
            ours: turns.iter().map(|turn| of(turn)[place]).collect(),
        };
        let what = format!("decisions at half load while cohorts re-form, {quantile}");
        pairs(|turn| &turn.during).print(&what, "ms", "≤ 2");
        let what = format!("in the {} s after, {quantile}", AFTER.as_secs());
        pairs(|turn| &turn.after).print(&what, "ms", "none");
    }
}
