//! What is not a step through the shop: conversions, enrichment, custom actions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Label, Readings, ShopId};
use crate::{Finite, List, Money, object::from_objects_alone};

/// Something completed outside the site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Conversion {
    /// What was completed, such as `store_purchase`.
    pub kind: Label,
    /// What it was worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Money>,
    /// The shop's id of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ShopId>,
}

/// Knowledge from elsewhere, for a stated purpose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Enrichment {
    /// What it is, such as `loyalty`.
    pub kind: Label,
    /// What it may be used for.
    pub purpose: Label,
    /// Named numbers.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub values: Readings,
}

from_objects_alone!(
    Reading,
    "a named number such as {\"name\":\"points\",\"value\":12}"
);

/// Any other tracked action. Of its properties only the numbers are kept: free text may be personal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Custom {
    /// Its name.
    pub name: Label,
    /// Its numeric properties.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub values: Readings,
}

/// A named number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
pub struct Reading {
    /// Its name.
    pub name: Label,
    /// Its value.
    pub value: Finite,
}
