//! Events as records of the topic of actions.

use bytes::Bytes;
use foretide_events::{Event, wire};
use foretide_ports::{ACTIONS, NewRecord, TopicPartition, partition_for, shopper_key};

/// Room for one stored event with its key, in bytes: most take less.
const USUAL_RECORD_BYTES: usize = 512;

/// `events` as records, in order. All keys and values share one allocation.
pub(crate) fn records(events: &[Event], partitions: u32) -> Vec<NewRecord> {
    let mut buffer = Vec::with_capacity(events.len() * USUAL_RECORD_BYTES);
    let places: Vec<_> = events
        .iter()
        .map(|event| {
            let key = shopper_key(&event.shopper);
            let start = buffer.len();
            buffer.extend_from_slice(&key);
            let value = buffer.len();
            wire::encode(event, &mut buffer);
            (
                partition_for(&key, partitions),
                start..value,
                value..buffer.len(),
            )
        })
        .collect();
    let buffer = Bytes::from(buffer);
    places
        .into_iter()
        .map(|(partition, key, value)| NewRecord {
            at: TopicPartition {
                topic: ACTIONS,
                partition,
            },
            key: buffer.slice(key),
            value: Some(buffer.slice(value)),
        })
        .collect()
}
