//! Watches whether the log could take a record now.

use std::{sync::Arc, time::Duration};

use foretide_ports::{Log, LogError};
use foretide_runtime::{CancellationToken, Component};
use tokio::time::{sleep, timeout};

/// How often to ask.
const EVERY: Duration = Duration::from_secs(1);

/// How long to wait for an answer. With `EVERY`, readiness turns red within 3 s of the log going away.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// Asks `log` every second whether it could take a record, and says so by `ready`, until `stop`.
pub async fn watch_log(
    log: Arc<dyn Log>,
    ready: Component,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        match health(&*log).await {
            Ok(()) if ready.ready() => tracing::info!("the log is there"),
            Ok(()) => {}
            Err(error) => log_not_ready(&ready, &error),
        }
        let _ = timeout(EVERY, stop.cancelled()).await;
    }
    Ok(())
}

/// Turns readiness red because of `error`, and logs it with what to do if that is news.
pub fn log_not_ready(ready: &Component, error: &LogError) {
    if ready.not_ready(error.to_string()) {
        let what_to_do = match error {
            LogError::Away(_) => "check that the brokers run and can be reached (--log)",
            LogError::Full(_) => {
                "make room on the disk, or let less of it be kept free (--disk-reserve-bytes)"
            }
            _ => "see the error; a restart may help, a backup certainly does",
        };
        tracing::error!(
            %error,
            what_to_do,
            "the log cannot take records: events are refused and decisions wait until it can"
        );
    }
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
    use foretide_events::EpochMs;
    use foretide_ports::{foretide_topics, memory::MemoryLog};
    use foretide_runtime::Readiness;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn readiness_follows_the_log_within_five_seconds() {
        let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
        log.declare(&foretide_topics(4)).await.unwrap();
        let ready = Readiness::new().component("log");
        let stop = CancellationToken::new();
        let watching = tokio::spawn(watch_log(
            Arc::new(log.clone()),
            ready.clone(),
            stop.clone(),
        ));
        sleep(Duration::from_millis(1)).await;
        assert!(ready.is_ready());
        log.faults().set_away(true);
        sleep(Duration::from_secs(5)).await;
        assert!(ready.cause().unwrap().contains("the log is away"));
        log.faults().set_away(false);
        sleep(Duration::from_secs(5)).await;
        assert!(ready.is_ready());
        stop.cancel();
        watching.await.unwrap().unwrap();
    }
}
