//! JSON written straight into a buffer.
//!
//! What is written often is put together by hand, because most of it is known beforehand: names and punctuation are copied
//! in one piece, and only what varies is formatted.

use serde::Serialize;

/// The largest magnitude, 2^53, below which every whole number is a double of its own.
const WHOLE: u64 = 1 << 53;
/// The same of single precision, 2^24.
const WHOLE_SINGLE: u32 = 1 << 24;

/// Appends to a buffer.
#[derive(Debug)]
pub struct Json<'a>(pub &'a mut Vec<u8>);

impl Json<'_> {
    /// What is JSON already.
    pub fn raw(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    /// A text.
    pub fn text(&mut self, text: &str) {
        // Looked through as a whole: hardly any text has something to escape.
        let is_plain = text
            .bytes()
            .fold(true, |plain, byte| plain & !needs_escape(byte));
        if is_plain {
            self.raw("\"");
            self.raw(text);
            self.raw("\"");
        } else {
            self.value(text);
        }
    }

    /// A finite number, to the last bit of it; a whole one without a fraction.
    pub fn number(&mut self, number: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "what is cut off is seen")]
        let whole = number as i64;
        if whole.unsigned_abs() < WHOLE && (whole as f64).to_bits() == number.to_bits() {
            self.value(&whole);
        } else {
            self.value(&number);
        }
    }

    /// The same in single precision.
    pub fn single(&mut self, number: f32) {
        #[expect(clippy::cast_possible_truncation, reason = "what is cut off is seen")]
        let whole = number as i32;
        if whole.unsigned_abs() < WHOLE_SINGLE && (whole as f32).to_bits() == number.to_bits() {
            self.value(&whole);
        } else {
            self.value(&number);
        }
    }

    /// Anything else.
    pub fn value<T: Serialize + ?Sized>(&mut self, value: &T) {
        // A buffer takes everything, and what is written here has text for its keys.
        let _ = serde_json::to_writer(&mut *self.0, value);
    }

    /// `key`, which is JSON with the comma before it and the colon behind, and what `write` writes of `value`, if there is one.
    pub fn field<T>(&mut self, key: &str, value: Option<T>, write: fn(&mut Self, T)) {
        if let Some(value) = value {
            self.raw(key);
            write(self, value);
        }
    }

    /// An array.
    pub fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        let mut separator = "[";
        for item in items {
            self.raw(separator);
            write(self, item);
            separator = ",";
        }
        // Nothing was written where there was nothing.
        self.raw(if separator == "[" { "[]" } else { "]" });
    }
}

#[expect(
    clippy::needless_bitwise_bool,
    reason = "without branches many bytes are looked at in one step"
)]
fn needs_escape(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Json<'_>)) -> String {
        let mut bytes = Vec::new();
        write(&mut Json(&mut bytes));
        String::from_utf8(bytes).unwrap()
    }

    proptest! {
        #[test]
        fn any_text_is_written_as_ever(text in any::<String>()) {
            prop_assert_eq!(written(|json| json.text(&text)), serde_json::to_string(&text).unwrap());
        }

        #[test]
        fn any_number_comes_back(number in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO) {
            let read: f64 = serde_json::from_str(&written(|json| json.number(number))).unwrap();
            prop_assert_eq!(read.to_bits(), number.to_bits());
        }

        #[test]
        fn any_number_of_single_precision_comes_back(
            number in prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL | prop::num::f32::ZERO
        ) {
            let text = written(|json| json.single(number));
            let read: f32 = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read.to_bits(), number.to_bits());
        }

        #[test]
        fn a_whole_number_has_no_fraction(number in -(1_i64 << 53) + 1..1 << 53) {
            prop_assert_eq!(written(|json| json.number(number as f64)), number.to_string());
        }
    }

    #[test]
    fn a_list_may_be_empty() {
        let list =
            |items: &[f64]| written(|json| json.list(items, |json, item| json.number(*item)));
        assert_eq!(
            (list(&[]), list(&[1.0, 0.5])),
            ("[]".to_owned(), "[1,0.5]".to_owned())
        );
    }
}
