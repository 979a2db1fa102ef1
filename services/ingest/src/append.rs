//! Storing the events of one request.

use std::time::Instant;

use foretide_events::Event;
use foretide_host::LogState;
use foretide_http::{Problem, ProblemCode};
use foretide_ports::LogError;
use tokio::time::timeout;

use crate::{IngestMetrics, IngestState, records::records};

/// When to try again while the log is away: the watch asks every second.
const AWAY_RETRY_S: u32 = 2;

/// When to try again while the log is full: somebody has to make room, or retention does.
const FULL_RETRY_S: u32 = 30;

/// Stores `events` in one append. Once it returns the log holds them durably; on an error it may hold some all the same, and
/// whoever sends them again sends them under the same ids.
pub(crate) async fn append(state: &IngestState, events: &[Event]) -> Result<(), Problem> {
    let began = Instant::now();
    let limit = state.config.append_timeout();
    let appending = state.log.append(records(events, state.partitions));
    let appended = match timeout(limit, appending).await {
        Ok(appended) => appended,
        Err(_) => Err(LogError::Away(format!(
            "it did not store within {} ms",
            limit.as_millis()
        ))),
    };
    appended.map_err(|error| refusal(state, &error))?;
    state.metrics.append.observe(began.elapsed().as_secs_f64());
    Ok(())
}

/// Why the log takes no events, as metrics name it.
const CAUSES: [&str; 3] = ["away", "full", "broken"];

/// Shows zero of each cause, so that a rate sees the first of them.
pub(crate) fn show_causes(metrics: &IngestMetrics) {
    for cause in CAUSES {
        metrics.append_failures.with_label_values(&[cause]);
    }
}

/// Refuses events while the log is not there.
pub(crate) fn check_log(state: &IngestState) -> Result<(), Problem> {
    let (cause, problem) = match state.log_health.state() {
        LogState::There => return Ok(()),
        LogState::Full => ("full", log_full()),
        LogState::Starting | LogState::Away | LogState::Broken => ("away", log_away()),
    };
    count(state, cause);
    Err(problem)
}

fn count(state: &IngestState, cause: &str) {
    let failures = &state.metrics.append_failures;
    failures.with_label_values(&[cause]).inc();
}

/// The refusal of events while the log has no room.
fn log_full() -> Problem {
    let detail = "the log has no room for events: try again when there is some";
    Problem::new(ProblemCode::LogFull, detail).retry_after_s(FULL_RETRY_S)
}

/// The refusal of events while the log is away. Anyone may be told it, so it names no broker and no disk.
fn log_away() -> Problem {
    let detail = "the log cannot store events now: try again (/readyz on the admin port says why)";
    Problem::new(ProblemCode::LogAway, detail).retry_after_s(AWAY_RETRY_S)
}

/// What a failed append means for the request.
fn refusal(state: &IngestState, error: &LogError) -> Problem {
    let (cause, problem) = match error {
        LogError::Away(_) => ("away", log_away()),
        LogError::Full(_) => ("full", log_full()),
        _ => {
            let detail = "the log cannot store events; what the server logged tells more";
            ("broken", Problem::new(ProblemCode::Internal, detail))
        }
    };
    count(state, cause);
    if cause == "broken" {
        tracing::error!(%error, "events cannot be stored");
    } else {
        // The watch turns it green again as soon as the log is there.
        state.log_health.not_there(error);
    }
    problem
}
