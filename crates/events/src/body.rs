//! Looking a request body over before it is parsed: is it UTF-8, how deep does it nest, how long are its items?

use serde_json::value::RawValue;

use crate::{
    BatchRefusal,
    limits::{MAX_DEPTH, MAX_EVENT_BYTES},
};

/// A body, or a line of one, that was looked over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Body<'a> {
    /// All of it, without white space around it.
    pub(crate) text: &'a str,
    /// Whether every item of a list in the outermost object is within the limits of size and depth.
    pub(crate) items_fit: bool,
}

/// The body as text, unless it is not UTF-8 or nests too deep. Items of a list in the outermost object may be too deep: they
/// are refused alone.
pub(crate) fn open(body: &[u8]) -> Result<Body<'_>, BatchRefusal> {
    let text = std::str::from_utf8(body)
        .map_err(|error| BatchRefusal::NotUtf8 {
            at: error.valid_up_to(),
        })?
        .trim_ascii();
    let extent = Extent::of(text.as_bytes());
    let deepest = if text.starts_with('{') {
        extent.beside_items
    } else {
        extent.depth
    };
    if deepest > MAX_DEPTH {
        return Err(BatchRefusal::TooDeep { limit: MAX_DEPTH });
    }
    let items_fit = extent.depth < MAX_DEPTH + ITEM_DEPTH && extent.longest_item <= MAX_EVENT_BYTES;
    Ok(Body { text, items_fit })
}

/// Whether an item of a batch, which is JSON, nests within the limit.
pub(crate) fn item_nests_within_limit(item: &str) -> bool {
    nests_within(item, MAX_DEPTH)
}

/// Whether JSON has at most `limit` levels of objects and arrays.
pub(crate) fn nests_within(json: &str, limit: usize) -> bool {
    Extent::of(json.as_bytes()).depth <= limit
}

/// The refusal that says what serde says of a body of which `member` is the list of events.
pub(crate) fn refusal(error: &serde_json::Error, member: &'static str) -> BatchRefusal {
    if error.is_data() {
        BatchRefusal::Shape {
            field: member,
            cause: error.to_string(),
        }
    } else {
        BatchRefusal::NotJson {
            cause: error.to_string(),
        }
    }
}

impl<'a> Body<'a> {
    /// The text, if it is JSON.
    pub(crate) fn json(self) -> Result<&'a str, BatchRefusal> {
        let json: &RawValue =
            serde_json::from_str(self.text).map_err(|error| refusal(&error, "body"))?;
        Ok(json.get())
    }

    /// The refusal of a body that is not an object, or not even JSON.
    pub(crate) fn not_an_object(self, cause: &str) -> BatchRefusal {
        let shape = BatchRefusal::Shape {
            field: "body",
            cause: cause.to_owned(),
        };
        self.json().err().unwrap_or(shape)
    }
}

/// The levels of objects and arrays that are open within an item of a list in the outermost object.
const ITEM_DEPTH: usize = 3;

/// How far a text of JSON extends. What is said of text that is not JSON does not matter, as the parser refuses that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Extent {
    /// The most levels of objects and arrays that are open at once.
    depth: usize,
    /// The same, without the items of arrays in the outermost object or array.
    beside_items: usize,
    /// The bytes of the longest object or array at the depth of items.
    longest_item: usize,
}

impl Extent {
    /// A linear scan: no stack is spent on deep input.
    fn of(json: &[u8]) -> Self {
        let mut extent = Self::default();
        let (mut depth, mut start, mut is_list) = (0_usize, 0, false);
        let mut at = 0;
        while let Some(&byte) = json.get(at) {
            at += 1;
            match byte {
                b'"' => at = after_string(json, at),
                b'{' | b'[' => {
                    depth += 1;
                    extent.depth = extent.depth.max(depth);
                    if depth < ITEM_DEPTH {
                        is_list = byte == b'[';
                    }
                    if depth < ITEM_DEPTH || !is_list {
                        extent.beside_items = extent.beside_items.max(depth);
                    }
                    if depth == ITEM_DEPTH {
                        start = at;
                    }
                }
                b'}' | b']' => {
                    if depth == ITEM_DEPTH {
                        extent.longest_item = extent.longest_item.max(at + 1 - start);
                    }
                    depth = depth.saturating_sub(1);
                }
                _ => {}
            }
        }
        extent
    }
}

/// The place after the closing quote of the string whose contents begin at `at`. Eight bytes are looked at together, as
/// most of a body is strings, and all of it comes through here.
pub(crate) fn after_string(json: &[u8], mut at: usize) -> usize {
    while let Some(word) = json.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*word);
        let found = holding(word, b'"') | holding(word, b'\\');
        if found == 0 {
            at += 8;
            continue;
        }
        at += found.trailing_zeros() as usize / 8;
        if json[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    while let Some(&byte) = json.get(at) {
        at += if byte == b'\\' { 2 } else { 1 };
        if byte == b'"' {
            break;
        }
    }
    at
}

/// The high bit of every byte of `word` that is `byte`; those above the lowest may be wrong. (Hacker's Delight, 6-1.)
fn holding(word: u64, byte: u8) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    let difference = word ^ (LOW * u64::from(byte));
    difference.wrapping_sub(LOW) & !difference & (LOW << 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_counted_outside_strings_only() {
        assert!(nests_within(r#"{"a":[{"b":1},{"c":2}]}"#, 3));
        assert!(!nests_within(r#"{"a":[{"b":1},{"c":2}]}"#, 2));
        assert!(nests_within(r#"["[[[[", "\"[[[[", "\\"]"#, 1));
        assert!(!nests_within(r#"["\\",[]]"#, 1));
        assert!(nests_within(r#"["\"#, 1));
    }

    #[test]
    fn strings_of_every_length_are_skipped() {
        for length in 0..40 {
            for filling in ["x", "ü", "\\\\", "\\\"", "["] {
                let json = format!(r#"{{"{}":[]}}"#, filling.repeat(length));
                assert!(nests_within(&json, 2) && !nests_within(&json, 1), "{json}");
            }
        }
    }

    #[test]
    fn the_longest_item_is_measured() {
        let longest = |json: &str| Extent::of(json.as_bytes()).longest_item;
        assert_eq!(
            longest(r#"{"actions":[{"a":1}, {"b":[1,2]} ]}"#),
            r#"{"b":[1,2]}"#.len()
        );
        assert_eq!(longest(r#"{"actions":[],"x":{}}"#), 0);
    }

    #[test]
    fn the_depth_beside_items_is_told_from_theirs() {
        let extent = Extent::of(br#"{"context":{"a":{"b":1}},"batch":[{"c":[[[]]]}]}"#);
        assert_eq!((extent.beside_items, extent.depth), (3, 6));
    }

    #[test]
    fn a_body_of_a_million_brackets_is_refused_without_recursion() {
        let body = "[".repeat(1_000_000);
        assert_eq!(
            open(body.as_bytes()),
            Err(BatchRefusal::TooDeep { limit: MAX_DEPTH })
        );
    }

    #[test]
    fn the_first_byte_that_is_not_utf_8_is_named() {
        assert_eq!(
            open(b"{\"a\":\"\xff\"}"),
            Err(BatchRefusal::NotUtf8 { at: 6 })
        );
    }
}
