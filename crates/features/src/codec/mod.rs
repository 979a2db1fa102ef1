//! The stored form of a profile, version 4.
//!
//! ```text
//! profile        version (1 byte) · rules version (4) · check (2) · next offset · settled? · recents · link? · contributions?
//! settled        1 · time of the last settled observation · state        or 2 · time · its id hash (5) · state        or 0
//! recents        count · for each: time since the one before · id hash (5) · deed · topic · what the deed carries
//! link           known shopper (16) · time · id hash (5)
//! contributions  count · for each: source (16) · position · settled? · recents
//! ```
//!
//! The first byte of what is settled says in its upper bits whether link and contributions follow, and of a contribution
//! whether there is one or it was withdrawn.
//!
//! Whose it is says the key that it is stored under; the check is the last two bytes of that id, so that one under another's
//! key is noticed. Whole numbers are little-endian base-128 varints (signed ones zigzag). Decayed sums take 39 bits, those
//! that are zero one ([`sums`]); 65 in a state that ends in the middle of a session. A category, product id or currency is
//! spelt out where it first occurs in a profile, letters in five or six bits ([`text`]), and referred to by number from
//! then on; of a brand there is only a hash. A deed shares its byte with the number of its topic. Times of the settled
//! state count back from its last observation. What a newcomer can no longer be confused with has no id: that of the last
//! settled observation is there only while something as old may still come. The current state is not stored: it is the
//! settled state with the recents folded in.

mod reader;
mod sums;
mod text;
mod writer;

use foretide_events::ShopperId;

use crate::FoldRules;

pub(crate) use reader::Reader;
pub(crate) use sums::{Precision, SumReader, SumWriter};
pub(crate) use writer::Writer;

/// The version this code writes, and the only one it reads. Earlier profiles kept other sums and longer hashes, so they
/// cannot be folded on: they are folded again from the log.
pub(crate) const VERSION: u8 = 4;

/// The most currencies that are referred to by number: what is spelt out begins with a letter, and numbers lie below.
const CURRENCY_LIMIT: usize = 64;

/// Why bytes are not a profile that can be folded on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They are of a version this code does not know.
    #[error("the profile is of version {0}, this build reads version {VERSION}")]
    UnknownVersion(u8),
    /// They were folded under other rules, so folding on would mix two definitions of the features.
    #[error(
        "the profile was folded under rules {found:08x}, not {expected:08x}: fold it again from the log"
    )]
    OtherRules {
        /// The rules it was folded under.
        found: u32,
        /// The rules asked for.
        expected: u32,
    },
    /// They end too early.
    #[error("the profile ends too early")]
    Truncated,
    /// They are another shopper's than was asked for.
    #[error("the profile belongs to another shopper than its key says")]
    OtherShopper,
    /// They hold what no profile can hold.
    #[error("the profile is corrupt: {0}")]
    Corrupt(&'static str),
    /// Bytes are left at the end.
    #[error("the profile is followed by {0} more bytes")]
    TrailingBytes(usize),
}

/// What every stored profile begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) rules: u32,
    pub(crate) shopper: ShopperId,
    pub(crate) next_offset: u64,
}

impl Header {
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.bytes(&[VERSION]);
        writer.bytes(&self.rules.to_le_bytes());
        writer.bytes(&check(&self.shopper));
        writer.varint(self.next_offset);
    }

    /// Reads that of `shopper`, which must have been folded under `rules`.
    pub(crate) fn read(
        reader: &mut Reader<'_>,
        shopper: ShopperId,
        rules: &FoldRules,
    ) -> Result<Self, DecodeError> {
        let [version] = reader.array()?;
        if version != VERSION {
            return Err(DecodeError::UnknownVersion(version));
        }
        let (found, expected) = (u32::from_le_bytes(reader.array()?), rules.version());
        if found != expected {
            return Err(DecodeError::OtherRules { found, expected });
        }
        if reader.array()? != check(&shopper) {
            return Err(DecodeError::OtherShopper);
        }
        Ok(Self {
            rules: found,
            shopper,
            next_offset: reader.varint()?,
        })
    }
}

/// What is stored of the id of `shopper`.
fn check(shopper: &ShopperId) -> [u8; 2] {
    let [.., a, b] = shopper.0;
    [a, b]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_and_times_survive(number: u64, base: i64, time: i64) {
            let mut bytes = Vec::new();
            let mut writer = Writer::new(&mut bytes);
            writer.varint(number);
            writer.time(foretide_events::EpochMs(base), foretide_events::EpochMs(time));
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.varint(), Ok(number));
            prop_assert_eq!(reader.time(foretide_events::EpochMs(base)), Ok(foretide_events::EpochMs(time)));
            prop_assert_eq!(reader.end(), Ok(()));
        }
    }

    #[test]
    fn a_number_too_long_for_64_bits_is_refused() {
        assert!(matches!(
            Reader::new(&[0xff; 11]).varint(),
            Err(DecodeError::Corrupt(_))
        ));
        assert!(matches!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).varint(),
            Err(DecodeError::Corrupt(_))
        ));
        assert_eq!(Reader::new(&[0x80]).varint(), Err(DecodeError::Truncated));
    }
}
