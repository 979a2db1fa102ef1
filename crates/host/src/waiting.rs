//! Waiting for a log or a database that is away or full: brokers, databases and services are often started together.

use std::{convert::Infallible, time::Duration};

use foretide_ports::{Log, LogError, store::StoreError};
use foretide_runtime::Component;

const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Makes `attempt` until it does not fail for a reason that passes; `component` tells the reason meanwhile.
///
/// # Errors
/// What `attempt` failed with, where waiting would not help.
pub async fn until_there<T>(
    log: &dyn Log,
    component: &Component,
    mut attempt: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut told = false;
    loop {
        let outcome = tokio::select! {
            outcome = attempt() => outcome,
            never = tell_trouble(log, component) => match never {},
        };
        match outcome {
            Err(error) if passes(&error) => {
                component.not_ready(format!("{error:#}"));
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "waiting for the log: check that the brokers run and can be reached, or make room on the disk (--log)"
                    );
                }
            }
            other => return other,
        }
        tokio::time::sleep(TRY_AGAIN_AFTER).await;
    }
}

/// Makes `attempt` at the database until it does not fail for a reason that passes; `component` tells the reason meanwhile.
///
/// # Errors
/// What `attempt` failed with, where waiting would not help.
pub async fn until_answers<T>(
    component: &Component,
    mut attempt: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut told = false;
    component.not_ready("connecting to the database");
    loop {
        match attempt().await {
            Err(error) if passes(&error) => {
                component.not_ready(format!("{error:#}"));
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "waiting for the database: check that it runs and can be reached, or make room on its disk (--database)"
                    );
                }
            }
            other => return other,
        }
        tokio::time::sleep(TRY_AGAIN_AFTER).await;
    }
}

/// An attempt may wait for long before it gives up; a health check knows soon.
async fn tell_trouble(log: &dyn Log, component: &Component) -> Infallible {
    loop {
        if let Err(error) = log.health().await {
            component.not_ready(error.to_string());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn passes(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(
            cause.downcast_ref(),
            Some(LogError::Away(_) | LogError::Full(_))
        ) || matches!(
            cause.downcast_ref(),
            Some(StoreError::Away(_) | StoreError::Full(_))
        )
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use anyhow::Context as _;
    use foretide_events::EpochMs;
    use foretide_ports::{foretide_topics, memory::MemoryLog};
    use foretide_runtime::Readiness;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_log_that_is_away_is_waited_for() {
        let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
        log.faults().set_away(true);
        let component = Readiness::new().component("log");
        let topics = foretide_topics(2);
        let waiting = until_there(&log, &component, async || {
            log.declare(&topics).await.context("declaring")
        });
        let comes_back = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let cause = component.cause().unwrap();
            assert!(cause.contains("away"), "{cause}");
            log.faults().set_away(false);
        };
        let (declared, ()) = tokio::join!(waiting, comes_back);
        declared.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_cause_is_told_while_an_attempt_still_hopes() {
        let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
        log.faults().set_away(true);
        let component = Readiness::new().component("log");
        let waiting = until_there(&log, &component, async || {
            std::future::pending::<anyhow::Result<()>>().await
        });
        let told = async {
            while !component
                .cause()
                .is_some_and(|cause| cause.contains("away"))
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            _ = waiting => panic!("the attempt cannot end"),
            () = told => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_waiting_does_not_cure_is_told_at_once() {
        let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
        let component = Readiness::new().component("log");
        let damaged = until_there(&log, &component, async || {
            Err::<(), _>(LogError::Damaged("a page".to_owned()).into())
        });
        assert!(damaged.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_or_full_is_waited_for_and_one_that_refuses_is_not() {
        let component = Readiness::new().component("database");
        let mut tries = 0;
        let there = until_answers(&component, async || {
            tries += 1;
            match tries {
                1..4 => Err(StoreError::Away("no route".to_owned()).into()),
                4 => Err(StoreError::Full("no room".to_owned()).into()),
                _ => Ok(tries),
            }
        });
        assert_eq!(there.await.unwrap(), 5);
        assert!(component.cause().unwrap().contains("no room"));
        let refused = until_answers(&component, async || {
            Err::<(), _>(StoreError::Refused("password".to_owned()).into())
        });
        assert!(refused.await.is_err());
    }
}
