//! Who the shopper is, as far as it is kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Label;
use crate::{ShopperId, Text};

/// What is kept of a shopper's traits: only what is coarse.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Identify {
    /// ISO 3166-1 alpha-2 country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Text<2>>,
    /// BCP 47 language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Text<35>>,
    /// IANA time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Text<64>>,
    /// Name of the shop's plan or tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Label>,
}

/// A group the shopper was put into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Pseudonym of the group's id.
    pub group: ShopperId,
}

/// Another id of the same shopper. The sender does not say of which kind it is, and the raw id is gone after ingest, so
/// both pseudonyms it can have are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alias {
    /// Its pseudonym if it is the id of a shopper who signed in.
    pub previous_user: ShopperId,
    /// Its pseudonym if it is the id of a device or browser.
    pub previous_anonymous: ShopperId,
}
