//! A batch: consecutive records of one partition, as one value of the store.
//!
//! ```text
//!   version  u8      1, or 2: the records are packed
//!   crc      u32     crc32 of everything after it
//!   base     u64     offset of the first record
//!   time     i64     append time of the first record, epoch milliseconds
//!   count    u32     records
//!   records  u64  ⎫  appended to the partition up to the end of this batch, since the partition exists
//!   bytes    u64  ⎭  (true of the partition's newest batch, which is never rewritten)
//!   in version 2 the length of what follows before it was packed, u32, and then, packed with zstd:
//!   for each record, numbers as LEB128:
//!            offset − base, time − time of the first, key length, value length + 1 (0: a tombstone), key, value
//! ```
//!
//! Numbers of fixed size are little-endian. A batch is written once; compaction replaces it by one with the records that
//! are left, each with the offset and time it had.
//!
//! A batch is packed where that makes it clearly smaller: packing a byte takes less time than writing it to a journal and a
//! table, and records of one topic are much alike.

mod packed;

use bytes::{BufMut, Bytes};
use foretide_events::EpochMs;
use foretide_ports::Record;

/// The version of a batch whose records are as they are.
const PLAIN: u8 = 1;
/// The version of one whose records are packed.
const PACKED: u8 = 2;
/// What comes before the records, or before the length of packed ones.
const HEADER_BYTES: usize = 41;
/// Where the checksummed part begins.
const CHECKED_FROM: usize = 5;

/// Records and the bytes of their batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl Totals {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            bytes: self.bytes + other.bytes,
        }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            records: self.records.saturating_sub(other.records),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }
}

/// Why a value is not a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damage {
    #[error("a batch is cut short")]
    Short,
    #[error("a batch is of version {0}, this program reads versions {PLAIN} and {PACKED}")]
    Version(u8),
    #[error("the checksum of a batch is wrong")]
    Checksum,
    #[error("the records of a batch do not fit its head")]
    Content,
}

/// Builds a batch record by record, in rising order of offsets and times.
#[derive(Debug)]
pub(crate) struct Builder {
    records: Vec<u8>,
    base: u64,
    first_at: EpochMs,
    last: u64,
    count: u32,
}

impl Builder {
    /// A batch whose first record will have the offset `base` and the time `first_at`, with about `capacity` bytes of records.
    pub(crate) fn new(base: u64, first_at: EpochMs, capacity: usize) -> Self {
        Self {
            records: packed::buffer(capacity),
            base,
            first_at,
            last: base,
            count: 0,
        }
    }

    pub(crate) fn push(&mut self, offset: u64, at: EpochMs, key: &[u8], value: Option<&[u8]>) {
        let bytes = &mut self.records;
        put_number(bytes, offset - self.base);
        put_number(bytes, at.since(self.first_at).max(0).cast_unsigned());
        put_number(bytes, key.len() as u64);
        put_number(bytes, value.map_or(0, |value| value.len() as u64 + 1));
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value.unwrap_or_default());
        self.last = offset;
        self.count += 1;
    }

    /// The size of its records so far, as they are before they are packed.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// The batch, when `appended` was appended to the partition before it; and what it adds to that.
    pub(crate) fn finish(self, appended: Totals) -> (Batch, Totals) {
        let plain_bytes = self.records.len();
        let mut value = Vec::new();
        let version = if packed::pack(&self.records, &mut value) {
            PACKED
        } else {
            value.reserve_exact(HEADER_BYTES + plain_bytes);
            value.put_bytes(0, HEADER_BYTES);
            value.extend_from_slice(&self.records);
            PLAIN
        };
        packed::give_back(self.records);
        let own = Totals {
            records: self.count.into(),
            bytes: value.len() as u64,
        };
        let appended = appended.plus(own);
        let mut head = &mut value[CHECKED_FROM..HEADER_BYTES];
        head.put_u64_le(self.base);
        head.put_i64_le(self.first_at.0);
        head.put_u32_le(self.count);
        head.put_u64_le(appended.records);
        head.put_u64_le(appended.bytes);
        let crc = crc32fast::hash(&value[CHECKED_FROM..]);
        value[0] = version;
        value[1..CHECKED_FROM].copy_from_slice(&crc.to_le_bytes());
        let batch = Batch {
            base: self.base,
            last: self.last,
            plain_bytes,
            value: value.into(),
        };
        (batch, own)
    }
}

