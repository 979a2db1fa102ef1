//! Which brands the shopper looks at.

use xxhash_rust::xxh3::xxh3_64;

use crate::{
    DecodeError,
    codec::{Reader, Writer},
    ranking::{Name, Ranking},
};

/// The brands that got the most attention on pages of products: at most 4.
pub(crate) type Brands = Ranking<Brand, ()>;

/// A brand, told apart by 32 bits of the hash of its name: among four, one in a thousand million is taken for another. The
/// name itself is not kept, for nothing shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brand(pub(crate) u32);

impl Brand {
    /// The brand called `text`: the upper 32 bits of the XXH3-64.
    pub fn new(text: &str) -> Self {
        let [.., a, b, c, d] = xxh3_64(text.as_bytes()).to_le_bytes();
        Self(u32::from_le_bytes([a, b, c, d]))
    }
}

impl Name for Brand {
    const LIMIT: usize = 4;
    const TEXT_LIMIT: usize = 0;

    fn is(&self, other: &Self) -> bool {
        self == other
    }

    fn text_len(&self) -> usize {
        0
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.new_brand(*self);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.new_brand()
    }
}
