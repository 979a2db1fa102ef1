//! What is kept of a shopper's traits.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    context::{Context, read_or_default},
    loose::{self, Scalar},
};
use crate::{Identify, Label, Text};

/// The traits that are coarse enough to keep. Names, addresses, birthdays and all else are not read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Traits<'a> {
    #[serde(borrow)]
    country: Scalar<'a>,
    #[serde(borrow)]
    address: Option<&'a RawValue>,
    #[serde(borrow)]
    language: Scalar<'a>,
    #[serde(borrow)]
    locale: Scalar<'a>,
    #[serde(borrow)]
    timezone: Scalar<'a>,
    #[serde(deserialize_with = "loose::words")]
    plan: Option<Label>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Address<'a> {
    #[serde(borrow)]
    country: Scalar<'a>,
}

/// Traits describe: one of another type, or of another form than is kept, is as if it were absent.
pub(super) fn identify(traits: Option<&RawValue>, context: &Context<'_>) -> Identify {
    let traits: Traits<'_> = read_or_default(traits.or(context.traits));
    let address: Address<'_> = read_or_default(traits.address);
    let locale = read_or_default::<Scalar<'_>>(context.locale);
    let timezone = read_or_default::<Scalar<'_>>(context.timezone);
    Identify {
        country: country(traits.country).or_else(|| country(address.country)),
        language: [traits.language, traits.locale, locale]
            .into_iter()
            .find_map(language),
        time_zone: [traits.timezone, timezone].into_iter().find_map(time_zone),
        plan: traits.plan,
    }
}

/// Two letters; a country's full name is left out.
fn country(scalar: Scalar<'_>) -> Option<Text<2>> {
    let text = scalar.text()?;
    let code = text.trim();
    let is_code = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_code {
        Text::new(&code.to_ascii_uppercase())
    } else {
        None
    }
}

/// A language tag such as `de-AT`; some senders write `de_AT`.
fn language(scalar: Scalar<'_>) -> Option<Text<35>> {
    let tag = scalar.text()?.trim().replace('_', "-");
    let is_tag = tag
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_tag { Text::new(&tag) } else { None }
}

/// The name of a time zone such as `Europe/Vienna`.
fn time_zone(scalar: Scalar<'_>) -> Option<Text<64>> {
    let text = scalar.text()?;
    let name = text.trim();
    let is_name = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte));
    if is_name { Text::new(name) } else { None }
}
