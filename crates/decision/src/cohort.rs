//! The group of shoppers a decision was made for.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A group of shoppers who behave alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cohort {
    /// What it is known by for as long as it lives.
    pub id: Cow<'static, str>,
    /// Its name, for a person.
    pub name: Cow<'static, str>,
}

impl Cohort {
    /// The cohort that every shopper belongs to as long as no others have formed.
    pub const EVERYONE: Self = Self {
        id: Cow::Borrowed("everyone"),
        name: Cow::Borrowed("Everyone"),
    };
}
