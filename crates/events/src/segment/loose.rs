//! Reading properties that shops send in many shapes: numbers as text, text as numbers, blank for absent.
//!
//! `id`, `amount`, `currency`, `count`, `quantity`, `fraction` and `at` complain about what they cannot read, as Foretide acts on these.
//! `words`, `category`, `count_if_any` and `Instant` describe: they leave out what they cannot read and cut what is too long.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::{
    Category, Currency, Decimal, EpochMs, Fraction, List, MoneyError, Text, text::read_text,
};

/// Any JSON value, of which only text and numbers are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Scalar<'a> {
    /// Null, or absent.
    #[default]
    Nothing,
    Text(Cow<'a, str>),
    Whole(i128),
    Real(f64),
    /// A boolean, an array or an object.
    Other,
}

impl<'a> Scalar<'a> {
    /// The number it is or spells.
    pub(super) fn number(&self) -> Option<f64> {
        let number = match self {
            Self::Text(text) => text.trim().parse().ok(),
            Self::Whole(number) => Some(*number as f64),
            Self::Real(number) => Some(*number),
            Self::Nothing | Self::Other => None,
        };
        number.filter(|number: &f64| number.is_finite())
    }

    /// The whole, not negative number it is or spells.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number within the range of u32 becomes one exactly"
    )]
    fn count(&self) -> Option<u32> {
        let number = self.number()?;
        let is_count = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
        is_count.then_some(number as u32)
    }

    /// The number, not negative, it is or spells, to five digits after the point.
    fn measure(&self) -> Option<Decimal> {
        let number = self.number()?;
        let in_range = (0.0..=f64::from(u32::MAX)).contains(&number);
        // Written without an exponent, whichever way it was sent.
        in_range.then(|| Decimal::parse(&number.to_string()).ok())?
    }

    /// The text it is, or its digits; `None` where it is blank or neither text nor number.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) if !text.trim().is_empty() => Some(text),
            Self::Whole(number) => Some(number.to_string().into()),
            Self::Real(number) => Some(number.to_string().into()),
            Self::Text(_) | Self::Nothing | Self::Other => None,
        }
    }

    fn is_blank(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Text(text) => text.trim().is_empty(),
            Self::Whole(_) | Self::Real(_) | Self::Other => false,
        }
    }
}

/// Reads what Foretide identifies things by.
pub(super) fn id<'de, D: Deserializer<'de>, const MAX: usize>(
    deserializer: D,
) -> Result<Option<Text<MAX>>, D::Error> {
    Ok(Option::<Text<MAX>>::deserialize(deserializer)?.filter(|id| !id.trim().is_empty()))
}

/// Reads an amount whose currency stands elsewhere.
pub(super) fn amount<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Decimal>, D::Error> {
    acted_on(deserializer, |scalar| {
        let digits = scalar
            .text()
            .ok_or("is neither a number nor text".to_owned())?;
        Decimal::parse(&digits).map_err(|error| error.to_string())
    })
}

/// Reads a currency code.
pub(super) fn currency<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Currency>, D::Error> {
    acted_on(deserializer, |scalar| {
        let code = scalar.text().unwrap_or_default();
        code.trim()
            .parse()
            .map_err(|error: MoneyError| error.to_string())
    })
}

/// Reads a whole number that is not negative.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    acted_on(deserializer, |scalar| {
        scalar
            .count()
            .ok_or("is not a whole number from 0 to 4294967295".to_owned())
    })
}

/// How much of a product there is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Quantity {
    /// Pieces.
    Pieces(u32),
    /// No whole number, as of goods that are sold by weight or length: in the unit that the price is for.
    Measure(Decimal),
}

/// Reads how much of a product there is.
pub(super) fn quantity<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Quantity>, D::Error> {
    acted_on(deserializer, |scalar| {
        let pieces = scalar.count().map(Quantity::Pieces);
        pieces
            .or_else(|| scalar.measure().map(Quantity::Measure))
            .ok_or("is not a number from 0 to 4294967295".to_owned())
    })
}

/// Reads a share of a whole.
pub(super) fn fraction<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Fraction>, D::Error> {
    acted_on(deserializer, |scalar| {
        scalar
            .number()
            .and_then(Fraction::new)
            .ok_or("is not between 0 and 1".to_owned())
    })
}

fn acted_on<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    read: impl FnOnce(Scalar<'de>) -> Result<T, String>,
) -> Result<Option<T>, D::Error> {
    let scalar = Scalar::deserialize(deserializer)?;
    if scalar.is_blank() {
        return Ok(None);
    }
    read(scalar).map(Some).map_err(D::Error::custom)
}

/// Reads a whole number that only describes.
pub(super) fn count_if_any<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    Ok(Scalar::deserialize(deserializer)?.count())
}

/// Reads text that only describes, cut to `MAX` characters.
pub(super) fn words<'de, D: Deserializer<'de>, const MAX: usize>(
    deserializer: D,
) -> Result<Option<Text<MAX>>, D::Error> {
    Ok(Scalar::deserialize(deserializer)?
        .text()
        .map(|text| Text::cut(&text)))
}

/// Reads a category, cut to the characters it may have.
pub(super) fn category<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Category>, D::Error> {
    let text: Option<Text<{ Category::MAX_CHARS }>> = words(deserializer)?;
    Ok(text.and_then(|text| Category::new(&text).ok()))
}

/// Reads a list that may be null.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MAX: usize>(
    deserializer: D,
) -> Result<List<T, MAX>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// An instant that helps where it can be read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Instant(pub(super) Option<EpochMs>);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Scalar::deserialize(deserializer)?.text();
        Ok(Self(text.and_then(|text| EpochMs::parse_any_offset(&text))))
    }
}

/// Reads when something happened.
pub(super) fn at<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<EpochMs>, D::Error> {
    struct At(EpochMs);

    impl<'de> Deserialize<'de> for At {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            read_text(deserializer, "an ISO 8601 date and time", |text| {
                EpochMs::parse_any_offset(text)
                    .map(Self)
                    .ok_or("is not an ISO 8601 date and time with its offset, between the years 1 and 9999")
            })
        }
    }

    Ok(Option::<At>::deserialize(deserializer)?.map(|At(at)| at))
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData))
    }
}

struct ScalarVisitor<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for ScalarVisitor<'a> {
    type Value = Scalar<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Scalar<'a>, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Scalar<'a>, E> {
        Ok(Scalar::Other)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar<'a>, E> {
        Ok(Scalar::Whole(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar<'a>, E> {
        Ok(Scalar::Whole(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Scalar<'a>, E> {
        Ok(Scalar::Real(number))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Scalar<'a>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar<'a>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar<'a>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Scalar<'a>, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}
