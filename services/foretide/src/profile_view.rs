//! A profile in words, as `topics tail` and `replay --profiles` show it.

use foretide_events::{Currency, EpochMs, Money, ShopperId};
use foretide_features::{FeatureVector, FoldRules, Profile, Reference, State};
use serde::{Serialize, Serializer, ser::SerializeMap as _};

/// How many categories are shown.
const CATEGORIES: usize = 16;

/// What is shown of a profile.
#[derive(Serialize)]
pub(crate) struct ProfileView {
    shopper_id: ShopperId,
    /// The offset after the last action applied, in the shopper's partition of the actions.
    next_offset: u64,
    /// When the newest action happened.
    newest_at: Option<EpochMs>,
    /// Observations that may still be joined or corrected.
    recent: usize,
    /// The instant that all below is about.
    at: EpochMs,
    /// `null` where the instant lies before what the profile still tells apart.
    #[serde(flatten)]
    state: Option<StateView>,
}

#[derive(Serialize)]
struct StateView {
    first_seen: Option<EpochMs>,
    last_seen: Option<EpochMs>,
    actions: u64,
    sessions: u32,
    cart: CartView,
    purchases: PurchasesView,
    /// Shares of attention by category, largest first.
    affinity: Vec<ShareView>,
    /// The version of the reference that features are told against.
    reference: String,
    features: Features,
}

#[derive(Serialize)]
struct CartView {
    items: Vec<ItemView>,
    #[serde(flatten)]
    total: Amount,
    since: Option<EpochMs>,
}

#[derive(Serialize)]
struct ItemView {
    product_id: String,
    quantity: u32,
}

#[derive(Serialize)]
struct PurchasesView {
    count: u32,
    last_at: Option<EpochMs>,
    #[serde(flatten)]
    total: Amount,
}

/// A decimal amount with its currency; nothing where no price is known.
#[derive(Serialize)]
struct Amount {
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<Currency>,
}

#[derive(Serialize)]
struct ShareView {
    category: foretide_events::Category,
    share: f64,
    /// How much of `share` may belong to categories that are no longer kept.
    error: f64,
}

/// Every feature by name, in the catalogue's order; `null` where it is missing.
struct Features(FeatureVector);

impl ProfileView {
    /// `profile` as it is at `at`, told against `reference`.
    pub(crate) fn of(
        profile: &Profile,
        at: EpochMs,
        rules: &FoldRules,
        reference: &Reference,
    ) -> Self {
        let state = profile.state_at(at, rules);
        Self {
            shopper_id: profile.shopper(),
            next_offset: profile.next_offset(),
            newest_at: profile.newest_at(),
            recent: profile.recent_len(),
            at,
            state: state.map(|state| StateView::of(&state, at, rules, reference)),
        }
    }
}

impl StateView {
    fn of(state: &State, at: EpochMs, rules: &FoldRules, reference: &Reference) -> Self {
        let (cart, purchases) = (state.cart(), state.purchases());
        let item = |item: &foretide_features::CartItem| ItemView {
            product_id: item.product_id().to_owned(),
            quantity: item.quantity(),
        };
        let shares = state.top_categories(CATEGORIES).into_iter();
        Self {
            first_seen: state.first_seen(),
            last_seen: state.last_seen(),
            actions: state.actions(),
            sessions: state.sessions(),
            cart: CartView {
                items: cart.items().iter().map(item).collect(),
                total: Amount::of(cart.value()),
                since: cart.since(),
            },
            purchases: PurchasesView {
                count: purchases.count(),
                last_at: purchases.last_at(),
                total: Amount::of(purchases.value()),
            },
            affinity: shares
                .map(|taste| ShareView {
                    category: taste.category,
                    share: taste.share,
                    error: taste.error,
                })
                .collect(),
            reference: reference.version().to_owned(),
            features: Features(state.features(at, rules, reference)),
        }
    }
}

impl Amount {
    fn of(money: Option<Money>) -> Self {
        Self {
            total: money.map(|money| money.to_string()),
            currency: money.map(|money| money.currency),
        }
    }
}

impl Serialize for Features {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (spec, value) in self.0.iter() {
            map.serialize_entry(spec.name, &value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_shown_with_its_position_and_every_feature_by_name() {
        let profile = Profile::new(ShopperId([7; 16]));
        let (rules, reference) = (FoldRules::default(), Reference::prior());
        let view = ProfileView::of(&profile, EpochMs(1_000), &rules, &reference);
        let shown = serde_json::to_value(&view).unwrap();
        assert_eq!(shown["shopper_id"], "07".repeat(16));
        assert_eq!(
            (&shown["next_offset"], &shown["actions"]),
            (&0.into(), &0.into())
        );
        let features = shown["features"].as_object().unwrap();
        assert_eq!(features.len(), foretide_features::CATALOGUE.len());
        assert_eq!(shown["at"], "1970-01-01T00:00:01.000Z");
        assert_eq!(shown["reference"], "prior-1");
    }
}
