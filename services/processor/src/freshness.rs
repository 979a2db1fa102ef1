//! Up to when profiles hold everything that was on the log.

use std::{sync::Arc, time::Duration};

use foretide_events::EpochMs;
use foretide_ports::{ACTIONS, Log, ProfileTable};
use foretide_runtime::SharedClock;
use tokio::{sync::watch, task::JoinHandle, time::sleep};

use crate::SourceCounts;

/// How often the ends of `foretide.actions` are asked for.
const PERIOD: Duration = Duration::from_millis(500);

/// The ends of the partitions of `foretide.actions` at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Ends {
    /// Not after the moment at which the ends were so.
    at: EpochMs,
    offsets: Vec<u64>,
}

/// Keeps asking for the ends. Stops when dropped.
pub(crate) struct EndsWatch {
    newest: watch::Receiver<Option<Ends>>,
    task: JoinHandle<()>,
}

impl EndsWatch {
    pub(crate) fn start(log: Arc<dyn Log>, clock: SharedClock) -> Self {
        let (sender, newest) = watch::channel(None);
        let task = tokio::spawn(async move {
            loop {
                let at = EpochMs(clock.now_ms());
                // While the log is away nothing gets fresher, and others say why.
                if let Ok(offsets) = log.end_offsets(ACTIONS).await {
                    sender.send_replace(Some(Ends { at, offsets }));
                }
                sleep(PERIOD).await;
            }
        });
        Self { newest, task }
    }

    /// Ends not seen before, if there are any.
    pub(crate) fn news(&mut self) -> Option<Ends> {
        if self.newest.has_changed().unwrap_or(false) {
            self.newest.borrow_and_update().clone()
        } else {
            None
        }
    }
}

impl Drop for EndsWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Marks partitions of the table as fresh when they have applied what was on the log at a known moment.
#[derive(Debug)]
pub(crate) struct Freshness {
    /// By partition: an end that is yet to be reached, and when it was the end.
    marks: Vec<Option<(u64, EpochMs)>>,
    /// The newest ends known.
    ends: Vec<u64>,
}

impl Freshness {
    pub(crate) fn new(partitions: u32) -> Self {
        Self {
            marks: vec![None; partitions as usize],
            ends: vec![0; partitions as usize],
        }
    }

    /// Takes note of newer ends. A mark that has not been reached yet stays, or under steady load none ever would be.
    pub(crate) fn note(&mut self, ends: &Ends) {
        for ((mark, known), end) in self.marks.iter_mut().zip(&mut self.ends).zip(&ends.offsets) {
            mark.get_or_insert((*end, ends.at));
            *known = *end;
        }
    }

    /// Says of each of `partitions` that reached its mark how fresh it is.
    pub(crate) fn settle(
        &mut self,
        partitions: impl IntoIterator<Item = u32>,
        counts: &SourceCounts,
        table: &ProfileTable,
    ) {
        for partition in partitions {
            let Some(mark) = self.marks.get_mut(partition as usize) else {
                continue;
            };
            if let Some((_, at)) = mark.take_if(|(end, _)| counts.applied(partition) >= *end) {
                table.set_fresh(partition, at);
            }
        }
    }

    /// Events of `partitions` on the log that have not been applied.
    pub(crate) fn lag(
        &self,
        partitions: impl IntoIterator<Item = u32>,
        counts: &SourceCounts,
    ) -> u64 {
        let end = |partition: u32| self.ends.get(partition as usize).copied().unwrap_or(0);
        partitions
            .into_iter()
            .map(|partition| end(partition).saturating_sub(counts.applied(partition)))
            .sum()
    }
}
