//! Decimal amounts, as shops send them.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

use crate::{Currency, Money, MoneyError};

/// A decimal amount whose currency is not yet known: what `"129.90"` or `129.9` says by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// Five digits are kept after the point: the four a currency may have, and one to round by.
    hundred_thousandths: i64,
}

impl Decimal {
    const DIGITS: u32 = 5;
    const WHOLE_LIMIT: i64 = 100_000_000_000;

    /// Reads a decimal amount such as `129.90`; an exponent is not read. White space around it is ignored.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let text = text.trim();
        let (sign, digits) = match text.as_bytes() {
            [b'-', ..] => (-1, &text[1..]),
            [b'+', ..] => (1, &text[1..]),
            _ => (1, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction)
        {
            return Err(MoneyError::NotDecimal);
        }
        let digit = |byte: u8| i64::from(byte - b'0');
        let whole = whole
            .bytes()
            .try_fold(0, |sum, byte| {
                let sum = sum * 10 + digit(byte);
                (sum < Self::WHOLE_LIMIT).then_some(sum)
            })
            .ok_or(MoneyError::TooLarge)?;
        let padded = fraction
            .bytes()
            .chain(std::iter::repeat(b'0'))
            .take(Self::DIGITS as usize);
        let magnitude = padded.fold(whole, |sum, byte| sum * 10 + digit(byte));
        Ok(Self {
            hundred_thousandths: sign * magnitude,
        })
    }

    /// `measure` times this, cut after as many digits as are kept; `None` where it is too large an amount.
    pub(crate) fn times(self, measure: Self) -> Option<Self> {
        let one = 10_i64.pow(Self::DIGITS);
        let product =
            i128::from(self.hundred_thousandths) * i128::from(measure.hundred_thousandths);
        let hundred_thousandths = i64::try_from(product / i128::from(one)).ok()?;
        let limit = Self::WHOLE_LIMIT.unsigned_abs() * one.unsigned_abs();
        (hundred_thousandths.unsigned_abs() < limit).then_some(Self {
            hundred_thousandths,
        })
    }

    /// This amount of `currency`. Digits below the minor unit round half away from zero.
    pub fn of(self, currency: Currency) -> Money {
        let unit = 10_i64.pow(Self::DIGITS - currency.minor_digits());
        let (whole, rest) = (
            self.hundred_thousandths / unit,
            self.hundred_thousandths % unit,
        );
        let away = if rest.abs() * 2 >= unit {
            rest.signum()
        } else {
            0
        };
        Money {
            minor_units: whole + away,
            currency,
        }
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DecimalVisitor;

        impl Visitor<'_> for DecimalVisitor {
            type Value = Decimal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal amount such as 129.90, as a number or text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Decimal, E> {
                Decimal::parse(text).map_err(E::custom)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Decimal, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Decimal, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Decimal, E> {
                // The shortest digits that name this number are those the sender wrote, without an exponent.
                self.visit_str(&number.to_string())
            }
        }

        deserializer.deserialize_any(DecimalVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_says_the_same_as_its_text() {
        for (number, text) in [
            ("129.9", "129.90"),
            ("1.005", "1.005"),
            ("1e3", "1000"),
            ("0.1", "0.1"),
            ("7", "7"),
        ] {
            let number: Decimal = serde_json::from_str(number).unwrap();
            assert_eq!(Decimal::parse(text), Ok(number));
        }
    }

    #[test]
    fn a_product_is_exact_to_its_digits_and_none_where_it_is_too_large() {
        let decimal = |text| Decimal::parse(text).unwrap();
        for (amount, measure, product) in [
            ("19.99", "0.75", Some("14.9925")),
            ("-0.01", "0.5", Some("-0.005")),
            ("0.00001", "0.99999", Some("0")),
            ("99999999999", "1", Some("99999999999")),
            ("99999999999", "1.00001", None),
            ("99999999999.99999", "99999999999.99999", None),
        ] {
            let found = decimal(amount).times(decimal(measure));
            assert_eq!(found, product.map(decimal), "{amount} × {measure}");
        }
    }
}
