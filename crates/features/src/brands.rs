//! Which brands the shopper looks at.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::{
    DecodeError,
    codec::{Reader, Writer},
    ranking::{Name, Ranking},
};

/// The brands that got the most attention on pages of products: at most 8, fewer if their names take more than 192 bytes.
pub(crate) type Brands = Ranking<Brand, ()>;

/// A brand and the hash it is told apart by.
#[derive(Clone, Debug)]
pub struct Brand {
    pub(crate) hash: u64,
    pub(crate) text: Arc<str>,
}

impl Brand {
    /// The longest text that is kept of a brand, in bytes: a longer one is cut.
    const LONGEST: usize = 64;

    /// The brand called `text`.
    pub fn new(text: &str) -> Self {
        let text = &text[..text.floor_char_boundary(Self::LONGEST)];
        Self {
            hash: xxh3_64(text.as_bytes()),
            text: text.into(),
        }
    }
}

impl PartialEq for Brand {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Name for Brand {
    const LIMIT: usize = 8;
    const TEXT_LIMIT: usize = 192;

    fn hash(&self) -> u64 {
        self.hash
    }

    fn text(&self) -> &str {
        &self.text
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.brand(self);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.brand()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let brand = Brand::new(&"é".repeat(40));
        assert_eq!(&*brand.text, "é".repeat(32));
        assert_eq!(brand, Brand::new(&"é".repeat(50)));
        assert_ne!(brand, Brand::new("é"));
    }
}
