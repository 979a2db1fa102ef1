//! What a shopper's profile looks like from outside.

use foretide_events::{Category, Currency, EpochMs, Money, ShopperId};
use foretide_features::{Cart, FeatureVector, FoldRules, Purchases, Session, State};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::Read;
use crate::reference::ShownReference;

/// How many categories are shown.
const CATEGORIES: usize = 16;

/// What is answered.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Shopper")]
pub(crate) struct Answer {
    shopper_id: ShopperId,
    /// The instant it is about.
    at: EpochMs,
    /// The first action that was seen.
    first_seen: Option<EpochMs>,
    /// The last action that was seen.
    last_seen: Option<EpochMs>,
    /// Actions so far.
    actions: u64,
    /// Sessions so far.
    sessions: u32,
    /// The session that is going on; `null` if none is.
    session: Option<ShownSession>,
    /// What is in the cart.
    cart: ShownCart,
    /// What was bought so far.
    purchases: ShownPurchases,
    /// Shares of attention by category, largest first.
    affinity: Vec<ShownShare>,
    /// What is usual among shoppers at that instant: features that use it are told against it.
    reference: ShownReference,
    /// Every feature of the catalogue, by name.
    features: Features,
    /// How long before `at` everything on the log was folded; `null` while profiles are being restored.
    features_age_ms: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Session")]
struct ShownSession {
    started_at: EpochMs,
    last_action_at: EpochMs,
    actions: u32,
    pages: u32,
    dwell_ms: u64,
    checkout_step: u8,
    payment_entered: bool,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Cart")]
struct ShownCart {
    items: Vec<ShownItem>,
    pieces: u64,
    /// What it is worth: a decimal amount, or `null` where no price is known.
    total: Option<String>,
    currency: Option<Currency>,
    since: Option<EpochMs>,
    changed_at: Option<EpochMs>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CartItem")]
struct ShownItem {
    product_id: String,
    quantity: u32,
    price: Option<String>,
    currency: Option<Currency>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Purchases")]
struct ShownPurchases {
    count: u32,
    last_at: Option<EpochMs>,
    total: Option<String>,
    currency: Option<Currency>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CategoryShare")]
struct ShownShare {
    category: Category,
    /// 0 to 1.
    share: f64,
    /// How much of `share` may belong to categories that are no longer kept.
    error: f64,
}

/// Every feature by name, in the catalogue's order.
struct Features {
    values: FeatureVector,
    age_ms: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FeatureValue")]
struct ShownFeature {
    value: Option<f64>,
    unit: &'static str,
    age_ms: Option<i64>,
}

impl Answer {
    /// Shows what was read of a shopper.
    pub(super) fn of(shopper_id: ShopperId, shown: &Read<State>, rules: &FoldRules) -> Self {
        let (state, at, age_ms) = (&shown.known, shown.at, shown.age_ms);
        let shares = state.top_categories(CATEGORIES).into_iter();
        Self {
            shopper_id,
            at,
            first_seen: state.first_seen(),
            last_seen: state.last_seen(),
            actions: state.actions(),
            sessions: state.sessions(),
            session: state.session(at, rules).map(ShownSession::of),
            cart: ShownCart::of(state.cart()),
            purchases: ShownPurchases::of(state.purchases()),
            affinity: shares
                .map(|taste| ShownShare {
                    category: taste.category,
                    share: taste.share,
                    error: taste.error,
                })
                .collect(),
            reference: ShownReference::of(&shown.serving),
            features: Features {
                values: state.features(at, rules, &shown.serving.reference),
                age_ms,
            },
            features_age_ms: age_ms,
        }
    }
}

impl ShownSession {
    fn of(session: &Session) -> Self {
        Self {
            started_at: session.start(),
            last_action_at: session.last(),
            actions: session.actions(),
            pages: session.pages(),
            dwell_ms: session.dwell_ms(),
            checkout_step: session.checkout_step(),
            payment_entered: session.payment_entered(),
        }
    }
}

impl ShownCart {
    fn of(cart: &Cart) -> Self {
        let items = cart.items().iter().map(|item| ShownItem {
            product_id: item.product_id().to_owned(),
            quantity: item.quantity(),
            price: amount(item.price()),
            currency: currency(item.price()),
        });
        Self {
            items: items.collect(),
            pieces: cart.pieces(),
            total: amount(cart.value()),
            currency: currency(cart.value()),
            since: cart.since(),
            changed_at: cart.changed(),
        }
    }
}

impl ShownPurchases {
    fn of(purchases: &Purchases) -> Self {
        Self {
            count: purchases.count(),
            last_at: purchases.last_at(),
            total: amount(purchases.value()),
            currency: currency(purchases.value()),
        }
    }
}

fn amount(money: Option<Money>) -> Option<String> {
    money.map(|money| money.to_string())
}

fn currency(money: Option<Money>) -> Option<Currency> {
    money.map(|money| money.currency)
}

impl JsonSchema for Features {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FeatureValues".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<ShownFeature>();
        json_schema!({ "type": "object", "additionalProperties": value })
    }
}

impl Serialize for Features {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (spec, value) in self.values.iter() {
            let shown = ShownFeature {
                value,
                unit: spec.unit.as_str(),
                age_ms: self.age_ms,
            };
            map.serialize_entry(spec.name, &shown)?;
        }
        map.end()
    }
}
