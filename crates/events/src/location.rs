//! Addresses of pages, without the parts that tend to hold personal data: query, fragment, credentials.

use serde::{Deserialize, Deserializer, de::Error};

use crate::{Phrase, bounded::TOO_LONG, text::RawText};

/// The path of a page, from its path or its URL.
pub(crate) fn path(address: &str) -> &str {
    until_stable(address, |address| match after_scheme(address) {
        Some(rest) => rest.find('/').map_or("/", |start| &rest[start..]),
        None => address,
    })
}

/// Host and path of a page, from its URL.
pub(crate) fn host_and_path(address: &str) -> &str {
    until_stable(address, |address| {
        let rest = after_scheme(address).unwrap_or(address);
        let host_end = rest.find('/').unwrap_or(rest.len());
        rest[..host_end]
            .rfind('@')
            .map_or(rest, |at| &rest[at + 1..])
    })
}

/// Cuts until nothing more comes off, so that what was kept once is kept as it is when it is read again.
fn until_stable(address: &str, cut: fn(&str) -> &str) -> &str {
    let mut kept = without_query(address);
    loop {
        let next = without_query(cut(kept));
        if next.len() == kept.len() {
            return kept;
        }
        kept = next;
    }
}

fn without_query(address: &str) -> &str {
    let address = address.trim();
    address
        .find(['?', '#'])
        .map_or(address, |end| &address[..end])
}

/// What follows `scheme://`, or the `//` of an address that leaves its scheme open.
fn after_scheme(address: &str) -> Option<&str> {
    address.strip_prefix("//").or_else(|| {
        let (scheme, rest) = address.split_once("://")?;
        scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
            .then_some(rest)
    })
}

/// What `keep` keeps of `address`, at most as much as a phrase holds.
pub(crate) fn cut(address: &str, keep: fn(&str) -> &str) -> Option<Phrase> {
    let phrase = Phrase::cut(keep(address));
    let kept = keep(&phrase);
    if kept.is_empty() {
        None
    } else {
        Phrase::new(kept)
    }
}

/// Reads a member that holds a path.
pub(crate) fn read_path<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Phrase>, D::Error> {
    read_with(deserializer, path)
}

/// Reads a member that holds where a page was reached from.
pub(crate) fn read_host_and_path<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Phrase>, D::Error> {
    read_with(deserializer, host_and_path)
}

/// The limit is on what is kept: a long query must not cost the event.
fn read_with<'de, D: Deserializer<'de>>(
    deserializer: D,
    keep: fn(&str) -> &str,
) -> Result<Option<Phrase>, D::Error> {
    let Some(address) = Option::<RawText<'de>>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let kept = keep(&address);
    if kept.is_empty() {
        return Ok(None);
    }
    let phrase = Phrase::new(kept);
    let limit = Phrase::MAX_CHARS;
    phrase
        .ok_or_else(|| D::Error::custom(format_args!("{TOO_LONG} {limit} characters")))
        .map(Some)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_an_address_only_the_path_stays() {
        for (address, kept) in [
            ("/shoes/red?email=a@b.c#top", "/shoes/red"),
            ("https://shop.example/shoes?x=1", "/shoes"),
            ("https://shop.example", "/"),
            ("//shop.example/a", "/a"),
            ("https://a//b/c", "/c"),
            ("shoes", "shoes"),
            ("/go?to=https://x", "/go"),
            ("", ""),
        ] {
            assert_eq!(path(address), kept, "{address}");
        }
    }

    proptest! {
        #[test]
        fn what_was_kept_once_is_kept_as_it_is(address in "([a-z]{0,3}[:/@ ?#.]{0,3}){0,6}") {
            let kept = path(&address);
            prop_assert_eq!(path(kept), kept);
            let kept = host_and_path(&address);
            prop_assert_eq!(host_and_path(kept), kept);
            prop_assert!(!kept.contains(['?', '#']));
        }
    }

    #[test]
    fn of_a_referrer_host_and_path_stay() {
        for (address, kept) in [
            (
                "https://www.google.com/search?q=secret",
                "www.google.com/search",
            ),
            ("https://ann:pw@shop.example/a@b", "shop.example/a@b"),
            ("android-app://com.example", "com.example"),
            ("shop.example/x#y", "shop.example/x"),
        ] {
            assert_eq!(host_and_path(address), kept, "{address}");
        }
    }
}
