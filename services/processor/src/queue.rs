//! The queue of jobs of one folding thread: bounded for chunks, with the possibility to put something first.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A queue between an asynchronous sender and a thread.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    wake: Condvar,
    room: Arc<Semaphore>,
}

struct State<T> {
    jobs: VecDeque<T>,
    open: bool,
}

/// The queue's thread is gone, or it was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

impl<T> Queue<T> {
    /// An empty queue with `places` for jobs that wait for a place.
    pub(crate) fn new(places: usize) -> Self {
        Self {
            state: Mutex::new(State {
                jobs: VecDeque::new(),
                open: true,
            }),
            wake: Condvar::new(),
            room: Arc::new(Semaphore::new(places)),
        }
    }

    /// Waits for a place. It is free again when the returned permit is dropped.
    pub(crate) async fn place(&self) -> Result<OwnedSemaphorePermit, Closed> {
        Arc::clone(&self.room)
            .acquire_owned()
            .await
            .map_err(|_| Closed)
    }

    /// The number of places that are free.
    pub(crate) fn places(&self) -> usize {
        self.room.available_permits()
    }

    /// Puts `job` last.
    pub(crate) fn push_back(&self, job: T) -> Result<(), Closed> {
        self.push(|jobs| jobs.push_back(job))
    }

    /// Puts `job` first: it comes next.
    pub(crate) fn push_front(&self, job: T) -> Result<(), Closed> {
        self.push(|jobs| jobs.push_front(job))
    }

    /// Drops the waiting jobs for which `keep` says no.
    pub(crate) fn retain(&self, keep: impl FnMut(&T) -> bool) {
        self.state.lock().jobs.retain(keep);
    }

    /// Waits for the next job; `None` when the queue is closed.
    pub(crate) fn next(&self) -> Option<T> {
        let mut state = self.state.lock();
        loop {
            if !state.open {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            self.wake.wait(&mut state);
        }
    }

    /// Drops all jobs and takes no more.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.open = false;
        state.jobs.clear();
        drop(state);
        self.room.close();
        self.wake.notify_all();
    }

    fn push(&self, put: impl FnOnce(&mut VecDeque<T>)) -> Result<(), Closed> {
        let mut state = self.state.lock();
        if !state.open {
            return Err(Closed);
        }
        put(&mut state.jobs);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }
}
