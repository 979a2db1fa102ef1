//! Ending in peace when asked to.

use foretide_runtime::CancellationToken;
use tokio::signal::unix::{SignalKind, signal};

use crate::output::note;

/// The exit status of a command that was asked to end twice, as a shell gives it to one ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Cancelled by Ctrl-C or SIGTERM; a second one ends the process at once.
pub(crate) fn when_asked() -> CancellationToken {
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        next_signal().await;
        stopped.cancel();
        next_signal().await;
        std::process::exit(INTERRUPTED);
    });
    stop
}

/// Waits for either signal; for ever where signals cannot be heard.
async fn next_signal() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        note("SIGTERM cannot be heard: only Ctrl-C ends this in peace");
        return drop(tokio::signal::ctrl_c().await);
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
