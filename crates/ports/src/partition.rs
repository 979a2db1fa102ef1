//! Which partition a key belongs to: the same for every kind of log, so that digests and co-partitioning hold everywhere.

use foretide_events::ShopperId;

/// Kafka's murmur2 (the Java client's `Utils.murmur2`): the 32-bit `MurmurHash2` by Austin Appleby with a fixed seed.
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(key.len() & 0xffff_ffff).unwrap_or(u32::MAX);
    let mut hash = 0x9747_b28c ^ length;
    let mut words = key.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The partition of `key` among `partitions`, as Kafka's Java client would choose. `partitions` is at least one.
pub fn partition_for(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// The key of a shopper's records on every topic keyed by shopper: the pseudonym as 32 hexadecimal digits.
pub fn shopper_key(shopper: &ShopperId) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut key = [0; 32];
    for (pair, byte) in key.chunks_exact_mut(2).zip(shopper.as_bytes()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shoppers_key_is_the_pseudonym_as_it_is_written() {
        let shopper = ShopperId([
            0, 1, 0x23, 0xff, 0xa0, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0x10, 0xfe,
        ]);
        assert_eq!(shopper_key(&shopper), shopper.to_string().as_bytes());
    }

    #[test]
    fn murmur2_agrees_with_the_java_client() {
        // From Apache Kafka's own UtilsTest.testMurmur2.
        for (key, expected) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), expected, "{key}");
        }
    }
}
