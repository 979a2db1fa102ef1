//! The numbers of the format, in one place for writing and reading.

/// What every checkpoint begins with.
pub(crate) const MAGIC: &[u8; 8] = b"FTCHKPT\n";
/// The version written; the only one read.
pub(crate) const VERSION: u16 = 2;
/// Stands where the length of a further entry would.
pub(crate) const END_OF_ENTRIES: u32 = u32::MAX;
/// The longest entry, in bytes: far above any row of state, far below what would hurt to hold in memory.
pub(crate) const MAX_ENTRY_BYTES: usize = 64 * 1024 * 1024;
/// The longest text of rules, in bytes.
pub(crate) const MAX_RULES_BYTES: usize = 1024;
/// The longest name of a log, in bytes.
pub(crate) const MAX_LOG_BYTES: usize = 1024;
/// The longest name of a position, in bytes.
pub(crate) const MAX_NAME_BYTES: usize = 64;
/// The most positions.
pub(crate) const MAX_POSITIONS: usize = 64;
/// Bytes after the trailer: its length and the checksum.
pub(crate) const TAIL_BYTES: u64 = 8;
/// The longest trailer, in bytes.
pub(crate) const MAX_TRAILER_BYTES: u64 =
    4 + 1 + (1 + MAX_NAME_BYTES as u64 + 8) * MAX_POSITIONS as u64 + 8;
/// How much is written or read at once, in bytes.
pub(crate) const BUFFER_BYTES: usize = 256 * 1024;
