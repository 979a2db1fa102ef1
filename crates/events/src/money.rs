//! Amounts of money: whole minor units of a currency, never floating point.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{Decimal, currency_codes::CODES, object::from_objects_alone, text::read_text};

/// Why something is not an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The currency is none that ISO 4217 lists.
    #[error("is not an ISO 4217 currency code such as EUR")]
    Currency,
    /// The amount is not a decimal number.
    #[error("is not a decimal amount such as 129.90")]
    NotDecimal,
    /// The amount is a hundred thousand millions or more: no shop sells that, and sums of it would overflow.
    #[error("is too large an amount")]
    TooLarge,
}

/// An ISO 4217 currency code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");

    /// A currency that was stored as `code`; `None` if it is not three letters A–Z. Whether it is on the list was judged when
    /// it came in.
    pub fn stored(code: [u8; 3]) -> Option<Self> {
        code.iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Self(code))
    }

    /// Every currency that is taken in, by code.
    pub fn all() -> impl Iterator<Item = Self> {
        CODES.iter().copied().map(Self)
    }

    /// The code, three capital letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Digits after the decimal point: 2 for most, 0 or 3 or 4 for some (ISO 4217, table A.1).
    pub fn minor_digits(self) -> u32 {
        match &self.0 {
            b"BIF" | b"BYR" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW"
            | b"PYG" | b"RWF" | b"UGX" | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            b"CLF" | b"UYW" => 4,
            _ => 2,
        }
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let code: [u8; 3] = text
            .as_bytes()
            .try_into()
            .map_err(|_| MoneyError::Currency)?;
        let code = code.map(|letter| letter.to_ascii_uppercase());
        match CODES.binary_search(&code) {
            Ok(_) => Ok(Self(code)),
            Err(_) => Err(MoneyError::Currency),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_text(
            deserializer,
            "an ISO 4217 currency code such as EUR",
            str::parse,
        )
    }
}

impl JsonSchema for Currency {
    fn schema_name() -> Cow<'static, str> {
        "Currency".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z]{3}$" })
    }
}

/// An amount in whole minor units (cents, for most currencies) of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
pub struct Money {
    /// Whole minor units; negative for what is owed back. On the wire at most 10^15 either way.
    #[serde(deserialize_with = "bounded_minor_units")]
    #[schemars(range(min = -MAX_MINOR_UNITS, max = MAX_MINOR_UNITS))]
    pub minor_units: i64,
    /// ISO 4217 currency code.
    pub currency: Currency,
}

from_objects_alone!(
    Money,
    "money such as {\"minor_units\":12990,\"currency\":\"EUR\"}"
);

/// The most minor units an amount on the wire may have, either way: sums of thousands of them still fit 64 bits.
pub(crate) const MAX_MINOR_UNITS: i64 = 1_000_000_000_000_000;

fn bounded_minor_units<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let units = i64::deserialize(deserializer)?;
    if units.unsigned_abs() > MAX_MINOR_UNITS.unsigned_abs() {
        return Err(D::Error::custom(MoneyError::TooLarge));
    }
    Ok(units)
}

impl Money {
    /// Reads a decimal amount such as `129.90` of `currency`. Digits below the minor unit round half away from zero.
    pub fn parse(amount: &str, currency: Currency) -> Result<Self, MoneyError> {
        Ok(Decimal::parse(amount)?.of(currency))
    }

    /// `quantity` times this, where it is an amount the wire allows.
    pub fn times(self, quantity: u32) -> Option<Self> {
        self.with_units(i128::from(self.minor_units) * i128::from(quantity))
    }

    /// This and `other` together, where both are of one currency and the sum is an amount the wire allows.
    pub fn plus(self, other: Self) -> Option<Self> {
        let sum = i128::from(self.minor_units) + i128::from(other.minor_units);
        if self.currency == other.currency {
            self.with_units(sum)
        } else {
            None
        }
    }

    fn with_units(self, units: i128) -> Option<Self> {
        let minor_units = i64::try_from(units).ok()?;
        (minor_units.unsigned_abs() <= MAX_MINOR_UNITS.unsigned_abs()).then_some(Self {
            minor_units,
            ..self
        })
    }
}

impl fmt::Display for Money {
    /// The decimal amount alone, such as `129.90`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.currency.minor_digits() as usize;
        let scale = 10_u64.pow(self.currency.minor_digits());
        let magnitude = self.minor_units.unsigned_abs();
        let sign = if self.minor_units < 0 { "-" } else { "" };
        if digits == 0 {
            return write!(f, "{sign}{magnitude}");
        }
        write!(
            f,
            "{sign}{}.{:0digits$}",
            magnitude / scale,
            magnitude % scale
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn minor(amount: &str, currency: &str) -> Result<i64, MoneyError> {
        Money::parse(amount, currency.parse()?).map(|money| money.minor_units)
    }

    #[test]
    fn amounts_follow_the_digits_of_their_currency() {
        assert_eq!(minor("129.90", "EUR"), Ok(12990));
        assert_eq!(minor("129.9", "eur"), Ok(12990));
        assert_eq!(minor("129.5", "JPY"), Ok(130));
        assert_eq!(minor("1.2345", "KWD"), Ok(1235));
        assert_eq!(minor("1.23456", "CLF"), Ok(12346));
        assert_eq!(minor(" .5 ", "USD"), Ok(50));
        assert_eq!(minor("-7", "USD"), Ok(-700));
    }

    #[test]
    fn halves_round_away_from_zero() {
        assert_eq!(minor("1.005", "EUR"), Ok(101));
        assert_eq!(minor("1.00499999", "EUR"), Ok(100));
        assert_eq!(minor("-1.005", "EUR"), Ok(-101));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "", ".", "-", "abc", "1,299.00", "$5", "1e3", "--1", "1.2.3", "٣",
        ] {
            assert_eq!(minor(text, "EUR"), Err(MoneyError::NotDecimal), "{text}");
        }
        assert_eq!(minor("100000000000", "EUR"), Err(MoneyError::TooLarge));
        assert_eq!(minor("99999999999.99", "EUR"), Ok(9_999_999_999_999));
        assert_eq!(minor("1", "euro"), Err(MoneyError::Currency));
    }

    #[test]
    fn minor_units_beyond_reason_are_refused() {
        let read = |units: i64| {
            serde_json::from_str::<Money>(&format!(r#"{{"minor_units":{units},"currency":"EUR"}}"#))
                .is_ok()
        };
        assert!(read(MAX_MINOR_UNITS) && read(-MAX_MINOR_UNITS));
        assert!(!read(MAX_MINOR_UNITS + 1) && !read(i64::MIN));
    }

    proptest! {
        #[test]
        fn an_amount_survives_its_text(units in -9_999_999_999_999_i64..=9_999_999_999_999, digits in 0_usize..3) {
            let currency = [Currency(*b"JPY"), Currency::EUR, Currency(*b"KWD")][digits];
            let money = Money { minor_units: units % 10_i64.pow(11), currency };
            prop_assert_eq!(Money::parse(&money.to_string(), currency), Ok(money));
        }
    }
}
