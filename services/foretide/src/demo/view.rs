//! Shows snapshots: a block that is drawn anew each second on a terminal, a line each second elsewhere.

use std::{net::SocketAddr, time::Duration};

use foretide_runtime::CancellationToken;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use super::{
    api::Api,
    text::{block, line},
    watcher::{Snapshot, Watcher},
};
use crate::output::{Output, note};

const EVERY: Duration = Duration::from_secs(1);
/// Where snapshots are shown.
pub(super) struct View {
    output: Output,
    /// Draws on standard error; hidden where that is no terminal.
    block: ProgressBar,
}

impl View {
    /// Says what there is to look at, by the example of the account `somebody`.
    pub(super) fn new(output: Output, api: &Api, admin: SocketAddr, somebody: &str) -> Self {
        let Api {
            base,
            write_key,
            admin_key,
            ..
        } = api;
        note(&format!(
            "Foretide is up, with pretend shoppers. Ctrl-C ends it and removes everything.\n\n\
             Look around from another terminal:\n  \
             API={base}\n  \
             WRITE={write_key} ADMIN={admin_key}\n  \
             curl -s -u $ADMIN: \"$API/v1/shoppers?user_id={somebody}\"\n  \
             curl -s -u $ADMIN: $API/v1/decisions -H content-type:application/json \\\n    \
             -d '{{\"shopper\":{{\"user_id\":\"{somebody}\"}}}}'\n  \
             curl -s -u $WRITE: $API/v1/actions -H content-type:application/json \\\n    \
             -d '{{\"type\":\"search\",\"query\":\"tent\",\"shopper\":{{\"user_id\":\"me\"}}}}'\n  \
             curl -s http://{admin}/metrics\n"
        ));
        let drawn = if output.json() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let block = ProgressBar::with_draw_target(None, drawn);
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            block.set_style(style);
        }
        Self { output, block }
    }

    fn show(&self, snapshot: &Snapshot) -> anyhow::Result<()> {
        if self.block.is_hidden() {
            return self.output.answer(snapshot, || line(snapshot));
        }
        self.block.set_message(block(snapshot));
        self.block.tick();
        Ok(())
    }
}

/// Shows what `watcher` sees each second until the process is to end, or for as long as `lasts`.
pub(super) async fn show(
    mut watcher: Watcher,
    view: View,
    lasts: Option<Duration>,
    soft: CancellationToken,
) -> anyhow::Result<()> {
    let end = lasts.map(|lasts| Instant::now() + lasts);
    let ended = async {
        match end {
            Some(end) => sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    let looking = async {
        let mut ticks = interval_at(Instant::now() + EVERY, EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let snapshot = watcher.look().await;
            if let Err(error) = view.show(&snapshot) {
                return error;
            }
        }
    };
    let outcome = tokio::select! {
        error = looking => Err(error),
        () = ended => Ok(()),
        () = soft.cancelled() => Ok(()),
    };
    view.block.abandon();
    outcome
}