/// A finished batch.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// The offset of its first record, as it was when it was built.
    pub(crate) base: u64,
    /// The offset of its last record: its key in the store.
    pub(crate) last: u64,
    /// The size of its records before they were packed.
    pub(crate) plain_bytes: usize,
    pub(crate) value: Bytes,
}

/// What stands before the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) base: u64,
    pub(crate) first_at: EpochMs,
    pub(crate) count: u32,
    pub(crate) appended: Totals,
    /// The size of its records before they were packed.
    pub(crate) plain_bytes: usize,
}

/// Reads the head of a batch after checking the whole.
pub(crate) fn check(value: &[u8]) -> Result<Head, Damage> {
    let head = head(value)?;
    let crc = u32::from_le_bytes(array(value, 1));
    if crc32fast::hash(&value[CHECKED_FROM..]) != crc {
        return Err(Damage::Checksum);
    }
    Ok(head)
}

/// Reads the head of a batch that was checked, or never left this process.
pub(crate) fn head(value: &[u8]) -> Result<Head, Damage> {
    let version = *value.first().ok_or(Damage::Short)?;
    if version != PLAIN && version != PACKED {
        return Err(Damage::Version(version));
    }
    let records = value.get(HEADER_BYTES..).ok_or(Damage::Short)?;
    let plain_bytes = match version {
        PLAIN => records.len(),
        _ => packed::plain_bytes(records)?,
    };
    let count = u32::from_le_bytes(array(value, 21));
    let appended = Totals {
        records: u64::from_le_bytes(array(value, 25)),
        bytes: u64::from_le_bytes(array(value, 33)),
    };
    Ok(Head {
        base: u64::from_le_bytes(array(value, 5)),
        first_at: EpochMs(i64::from_le_bytes(array(value, 13))),
        count,
        appended,
        plain_bytes,
    })
}

/// Adds the records of a checked batch from `offset` on to `records`. Their keys and values share memory: that of the batch, where it
/// is not packed.
pub(crate) fn records(value: &Bytes, offset: u64, records: &mut Vec<Record>) -> Result<(), Damage> {
    let head = head(value)?;
    let value = &match value.first() {
        Some(&PACKED) => packed::unpack(&value[HEADER_BYTES..])?,
        _ => value.slice(HEADER_BYTES..),
    };
    let mut at = 0;
    for _ in 0..head.count {
        let own = head
            .base
            .checked_add(number(value, &mut at)?)
            .ok_or(Damage::Content)?;
        let later = i64::try_from(number(value, &mut at)?).map_err(|_| Damage::Content)?;
        let key_size = size(number(value, &mut at)?)?;
        let value_size = number(value, &mut at)?;
        let key = at..at.checked_add(key_size).ok_or(Damage::Content)?;
        let content = key.end
            ..key
                .end
                .checked_add(size(value_size.saturating_sub(1))?)
                .ok_or(Damage::Content)?;
        if content.end > value.len() {
            return Err(Damage::Content);
        }
        at = content.end;
        if own >= offset {
            let content = (value_size > 0).then(|| value.slice(content));
            let appended_at = head.first_at.plus(later);
            records.push(Record {
                offset: own,
                appended_at,
                key: value.slice(key),
                value: content,
            });
        }
    }
    if at == value.len() {
        Ok(())
    } else {
        Err(Damage::Content)
    }
}

/// The fixed-size field at `from`; the caller has looked at the length.
fn array<const N: usize>(value: &[u8], from: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&value[from..from + N]);
    array
}

fn size(number: u64) -> Result<usize, Damage> {
    usize::try_from(number).map_err(|_| Damage::Content)
}

fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return bytes.put_u8(low);
        }
        bytes.put_u8(low | 0x80);
    }
}

