//! Instants as log lines show them: `2026-11-22T10:00:00.000123Z`.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Where the seconds end in a text such as `2026-11-22T10:00:00Z`.
const TO_SECONDS: usize = 19;

/// Writes instants, most of which lie in the second of the one before: its text is kept.
#[derive(Debug, Default)]
pub(crate) struct Timestamp {
    second: Option<i64>,
    /// To the second, without the time zone.
    text: String,
}

impl Timestamp {
    /// Appends the instant `now_us`, in microseconds since the Unix epoch, to `line`.
    pub(crate) fn write(&mut self, now_us: i64, line: &mut Vec<u8>) {
        let (second, us) = (now_us.div_euclid(1_000_000), now_us.rem_euclid(1_000_000));
        if self.second != Some(second) {
            self.second = Some(second);
            self.text = to_the_second(second);
        }
        line.extend_from_slice(self.text.as_bytes());
        line.push(b'.');
        let mut digits = [b'0'; 6];
        let mut rest = us.unsigned_abs();
        for digit in digits.iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        line.extend_from_slice(&digits);
        line.push(b'Z');
    }
}

/// The text of a second of the Unix era; nothing beyond the years that have one.
fn to_the_second(second: i64) -> String {
    let text = OffsetDateTime::from_unix_timestamp(second)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok());
    let mut text = text.unwrap_or_default();
    text.truncate(TO_SECONDS);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_shown_to_the_microsecond_in_any_order() {
        let mut timestamp = Timestamp::default();
        for (now_us, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_795_341_600_000_123, "2026-11-22T10:00:00.000123Z"),
            (1_795_341_600_999_999, "2026-11-22T10:00:00.999999Z"),
            (1_795_341_601_000_000, "2026-11-22T10:00:01.000000Z"),
            (951_782_400_500_000, "2000-02-29T00:00:00.500000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
        ] {
            let mut line = Vec::new();
            timestamp.write(now_us, &mut line);
            assert_eq!(String::from_utf8(line).unwrap(), text);
        }
    }
}
