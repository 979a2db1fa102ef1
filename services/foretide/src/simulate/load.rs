//! Plays the shoppers on a server: the past first, then the load.

use std::{
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use foretide_events::EpochMs;
use foretide_runtime::CancellationToken;
use foretide_simulator::{Action, Simulator};
use parking_lot::Mutex;
use tokio::{runtime::Handle, task::JoinSet};

use super::{
    args::{Format, SimulateArgs},
    decisions::Decisions,
    lanes::{Item, Lanes},
    tally::Tally,
    timeline::Timeline,
};
use crate::{output::note, progress::Meter, sending::Sender};

/// Between two looks at what is due.
const TICK: Duration = Duration::from_millis(5);
/// Actions made at once, at most.
const AT_ONCE: usize = 1_000;
/// For so long after the end, answers are waited for.
const PATIENCE: Duration = Duration::from_secs(30);
const SHOWN_EVERY: Duration = Duration::from_millis(500);

/// Plays until the end that was asked for, or until `stop`; then until all is answered.
pub(super) async fn play(
    args: &SimulateArgs,
    timeline: Timeline,
    tally: &Arc<Tally>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let write_key = args.write_key.as_ref().context("--write-key is needed")?;
    let sender = Sender::new(&args.to, args.format.route().0, write_key.expose(), None)?;
    let (lanes, mut sending) =
        Lanes::open(args.connections, args.batch, args.format, &sender, tally);
    let simulator = {
        let args = args.clone();
        let making = tokio::task::spawn_blocking(move || timeline.simulator(&args));
        Arc::new(Mutex::new(making.await?))
    };
    let decisions = match &args.admin_key {
        Some(key) if args.decisions => Some(Decisions::new(
            args.scoring.as_ref().unwrap_or(&args.to),
            key.expose(),
            &simulator,
            tally,
        )?),
        _ => None,
    };
    let generator = Generator {
        simulator,
        format: args.format,
        timeline,
        lanes,
        decisions: decisions.clone(),
        tally: tally.clone(),
        stop,
        runtime: Handle::current(),
    };
    let paced = (!args.as_fast_as_possible).then_some(timeline.rate);
    let load_seconds = args.load_seconds();
    let generating = tokio::task::spawn_blocking(move || generator.run(paced, load_seconds));

    let all = async {
        generating.await?;
        let outcome = tokio::time::timeout(PATIENCE, all_answered(&mut sending)).await;
        if let Some(decisions) = decisions {
            decisions.settled().await;
        }
        outcome.unwrap_or(Ok(()))
    };
    tokio::select! {
        outcome = all => outcome,
        () = show(tally) => Ok(()),
    }
}

/// Waits for all lanes; the first that fails ends the others.
async fn all_answered(sending: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    while let Some(lane) = sending.join_next().await {
        lane??;
    }
    Ok(())
}

/// Makes actions when they are due. Runs on a thread of its own.
struct Generator {
    simulator: Arc<Mutex<Simulator>>,
    format: Format,
    timeline: Timeline,
    lanes: Lanes,
    decisions: Option<Decisions>,
    tally: Arc<Tally>,
    stop: CancellationToken,
    runtime: Handle,
}

impl Generator {
    /// Plays the past, at `paced` actions a second or as fast as it goes; then the load for `load_seconds`, or on and on.
    fn run(self, paced: Option<f64>, load_seconds: Option<u32>) {
        let past = self.past(paced);
        if !past || load_seconds == Some(0) {
            return;
        }
        {
            let mut simulator = self.simulator.lock();
            self.timeline.begin_load(&mut simulator);
            if let Some(warning) = self.timeline.too_few(&simulator) {
                note(&warning);
            }
            simulator.set_asks(self.decisions.is_some());
        }
        self.load(load_seconds);
    }

    /// Plays up to the beginning of the load; `false` if that was broken off.
    fn past(&self, paced: Option<f64>) -> bool {
        let began = Instant::now();
        let mut made = 0_u64;
        loop {
            let batch = {
                let mut simulator = self.simulator.lock();
                simulator.next_batch(self.timeline.load_from, AT_ONCE)
            };
            for action in &batch.actions {
                let due = match paced {
                    Some(rate) => began + Duration::from_secs_f64(made as f64 / rate),
                    None => Instant::now(),
                };
                self.sleep_until(due);
                made += 1;
                if !self.put(action, action.at, due) {
                    return false;
                }
            }
            self.tally.generated(batch.actions.len() as u64);
            if self.stop.is_cancelled() {
                return false;
            }
            if batch.reached >= self.timeline.load_from {
                return true;
            }
        }
    }

    /// Plays the load, whether the server keeps up or not.
    fn load(&self, seconds: Option<u32>) {
        let began = Instant::now();
        let most = seconds.map_or(u64::MAX, |seconds| {
            self.timeline.due_by(Duration::from_secs(seconds.into()))
        });
        let mut made = 0_u64;
        while made < most && !self.stop.is_cancelled() {
            let due = self.timeline.due_by(began.elapsed()).min(most);
            let wanted = usize::try_from(due - made).unwrap_or(AT_ONCE).min(AT_ONCE);
            if wanted == 0 {
                std::thread::sleep(TICK);
                continue;
            }
            let batch = {
                let mut simulator = self.simulator.lock();
                let batch = simulator.next_batch(EpochMs::LATEST, wanted);
                if let Some(decisions) = &self.decisions {
                    for ask in &batch.asks {
                        let body = ask.body(simulator.shop());
                        decisions.put(ask.clone(), body, &self.runtime);
                    }
                }
                batch
            };
            self.tally.generated(batch.actions.len() as u64);
            for action in &batch.actions {
                let due = began + self.timeline.due(made);
                if !self.put(action, self.timeline.at(made), due) {
                    return;
                }
                made += 1;
            }
            self.tally.load(made, began.elapsed());
        }
    }

    fn put(&self, action: &Action, at: EpochMs, due: Instant) -> bool {
        let mut json = Vec::with_capacity(640);
        {
            let simulator = self.simulator.lock();
            match self.format {
                Format::Native => simulator.write_native_at(action, at, &mut json),
                Format::Segment => simulator.write_segment_at(action, at, &mut json),
            }
        }
        self.lanes
            .put(action.identity.shopper, Item { due, json }, &self.stop)
    }

    /// Sleeps where it is worth it: shorter waits are made up for by the next longer one.
    fn sleep_until(&self, due: Instant) {
        let left = due.saturating_duration_since(Instant::now());
        if left >= TICK && !self.stop.is_cancelled() {
            std::thread::sleep(left);
        }
    }
}

/// Shows how it goes, for ever.
async fn show(tally: &Tally) {
    let meter = Meter::new("{msg}  {elapsed_precise}");
    let mut last = (Instant::now(), 0);
    loop {
        tokio::time::sleep(SHOWN_EVERY).await;
        let sent = tally.counts().sent();
        meter.show(sent, None, || {
            let rate = (sent - last.1) as f64 / last.0.elapsed().as_secs_f64();
            last = (Instant::now(), sent);
            in_words(tally, rate)
        });
    }
}

/// What was sent, `rate` a second since this was told last, and what became of it.
fn in_words(tally: &Tally, rate: f64) -> String {
    let counts = tally.counts();
    let [p50, p99] = [0.5, 0.99].map(|share| tally.latencies.percentile_ms(share));
    let mut text = format!(
        "{} sent, {rate:.0}/s, {} rejected, {} tries repeated, latency p50 {:.1} ms, p99 {:.1} ms",
        counts.sent(),
        counts.rejected(),
        counts.retried,
        p50.unwrap_or_default(),
        p99.unwrap_or_default(),
    );
    if counts.decisions.answered > 0 {
        // Writing to a string cannot fail.
        let _ = write!(text, ", {} decisions", counts.decisions.answered);
    }
    text
}

#[cfg(test)]
mod tests;
