//! Reading partitions of a topic to their ends, outside any group.

use std::{collections::BTreeMap, time::Duration};

use foretide_ports::{Chunk, Log, Reader, TopicName};
use foretide_runtime::CancellationToken;

use crate::ProcessorError;

/// How long to wait for records before looking whether the process is asked to end.
const MAX_WAIT: Duration = Duration::from_millis(200);

/// When a reading of several partitions to their ends is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// When each was read to the end noted before.
    Noted,
    /// When each was read to its end, as it was at that moment and not before the one noted. What was compacted away ahead
    /// of the reader because something newer was appended has been read by then.
    End,
}

/// Reading partitions of a topic to their ends.
pub(crate) struct Reading<'a> {
    reader: Box<dyn Reader>,
    until: Until,
    /// The end to reach of each partition that is not done.
    left: BTreeMap<u32, u64>,
    stop: &'a CancellationToken,
}

impl<'a> Reading<'a> {
    /// Begins to read `topic` from `begins` on.
    pub(crate) async fn begin(
        log: &dyn Log,
        topic: TopicName,
        begins: &[(u32, u64)],
        ends: &[u64],
        until: Until,
        stop: &'a CancellationToken,
    ) -> Result<Self, ProcessorError> {
        let reader = log.reader(topic, begins).await?;
        Ok(Self::of(reader, begins, ends, until, stop))
    }

    /// Goes on with `reader`, which begins at `begins`.
    pub(crate) fn of(
        reader: Box<dyn Reader>,
        begins: &[(u32, u64)],
        ends: &[u64],
        until: Until,
        stop: &'a CancellationToken,
    ) -> Self {
        let to_do = |(partition, begin): &(u32, u64)| {
            let end = at(ends, *partition);
            (until == Until::End || *begin < end).then_some((*partition, end))
        };
        Self {
            reader,
            until,
            left: begins.iter().filter_map(to_do).collect(),
            stop,
        }
    }

    /// The next chunk; `None` when done.
    pub(crate) async fn next(&mut self) -> Result<Option<Chunk>, ProcessorError> {
        while !self.left.is_empty() {
            if self.stop.is_cancelled() {
                return Err(ProcessorError::Stopped);
            }
            let Some(chunk) = self.reader.next(MAX_WAIT).await? else {
                continue;
            };
            let at_end = chunk.records.is_empty() || self.until == Until::Noted;
            if self
                .left
                .get(&chunk.from.partition)
                .is_some_and(|end| at_end && chunk.next_offset >= *end)
            {
                self.left.remove(&chunk.from.partition);
            }
            return Ok(Some(chunk));
        }
        Ok(None)
    }
}

/// The offset of `partition`, 0 where there is none.
pub(crate) fn at(offsets: &[u64], partition: u32) -> u64 {
    offsets.get(partition as usize).copied().unwrap_or(0)
}
