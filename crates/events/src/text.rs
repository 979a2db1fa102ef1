//! Reading text without copying it.

use std::{borrow::Cow, fmt, marker::PhantomData, ops::Deref};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected, Visitor},
};

/// Reads a JSON text and makes of it what `read` says, without a copy in between.
pub(crate) fn read_text<'de, D, T, E>(
    deserializer: D,
    expecting: &'static str,
    read: fn(&str) -> Result<T, E>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: fmt::Display,
{
    struct TextVisitor<T, E> {
        expecting: &'static str,
        read: fn(&str) -> Result<T, E>,
    }

    impl<T, E: fmt::Display> Visitor<'_> for TextVisitor<T, E> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.expecting)
        }

        fn visit_str<F: Error>(self, text: &str) -> Result<T, F> {
            (self.read)(text).map_err(F::custom)
        }
    }

    deserializer.deserialize_str(TextVisitor { expecting, read })
}

/// From this number on, 2^53, a real number may stand for several whole ones.
const FIRST_ROUNDED: f64 = 9_007_199_254_740_992.0;

/// Text as it was sent, borrowed where it holds no escapes. A whole number of 64 bits is taken for its digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawText<'a>(Cow<'a, str>);

impl<'a> RawText<'a> {
    /// The text, borrowed where it can be.
    pub(crate) fn into_cow(self) -> Cow<'a, str> {
        self.0
    }
}

impl Deref for RawText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RawVisitor<'a>(PhantomData<&'a ()>);

        impl<'de: 'a, 'a> Visitor<'de> for RawVisitor<'a> {
            type Value = RawText<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a whole number of at most 64 bits")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<RawText<'a>, E> {
                Ok(RawText(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RawText<'a>, E> {
                Ok(RawText(Cow::Owned(text.to_owned())))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<RawText<'a>, E> {
                Ok(RawText(Cow::Owned(number.to_string())))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<RawText<'a>, E> {
                Ok(RawText(Cow::Owned(number.to_string())))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<RawText<'a>, E> {
                // Beyond 64 bits a whole number arrives like this too, rounded: other ids would become the same one.
                if number.fract() == 0.0 && number.abs() < FIRST_ROUNDED {
                    return Ok(RawText(Cow::Owned(number.to_string())));
                }
                Err(E::invalid_type(Unexpected::Float(number), &self))
            }
        }

        deserializer.deserialize_any(RawVisitor(PhantomData))
    }
}

impl JsonSchema for RawText<'_> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "RawText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "minimum": i64::MIN, "maximum": u64::MAX })
    }
}
