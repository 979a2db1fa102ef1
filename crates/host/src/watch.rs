//! Watches whether the log could take a record now.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
    },
    time::Duration,
};

use foretide_ports::{Log, LogError};
use foretide_runtime::{CancellationToken, Component};
use tokio::time::{sleep, timeout};

/// How often to ask.
const EVERY: Duration = Duration::from_secs(1);

/// How long to wait for an answer. With `EVERY`, readiness turns red within 3 s of the log going away.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// How the log is, as far as this process knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogState {
    /// Nobody has asked yet.
    Starting = 0,
    /// It could take a record.
    There = 1,
    /// It cannot be reached.
    Away = 2,
    /// It has no room.
    Full = 3,
    /// Something else is wrong with it.
    Broken = 4,
}

/// Tells all parts of a process how the log is, and the operator by a component of readiness. Clones share one state.
#[derive(Clone, Debug)]
pub struct LogHealth {
    component: Component,
    /// A [`LogState`].
    state: Arc<AtomicU8>,
    is_needed: Arc<AtomicBool>,
}

impl LogHealth {
    /// Of a log that nobody has asked yet. `component` is not ready until it is there.
    pub fn new(component: Component) -> Self {
        Self {
            component,
            state: Arc::new(AtomicU8::new(LogState::Starting as u8)),
            is_needed: Arc::new(AtomicBool::new(true)),
        }
    }

    /// Once it has been there, the process is ready without it from now on. What is amiss is told all the same.
    pub fn go_on_without(&self) {
        self.is_needed.store(false, Relaxed);
    }

    /// How it is.
    pub fn state(&self) -> LogState {
        use LogState::{Away, Broken, Full, Starting, There};
        let state = self.state.load(Relaxed);
        [Starting, There, Away, Full]
            .into_iter()
            .find(|known| *known as u8 == state)
            .unwrap_or(Broken)
    }

    /// Whether it could take a record.
    pub fn is_there(&self) -> bool {
        self.state.load(Relaxed) == LogState::There as u8
    }

    /// It could take a record. Logs it if that is news.
    pub fn there(&self) {
        self.state.store(LogState::There as u8, Relaxed);
        if self.component.ready() {
            tracing::info!("the log is there");
        }
    }

    /// It can take no record because of `error`, which is logged with what to do if it is news.
    pub fn not_there(&self, error: &LogError) {
        let (state, what_to_do) = match error {
            LogError::Away(_) => (
                LogState::Away,
                "check that the brokers run and can be reached (--log)",
            ),
            LogError::Full(_) => (
                LogState::Full,
                "make room on the disk, or let less of it be kept free (--disk-reserve-bytes)",
            ),
            _ => (
                LogState::Broken,
                "see the error; a restart may help, a backup certainly does",
            ),
        };
        let is_news = self.state.swap(state as u8, Relaxed) != state as u8;
        if self.component.is_ready() && !self.is_needed.load(Relaxed) {
            self.component.ready_despite(error.to_string());
        } else {
            self.component.not_ready(error.to_string());
        }
        if is_news {
            tracing::error!(
                %error,
                what_to_do,
                "the log cannot take records: events are refused and decisions wait until it can"
            );
        }
    }
}

/// Asks `log` every second whether it could take a record, and says so by `tell`, until `stop`.
pub async fn watch_log(
    log: Arc<dyn Log>,
    tell: LogHealth,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        match health(&*log).await {
            Ok(()) => tell.there(),
            Err(error) => tell.not_there(&error),
        }
        let _ = timeout(EVERY, stop.cancelled()).await;
    }
    Ok(())
}

async fn health(log: &dyn Log) -> Result<(), LogError> {
    tokio::select! {
        health = log.health() => health,
        () = sleep(ANSWERS_WITHIN) => {
            Err(LogError::Away(format!("no answer within {} s", ANSWERS_WITHIN.as_secs())))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use foretide_events::EpochMs;
    use foretide_ports::{foretide_topics, memory::MemoryLog};
    use foretide_runtime::Readiness;
    use tracing::field::Field;
    use tracing_subscriber::{
        Layer,
        layer::{Context, SubscriberExt as _},
    };

    use super::*;

    async fn watched() -> (MemoryLog, Component, LogHealth) {
        let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
        log.declare(&foretide_topics(4)).await.unwrap();
        let component = Readiness::new().component("log");
        (log, component.clone(), LogHealth::new(component))
    }

    #[tokio::test(start_paused = true)]
    async fn readiness_follows_the_log_within_five_seconds() {
        let (log, ready, health) = watched().await;
        let stop = CancellationToken::new();
        let watching = tokio::spawn(watch_log(
            Arc::new(log.clone()),
            health.clone(),
            stop.clone(),
        ));
        sleep(Duration::from_millis(1)).await;
        assert!(ready.is_ready() && health.is_there());
        log.faults().set_away(true);
        sleep(Duration::from_secs(5)).await;
        assert!(ready.cause().unwrap().contains("the log is away"));
        assert!(!ready.is_ready() && health.state() == LogState::Away);
        log.faults().set_away(false);
        sleep(Duration::from_secs(5)).await;
        assert!(ready.is_ready() && health.is_there());
        stop.cancel();
        watching.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_goes_on_without_the_log_stays_ready_once_it_was_and_says_what_is_amiss() {
        let (log, ready, health) = watched().await;
        health.go_on_without();
        health.not_there(&LogError::Away("no answer".to_owned()));
        assert!(!ready.is_ready(), "it has never been there");
        let watching = watch_log(Arc::new(log.clone()), health, CancellationToken::new());
        let watching = tokio::spawn(watching);
        sleep(Duration::from_secs(2)).await;
        log.faults().set_away(true);
        sleep(Duration::from_secs(5)).await;
        assert!(ready.is_ready());
        assert!(ready.cause().unwrap().contains("the log is away"));
        log.faults().set_away(false);
        sleep(Duration::from_secs(5)).await;
        assert_eq!((ready.is_ready(), ready.cause()), (true, None));
        watching.abort();
    }

    #[test]
    fn a_log_that_is_full_from_the_start_is_told_once_with_what_to_do() {
        let told = Told::default();
        let hearing = tracing_subscriber::registry().with(told.clone());
        tracing::subscriber::with_default(hearing, || {
            let component = Readiness::new().component("log");
            component.not_ready("opening the log");
            let health = LogHealth::new(component);
            for _ in 0..3 {
                health.not_there(&LogError::Full("/data".to_owned()));
            }
            assert_eq!(health.state(), LogState::Full);
        });
        let told = told.0.lock().unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("--disk-reserve-bytes"), "{told:?}");
    }

    /// Keeps what it hears.
    #[derive(Clone, Default)]
    struct Told(Arc<std::sync::Mutex<Vec<String>>>);

    impl<S: tracing::Subscriber> Layer<S> for Told {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            let mut line = String::new();
            event.record(&mut |field: &Field, value: &dyn std::fmt::Debug| {
                let _ = write!(line, "{field}={value:?} ");
            });
            self.0.lock().unwrap().push(line);
        }
    }
}
