//! A batch that is not JSON, or not even UTF-8, taken apart: where the bounds of its events can still be told, one bad event
//! costs itself alone.
//!
//! A raw control byte in a text, bytes of another encoding or a number such as `NaN` are typical: senders put them into one
//! event, and their JSON library lets them through. What surrounds the events must be JSON, and brackets must match, or
//! nothing is certain and the body is refused as it is.

use serde_json::value::RawValue;

use crate::{
    Rejection,
    body::{self, Body, after_string},
    fault::{self, Fault},
    limits::{MAX_BATCH_ITEMS, MAX_DEPTH},
    text::RawText,
};

/// How deep brackets are followed: well-formed JSON that nests deeper is refused anyway.
const MAX_OPEN: usize = 8 * MAX_DEPTH;

/// The parts of a batch.
pub(crate) struct Parts<'a, const N: usize> {
    /// The events, whatever they are.
    pub(crate) items: Vec<&'a [u8]>,
    /// The members asked for; `None` where one is absent or null.
    pub(crate) beside: [Option<&'a RawValue>; N],
}

/// Takes the object `body` apart: the items of its member `list`, and the members called `beside`. `None` where its parts
/// cannot be told for sure, or are more than a batch may have.
pub(crate) fn apart<'a, const N: usize>(
    body: &'a [u8],
    list: &str,
    beside: [&str; N],
) -> Option<Parts<'a, N>> {
    let mut items = None;
    let mut found = [None; N];
    let mut scan = Scan { json: body, at: 0 };
    scan.members(|scan, name| {
        let name = json(name)?.get().trim_matches('"');
        if name.contains('\\') {
            return None;
        }
        if name == list {
            return items.replace(scan.items()?).is_none().then_some(());
        }
        let value = json(scan.value()?)?;
        if !body::nests_within(value.get(), MAX_DEPTH - 1) {
            return None;
        }
        match beside.iter().position(|known| *known == name) {
            Some(place) => found[place].replace(value).is_none().then_some(()),
            None => Some(()),
        }
    })?;
    scan.peek().is_none().then_some(())?;
    Some(Parts {
        items: items?,
        beside: found.map(|value| value.filter(|value| value.get() != "null")),
    })
}

/// The item as text, or, where it is not JSON, its rejection. `what` is what such an item is called.
pub(crate) fn readable<'a>(item: &'a [u8], what: &str, index: usize) -> Result<&'a str, Rejection> {
    body::open(item)
        .and_then(Body::json)
        .map_err(|refusal| Fault::of_part(&refusal, what).rejection(index, legible_id(item)))
}

/// The id of an event that is not JSON, where it can be read all the same.
fn legible_id(item: &[u8]) -> Option<String> {
    let mut id = None;
    let mut scan = Scan { json: item, at: 0 };
    scan.members(|scan, name| {
        let value = scan.value()?;
        if name == br#""messageId""# || name == br#""id""# {
            let text: RawText<'_> = serde_json::from_str(json(value)?.get()).ok()?;
            id = Some(fault::cut_to_id(&text));
        }
        Some(())
    });
    id
}

/// White space as JSON knows it.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn json(bytes: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice(bytes).ok()
}

