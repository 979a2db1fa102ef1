//! Taking over what a record of `foretide.profiles` says.

use foretide_features::Profile;
use foretide_ports::{Chunk, ProfileTable, Record};

use crate::{
    ProcessorError, SourceCounts,
    fold::Folder,
    published::{self, Key, PublishedError},
};

/// Takes over the profiles and counts of a chunk of `foretide.profiles`. What is there already and newer stays. How fresh
/// that is can be told only when all of the topic was taken over: what follows may be older, where it was compacted. So can
/// whether a profile that another version made counts: [`Outdated::check`](crate::outdated::Outdated::check) tells.
pub(crate) fn take_over(folder: &Folder, chunk: &Chunk) -> Result<(), ProcessorError> {
    let partition = chunk.from.partition;
    for record in &chunk.records {
        take_over_record(folder, partition, record).map_err(|cause| {
            ProcessorError::Unreadable {
                topic: chunk.from.topic,
                partition,
                offset: record.offset,
                cause,
            }
        })?;
    }
    Ok(())
}

fn take_over_record(
    folder: &Folder,
    partition: u32,
    record: &Record,
) -> Result<(), PublishedError> {
    match (published::parse_key(&record.key), &record.value) {
        (Some(Key::Profile(shopper)), Some(value)) => {
            match published::decode_profile(&shopper, value, &folder.rules) {
                Ok(profile) => {
                    folder.outdated.superseded(partition, &shopper);
                    insert_newer(folder, profile);
                }
                Err(PublishedError::Profile(cause))
                    if folder
                        .outdated
                        .note(partition, shopper, record.offset, cause) => {}
                Err(error) => return Err(error),
            }
        }
        (Some(Key::Profile(shopper)), None) => {
            folder.outdated.superseded(partition, &shopper);
            folder.table.remove(&shopper);
        }
        (Some(Key::Counts(of)), Some(value)) if of == partition => {
            folder
                .counts
                .replace_older(partition, published::decode_counts(value)?);
        }
        // All profiles are folded anew: their counts come when they are there.
        (Some(Key::Counts(of)), None) if of == partition => folder.counts.clear(partition),
        _ => tracing::warn!(
            partition,
            offset = record.offset,
            "a foreign record on foretide.profiles"
        ),
    }
    Ok(())
}

/// Refuses profiles of `partitions` without counts beside them, which are written last: to be asked when all is taken over.
pub(crate) fn check_counts(
    table: &ProfileTable,
    counts: &SourceCounts,
    partitions: impl IntoIterator<Item = u32>,
) -> Result<(), ProcessorError> {
    let has_none = |partition: &u32| {
        let mut applied = 0;
        if counts.applied(*partition) == 0 {
            let newest = |profile: &Profile| applied = applied.max(profile.next_offset());
            table.for_each(*partition, newest);
        }
        applied > 0
    };
    match partitions.into_iter().find(has_none) {
        Some(partition) => Err(ProcessorError::NoCounts { partition }),
        None => Ok(()),
    }
}

fn insert_newer(folder: &Folder, profile: Profile) {
    let known = folder.table.read(&profile.shopper(), Profile::next_offset);
    if known.is_none_or(|known| known <= profile.next_offset()) {
        folder.table.insert(profile);
    }
}
