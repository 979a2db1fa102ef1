//! When something was last done.

use foretide_events::EpochMs;

use crate::{
    DecodeError, Deed,
    codec::{Reader, Writer},
};

/// What is remembered the time of. (Purchases remember their own.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Latest {
    ProductView,
    Search,
    CartAdd,
    WishlistAdd,
    ContentClick,
}

const COUNT: usize = Latest::ContentClick as usize + 1;

/// The time of the latest of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recency([Option<EpochMs>; COUNT]);

impl Recency {
    /// When it was last done, if ever.
    pub(crate) fn of(&self, latest: Latest) -> Option<EpochMs> {
        self.0[latest as usize]
    }

    pub(crate) fn fold(&mut self, at: EpochMs, deed: &Deed) {
        let latest = match deed {
            Deed::ProductView(_) => Latest::ProductView,
            Deed::Search { .. } => Latest::Search,
            Deed::CartAdd(_) => Latest::CartAdd,
            Deed::WishlistAdd(_) => Latest::WishlistAdd,
            Deed::ContentClick => Latest::ContentClick,
            _ => return,
        };
        self.0[latest as usize] = Some(at);
    }

    /// The later of both.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.0.iter_mut().zip(other.0) {
            *ours = (*ours).max(theirs);
        }
    }

    /// Writes which there are, and each as time before `last`, when the shopper was last there.
    pub(crate) fn write(&self, writer: &mut Writer<'_>, last: EpochMs) {
        let known = self.0.iter().enumerate();
        let bits = known.fold(0, |bits, (place, at)| {
            bits | u64::from(at.is_some()) << place
        });
        writer.varint(bits);
        let mut before = last;
        for at in self.0.iter().flatten() {
            writer.time(before, *at);
            before = *at;
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>, last: EpochMs) -> Result<Self, DecodeError> {
        let (bits, mut before) = (reader.varint()?, last);
        if bits >> COUNT != 0 {
            return Err(DecodeError::Corrupt("an unknown time"));
        }
        let mut recency = Self::default();
        for (place, at) in recency.0.iter_mut().enumerate() {
            if bits >> place & 1 == 1 {
                before = reader.time(before)?;
                *at = Some(before);
            }
        }
        Ok(recency)
    }
}
