//! Instants, to the millisecond.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::text::read_text;

const MS_PER_DAY: i64 = 86_400_000;

/// An instant in milliseconds since the Unix epoch, between the years 1 and 9999. On the wire it is RFC 3339 text in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochMs(pub i64);

impl EpochMs {
    /// 0001-01-01T00:00:00.000Z, the earliest instant that can be written.
    pub const EARLIEST: Self = Self(-62_135_596_800_000);
    /// 9999-12-31T23:59:59.999Z, the latest instant that can be written.
    pub const LATEST: Self = Self(253_402_300_799_999);

    /// Reads RFC 3339 text; anything below a millisecond is cut off. `None` if it is not RFC 3339 or outside the years
    /// 1 to 9999.
    pub fn parse(text: &str) -> Option<Self> {
        let at = parse_utc(text.as_bytes()).or_else(|| {
            let nanoseconds = OffsetDateTime::parse(text, &Rfc3339)
                .ok()?
                .unix_timestamp_nanos();
            i64::try_from(nanoseconds.div_euclid(1_000_000)).ok()
        })?;
        (Self::EARLIEST.0..=Self::LATEST.0)
            .contains(&at)
            .then_some(Self(at))
    }

    /// Reads what [`Self::parse`] does, and offsets as ISO 8601 has them beside: `+hhmm` and `+hh`.
    pub(crate) fn parse_any_offset(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| Self::parse(&with_extended_offset(text)?))
    }

    /// Milliseconds from `earlier` to `self`; negative when `earlier` is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This instant moved by `milliseconds`.
    #[must_use]
    pub fn plus(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// Writes `YYYY-MM-DDThh:mm:ss.mmmZ` and hands it to `see`. Outside the years 1 to 9999 the nearest end is written.
    fn with_text<R>(self, see: impl FnOnce(&str) -> R) -> R {
        let at = self.clamp(Self::EARLIEST, Self::LATEST).0;
        let (year, month, day) = civil_from_days(at.div_euclid(MS_PER_DAY));
        let in_day = at.rem_euclid(MS_PER_DAY);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |from: usize, to: usize, mut value: i64| {
            for digit in text[from..to].iter_mut().rev() {
                *digit = b'0' + u8::try_from(value % 10).unwrap_or_default();
                value /= 10;
            }
        };
        put(0, 4, year);
        put(5, 7, month);
        put(8, 10, day);
        put(11, 13, in_day / 3_600_000);
        put(14, 16, in_day / 60_000 % 60);
        put(17, 19, in_day / 1000 % 60);
        put(20, 23, in_day % 1000);
        see(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// Reads the form nearly every client sends, `YYYY-MM-DDThh:mm:ss[.fraction]Z`, much faster than the general parser.
fn parse_utc(text: &[u8]) -> Option<i64> {
    let (head, rest) = text.split_at_checked(19)?;
    let milliseconds = match rest.strip_suffix(b"Z")? {
        b"" => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => {
            number(digits)?;
            digits
                .iter()
                .chain(b"00")
                .take(3)
                .fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
        }
        _ => return None,
    };
    let separators = [head[4], head[7], head[10], head[13], head[16]];
    if separators != *b"--T::" {
        return None;
    }
    let (year, month, day) = (
        number(&head[..4])?,
        number(&head[5..7])?,
        number(&head[8..10])?,
    );
    let (hour, minute, second) = (
        number(&head[11..13])?,
        number(&head[14..16])?,
        number(&head[17..])?,
    );
    let exists = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    if !exists || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_from_civil(year, month, day);
    Some(days * MS_PER_DAY + hour * 3_600_000 + minute * 60_000 + second * 1000 + milliseconds)
}

/// `…+hhmm` and `…+hh` as `…+hh:mm`; `None` where the text ends in neither.
fn with_extended_offset(text: &str) -> Option<String> {
    let sign = text.rfind(['+', '-'])?;
    let (local, offset) = text.split_at_checked(sign)?;
    // The shortest there is, to seconds: the last sign of a date alone is none of an offset.
    if local.len() < "0000-00-00T00:00:00".len() {
        return None;
    }
    match offset.len() {
        3 => Some(format!("{local}{offset}:00")),
        5 => {
            let (hours, minutes) = offset.split_at_checked(3)?;
            Some(format!("{local}{hours}:{minutes}"))
        }
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, digit| {
        digit
            .is_ascii_digit()
            .then(|| sum * 10 + i64::from(digit - b'0'))
    })
}

/// How many days a month, 1 to 12, has in a year of the proleptic Gregorian calendar.
fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a proleptic Gregorian date (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970-01-01: the inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

impl fmt::Display for EpochMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl Serialize for EpochMs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for EpochMs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_text(deserializer, "an RFC 3339 date and time", |text| {
            Self::parse(text).ok_or("is not an RFC 3339 date and time between the years 1 and 9999")
        })
    }
}

impl JsonSchema for EpochMs {
    fn schema_name() -> Cow<'static, str> {
        "Instant".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_clients_send_are_read() {
        let expected = Some(EpochMs(1_700_000_000_120));
        for text in [
            "2023-11-14T22:13:20.12Z",
            "2023-11-14T22:13:20.120Z",
            "2023-11-14T22:13:20.120456789Z",
            "2023-11-14T22:13:20.120456+00:00",
            "2023-11-14T23:13:20.120+01:00",
            "2023-11-14t22:13:20.120z",
        ] {
            assert_eq!(EpochMs::parse(text), expected, "{text}");
        }
        assert_eq!(
            EpochMs::parse("2023-11-14T22:13:20Z"),
            Some(EpochMs(1_700_000_000_000))
        );
    }

    #[test]
    fn offsets_of_iso_8601_are_read_where_they_are_asked_for() {
        let expected = EpochMs::parse("2023-11-14T22:13:20.120Z");
        for text in [
            "2023-11-14T22:13:20.120Z",
            "2023-11-14T22:13:20.120+0000",
            "2023-11-14T23:43:20.120+0130",
            "2023-11-14T21:13:20.120-01:00",
            "2023-11-14T21:13:20.120-01",
            "2023-11-14T23:13:20.120+01",
        ] {
            assert_eq!(EpochMs::parse_any_offset(text), expected, "{text}");
        }
        for text in [
            "",
            "+",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-11-14T22:13:20+",
            "2023-11-14T22:13:20+1",
            "2023-11-14T22:13:20+010",
            "2023-11-14T22:13:20+2460",
            "2023-11-14T22:13:20+é0",
            "2023-11-14T22:13:20+0é0",
            "2023-11-14T22:13:20+01000",
        ] {
            assert_eq!(EpochMs::parse_any_offset(text), None, "{text}");
        }
        assert_eq!(EpochMs::parse("2023-11-14T22:13:20+0000"), None);
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "now",
            "1700000000000",
            "2023-11-14",
            "2023-02-30T00:00:00Z",
            "2023-11-14T24:00:00Z",
            "2023-11-14T22:13:20",
            "2023-11-14T22:13:20.Z",
            "0000-12-31T23:59:59Z",
            "2023-11-14T22:13:2éZ",
        ] {
            assert_eq!(EpochMs::parse(text), None, "{text}");
        }
    }

    #[test]
    fn both_ends_of_time_survive_their_text() {
        for (at, text) in [
            (EpochMs::EARLIEST, "0001-01-01T00:00:00.000Z"),
            (EpochMs::LATEST, "9999-12-31T23:59:59.999Z"),
            (EpochMs(-1), "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(at.to_string(), text);
            assert_eq!(EpochMs::parse(text), Some(at));
        }
    }

    #[test]
    fn only_days_that_exist_are_read() {
        for year in [1600, 1900, 2000, 2023, 2024] {
            for (month, day) in (0..=13).flat_map(|month| (0..=32).map(move |day| (month, day))) {
                let text = format!("{year}-{month:02}-{day:02}T00:00:00Z");
                let there_and_back = (1..=12).contains(&month)
                    && civil_from_days(days_from_civil(year, month, day)) == (year, month, day);
                assert_eq!(EpochMs::parse(&text).is_some(), there_and_back, "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn an_instant_survives_its_text_and_agrees_with_the_general_parser(
            at in EpochMs::EARLIEST.0..=EpochMs::LATEST.0,
        ) {
            let text = EpochMs(at).to_string();
            prop_assert_eq!(parse_utc(text.as_bytes()), Some(at));
            let general = OffsetDateTime::parse(&text, &Rfc3339).unwrap().unix_timestamp_nanos();
            prop_assert_eq!(general, i128::from(at) * 1_000_000);
        }

        #[test]
        fn the_fast_reading_never_differs_from_the_general_one(
            text in "[0-9]{4}-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,10})?Z",
        ) {
            if let Some(fast) = parse_utc(text.as_bytes()) {
                let general = OffsetDateTime::parse(&text, &Rfc3339).unwrap().unix_timestamp_nanos();
                prop_assert_eq!(i128::from(fast), general.div_euclid(1_000_000));
            }
        }
    }
}
