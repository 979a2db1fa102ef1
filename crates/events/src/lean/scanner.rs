//! Going along a text of JSON that is written without white space and escapes. `None` means "not like that".

use crate::{EpochMs, ShopperId};

/// Where reading is in a text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

/// An object being read: what stands before its next member, a brace at first and a comma later.
pub(super) struct Object {
    before: u8,
}

impl Object {
    /// One of which members were read already.
    pub(super) const BEGUN: Self = Self { before: b',' };
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// Passes over `literal`.
    #[inline]
    pub(super) fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.rest()
            .starts_with(literal)
            .then(|| self.at += literal.len())
    }

    /// Whether all of the text was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// Begins the object that begins here.
    #[inline]
    pub(super) fn object(&self) -> Option<Object> {
        (*self.rest().first()? == b'{').then_some(Object { before: b'{' })
    }

    /// Passes over the name of the next member of `object` if it is `name`, which is written with quotes and colon.
    #[inline]
    pub(super) fn member(&mut self, object: &mut Object, name: &[u8]) -> bool {
        let found = match self.rest() {
            [before, rest @ ..] => *before == object.before && rest.starts_with(name),
            [] => false,
        };
        if found {
            self.at += 1 + name.len();
            object.before = b',';
        }
        found
    }

    /// Passes over the end of `object`.
    #[inline]
    pub(super) fn end(&mut self, object: &Object) -> Option<()> {
        if object.before == b'{' {
            self.literal(b"{}")
        } else {
            self.literal(b"}")
        }
    }

    /// The text that begins here, without escapes, of at most `most` characters.
    #[inline]
    pub(super) fn text(&mut self, most: usize) -> Option<&'a str> {
        self.literal(b"\"")?;
        let length = plain_length(self.rest())?;
        let text = self.text.get(self.at..self.at + length)?;
        self.at += length + 1;
        (length <= most || text.chars().count() <= most).then_some(text)
    }

    /// The same, of at least one character.
    #[inline]
    pub(super) fn id(&mut self, most: usize) -> Option<&'a str> {
        self.text(most).filter(|text| !text.is_empty())
    }

    /// A whole number below 10^16.
    #[inline]
    fn whole(&mut self) -> Option<u64> {
        let rest = self.rest();
        let mut number = 0;
        let mut length = 0;
        while let Some(digit @ b'0'..=b'9') = rest.get(length) {
            number = number * 10 + u64::from(digit - b'0');
            length += 1;
            if length > 16 {
                return None;
            }
        }
        let leads_with_zero = length > 1 && rest[0] == b'0';
        self.at += length;
        (length > 0 && !leads_with_zero).then_some(number)
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.whole().and_then(|number| u32::try_from(number).ok())
    }

    /// A whole number of at most `most` either way. Minus zero is none.
    #[inline]
    pub(super) fn signed(&mut self, most: i64) -> Option<i64> {
        let sign = if self.literal(b"-").is_some() { -1 } else { 1 };
        let number = self.whole()?.cast_signed();
        (number <= most && (sign > 0 || number > 0)).then_some(sign * number)
    }

    /// Any number that is finite.
    pub(super) fn number(&mut self) -> Option<f64> {
        let rest = self.rest();
        let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.iter().take_while(is_part).count();
        let digits = self.text.get(self.at..self.at + length)?;
        self.at += length;
        let number = match short_decimal(digits.as_bytes()) {
            Some(number) => number,
            None => serde_json::from_str(digits).ok()?,
        };
        number.is_finite().then_some(number)
    }

    #[inline]
    pub(super) fn instant(&mut self) -> Option<EpochMs> {
        EpochMs::parse(self.text("0000-00-00T00:00:00.000Z".len())?)
    }

    #[inline]
    pub(super) fn shopper(&mut self) -> Option<ShopperId> {
        let digits: &[u8; 32] = self.text(32)?.as_bytes().try_into().ok()?;
        let mut bytes = [0; 16];
        let mut any = 0;
        for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
            let (high, low) = (NIBBLES[usize::from(pair[0])], NIBBLES[usize::from(pair[1])]);
            any |= high | low;
            *byte = high << 4 | (low & 15);
        }
        (any < 16).then_some(ShopperId(bytes))
    }
}

