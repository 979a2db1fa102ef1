//! Instants, as a person writes them.

use foretide_events::EpochMs;

/// Reads an instant of a flag.
pub(crate) fn instant(text: &str) -> Result<EpochMs, &'static str> {
    EpochMs::parse(text).ok_or("a time is written in RFC 3339, such as 2026-11-22T10:00:00Z")
}
