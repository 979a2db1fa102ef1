//! Texts as the database holds them. PostgreSQL refuses U+0000 in a text, so it is written `\0`, and a backslash `\\`.

use std::borrow::Cow;

/// `text` as the database holds it. Different texts stay different.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if text.contains(['\\', '\0']) {
        text.replace('\\', "\\\\").replace('\0', "\\0").into()
    } else {
        text.into()
    }
}

/// The text that `held` stands for; `None` if it stands for none.
pub(crate) fn unescaped(held: &str) -> Option<Cow<'_, str>> {
    if !held.contains('\\') {
        return Some(held.into());
    }
    let mut text = String::with_capacity(held.len());
    let mut rest = held.chars();
    while let Some(next) = rest.next() {
        text.push(match (next, next == '\\') {
            (_, true) => match rest.next()? {
                '\\' => '\\',
                '0' => '\0',
                _ => return None,
            },
            (plain, false) => plain,
        });
    }
    Some(text.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_escape_is_refused() {
        for bad in ["\\", "a\\", "\\n", "\\\\\\"] {
            assert_eq!(unescaped(bad), None, "{bad}");
        }
        assert_eq!(escaped("a\\0\0"), "a\\\\0\\0");
    }

    proptest! {
        #[test]
        fn any_text_survives_without_a_zero(text in "(\\PC|[\\\\0\u{0}]){0,30}") {
            let held = escaped(&text);
            prop_assert!(!held.contains('\0'));
            prop_assert_eq!(unescaped(&held).unwrap(), text.as_str());
        }
    }
}
