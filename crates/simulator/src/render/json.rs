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

    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.quoted(value);
    }

    /// An item of a list.
    pub(super) fn item(&mut self, value: &str) {
        self.comma();
        self.quoted(value);
    }

    pub(super) fn number(&mut self, name: &str, value: i64) {
        self.name(name);
        // Writing to a vector cannot fail.
        let _ = write!(self.to, "{value}");
    }

    pub(super) fn truth(&mut self, name: &str, value: bool) {
        self.name(name);
        self.to
            .extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A number of hundredths as a decimal, such as 129.95 for 12995.
    pub(super) fn hundredths(&mut self, name: &str, value: i64) {
        self.name(name);
        let _ = write!(self.to, "{}.{:02}", value / 100, value % 100);
    }

    /// A member whose value `write` writes.
    pub(super) fn value(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.name(name);
        write(self);
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

    fn quoted(&mut self, text: &str) {
        let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        if text.bytes().all(plain) {
            self.to.push(b'"');
            self.to.extend_from_slice(text.as_bytes());
            self.to.push(b'"');
        } else {
            // Writing text to a vector cannot fail.
            let _ = serde_json::to_writer(&mut *self.to, text);
        }
    }
}
