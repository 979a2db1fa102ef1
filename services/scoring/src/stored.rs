//! Changes of what the store holds, on behalf of a request.

use std::{future::Future, sync::Arc, time::Duration};

use foretide_host::valid_keys;
use foretide_http::{Problem, ProblemCode};
use foretide_ports::store::{Snapshot, StoreError, StoreView};
use tokio::time::timeout;

use crate::api::Api;

/// How long a change may take. Beyond, the database is taken for away.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a read waits for the newest snapshot before it shows the last one.
const READ_PATIENCE: Duration = Duration::from_secs(1);

/// What is told of a change whose answer did not come.
const MAYBE_CHANGED: &str =
    ". Whether the change has been made is not known: read before trying again";

/// Makes a change and lets it take effect here at once, keys included. Other instances see it within about a second.
pub(crate) async fn change<T>(
    api: &Api,
    change: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Problem> {
    let changed = within(PATIENCE, change).await;
    let changed = changed.map_err(|error| refused(&error, MAYBE_CHANGED))?;
    // It is done; should it not be seen at once, the regular look at the store will show it.
    if let Err(error) = within(READ_PATIENCE, api.store.refresh()).await {
        tracing::warn!(%error, "a change is stored and not yet in effect");
    }
    api.keys
        .replace_stored_with(|| valid_keys(&api.store.current()));
    Ok(changed)
}

/// What the store answers to a question, or why it does not.
pub(crate) async fn answered<T>(
    asked: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Problem> {
    let answer = within(PATIENCE, asked).await;
    answer.map_err(|error| refused(&error, ""))
}

/// The newest snapshot that can be had soon.
pub(crate) async fn newest(view: &StoreView) -> Arc<Snapshot> {
    if let Err(error) = within(READ_PATIENCE, view.refresh()).await {
        tracing::debug!(%error, "showing the last snapshot of the store");
    }
    view.current()
}

async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    timeout(patience, work).await.unwrap_or_else(|_| {
        Err(StoreError::Away(format!(
            "no answer for {} s",
            patience.as_secs()
        )))
    })
}

/// `when_away` is what to tell besides when there was no answer.
fn refused(error: &StoreError, when_away: &str) -> Problem {
    let code = match error {
        StoreError::Away(_) => ProblemCode::DatabaseAway,
        StoreError::Conflict { .. } => ProblemCode::VersionConflict,
        StoreError::Full(_) => ProblemCode::DatabaseFull,
        StoreError::Refused(_) => ProblemCode::DatabaseRefuses,
        StoreError::Damaged(_) => {
            tracing::error!(%error, "the database is damaged");
            return Problem::new(
                ProblemCode::Internal,
                "the database is damaged; the log tells more",
            );
        }
    };
    let mut detail = error.to_string();
    if code == ProblemCode::DatabaseAway {
        detail.push_str(when_away);
    }
    let problem = Problem::new(code, detail);
    if code.status().is_server_error() {
        problem.retry_after_s(1)
    } else {
        problem
    }
}
