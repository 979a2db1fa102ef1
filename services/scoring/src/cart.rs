//! The cart a decision is about: the one in the request, else the one in the profile.

use std::borrow::Cow;

use foretide_decision::{CartSource, RecordedCart};
use foretide_events::{Currency, Decimal, List, Money, ShopId};
use foretide_features::Cart;
use foretide_http::{Problem, ProblemCode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::whole::whole_or_null;

/// Most products of a cart in a request.
const MOST_ITEMS: usize = 500;

/// The cart as a request gives it.
#[derive(Deserialize)]
pub(crate) struct NamedCart {
    total: Option<Decimal>,
    currency: Option<Currency>,
    items: Option<List<NamedItem, MOST_ITEMS>>,
}

/// One product of a cart in a request.
#[derive(Deserialize)]
struct NamedItem {
    product_id: Option<ShopId>,
    #[serde(default, deserialize_with = "whole_or_null")]
    quantity: Option<i64>,
    price: Option<Decimal>,
}

/// An item with a price.
struct Line {
    /// Where it is in the cart.
    place: usize,
    /// Of one piece.
    price: Money,
    quantity: u32,
}

fn price_field(place: usize) -> String {
    format!("cart.items[{place}].price")
}

/// What the items are worth together; `None` when no price is given.
fn sum(lines: &[Line]) -> Result<Option<Money>, Problem> {
    let mut sum: Option<Money> = None;
    for line in lines {
        let worth = line.price.times(line.quantity);
        let more = match sum {
            Some(sum) => worth.and_then(|worth| sum.plus(worth)),
            None => worth,
        };
        let more = more.ok_or_else(|| {
            let detail = "the cart's worth is too large an amount";
            Problem::new(ProblemCode::OutOfRange, detail).at(price_field(line.place))
        })?;
        sum = Some(more);
    }
    Ok(sum)
}

impl NamedItem {
    /// How many; one unless it says otherwise. `place` is where it is in the cart.
    fn quantity(&self, place: usize) -> Result<u32, Problem> {
        u32::try_from(self.quantity.unwrap_or(1)).map_err(|_| {
            let detail = format!("is not between 0 and {}", u32::MAX);
            Problem::new(ProblemCode::InvalidField, detail)
                .at(format!("cart.items[{place}].quantity"))
        })
    }
}

impl JsonSchema for NamedCart {
    fn schema_name() -> Cow<'static, str> {
        "NamedCart".into()
    }

    /// An amount needs a currency: either there is one, or there are no amounts.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let nothing = json!({ "type": "null" });
        let codes: Vec<String> = Currency::all().map(|code| code.to_string()).collect();
        let currency = json!({ "type": "string", "enum": codes, "description": "ISO 4217." });
        let variant = |title: &str, total: &Value, price: &Value, required: &[&str]| {
            let currency = if required.is_empty() {
                json!({ "anyOf": [currency, nothing] })
            } else {
                currency.clone()
            };
            json!({
                "title": title,
                "type": "object",
                "properties": {
                    "total": total,
                    "currency": currency,
                    "items": {
                        "type": ["array", "null"], "maxItems": MOST_ITEMS, "items": item_schema(price),
                    },
                },
                "required": required,
            })
        };
        json_schema!({
            "description": "What is in the cart. Its worth is the total, else the sum of its items.",
            "anyOf": [
                variant("with amounts", &amount_schema("What it is worth."), &amount_schema("Of one piece."), &["currency"]),
                variant("without amounts", &nothing, &nothing, &[]),
            ],
        })
    }
}

fn item_schema(price: &Value) -> Value {
    json!({
        "type": "object",
        "properties": {
            "product_id": {
                "type": ["string", "number", "null"], "maxLength": ShopId::MAX_CHARS,
                "description": "The shop's id of the product.",
            },
            "quantity": {
                "type": ["integer", "null"], "minimum": 0, "maximum": u32::MAX,
                "description": "How many; one by default.",
            },
            "price": price,
        },
    })
}

fn amount_schema(description: &str) -> Value {
    json!({
        "description": format!("{description} A decimal amount such as `129.90`, as text or number."),
        "anyOf": [
            { "type": "string", "pattern": r"^[0-9]{1,11}(\.[0-9]{1,9})?$" },
            { "type": "number", "minimum": 0, "exclusiveMaximum": 1e11 },
            { "type": "null" },
        ],
    })
}

/// The cart a decision is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KnownCart {
    /// Who said what is in it.
    pub(crate) source: CartSource,
    /// Whether there is something in it.
    pub(crate) filled: bool,
    /// What it is worth, where that is known.
    pub(crate) value: Option<Money>,
    /// The products in it.
    pub(crate) products: Vec<ShopId>,
}

