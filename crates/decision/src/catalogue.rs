//! What the shop keeps of its offers and of the rule's numbers, as people write and change them.
//!
//! A [`CatalogueOffer`] is an offer as marketing made it: which terms, whether it may be shown. What one shopper gets of it
//! in one decision is an [`Offer`](crate::Offer). A [`Setting`] is a number of the rule, or what people call the
//! cohorts: it may change while the services run, for all of them at once.

mod settings;

use foretide_events::{EpochMs, Label, ShopId, Text};
use serde::{Deserialize, Serialize};

pub use settings::{
    CohortNames, InvalidSetting, MAX_FEATURES_AGE_LIMIT_MS, MOST_COHORT_NAMES, Setting,
    SettingName, SettingValue, UnknownSetting,
};

use crate::{OfferId, OfferKind, Percent};

/// What people call an offer or a key.
pub type Name = Text<128>;

/// An offer as it is to be kept: all that people decide of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOffer {
    /// Which offer.
    pub id: OfferId,
    /// What people call it.
    pub name: Name,
    /// What it offers.
    pub terms: OfferTerms,
    /// Whether it may be shown.
    pub state: OfferState,
}

/// An offer as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueOffer {
    /// Which offer.
    pub id: OfferId,
    /// What people call it.
    pub name: Name,
    /// What it offers.
    pub terms: OfferTerms,
    /// Whether it may be shown.
    pub state: OfferState,
    /// How often it was written: 1 at first, one more with each change.
    pub version: u64,
    /// When it was first written.
    pub created_at: EpochMs,
    /// When it was last written.
    pub updated_at: EpochMs,
}

/// What an offer offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum OfferTerms {
    /// Something off the cart.
    Discount {
        /// How much of the cart.
        percent: Percent,
    },
    /// Products the shopper may like.
    Recommendations {
        /// How many are shown at most.
        products: ProductCount,
    },
    /// A banner or message of the shop.
    Content {
        /// The shop's id of it.
        content_id: ShopId,
    },
    /// Someone or something that helps.
    Assistance {
        /// The means, such as `chat`.
        means: Label,
    },
}

impl OfferTerms {
    /// Its kind.
    pub fn kind(&self) -> OfferKind {
        match self {
            Self::Discount { .. } => OfferKind::Discount,
            Self::Recommendations { .. } => OfferKind::Recommendations,
            Self::Content { .. } => OfferKind::Content,
            Self::Assistance { .. } => OfferKind::Assistance,
        }
    }
}

/// Whether an offer may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferState {
    /// It may be shown.
    Active,
    /// It is not shown for a while.
    Paused,
    /// It is not shown any more, and kept because decisions name it.
    Archived,
}

impl OfferState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Active, Self::Paused, Self::Archived];

    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Archived => "archived",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Why a number is no number of products to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a number of products between 1 and 50")]
pub struct InvalidProductCount;

/// How many products are shown at most, 1 to 50.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct ProductCount(u8);

impl ProductCount {
    /// What the default rule shows.
    pub const EIGHT: Self = Self(8);

    /// Takes `count`, unless it lies outside 1 to 50.
    pub const fn new(count: u8) -> Option<Self> {
        if 1 <= count && count <= 50 {
            Some(Self(count))
        } else {
            None
        }
    }

    /// The number, 1 to 50.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for ProductCount {
    type Error = InvalidProductCount;

    fn try_from(count: u8) -> Result<Self, InvalidProductCount> {
        Self::new(count).ok_or(InvalidProductCount)
    }
}

impl From<ProductCount> for u8 {
    fn from(count: ProductCount) -> Self {
        count.0
    }
}

/// The offers of a shop that has made none of its own: those of the default rule.
pub fn default_offers() -> [NewOffer; 2] {
    let name = |text| Name::new(text).unwrap_or_default();
    let (percent, products) = (Percent::TEN, ProductCount::EIGHT);
    [
        NewOffer {
            id: OfferId::discount(percent),
            name: name("10 % off the cart"),
            terms: OfferTerms::Discount { percent },
            state: OfferState::Active,
        },
        NewOffer {
            id: OfferId::RECOMMENDATIONS,
            name: name("Products you may like"),
            terms: OfferTerms::Recommendations { products },
            state: OfferState::Active,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<OfferTerms, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn terms_are_one_object_that_names_its_kind() {
        let cases = [
            (
                OfferTerms::Discount {
                    percent: Percent::TEN,
                },
                r#"{"kind":"discount","percent":10}"#,
            ),
            (
                OfferTerms::Recommendations {
                    products: ProductCount(50),
                },
                r#"{"kind":"recommendations","products":50}"#,
            ),
            (
                OfferTerms::Content {
                    content_id: ShopId::new("spring").unwrap(),
                },
                r#"{"kind":"content","content_id":"spring"}"#,
            ),
            (
                OfferTerms::Assistance {
                    means: Label::new("chat").unwrap(),
                },
                r#"{"kind":"assistance","means":"chat"}"#,
            ),
        ];
        for (terms, json) in cases {
            assert_eq!(serde_json::to_string(&terms).unwrap(), json);
            assert_eq!(read(json).unwrap(), terms);
            assert!(json.contains(terms.kind().as_str()));
        }
    }

    #[test]
    fn terms_out_of_range_or_with_something_else_in_them_are_refused() {
        for bad in [
            r#"{"kind":"discount","percent":0}"#,
            r#"{"kind":"discount","percent":101}"#,
            r#"{"kind":"discount"}"#,
            r#"{"kind":"discount","percent":10,"products":3}"#,
            r#"{"kind":"recommendations","products":0}"#,
            r#"{"kind":"recommendations","products":51}"#,
            r#"{"kind":"gift"}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_state_is_read_by_the_name_it_is_written_with() {
        for state in OfferState::ALL {
            assert_eq!(OfferState::parse(state.as_str()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        assert_eq!(OfferState::parse("Active"), None);
    }

    #[test]
    fn the_default_offers_are_those_of_the_rule() {
        let ids = default_offers().map(|offer| offer.id.as_str().to_owned());
        assert_eq!(ids, ["discount-10", "recommendations"]);
    }
}
