//! Tracked events that the e-commerce specification does not name.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

use super::{loose::Scalar, read};
use crate::{Custom, Finite, Label, Reading, Readings, fault::Fault, text::RawText};

/// The most numeric properties that are kept; those after them are left out.
const MAX_READINGS: usize = 50;

/// The properties that are numbers.
struct Numbers(Vec<Reading>);

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NumbersVisitor)
    }
}

struct NumbersVisitor;

impl<'de> Visitor<'de> for NumbersVisitor {
    type Value = Numbers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Numbers, A::Error> {
        let mut kept = Vec::new();
        while let Some((name, value)) = members.next_entry::<RawText<'de>, Scalar<'de>>()? {
            // Text may spell a number, but it may as well be a telephone's.
            let number = if matches!(value, Scalar::Text(_)) {
                None
            } else {
                value.number()
            };
            let reading = Label::new(&name).zip(number.and_then(Finite::new));
            if let Some((name, value)) = reading.filter(|_| kept.len() < MAX_READINGS) {
                kept.push(Reading { name, value });
            }
        }
        Ok(Numbers(kept))
    }
}

pub(super) fn custom(name: &str, properties: &str) -> Result<Custom, Fault> {
    let name = Label::new(name).ok_or_else(|| Fault::too_long("event", Label::MAX_CHARS))?;
    let Numbers(numbers) = read(properties)?;
    Ok(Custom {
        name,
        values: Readings::new(numbers).unwrap_or_default(),
    })
}