fn number(value: &[u8], at: &mut usize) -> Result<u64, Damage> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *value.get(*at).ok_or(Damage::Content)?;
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Damage::Content)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    type Given = (u64, i64, Vec<u8>, Option<Vec<u8>>);

    fn given() -> impl Strategy<Value = Vec<Given>> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
        let record = (
            1..1000_u64,
            0..100_i64,
            bytes(),
            proptest::option::of(bytes()),
        );
        proptest::collection::vec(record, 1..20)
    }

    /// Turns steps of offsets and times into records.
    fn as_records(base: u64, given: &[Given]) -> Vec<Record> {
        let (mut offset, mut at) = (base, EpochMs(1_700_000_000_000));
        let mut records = Vec::new();
        for (step, later, key, value) in given {
            let (key, value) = (key.clone().into(), value.clone().map(Bytes::from));
            records.push(Record {
                offset,
                appended_at: at,
                key,
                value,
            });
            offset += step;
            at = at.plus(*later);
        }
        records
    }

    fn build(records: &[Record], appended: Totals) -> Batch {
        let mut builder = Builder::new(records[0].offset, records[0].appended_at, 0);
        for record in records {
            builder.push(
                record.offset,
                record.appended_at,
                &record.key,
                record.value.as_deref(),
            );
        }
        builder.finish(appended).0
    }

    /// The same many times over, with values that are alike, so that it is packed.
    fn alike(given: &[Given]) -> Vec<Given> {
        let many = given.iter().cycle().take(100);
        many.map(|(step, later, key, _)| (*step, *later, key.clone(), Some(vec![7; 100])))
            .collect()
    }

    proptest! {
        #[test]
        fn records_come_back_from_any_offset_on(
            base in 0..u64::MAX / 2, given in given(), many in any::<bool>(), skip in 0..20_usize
        ) {
            let given = if many { alike(&given) } else { given };
            let records = as_records(base, &given);
            let before = Totals { records: 7, bytes: 1234 };
            let batch = build(&records, before);
            prop_assert!(!many || batch.value[0] == PACKED && batch.value.len() < batch.plain_bytes);
            prop_assert_eq!(batch.last, records[records.len() - 1].offset);
            let head = check(&batch.value).unwrap();
            let (count, bytes) = (records.len() as u64, batch.value.len() as u64);
            let appended = before.plus(Totals { records: count, bytes });
            prop_assert_eq!((head.base, head.appended, head.plain_bytes), (base, appended, batch.plain_bytes));
            let skip = skip.min(records.len() - 1);
            let mut found = Vec::new();
            super::records(&batch.value, records[skip].offset, &mut found).unwrap();
            prop_assert_eq!(&found, &records[skip..]);
        }

        #[test]
        fn any_change_of_a_byte_is_found(
            given in given(), many in any::<bool>(), place in any::<prop::sample::Index>(), flip in 1..=255_u8
        ) {
            let given = if many { alike(&given) } else { given };
            let batch = build(&as_records(5, &given), Totals::default());
            let mut bytes = batch.value.to_vec();
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
            prop_assert!(check(&bytes).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), version in PLAIN..=PACKED) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = version;
            }
            let mut found = Vec::new();
            let _ = check(&bytes);
            let _ = super::records(&bytes.into(), 0, &mut found);
        }
    }

    #[test]
    fn the_format_is_what_it_was() {
        let records = as_records(
            300,
            &[
                (1, 2, b"key".to_vec(), Some(b"value".to_vec())),
                (1, 0, b"key".to_vec(), None),
            ],
        );
        let batch = build(
            &records,
            Totals {
                records: 0,
                bytes: 3,
            },
        );
        let mut hex = String::new();
        batch
            .value
            .iter()
            .for_each(|byte| write!(hex, "{byte:02x}").unwrap());
        assert_eq!(
            hex,
            "01ffdb670d2c010000000000000068e5cf8b0100000200000002000000000000003f00000000000000\
             000003066b657976616c7565010203006b6579"
        );
    }
}
