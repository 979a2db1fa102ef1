//! What the rule goes by: its thresholds, and which offers of the catalogue it makes.

use serde::{Deserialize, Serialize};

use crate::{
    OfferId, Percent, Thresholds, UntreatedShare,
    catalogue::{CatalogueOffer, OfferState, OfferTerms, ProductCount},
};

/// Everything that decides what the rule chooses in a situation. A record holds it whole, so that it can be applied again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Read")]
pub struct RuleSettings {
    /// The revision of the store that it was taken from; absent where there was no store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_revision: Option<u64>,
    /// When which offer is due.
    pub thresholds: Thresholds,
    /// The discount; absent where the catalogue has no active one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount: Option<RuleDiscount>,
    /// The recommendations; absent where the catalogue has no active ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recommendations: Option<RuleRecommendations>,
    /// Which share of shoppers never gets an offer; none in records before version 5.
    #[serde(skip_serializing_if = "UntreatedShare::is_none")]
    pub untreated_share: UntreatedShare,
}

/// The offer that the rule makes of a discount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleDiscount {
    /// Which offer of the catalogue.
    pub id: OfferId,
    /// Its version there; absent in records from before there was a catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// How much of the cart.
    pub percent: Percent,
}

/// The offer that the rule makes of recommendations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRecommendations {
    /// Which offer of the catalogue.
    pub id: OfferId,
    /// Its version there; absent in records from before there was a catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// How many products are shown at most.
    pub products: ProductCount,
}

impl RuleSettings {
    /// The rule over a catalogue: of each kind it makes the active offer whose id comes first, byte by byte. Nobody is left
    /// without.
    pub fn of(thresholds: Thresholds, offers: &[CatalogueOffer], store_revision: u64) -> Self {
        let mut active: Vec<&CatalogueOffer> = offers
            .iter()
            .filter(|offer| offer.state == OfferState::Active)
            .collect();
        active.sort_by_key(|offer| offer.id.as_str());
        let discount = |offer: &&CatalogueOffer| match offer.terms {
            OfferTerms::Discount { percent } => Some(RuleDiscount {
                id: offer.id.clone(),
                version: Some(offer.version),
                percent,
            }),
            _ => None,
        };
        let recommendations = |offer: &&CatalogueOffer| match offer.terms {
            OfferTerms::Recommendations { products } => Some(RuleRecommendations {
                id: offer.id.clone(),
                version: Some(offer.version),
                products,
            }),
            _ => None,
        };
        Self {
            store_revision: Some(store_revision),
            thresholds,
            discount: active.iter().find_map(discount),
            recommendations: active.iter().find_map(recommendations),
            untreated_share: UntreatedShare::NONE,
        }
    }
}

/// As records hold it, those from before there was a catalogue among them: they have the discount beside the thresholds, and
/// the recommendations are understood.
#[derive(Deserialize)]
struct Read {
    store_revision: Option<u64>,
    thresholds: ReadThresholds,
    discount: Option<RuleDiscount>,
    recommendations: Option<RuleRecommendations>,
    #[serde(default)]
    untreated_share: UntreatedShare,
}

#[derive(Deserialize)]
struct ReadThresholds {
    #[serde(flatten)]
    thresholds: Thresholds,
    discount_percent: Option<Percent>,
}

impl From<Read> for RuleSettings {
    fn from(read: Read) -> Self {
        let ReadThresholds {
            thresholds,
            discount_percent,
        } = read.thresholds;
        let Some(percent) = discount_percent else {
            return Self {
                store_revision: read.store_revision,
                thresholds,
                discount: read.discount,
                recommendations: read.recommendations,
                untreated_share: read.untreated_share,
            };
        };
        Self {
            store_revision: None,
            thresholds,
            discount: Some(RuleDiscount {
                id: OfferId::discount(percent),
                version: None,
                percent,
            }),
            recommendations: Some(RuleRecommendations {
                id: OfferId::RECOMMENDATIONS,
                version: None,
                products: ProductCount::EIGHT,
            }),
            untreated_share: UntreatedShare::NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use foretide_events::EpochMs;

    use super::*;
    use crate::catalogue::Name;

    fn offer(id: &'static str, terms: OfferTerms, state: OfferState) -> CatalogueOffer {
        CatalogueOffer {
            id: OfferId::new(id).unwrap(),
            name: Name::new(id).unwrap(),
            terms,
            state,
            version: 3,
            created_at: EpochMs(0),
            updated_at: EpochMs(0),
        }
    }

    fn discount(percent: u8) -> OfferTerms {
        OfferTerms::Discount {
            percent: Percent::new(percent).unwrap(),
        }
    }

    fn of(offers: &[CatalogueOffer]) -> RuleSettings {
        let thresholds = Thresholds {
            abandonment: "0.7".parse().unwrap(),
            drift: "0.8".parse().unwrap(),
        };
        RuleSettings::of(thresholds, offers, 17)
    }

    #[test]
    fn the_active_offer_whose_id_comes_first_is_made() {
        let settings = of(&[
            offer("c", discount(30), OfferState::Active),
            offer("a", discount(10), OfferState::Paused),
            offer("b", discount(20), OfferState::Active),
            offer("B", discount(25), OfferState::Archived),
        ]);
        let made = settings.discount.unwrap();
        assert_eq!((made.id.as_str(), made.percent.get()), ("b", 20));
        assert_eq!((made.version, settings.store_revision), (Some(3), Some(17)));
        assert_eq!(settings.recommendations, None);
    }

    #[test]
    fn a_catalogue_without_active_offers_makes_none() {
        let paused = offer("a", discount(10), OfferState::Paused);
        assert_eq!(of(&[paused]).discount, None);
        assert_eq!(of(&[]).recommendations, None);
    }
}