/// The value of each hexadecimal digit; 255 of what is none.
const NIBBLES: [u8; 256] = {
    let mut nibbles = [255; 256];
    let mut value = 0;
    while value < 16 {
        nibbles[b"0123456789abcdef"[value as usize] as usize] = value;
        nibbles[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    nibbles
};

/// The length of a string's contents, which begin here. `None` if something has to be unescaped, or may not stand in a string.
#[inline]
fn plain_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*word);
        let found = holding(word, b'"') | holding(word, b'\\') | below_space(word);
        if found != 0 {
            at += found.trailing_zeros() as usize / 8;
            return (bytes[at] == b'"').then_some(at);
        }
        at += 8;
    }
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' | 0..b' ' => return None,
            _ => at += 1,
        }
    }
}

const LOW: u64 = 0x0101_0101_0101_0101;

/// The high bit of every byte of `word` that is `byte`; those above the lowest may be wrong. (Hacker's Delight, 6-1.)
#[inline]
fn holding(word: u64, byte: u8) -> u64 {
    let difference = word ^ (LOW * u64::from(byte));
    difference.wrapping_sub(LOW) & !difference & (LOW << 7)
}

/// The high bit of every byte of `word` below a space; those above the lowest may be wrong.
#[inline]
fn below_space(word: u64) -> u64 {
    word.wrapping_sub(LOW * u64::from(b' ')) & !word & (LOW << 7)
}

/// Powers of ten that a 64-bit float holds exactly.
const POWERS: [f64; 15] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14,
];

/// The number that `digits` says, if it is written as `12.34` in at most 15 digits: one division of two exact numbers, which
/// rounds once, as reading it in full does.
fn short_decimal(digits: &[u8]) -> Option<f64> {
    if digits.len() > 16 {
        return None;
    }
    let point = digits.iter().position(|byte| *byte == b'.')?;
    let (whole, fraction) = (&digits[..point], &digits[point + 1..]);
    let leads_with_zero = whole.len() > 1 && whole[0] == b'0';
    if whole.is_empty() || fraction.is_empty() || leads_with_zero {
        return None;
    }
    let mut number = 0_u64;
    for byte in whole.iter().chain(fraction) {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + u64::from(byte - b'0');
    }
    #[expect(clippy::cast_precision_loss, reason = "15 digits are below 2^53")]
    let exact = number as f64;
    POWERS.get(fraction.len()).map(|power| exact / power)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_string_ends_at_its_quote_and_has_nothing_to_unescape() {
        for length in 0..30 {
            let plain = "é".repeat(length / 2) + &"x".repeat(length % 2);
            let text = |inside: &str| format!("\"{plain}{inside}{plain}\",\"y\"");
            let read = |text: &str| Scanner::new(text).text(100).map(str::to_owned);
            assert_eq!(read(&text("x")), Some(format!("{plain}x{plain}")));
            for inside in ["\\n", "\n", "\u{1f}", "\0"] {
                assert_eq!(read(&text(inside)), None);
            }
            assert_eq!(read(&format!("\"{plain}")), None);
        }
    }

    #[test]
    fn whole_numbers_are_read_as_they_are_written() {
        for (text, number) in [
            ("0", Some(0)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("99999999999999999999", None),
            ("01", None),
            ("", None),
            ("-1", None),
        ] {
            assert_eq!(Scanner::new(text).u32(), number, "{text}");
        }
        for (text, number) in [
            ("-0", None),
            ("-5", Some(-5)),
            ("11", None),
            ("-10", Some(-10)),
        ] {
            assert_eq!(Scanner::new(text).signed(10), number, "{text}");
        }
    }

    proptest! {
        #[test]
        fn numbers_are_what_the_full_reader_says(
            text in "-?[0-9]{1,9}(\\.[0-9]{0,9})?([eE][+-]?[0-9]{0,3})?",
        ) {
            let full: Option<f64> = serde_json::from_str(&text).ok();
            let read = Scanner::new(&text).number();
            prop_assert_eq!(read.map(f64::to_bits), full.map(f64::to_bits));
        }
    }
}
