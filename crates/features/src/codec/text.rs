//! Short texts, most of which need fewer than eight bits a character.

use super::DecodeError;

/// Longer texts are spelt out in full.
pub(super) const PACKED_LIMIT: usize = 64;

static NARROW: Alphabet = Alphabet::new(b"abcdefghijklmnopqrstuvwxyz-_./> ");
static WIDE: Alphabet =
    Alphabet::new(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

/// How the characters of a text are written. The numbers never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Eight bits: any UTF-8.
    Full = 1,
    /// Five bits: small letters and what stands between them.
    Narrow = 2,
    /// Six bits: letters and digits.
    Wide = 3,
}

/// Characters with the number that each is written as.
struct Alphabet {
    characters: &'static [u8],
    codes: [u8; 256],
}

/// The code of what is not in an alphabet.
const NONE: u8 = u8::MAX;

impl Alphabet {
    const fn new(characters: &'static [u8]) -> Self {
        let mut codes = [NONE; 256];
        let mut code = 0;
        while code < characters.len() {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "an alphabet has at most 64 characters"
            )]
            {
                codes[characters[code] as usize] = code as u8;
            }
            code += 1;
        }
        Self { characters, codes }
    }

    /// Bits of a character.
    const fn width(&self) -> u32 {
        self.characters.len().ilog2()
    }

    fn has(&self, text: &str) -> bool {
        text.bytes().all(|byte| self.codes[byte as usize] != NONE)
    }
}

impl Spelling {
    /// The shortest for `text`.
    pub(super) fn of(text: &str) -> Self {
        if text.len() > PACKED_LIMIT {
            Self::Full
        } else if NARROW.has(text) {
            Self::Narrow
        } else if WIDE.has(text) {
            Self::Wide
        } else {
            Self::Full
        }
    }

    fn alphabet(self) -> Option<&'static Alphabet> {
        match self {
            Self::Full => None,
            Self::Narrow => Some(&NARROW),
            Self::Wide => Some(&WIDE),
        }
    }

    /// How many bytes `length` characters take (bytes, where they are spelt out in full).
    pub(super) fn size(self, length: usize) -> Result<usize, DecodeError> {
        match self.alphabet() {
            None => Ok(length),
            Some(_) if length > PACKED_LIMIT => Err(DecodeError::Corrupt("a text too long")),
            Some(alphabet) => Ok((length * alphabet.width() as usize).div_ceil(8)),
        }
    }

    /// Appends `text`, which can be spelt so.
    pub(super) fn write(self, text: &str, out: &mut Vec<u8>) {
        let Some(alphabet) = self.alphabet() else {
            return out.extend_from_slice(text.as_bytes());
        };
        let (mut bits, mut used) = (0_u32, 0);
        for byte in text.bytes() {
            bits |= u32::from(alphabet.codes[byte as usize]) << used;
            used += alphabet.width();
            if used >= 8 {
                out.push(bits.to_le_bytes()[0]);
                bits >>= 8;
                used -= 8;
            }
        }
        if used > 0 {
            out.push(bits.to_le_bytes()[0]);
        }
    }

    /// The text of `length` characters in `bytes`, which [`size`](Self::size) says the number of.
    pub(super) fn read<'b>(
        self,
        length: usize,
        bytes: &'b [u8],
        buffer: &'b mut [u8; PACKED_LIMIT],
    ) -> Result<&'b str, DecodeError> {
        let spelt = match self.alphabet() {
            None => bytes,
            Some(alphabet) => {
                let (mut bits, mut left) = (0_u32, 0);
                let mut bytes = bytes.iter();
                let text = buffer
                    .get_mut(..length)
                    .ok_or(DecodeError::Corrupt("a text too long"))?;
                for character in &mut *text {
                    if left < alphabet.width() {
                        bits |= u32::from(*bytes.next().ok_or(DecodeError::Truncated)?) << left;
                        left += 8;
                    }
                    let code = bits & ((1 << alphabet.width()) - 1);
                    *character = alphabet.characters[code as usize];
                    bits >>= alphabet.width();
                    left -= alphabet.width();
                }
                text
            }
        };
        std::str::from_utf8(spelt).map_err(|_| DecodeError::Corrupt("text that is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_survives(text in prop_oneof![".{0,80}", "[a-z.-]{0,80}", "[A-Za-z0-9_-]{0,80}"]) {
            let spelling = Spelling::of(&text);
            let mut bytes = Vec::new();
            spelling.write(&text, &mut bytes);
            prop_assert_eq!(Ok(bytes.len()), spelling.size(text.len()));
            let mut buffer = [0; PACKED_LIMIT];
            prop_assert_eq!(spelling.read(text.len(), &bytes, &mut buffer), Ok(text.as_str()));
        }
    }

    #[test]
    fn letters_take_fewer_bits() {
        for (text, spelling, size) in [
            ("women > shoes", Spelling::Narrow, 9),
            ("sku-0042", Spelling::Wide, 6),
            ("Größe 38", Spelling::Full, 10),
        ] {
            assert_eq!(Spelling::of(text), spelling);
            assert_eq!(spelling.size(text.len()), Ok(size));
        }
    }
}
