//! Packing the records of a batch.

use std::cell::RefCell;

use bytes::{BufMut as _, Bytes};
use zstd_safe::{CCtx, DCtx};

use super::{Damage, HEADER_BYTES};

/// Faster than the usual levels and nearly as small, for records that are much alike: half a nanosecond a byte, to a quarter.
const LEVEL: i32 = -3;
/// Fewer bytes are not worth it: a page of the disk is written in any case.
const LEAST_BYTES: usize = 2 << 10;
/// What is not smaller by this share, one over it, is kept as it is: it would only have to be unpacked.
const GAIN: usize = 8;
/// Bytes of the length before packing.
const LENGTH_BYTES: usize = 4;
/// No batch is larger than this before packing: it is closed at a fraction of it, and a record has a megabyte at most.
const MOST_BYTES: usize = 8 << 20;
/// How many buffers a thread keeps for batches to come, and of which size at most. There is one open batch for each partition.
const BUFFERS: usize = 16;
const BUFFER_BYTES: usize = 512 << 10;

thread_local! {
    /// What a thread packs with. The memory is used again and again: fresh memory costs more than packing.
    static PACKER: RefCell<Packer> = RefCell::default();
    /// What a thread unpacks with. Making one asks the processor what it can do, for which a virtual machine is left.
    static UNPACKER: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Packer {
    context: Option<CCtx<'static>>,
    packed: Vec<u8>,
    buffers: Vec<Vec<u8>>,
}

/// An empty buffer for about `capacity` bytes.
pub(super) fn buffer(capacity: usize) -> Vec<u8> {
    let kept = PACKER.with_borrow_mut(|packer| packer.buffers.pop());
    let mut buffer = kept.unwrap_or_default();
    buffer.reserve(capacity);
    buffer
}

/// Keeps the memory of a buffer for the next.
pub(super) fn give_back(mut buffer: Vec<u8>) {
    if buffer.capacity() <= BUFFER_BYTES {
        buffer.clear();
        PACKER.with_borrow_mut(|packer| {
            if packer.buffers.len() < BUFFERS {
                packer.buffers.push(buffer);
            }
        });
    }
}

/// Puts room for a head, the length of `records` and `records` packed into the empty `value`, if that is worth it.
pub(super) fn pack(records: &[u8], value: &mut Vec<u8>) -> bool {
    let Ok(length) = u32::try_from(records.len()) else {
        return false;
    };
    if !(LEAST_BYTES..=MOST_BYTES).contains(&records.len()) {
        return false;
    }
    PACKER.with_borrow_mut(|packer| {
        let Packer {
            context, packed, ..
        } = packer;
        packed.clear();
        packed.reserve(zstd_safe::compress_bound(records.len()));
        let context = context.get_or_insert_with(CCtx::create);
        let is_packed = context.compress(packed, records, LEVEL).is_ok();
        let is_smaller = packed.len() < records.len() - records.len() / GAIN;
        if is_packed && is_smaller {
            value.reserve_exact(HEADER_BYTES + LENGTH_BYTES + packed.len());
            value.put_bytes(0, HEADER_BYTES);
            value.put_u32_le(length);
            value.extend_from_slice(packed);
        }
        if packed.capacity() > 2 * BUFFER_BYTES {
            *packed = Vec::new();
        }
        is_packed && is_smaller
    })
}

/// The length of what was packed before it was; `stored` is what [`pack`] put behind the head.
pub(super) fn plain_bytes(stored: &[u8]) -> Result<usize, Damage> {
    let length = stored.first_chunk().ok_or(Damage::Short)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| Damage::Content)?;
    if length <= MOST_BYTES {
        Ok(length)
    } else {
        Err(Damage::Content)
    }
}

/// What was packed.
pub(super) fn unpack(stored: &[u8]) -> Result<Bytes, Damage> {
    let mut records = Vec::with_capacity(plain_bytes(stored)?);
    let packed = &stored[LENGTH_BYTES..];
    let unpacked = UNPACKER.with_borrow_mut(|context| {
        let context = context.get_or_insert_with(DCtx::create);
        context.decompress(&mut records, packed)
    });
    match unpacked {
        Ok(length) if length == plain_bytes(stored)? => Ok(records.into()),
        _ => Err(Damage::Content),
    }
}