impl NamedCart {
    /// The cart it describes; `None` when it says nothing. Its value is its total, else the sum of its items.
    pub(crate) fn resolve(self) -> Result<Option<KnownCart>, Problem> {
        if self.total.is_none() && self.items.is_none() {
            return Ok(None);
        }
        let items: &[NamedItem] = self.items.as_deref().unwrap_or_default();
        let lines = self.lines(items)?;
        let value = match self.total {
            Some(total) => Some(total.of(self.currency("cart.total")?)),
            None => sum(&lines)?,
        };
        if value.is_some_and(|value| value.minor_units < 0) {
            let detail = "a cart is not worth less than nothing";
            return Err(Problem::new(ProblemCode::InvalidField, detail).at("cart.total"));
        }
        let filled = !items.is_empty() || value.is_some_and(|value| value.minor_units > 0);
        let items = self.items.into_iter().flatten();
        Ok(Some(KnownCart {
            source: CartSource::Request,
            filled,
            value,
            products: items.filter_map(|item| item.product_id).collect(),
        }))
    }

    /// The items that have a price, checked even where the total counts.
    fn lines(&self, items: &[NamedItem]) -> Result<Vec<Line>, Problem> {
        let mut lines = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let quantity = item.quantity(place)?;
            let Some(price) = item.price else { continue };
            let field = price_field(place);
            let price = price.of(self.currency(&field)?);
            if price.minor_units < 0 {
                let detail = "a product does not cost less than nothing";
                return Err(Problem::new(ProblemCode::InvalidField, detail).at(field));
            }
            lines.push(Line {
                place,
                price,
                quantity,
            });
        }
        Ok(lines)
    }

    fn currency(&self, needed_for: &str) -> Result<Currency, Problem> {
        self.currency.ok_or_else(|| {
            let detail = format!("{needed_for} is an amount without a currency");
            Problem::new(ProblemCode::MissingField, detail).at("cart.currency")
        })
    }
}

impl KnownCart {
    /// The cart of a profile; `None` when there is nothing in it.
    pub(crate) fn of(cart: &Cart) -> Option<Self> {
        (!cart.is_empty()).then(|| Self {
            source: CartSource::Profile,
            filled: true,
            value: cart.value(),
            products: cart
                .items()
                .iter()
                .filter_map(|item| ShopId::new(item.product_id()))
                .collect(),
        })
    }

    /// How a record keeps it.
    pub(crate) fn recorded(self) -> RecordedCart {
        RecordedCart {
            source: self.source,
            filled: self.filled,
            value: self.value,
            products: self.products,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(json: &str) -> Result<Option<KnownCart>, (ProblemCode, String)> {
        let cart: NamedCart = serde_json::from_str(json).unwrap();
        cart.resolve()
            .map_err(|problem| (problem.code(), problem.field().unwrap_or("").to_owned()))
    }

    fn cents(json: &str) -> Option<i64> {
        resolved(json)
            .unwrap()
            .unwrap()
            .value
            .map(|value| value.minor_units)
    }

    #[test]
    fn the_total_counts_and_else_the_sum_of_the_items() {
        let items = r#""items":[{"product_id":"p1","quantity":2,"price":"10.05"},{"price":1}]"#;
        assert_eq!(
            cents(&format!(r#"{{"total":"129.90","currency":"EUR",{items}}}"#)),
            Some(12_990)
        );
        assert_eq!(
            cents(&format!(r#"{{"currency":"eur",{items}}}"#)),
            Some(2_110)
        );
        assert_eq!(cents(r#"{"total":129.9,"currency":"EUR"}"#), Some(12_990));
        assert_eq!(cents(r#"{"items":[{"product_id":"p1"}]}"#), None);
    }

    #[test]
    fn an_empty_cart_is_empty_and_one_that_says_nothing_is_none() {
        for empty in [r#"{"items":[]}"#, r#"{"total":"0","currency":"EUR"}"#] {
            assert!(!resolved(empty).unwrap().unwrap().filled, "{empty}");
        }
        assert_eq!(resolved(r#"{"currency":"EUR"}"#), Ok(None));
        assert!(resolved(r#"{"items":[{}]}"#).unwrap().unwrap().filled);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let missing = |field: &str| Err((ProblemCode::MissingField, field.to_owned()));
        let invalid = |field: &str| Err((ProblemCode::InvalidField, field.to_owned()));
        assert_eq!(resolved(r#"{"total":"1"}"#), missing("cart.currency"));
        assert_eq!(
            resolved(r#"{"items":[{"price":1}]}"#),
            missing("cart.currency")
        );
        assert_eq!(
            resolved(r#"{"total":"-1","currency":"EUR"}"#),
            invalid("cart.total")
        );
        for total in ["", r#""total":1,"#] {
            let with =
                |item: &str| resolved(&format!(r#"{{{total}"currency":"EUR","items":[{item}]}}"#));
            let below = with(r#"{"price":-1,"quantity":0}"#);
            assert_eq!(below, invalid("cart.items[0].price"));
            assert_eq!(
                with(r#"{"quantity":-1}"#),
                invalid("cart.items[0].quantity")
            );
        }
        let huge =
            r#"{"currency":"EUR","items":[{},{"price":"9999999999","quantity":4000000000}]}"#;
        let field = "cart.items[1].price".to_owned();
        assert_eq!(resolved(huge), Err((ProblemCode::OutOfRange, field)));
    }
}
