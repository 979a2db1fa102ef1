//! What is shown to a shopper.

use std::{borrow::Cow, fmt};

use foretide_events::{Category, Label, Money, ShopId};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::Percent;

/// Why a text is not an offer's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an offer's id has 1 to 64 characters")]
pub struct InvalidOfferId;

/// What names an offer, the same for every shopper who gets it: `discount-10`. (The decision's id names the one time.)
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct OfferId(Cow<'static, str>);

impl OfferId {
    /// The recommendations of the default rule.
    pub const RECOMMENDATIONS: Self = Self(Cow::Borrowed("recommendations"));

    /// Takes `text`, unless it is empty or longer than 64 characters.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Result<Self, InvalidOfferId> {
        let text = text.into();
        if (1..=64).contains(&text.chars().count()) {
            Ok(Self(text))
        } else {
            Err(InvalidOfferId)
        }
    }

    /// The discount of `percent` of the default rule.
    pub fn discount(percent: Percent) -> Self {
        Self(Cow::Owned(format!("discount-{percent}")))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl JsonSchema for OfferId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OfferId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": 64 })
    }
}

impl TryFrom<String> for OfferId {
    type Error = InvalidOfferId;

    fn try_from(text: String) -> Result<Self, InvalidOfferId> {
        Self::new(text)
    }
}

impl fmt::Display for OfferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An offer: one flat JSON object with `id`, `kind` and the fields of its kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// Which offer.
    pub id: OfferId,
    /// Which version of it in the catalogue; absent in records from before there was a catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// What it offers.
    #[serde(flatten)]
    pub content: OfferContent,
}

/// What an offer offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OfferContent {
    /// Something off the cart.
    Discount(Discount),
    /// Products the shopper may like.
    Recommendations(Recommendations),
    /// A banner or message of the shop.
    Content(Content),
    /// Someone or something that helps.
    Assistance(Assistance),
}

impl OfferContent {
    /// Its kind.
    pub fn kind(&self) -> OfferKind {
        match self {
            Self::Discount(_) => OfferKind::Discount,
            Self::Recommendations(_) => OfferKind::Recommendations,
            Self::Content(_) => OfferKind::Content,
            Self::Assistance(_) => OfferKind::Assistance,
        }
    }
}

/// The kinds of offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OfferKind {
    /// Something off the cart.
    Discount,
    /// Products the shopper may like.
    Recommendations,
    /// A banner or message of the shop.
    Content,
    /// Someone or something that helps.
    Assistance,
}

impl OfferKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::Discount,
        Self::Recommendations,
        Self::Content,
        Self::Assistance,
    ];

    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Discount => "discount",
            Self::Recommendations => "recommendations",
            Self::Content => "content",
            Self::Assistance => "assistance",
        }
    }
}

/// Something off the cart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Discount {
    /// How much of the cart.
    pub percent: Percent,
    /// How much that is; half a minor unit rounded away from zero.
    pub amount: Money,
    /// What the cart was worth when it was decided.
    pub cart_value: Money,
}

/// Products the shopper may like, the best first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recommendations {
    /// The products; at least one.
    pub products: Vec<Recommended>,
}

/// A product that is recommended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recommended {
    /// The product.
    pub product_id: ShopId,
    /// One of the shopper's own categories in which it is popular; absent where it is popular in the whole shop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
}

/// A banner or message of the shop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// The shop's id of it.
    pub content_id: ShopId,
}

/// Someone or something that helps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assistance {
    /// The means, such as `chat`.
    pub means: Label,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_one_flat_object_of_its_kind() {
        let text = |text| ShopId::new(text).unwrap();
        let cases = [
            (
                OfferContent::Content(Content {
                    content_id: text("spring"),
                }),
                r#"{"id":"o-1","kind":"content","content_id":"spring"}"#,
            ),
            (
                OfferContent::Assistance(Assistance {
                    means: Label::new("chat").unwrap(),
                }),
                r#"{"id":"o-1","kind":"assistance","means":"chat"}"#,
            ),
            (
                OfferContent::Recommendations(Recommendations {
                    products: vec![Recommended {
                        product_id: text("p1"),
                        category: None,
                    }],
                }),
                r#"{"id":"o-1","kind":"recommendations","products":[{"product_id":"p1"}]}"#,
            ),
        ];
        for (content, json) in cases {
            let kind = content.kind();
            let offer = Offer {
                id: OfferId::new("o-1").unwrap(),
                version: None,
                content,
            };
            assert_eq!(serde_json::to_string(&offer).unwrap(), json);
            assert_eq!(serde_json::from_str::<Offer>(json).unwrap(), offer);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
