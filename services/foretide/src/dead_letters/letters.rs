//! All dead letters of a log, and which of them are settled.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use foretide_events::EpochMs;
use foretide_ports::{ACTIONS, DEAD_LETTERS, ReadOnlyLog, Record, TopicName};
use foretide_processor::dead_letter::{DeadLetter, Origin, Post, Settled};

use crate::look::Patience;

/// How long to wait for records before looking around.
const MAX_WAIT: Duration = Duration::from_millis(200);

/// All dead letters, by where their records lie.
#[derive(Debug, Default)]
pub(super) struct Letters {
    by_origin: BTreeMap<Origin, DeadLetter>,
    settled: BTreeMap<Origin, Settled>,
    /// Records that are neither letters nor settlements.
    pub(super) foreign: u64,
}

impl Letters {
    /// Reads those that `log` holds. Of a letter that was written twice the last counts.
    pub(super) async fn read(log: &ReadOnlyLog, patience: Patience) -> anyhow::Result<Self> {
        let mut found = Self::default();
        let end = log.end_offsets(DEAD_LETTERS).await?;
        let end = end.first().copied().unwrap_or(0);
        each(log, DEAD_LETTERS, 0, (0, end), patience, |record| {
            found.take(record);
            true
        })
        .await?;
        Ok(found)
    }

    fn take(&mut self, record: &Record) {
        match record.value.as_deref().and_then(Post::read) {
            Some(Post::Letter(letter)) => drop(self.by_origin.insert(letter.origin, letter)),
            Some(Post::Settlement(origin, settled)) => drop(self.settled.insert(origin, settled)),
            None => self.foreign += 1,
        }
    }

    /// Every letter, with how it was settled if it was.
    pub(super) fn all(&self) -> impl Iterator<Item = (&DeadLetter, Option<&Settled>)> {
        self.by_origin
            .iter()
            .map(|(origin, letter)| (letter, self.settled.get(origin)))
    }

    /// The letter of that origin.
    pub(super) fn get(&self, origin: Origin) -> anyhow::Result<(&DeadLetter, Option<&Settled>)> {
        let letter = self.by_origin.get(&origin).with_context(|| {
            format!("there is no dead letter {origin}: `foretide dead-letters list --settled` shows which there are")
        })?;
        Ok((letter, self.settled.get(&origin)))
    }
}

/// The whole content of the record that `letter` is about: where the letter keeps only its beginning, from the actions.
pub(super) async fn content(
    log: &ReadOnlyLog,
    letter: &DeadLetter,
    patience: Patience,
) -> anyhow::Result<Bytes> {
    let Some(length) = letter.cut_from else {
        return Ok(letter.payload.clone().unwrap_or_default().into());
    };
    let Origin { partition, offset } = letter.origin;
    let mut whole = None;
    let range = (offset, offset.saturating_add(1));
    each(log, ACTIONS, partition, range, patience, |record| {
        if record.offset == offset {
            whole.clone_from(&record.value);
        }
        false
    })
    .await?;
    whole.with_context(|| {
        format!(
            "the dead letter {} keeps only the beginning of its {length} bytes, and the log has let go of the record itself: \
             send it again from where it came",
            letter.origin
        )
    })
}

/// Shows `visit` the records of a partition within `range`, until it says that it has seen enough.
async fn each(
    log: &ReadOnlyLog,
    topic: TopicName,
    partition: u32,
    (begin, end): (u64, u64),
    patience: Patience,
    mut visit: impl FnMut(&Record) -> bool,
) -> anyhow::Result<()> {
    let oldest = log.offsets_at(topic, EpochMs::default()).await?;
    let oldest = oldest.get(partition as usize).copied().unwrap_or(0);
    let mut at = begin.max(oldest);
    if at >= end {
        return Ok(());
    }
    let mut reader = log.reader(topic, &[(partition, at)]).await?;
    let mut silent_for = Duration::ZERO;
    while at < end {
        let Some(chunk) = reader.next(MAX_WAIT).await? else {
            silent_for += MAX_WAIT;
            if silent_for >= patience.time() {
                bail!(patience.over());
            }
            continue;
        };
        silent_for = Duration::ZERO;
        at = chunk.next_offset;
        let within = |record: &&Record| record.offset < end;
        for record in chunk.records.iter().take_while(within) {
            if !visit(record) {
                return Ok(());
            }
        }
    }
    Ok(())
}