/// A walk over JSON that may be broken inside its values. It follows brackets and quotes alone, without recursion.
struct Scan<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        while is_space(*self.json.get(self.at)?) {
            self.at += 1;
        }
        self.json.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Whether one more of a list follows before its `end`.
    fn another(&mut self, end: u8) -> Option<bool> {
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b',' => Some(true),
            byte if byte == end => Some(false),
            _ => None,
        }
    }

    /// Walks over an object. `value` walks over the value of each member, of which it is given the name, quotes included.
    fn members(&mut self, mut value: impl FnMut(&mut Self, &'a [u8]) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        loop {
            if self.peek()? != b'"' {
                return None;
            }
            let name = self.value()?;
            self.take(b':')?;
            value(self, name)?;
            if !self.another(b'}')? {
                return Some(());
            }
        }
    }

    /// Walks over an array of at most as many items as a batch may list.
    fn items(&mut self) -> Option<Vec<&'a [u8]>> {
        self.take(b'[')?;
        let mut items = Vec::new();
        if self.peek()? == b']' {
            self.at += 1;
            return Some(items);
        }
        loop {
            items.push(self.value()?);
            if !self.another(b']')? {
                return Some(items);
            }
            if items.len() == MAX_BATCH_ITEMS {
                return None;
            }
        }
    }

    /// Walks over one value.
    fn value(&mut self) -> Option<&'a [u8]> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => self.string()?,
            b'{' | b'[' => self.nested()?,
            _ => self.word(),
        }
        self.json
            .get(start..self.at)
            .filter(|value| !value.is_empty())
    }

    fn string(&mut self) -> Option<()> {
        let start = self.at + 1;
        self.at = after_string(self.json, start);
        let is_closed = self.at > start && self.json.get(self.at - 1) == Some(&b'"');
        is_closed.then_some(())
    }

    /// A number, `null` and the like.
    fn word(&mut self) {
        let rest = &self.json[self.at..];
        let is_end = |byte: &u8| is_space(*byte) || b",:]}[{\"".contains(byte);
        self.at += rest.iter().position(is_end).unwrap_or(rest.len());
    }

    /// An object or array: brackets match, and open only where a value may stand. Where a bracket is missing, what follows
    /// is not taken for a part of this value.
    fn nested(&mut self) -> Option<()> {
        let mut open: Vec<u8> = Vec::new();
        let mut before = b':';
        loop {
            let byte = self.peek()?;
            // After a text something else can only follow where a quote is missing or is one too many.
            if before == b'"' && !b",:]}".contains(&byte) {
                return None;
            }
            match byte {
                b'"' => self.string()?,
                b'{' | b'[' => {
                    let is_value = match open.last() {
                        Some(b'[') => before == b'[' || before == b',',
                        _ => before == b':',
                    };
                    if !is_value || open.len() == MAX_OPEN {
                        return None;
                    }
                    open.push(byte);
                    self.at += 1;
                }
                b'}' | b']' => {
                    // In ASCII the brackets of a kind are two apart.
                    if open.pop()? != byte - 2 {
                        return None;
                    }
                    self.at += 1;
                    if open.is_empty() {
                        return Some(());
                    }
                }
                _ => self.at += 1,
            }
            before = byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(body: &[u8]) -> Option<Vec<String>> {
        let parts = apart(body, "batch", ["sentAt"])?;
        let text = |item: &&[u8]| String::from_utf8_lossy(item).into_owned();
        Some(parts.items.iter().map(text).collect())
    }

    #[test]
    fn items_are_told_apart_whatever_is_in_them() {
        let body = b" { \"a\" : [1,{}] , \"batch\" : [ {\"x\":\"\x01]}\"} , {\"x\":NaN,\"y\":[{},[]]},7 ,\"\xff\", [] ] }\n";
        let expected = [
            "{\"x\":\"\x01]}\"}",
            r#"{"x":NaN,"y":[{},[]]}"#,
            "7",
            "\"\u{fffd}\"",
            "[]",
        ];
        assert_eq!(items(body), Some(expected.map(str::to_owned).to_vec()));
        assert_eq!(items(b"{\"batch\":[]}"), Some(Vec::new()));
    }

    #[test]
    fn members_beside_the_list_are_found_unless_they_are_null() {
        let body = br#"{"sentAt":"now","batch":[NaN],"context":null}"#;
        let parts = apart(body, "batch", ["context", "sentAt", "writeKey"]).unwrap();
        let found = parts.beside.map(|value| value.map(RawValue::get));
        assert_eq!(found, [None, Some("\"now\""), None]);
    }

    #[test]
    fn where_bounds_are_not_certain_nothing_is_told_apart() {
        let deep = format!("{{\"batch\":[{}", "[".repeat(100_000));
        let long = format!("{{\"batch\":[{}NaN]}}", "1,".repeat(MAX_BATCH_ITEMS));
        for body in [
            "",
            "{",
            "{}",
            r#"{"batch":7}"#,
            r#"{"batch":[{}"#,
            r#"{"batch":[{}]"#,
            r#"{"batch":[{}]} {}"#,
            r#"{"batch":[{},]}"#,
            r#"{"batch":[{} {}]}"#,
            r#"{"batch":[{"a":1]}"#,
            r#"{"batch":[{"a":1,{"b":2}}]}"#,
            r#"{"batch":[{"a":"x},{"b":2}]}"#,
            // As many quotes are missing as make the others even again.
            r#"{"batch":[{"a":"x},{"b":"y\"z"}]}"#,
            r#"{"batch":[{"a":"x},{"b":"good"},{"c":"y}]}"#,
            r#"{"batch":[NaN],"b\u0061tch":[]}"#,
            "{\"batch\":\x0c[NaN]}",
            r#"{"batch":["\"#,
            r#"{"batch":[],"batch":[]}"#,
            r#"{"sentAt":1,"sentAt":2,"batch":[]}"#,
            r#"{"context":NaN,"batch":[]}"#,
            "{\"a\x01\":1,\"batch\":[]}",
            &deep,
            &long,
        ] {
            assert_eq!(
                items(body.as_bytes()),
                None,
                "{}",
                &body[..body.len().min(80)]
            );
        }
    }

    #[test]
    fn an_id_is_read_out_of_what_is_not_json() {
        let id = |item: &[u8]| readable(item, "item", 3).unwrap_err().id;
        assert_eq!(
            id(b"{\"a\":\"\xff\",\"messageId\":\"m-1\",\"b\":NaN}").as_deref(),
            Some("m-1")
        );
        assert_eq!(id(b"{\"id\":7,\"a\":\"\x01\"}").as_deref(), Some("7"));
        assert_eq!(id(b"{\"id\":\"\x01\"}"), None);
        assert_eq!(id(b"NaN"), None);
    }
}
