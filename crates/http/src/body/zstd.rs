//! Unpacking zstd.
//!
//! All of a packed body is in memory before, and what it unpacks to comes into one piece of memory under the limit: so the
//! window that a frame asks for, which may be gigabytes, is never made.

use zstd_safe::{
    DCtx, ErrorCode, get_error_name, get_frame_content_size, zstd_sys::ZSTD_ErrorCode,
};

use super::{Full, HeldBody, held::Held, not_whole, unpacked_is};
use crate::{MemoryBudget, Problem};

/// What a body that does not say its length is expected to unpack to at most, in multiples of its own. Where that is too
/// little it is unpacked once more.
const USUAL_RATIO: usize = 16;

/// `packed`, one frame or several, unpacked.
pub(super) fn unpack(
    packed: &[u8],
    limit: usize,
    budget: &MemoryBudget,
) -> Result<HeldBody, Problem> {
    if packed.is_empty() {
        return Err(not_whole("zstd", &"it is empty"));
    }
    let said = get_frame_content_size(packed)
        .map_err(|_| not_whole("zstd", &"it does not begin as zstd does"))?
        .map(|said| usize::try_from(said).unwrap_or(usize::MAX));
    if said.is_some_and(|said| said > limit) {
        return Err(unpacked_is(Full::Limit(limit)));
    }
    let expected = said.unwrap_or(USUAL_RATIO * packed.len()).min(limit);
    for capacity in [expected, limit] {
        let held = Held::new(limit, budget);
        let filled = held.fill(capacity, |into| {
            DCtx::create().decompress(into, packed).map(drop)
        });
        match filled.map_err(unpacked_is)? {
            Ok(held) => return Ok(held.into_body()),
            Err(code) if has_no_room(code) => {}
            Err(code) => return Err(not_whole("zstd", &get_error_name(code))),
        }
    }
    Err(unpacked_is(Full::Limit(limit)))
}

/// Whether the decoder says by `code` that there is more than it may write.
fn has_no_room(code: ErrorCode) -> bool {
    code == (ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall as ErrorCode).wrapping_neg()
}
