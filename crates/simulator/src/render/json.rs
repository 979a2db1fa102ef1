//! Writing JSON straight into a buffer: at a hundred thousand actions a second, a tree of values would cost more than
//! all the rest.

use std::io::Write as _;

/// Writes the members of objects and the items of lists, with commas where they belong.
pub(super) struct Json<'a> {
    to: &'a mut Vec<u8>,
}

impl<'a> Json<'a> {
    pub(super) fn new(to: &'a mut Vec<u8>) -> Self {
        Self { to }
    }

    /// An object with what `fill` puts into it.
    pub(super) fn object(&mut self, fill: impl FnOnce(&mut Self)) {
        self.comma();
        self.to.push(b'{');
        fill(self);
        self.to.push(b'}');
    }

    /// A member that is an object.
    pub(super) fn inner(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.name(name);
        self.object(fill);
    }

    /// A member that is a list of what `fill` puts into it.
    pub(super) fn list(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.name(name);
        self.to.push(b'[');
        fill(self);
        self.to.push(b']');
    }

    /// A member that is one of our own words: ids, names, instants, none of which has anything to escape.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.quoted(value);
    }

    /// A member that is the text which `write` appends: an id or an instant, likewise.
    pub(super) fn made(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.name(name);
        self.to.push(b'"');
        write(self.to);
        self.to.push(b'"');
    }

    /// A member that is text from elsewhere, such as the id of a decision.
    pub(super) fn foreign(&mut self, name: &str, value: &str) {
        self.name(name);
        // Writing text to a vector cannot fail.
        let _ = serde_json::to_writer(&mut *self.to, value);
    }

    /// An item of a list.
    pub(super) fn item(&mut self, value: &str) {
        self.comma();
        self.quoted(value);
    }

    pub(super) fn number(&mut self, name: &str, value: i64) {
        self.name(name);
        digits(value, self.to);
    }

    pub(super) fn truth(&mut self, name: &str, value: bool) {
        self.name(name);
        self.to
            .extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A number of hundredths as a decimal, such as 129.95 for 12995.
    pub(super) fn hundredths(&mut self, name: &str, value: i64) {
        self.name(name);
        digits(value / 100, self.to);
        // Writing to a vector cannot fail.
        let _ = write!(self.to, ".{:02}", value % 100);
    }

    fn name(&mut self, name: &str) {
        self.comma();
        self.quoted(name);
        self.to.push(b':');
    }

    /// A comma, unless something has just been opened or named, or nothing was written yet.
    fn comma(&mut self) {
        if !matches!(self.to.last(), None | Some(b'{' | b'[' | b':' | b'\n')) {
            self.to.push(b',');
        }
    }

    fn quoted(&mut self, plain: &str) {
        debug_assert!(
            plain
                .bytes()
                .all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\'),
            "{plain} would have to be escaped"
        );
        self.to.push(b'"');
        self.to.extend_from_slice(plain.as_bytes());
        self.to.push(b'"');
    }
}

/// Appends `value` in decimal digits.
fn digits(value: i64, to: &mut Vec<u8>) {
    if value < 0 {
        to.push(b'-');
    }
    in_base(value.unsigned_abs(), 10, 1, to);
}

/// Appends `value` in digits of `base`, at most 16, with zeros before it up to the width `least`.
pub(super) fn in_base(mut value: u64, base: u64, least: usize, to: &mut Vec<u8>) {
    let mut buffer = [b'0'; 20];
    let mut first = buffer.len();
    while value > 0 {
        first -= 1;
        let digit = usize::try_from(value % base).unwrap_or(0);
        buffer[first] = b"0123456789abcdef"[digit];
        value /= base;
    }
    let first = first.min(buffer.len() - least);
    to.extend_from_slice(&buffer[first..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_numbers_are() {
        for value in [0, 7, -7, 1_234_567_890_123, i64::MIN, i64::MAX] {
            let mut text = Vec::new();
            digits(value, &mut text);
            assert_eq!(text, value.to_string().into_bytes());
        }
        for value in [0, 15, 16, 0xdead_beef, u64::MAX] {
            let mut text = Vec::new();
            in_base(value, 16, 1, &mut text);
            assert_eq!(text, format!("{value:x}").into_bytes());
            text.clear();
            in_base(value, 10, 6, &mut text);
            assert_eq!(text, format!("{value:06}").into_bytes());
        }
    }
}
