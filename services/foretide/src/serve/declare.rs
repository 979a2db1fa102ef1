//! Declares the topics on a log that may not be there yet.

use std::time::Duration;

use foretide_ports::{Log, LogError, TopicSpec};
use foretide_runtime::{CancellationToken, Component};

const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Declares `topics`, waiting for a log that is away: brokers and servers are often started together. `false` when
/// the process is to end before it came.
///
/// # Errors
/// The log is there, but not as it should be.
pub(crate) async fn declare(
    log: &dyn Log,
    topics: &[TopicSpec],
    component: &Component,
    soft: &CancellationToken,
) -> Result<bool, LogError> {
    let mut told = false;
    loop {
        match log.declare(topics).await {
            Ok(()) => return Ok(true),
            Err(error @ (LogError::Away(_) | LogError::Full(_))) => {
                component.not_ready(error.to_string());
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "waiting for the log");
                }
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(TRY_AGAIN_AFTER) => {}
            () = soft.cancelled() => return Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use foretide_events::EpochMs;
    use foretide_ports::{foretide_topics, memory::MemoryLog};
    use foretide_runtime::Readiness;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_log_that_is_away_is_waited_for() {
        let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
        log.faults().set_away(true);
        let component = Readiness::new().component("log");
        let (soft, topics) = (CancellationToken::new(), foretide_topics(2));
        let waiting = declare(&log, &topics, &component, &soft);
        let comes_back = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert!(
                component
                    .cause()
                    .is_some_and(|cause| cause.contains("away"))
            );
            log.faults().set_away(false);
        };
        let (declared, ()) = tokio::join!(waiting, comes_back);
        assert_eq!(declared, Ok(true));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_with_the_process() {
        let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
        log.faults().set_away(true);
        let component = Readiness::new().component("log");
        let soft = CancellationToken::new();
        soft.cancel();
        assert_eq!(
            declare(&log, &foretide_topics(2), &component, &soft).await,
            Ok(false)
        );
    }
}
