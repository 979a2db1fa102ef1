//! The switches by which a memory log is made to fail.

use std::{collections::VecDeque, time::Duration};

use parking_lot::Mutex;

use crate::LogError;

/// The ways to make a [`super::MemoryLog`] fail. All are off at first and may be thrown while it is in use.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Switches>);

#[derive(Debug, Default)]
struct Switches {
    is_away: bool,
    is_full: bool,
    appends: VecDeque<Failure>,
    commits: VecDeque<Failure>,
    append_delay: Duration,
    commit_delay: Duration,
}

/// One failure to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    /// Whether what was asked for is done nevertheless.
    pub(super) takes_effect: bool,
}

impl Failure {
    pub(super) fn error(self) -> LogError {
        let effect = if self.takes_effect { "after" } else { "before" };
        LogError::Away(format!("a fault on demand, {effect} taking effect"))
    }
}

impl Faults {
    /// Makes the log absent (everything answers [`LogError::Away`]), or present again.
    pub fn set_away(&self, is_away: bool) {
        self.0.lock().is_away = is_away;
    }

    /// Leaves the log no room (appends and commits answer [`LogError::Full`]), or gives it room again.
    pub fn set_full(&self, is_full: bool) {
        self.0.lock().is_full = is_full;
    }

    /// Makes the next `count` appends, beyond those already to fail, answer [`LogError::Away`]; with `stored` their records
    /// are stored nevertheless.
    pub fn fail_next_appends(&self, count: usize, stored: bool) {
        let failure = Failure {
            takes_effect: stored,
        };
        self.0
            .lock()
            .appends
            .extend(std::iter::repeat_n(failure, count));
    }

    /// Makes one more commit of a group member answer [`LogError::Away`]; with `takes_effect` it is committed nevertheless.
    pub fn fail_next_commit(&self, takes_effect: bool) {
        self.0.lock().commits.push_back(Failure { takes_effect });
    }

    /// Makes every append take at least this long from now on.
    pub fn delay_appends(&self, delay: Duration) {
        self.0.lock().append_delay = delay;
    }

    /// Makes every commit of a group member take at least this long from now on.
    pub fn delay_commits(&self, delay: Duration) {
        self.0.lock().commit_delay = delay;
    }

    pub(super) fn check_presence(&self) -> Result<(), LogError> {
        if self.0.lock().is_away {
            return Err(LogError::Away("absent on demand".to_owned()));
        }
        Ok(())
    }

    pub(super) fn check_room(&self) -> Result<(), LogError> {
        if self.0.lock().is_full {
            return Err(LogError::Full("full on demand".to_owned()));
        }
        Ok(())
    }

    pub(super) async fn before_append(&self) -> Result<(), LogError> {
        let delay = self.0.lock().append_delay;
        self.before(delay).await
    }

    pub(super) async fn before_commit(&self) -> Result<(), LogError> {
        let delay = self.0.lock().commit_delay;
        self.before(delay).await
    }

    async fn before(&self, delay: Duration) -> Result<(), LogError> {
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.check_presence()?;
        self.check_room()
    }

    pub(super) fn next_append(&self) -> Option<Failure> {
        self.0.lock().appends.pop_front()
    }

    pub(super) fn next_commit(&self) -> Option<Failure> {
        self.0.lock().commits.pop_front()
    }
}
