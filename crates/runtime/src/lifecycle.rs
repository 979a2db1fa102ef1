//! How a process lives and ends.
//!
//! A process is a set of named components, each a task. It ends in two steps: at the *soft* signal components finish what
//! they hold, at the *hard* one they stop where they are. SIGTERM or SIGINT is the soft signal; a second one, or the end of
//! the grace period, is the hard one. A component that fails or panics is logged by name and takes the process down the same
//! way, with a non-zero exit status: a process with a dead part inside would only look alive.

use std::{any::Any, future::Future, sync::Arc, time::Duration};

use clap::Args;
use parking_lot::Mutex;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// How long components may take to notice the hard signal before they are abandoned.
const ABANDON_AFTER: Duration = Duration::from_millis(500);

/// How the process ends.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Process")]
pub struct LifecycleConfig {
    /// How long to finish what is held after SIGTERM or SIGINT, in seconds
    #[arg(
        long,
        env = "FORETIDE_SHUTDOWN_GRACE_S",
        value_name = "S",
        default_value_t = 15
    )]
    pub shutdown_grace_s: u64,
}

/// A component ended where it should have gone on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{component} failed: {cause}")]
pub struct ComponentFailed {
    /// Its name.
    pub component: String,
    /// Its error with all causes, or what it panicked with.
    pub cause: String,
}

/// The life of a process: who runs, and whether it is to end. Clones share one state.
#[derive(Clone)]
pub struct Lifecycle {
    shared: Arc<Shared>,
}

struct Shared {
    soft: CancellationToken,
    hard: CancellationToken,
    grace: Duration,
    state: Mutex<State>,
    /// Told whenever `state` changes.
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// The names of the components that run.
    running: Vec<String>,
    /// Whether a task listens to signals.
    signals_minded: bool,
    /// The first failure.
    failure: Option<ComponentFailed>,
}

impl Lifecycle {
    /// Begins a life that, told to end, leaves its components `grace` to finish.
    pub fn new(grace: Duration) -> Self {
        let shared = Shared {
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
            grace,
            state: Mutex::default(),
            changed: Notify::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Cancelled when components are to finish what they hold and end.
    pub fn soft(&self) -> &CancellationToken {
        &self.shared.soft
    }

    /// Cancelled when components are to stop where they are.
    pub fn hard(&self) -> &CancellationToken {
        &self.shared.hard
    }

    /// Gives the soft signal.
    pub fn shut_down(&self) {
        self.shared.soft.cancel();
    }

    /// Runs `component` as a supervised task under `name`. It may end with `Ok` at any time; an error or a panic takes the
    /// process down.
    pub fn spawn<F>(&self, name: impl Into<String>, component: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let name = name.into();
        self.shared.state.lock().running.push(name.clone());
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(component);
        tokio::spawn(async move {
            let cause = match task.await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(format!("{error:#}")),
                Err(error) if error.is_panic() => {
                    Some(format!("panicked: {}", panic_text(&*error.into_panic())))
                }
                Err(error) => Some(error.to_string()),
            };
            shared.ended(name, cause);
        });
    }

    /// Waits until every component has ended; after the hard signal only half a second longer. Signals and the grace period
    /// are minded meanwhile. The error is the first failure of a component.
    pub async fn run_until_done(&self) -> Result<(), ComponentFailed> {
        self.mind_signals();
        tokio::select! {
            () = self.all_ended() => {}
            () = self.abandoned() => {}
        }
        let state = self.shared.state.lock();
        let (running, failure) = (&state.running, &state.failure);
        if !running.is_empty() {
            tracing::warn!(components = ?running, "stopped without waiting for what did not end");
        }
        failure.clone().map_or(Ok(()), Err)
    }

    /// From now on, until the end of the process: gives the soft signal when asked to end, and the hard one when asked again
    /// or when the grace period is over.
    fn mind_signals(&self) {
        if std::mem::replace(&mut self.shared.state.lock().signals_minded, true) {
            return;
        }
        // Before anything else runs: until then a signal would simply kill the process.
        let mut signals = Signals::listen();
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let Shared {
                soft, hard, grace, ..
            } = &*shared;
            tokio::select! {
                () = signals.next() => {
                    tracing::info!(grace_s = grace.as_secs_f64(), "asked to end: finishing what is held");
                    soft.cancel();
                }
                () = soft.cancelled() => {}
            }
            tokio::select! {
                () = signals.next() => tracing::warn!("asked to end again: stopping now"),
                () = sleep(*grace) => tracing::warn!("the grace period is over: stopping now"),
                () = hard.cancelled() => {}
            }
            hard.cancel();
        });
    }

    /// Returns a moment after the hard signal.
    async fn abandoned(&self) {
        self.shared.hard.cancelled().await;
        sleep(ABANDON_AFTER).await;
    }

    async fn all_ended(&self) {
        loop {
            let changed = self.shared.changed.notified();
            if self.shared.state.lock().running.is_empty() {
                return;
            }
            changed.await;
        }
    }
}

impl Shared {
    fn ended(&self, name: String, cause: Option<String>) {
        if let Some(cause) = &cause {
            tracing::error!(component = %name, %cause, "a component failed: the process ends");
            self.soft.cancel();
        }
        let mut state = self.state.lock();
        if let Some(place) = state.running.iter().position(|running| *running == name) {
            state.running.swap_remove(place);
        }
        if let (Some(cause), None) = (cause, &state.failure) {
            state.failure = Some(ComponentFailed {
                component: name,
                cause,
            });
        }
        drop(state);
        self.changed.notify_waiters();
    }
}

/// SIGTERM and SIGINT; nothing where they cannot be heard.
struct Signals(Option<(Signal, Signal)>);

impl Signals {
    fn listen() -> Self {
        let both = signal(SignalKind::terminate())
            .and_then(|terminate| Ok((terminate, signal(SignalKind::interrupt())?)));
        Self(
            both.inspect_err(|error| tracing::error!(%error, "signals cannot be heard"))
                .ok(),
        )
    }

    /// Waits for either.
    async fn next(&mut self) {
        match &mut self.0 {
            Some((terminate, interrupt)) => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
            None => std::future::pending().await,
        }
    }
}

fn panic_text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}

/// The body of a `main`: starts a runtime, calls `set_up` to spawn the components, and waits until they have ended. Blocking
/// work that does not end is abandoned.
pub fn run<F>(config: &LifecycleConfig, set_up: F) -> anyhow::Result<()>
where
    F: AsyncFnOnce(Lifecycle) -> anyhow::Result<()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let lifecycle = Lifecycle::new(Duration::from_secs(config.shutdown_grace_s));
    let outcome = runtime.block_on(async {
        lifecycle.mind_signals();
        tokio::select! {
            done = set_up(lifecycle.clone()) => done?,
            () = lifecycle.abandoned() => anyhow::bail!("asked to end before everything was up"),
        }
        Ok(lifecycle.run_until_done().await?)
    });
    runtime.shutdown_timeout(ABANDON_AFTER);
    crate::telemetry::write_out();
    outcome
}

#[cfg(test)]
mod tests;
