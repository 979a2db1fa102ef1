//! Digests as the database holds them.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Two lower-case hexadecimal digits for each byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digits = |byte: &u8| {
        [
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ]
    };
    bytes.iter().flat_map(digits).map(char::from).collect()
}

/// The digest that `text` was written for.
pub(crate) fn digest_of(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut digest = [0; 32];
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_survives_its_text() {
        let digest = std::array::from_fn(|index| u8::try_from(index * 8).unwrap());
        assert!(hexadecimal(&digest).starts_with("00081018"));
        assert_eq!(digest_of(&hexadecimal(&digest)), Some(digest));
        for bad in ["", &"g".repeat(64), &"é".repeat(32), &"a".repeat(63)] {
            assert_eq!(digest_of(bad), None, "{bad}");
        }
    }
}
