//! What a correction changes, member by member.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::list::excerpt;

/// The lines that tell what makes `after` of `before`: `-` what goes, `+` what comes. Of two objects only the members that
/// differ, else the whole.
pub(super) fn lines(before: &[u8], after: &[u8]) -> Vec<String> {
    let object = |bytes: &[u8]| serde_json::from_slice::<Map<String, Value>>(bytes).ok();
    let (Some(old), Some(new)) = (object(before), object(after)) else {
        if before == after {
            return Vec::new();
        }
        return vec![
            format!("- {}", excerpt(before)),
            format!("+ {}", String::from_utf8_lossy(after)),
        ];
    };
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut lines = Vec::new();
    for name in names {
        let (old, new) = (old.get(name), new.get(name));
        if old == new {
            continue;
        }
        let line = |sign: char| move |value: &Value| format!("{sign} \"{name}\": {value}");
        lines.extend(old.map(line('-')));
        lines.extend(new.map(line('+')));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_told() {
        let (before, after) = (br#"{"a":1,"b":2,"c":3}"#, br#"{"a":1,"b":"2","d":4}"#);
        assert_eq!(
            lines(before, after),
            ["- \"b\": 2", "+ \"b\": \"2\"", "- \"c\": 3", "+ \"d\": 4"]
        );
        assert_eq!(lines(before, before), [""; 0]);
        assert_eq!(lines(b"x", b"{}"), ["- x", "+ {}"]);
    }
}
