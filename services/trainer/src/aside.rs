//! Working beside everything else: learning takes seconds of a processor, and must not be felt by those who wait for an answer.
//!
//! * One piece of work at a time, however many loops there are: what is learnt takes turns.
//! * **Profiles are read at the usual priority, with pauses.** Whoever reads one holds a lock. At a low priority it could be put aside
//!   while it holds it, and everyone who wants that profile would wait for the least important thread of all.
//! * **Fitting is done at the lowest priority**, on a thread that ends with it, because a priority that was given away cannot be taken
//!   back. Threads that it starts inherit the priority.
//! * Nobody waits for it at the end: what is not published yet is nothing, and is learnt again.

use std::{
    io,
    panic::resume_unwind,
    sync::Arc,
    thread::{self, Builder},
    time::Duration,
};

use foretide_runtime::CancellationToken;
use tokio::{
    sync::Mutex,
    task::{JoinError, spawn_blocking},
};

/// After how many profiles who reads them looks up.
const LOOK_EVERY: usize = 256;
/// For how long it does nothing then: about as long as it took to get there.
const PAUSE: Duration = Duration::from_millis(1);

/// Why a piece of work has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broke {
    #[error("learning broke off: {0}")]
    Died(#[from] JoinError),
    #[error("no thread can be started to learn on: {0}")]
    NoThread(#[from] io::Error),
}

/// Whose turn it is. Clones share one turn.
#[derive(Clone, Debug)]
pub(crate) struct Aside {
    turn: Arc<Mutex<()>>,
    /// The niceness at which is fitted, 0 for the usual one.
    niceness: i32,
}

/// The largest niceness.
const NICEST: i32 = 19;

impl Default for Aside {
    fn default() -> Self {
        Self::with_niceness(NICEST)
    }
}

impl Aside {
    /// Fits at this niceness: 0 is the usual priority, 19 the lowest.
    pub(crate) fn with_niceness(niceness: i32) -> Self {
        Self {
            turn: Arc::default(),
            niceness,
        }
    }

    /// Another one with a turn of its own, which is at most as nice as this.
    pub(crate) fn another(&self, niceness: i32) -> Self {
        Self::with_niceness(niceness.min(self.niceness))
    }

    /// Does `read` at the usual priority, once it is its turn; `None` if `stop` comes first.
    pub(crate) async fn read<R: Send + 'static>(
        &self,
        stop: &CancellationToken,
        read: impl FnOnce() -> R + Send + 'static,
    ) -> Result<Option<R>, Broke> {
        self.work(stop, || Ok(read())).await
    }

    /// Does `fit` at the lowest priority, once it is its turn; `None` if `stop` comes first.
    pub(crate) async fn fit<R: Send + 'static>(
        &self,
        stop: &CancellationToken,
        fit: impl FnOnce() -> R + Send + 'static,
    ) -> Result<Option<R>, Broke> {
        let niceness = self.niceness;
        self.work(stop, move || on_own_thread(niceness, fit)).await
    }

    async fn work<R: Send + 'static>(
        &self,
        stop: &CancellationToken,
        work: impl FnOnce() -> io::Result<R> + Send + 'static,
    ) -> Result<Option<R>, Broke> {
        let in_turn = async {
            let turn = Arc::clone(&self.turn).lock_owned().await;
            spawn_blocking(move || {
                let result = work();
                drop(turn);
                result
            })
            .await
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => Ok(None),
            done = in_turn => Ok(Some(done??)),
        }
    }
}

/// Does `work` on a thread of its own that has this niceness.
fn on_own_thread<R: Send>(niceness: i32, work: impl FnOnce() -> R + Send) -> io::Result<R> {
    thread::scope(|scope| {
        let lowered = || {
            step_back(niceness);
            work()
        };
        let worker = Builder::new()
            .name("learning".to_owned())
            .spawn_scoped(scope, lowered)?;
        Ok(worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Gives the calling thread, and those that it will start, a niceness, where a thread can have one of its own.
#[cfg(target_os = "linux")]
fn step_back(niceness: i32) {
    if niceness == 0 {
        return;
    }
    if let Err(error) = rustix::process::setpriority_process(None, niceness) {
        tracing::debug!(%error, "learning goes on at the usual priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn step_back(_: i32) {}

/// Shows `visit` all of `items`, with pauses, so that others come in between; `false` if `stop` came before the end.
pub(crate) fn unhurried<T>(
    items: &[T],
    stop: &CancellationToken,
    mut visit: impl FnMut(&T),
) -> bool {
    for some in items.chunks(LOOK_EVERY) {
        if stop.is_cancelled() {
            return false;
        }
        some.iter().for_each(&mut visit);
        if some.len() == LOOK_EVERY {
            thread::sleep(PAUSE);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_learnt_takes_turns() {
        let (aside, stop) = (Aside::with_niceness(0), CancellationToken::new());
        let at_once = Arc::new(AtomicU32::new(0));
        let piece = |aside: Aside, stop: CancellationToken, at_once: Arc<AtomicU32>| async move {
            let work = move || {
                let before = at_once.fetch_add(1, Ordering::SeqCst);
                thread::yield_now();
                at_once.fetch_sub(1, Ordering::SeqCst);
                before
            };
            aside.fit(&stop, work).await.unwrap()
        };
        let tasks: Vec<_> = (0..20)
            .map(|_| tokio::spawn(piece(aside.clone(), stop.clone(), Arc::clone(&at_once))))
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), Some(0));
        }
    }

    #[tokio::test]
    async fn what_panics_is_an_error_and_the_next_has_its_turn() {
        let (aside, stop) = (Aside::with_niceness(0), CancellationToken::new());
        let broke = aside.fit(&stop, || -> () { panic!("on demand") }).await;
        assert!(matches!(broke, Err(Broke::Died(_))));
        assert_eq!(aside.fit(&stop, || 1).await.unwrap(), Some(1));
        assert_eq!(aside.read(&stop, || 2).await.unwrap(), Some(2));
    }

    #[tokio::test]
    async fn asked_to_end_nobody_waits() {
        let (aside, stop) = (Aside::with_niceness(0), CancellationToken::new());
        let (told, end) = std::sync::mpsc::channel::<()>();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let endless = {
            let (aside, stop) = (aside.clone(), stop.clone());
            tokio::spawn(async move {
                let work = move || {
                    let _ = begun.send(());
                    end.recv()
                };
                aside.fit(&stop, work).await.unwrap()
            })
        };
        has_begun.await.unwrap();
        stop.cancel();
        assert_eq!(endless.await.unwrap(), None);
        assert_eq!(aside.read(&stop, || 1).await.unwrap(), None);
        drop(told);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn only_what_is_fitted_steps_back() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let (aside, stop) = (Aside::default(), CancellationToken::new());
        let before = priority();
        assert_eq!(aside.fit(&stop, priority).await.unwrap(), Some(19));
        assert_eq!(aside.read(&stop, priority).await.unwrap(), Some(before));
        assert_eq!(priority(), before);
    }

    #[test]
    fn all_are_shown_unless_asked_to_end() {
        let (stop, items) = (CancellationToken::new(), [1; 600]);
        let mut sum = 0;
        assert!(unhurried(&items, &stop, |item| sum += item));
        assert_eq!(sum, 600);
        stop.cancel();
        assert!(!unhurried(&items, &stop, |_| sum = 0));
        assert_eq!(sum, 600);
    }
}
