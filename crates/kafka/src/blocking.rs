//! Calls that block, kept away from the threads of the async runtime.

use std::{
    ops::Deref,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use foretide_ports::LogError;
use tokio::sync::oneshot;

/// Runs `task` on a thread of its own and waits for its result.
///
/// Not on the runtime's pool of blocking threads: the end of the runtime waits for those, and a call to a broker that
/// does not answer may take seconds. A thread costs some 30 µs; the calls are made a few times a second.
pub(crate) async fn outside<T, E>(
    name: &str,
    task: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<LogError> + Send + 'static,
{
    let (answer, result) = oneshot::channel();
    let run = move || {
        // Nobody waits any more if the caller was dropped.
        let _ = answer.send(task());
    };
    start(name, run)?;
    result
        .await
        .unwrap_or_else(|_| Err(ended_early(name).into()))
}

/// Runs `task`, which blocks and may never end, on a thread of its own and waits for it, but no longer than `patience`: then
/// `None`, and it is left to itself.
pub(crate) fn within<T: Send + 'static>(
    name: &str,
    patience: Duration,
    task: impl FnOnce() -> T + Send + 'static,
) -> Result<Option<T>, LogError> {
    let (answer, result) = mpsc::sync_channel(1);
    let run = move || {
        // Nobody waits any more if it took too long.
        let _ = answer.send(task());
    };
    start(name, run)?;
    match result.recv_timeout(patience) {
        Ok(result) => Ok(Some(result)),
        Err(mpsc::RecvTimeoutError::Timeout) => Ok(None),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(ended_early(name)),
    }
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), LogError> {
    thread::Builder::new()
        .name(format!("kafka-{name}"))
        .spawn(run)
        .map(drop)
        .map_err(|error| LogError::Away(format!("cannot start a thread: {error}")))
}

fn ended_early(name: &str) -> LogError {
    LogError::Away(format!("the {name} call ended early"))
}

/// A client whose destruction, which may take a second, happens on a thread of its own when the last owner lets go.
#[derive(Debug)]
pub(crate) struct DroppedOutside<T: Send + Sync + 'static>(Arc<T>);

impl<T: Send + Sync + 'static> DroppedOutside<T> {
    pub(crate) fn new(client: T) -> Self {
        Self(Arc::new(client))
    }
}

impl<T: Send + Sync + 'static> Deref for DroppedOutside<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Send + Sync + 'static> Drop for DroppedOutside<T> {
    fn drop(&mut self) {
        // By the time the thread runs it is nearly always the last owner; if not, the client ends here.
        let last = Arc::clone(&self.0);
        let _ = thread::Builder::new()
            .name("kafka-drop".into())
            .spawn(move || drop(last));
    }
}
