//! The limit on everything a request may bring. Each is far above what real shops send.

/// The most bytes one event may have, as Segment's own API limits it.
pub const MAX_EVENT_BYTES: usize = 32 * 1024;
/// The most events of one batch that are taken; those after them are refused as `batch_full`.
pub const MAX_BATCH_EVENTS: usize = 2500;
/// The most events a batch may list at all. A longer one is refused as a whole: naming each would cost more than it helps.
pub const MAX_BATCH_ITEMS: usize = 4 * MAX_BATCH_EVENTS;
/// The most bytes a request body may have on the wire.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// The most bytes a compressed request body may unfold to.
pub const MAX_DECOMPRESSED_BYTES: usize = 4 * 1024 * 1024;
/// The most levels of objects and arrays an event may nest, and a body beside its events.
pub const MAX_DEPTH: usize = 16;
/// The most characters a raw id of a shopper or group may have.
pub const MAX_RAW_ID_CHARS: usize = 256;
