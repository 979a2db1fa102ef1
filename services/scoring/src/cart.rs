//! The cart a decision is about: the one in the request, else the one in the profile.

use foretide_decision::{CartSource, RecordedCart};
use foretide_events::{Currency, Decimal, List, Money, ShopId};
use foretide_features::Cart;
use foretide_http::{Problem, ProblemCode};
use serde::Deserialize;

/// The cart as a request gives it.
#[derive(Deserialize)]
pub(crate) struct NamedCart {
    total: Option<Decimal>,
    currency: Option<Currency>,
    items: Option<List<NamedItem, 500>>,
}

/// One product of a cart in a request.
#[derive(Deserialize)]
struct NamedItem {
    product_id: Option<ShopId>,
    quantity: Option<u32>,
    price: Option<Decimal>,
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
    pub(crate) fn resolve(&self) -> Result<Option<KnownCart>, Problem> {
        if self.total.is_none() && self.items.is_none() {
            return Ok(None);
        }
        let items: &[NamedItem] = self.items.as_deref().unwrap_or_default();
        let value = match self.total {
            Some(total) => Some(total.of(self.currency("cart.total")?)),
            None => self.sum(items)?,
        };
        if value.is_some_and(|value| value.minor_units < 0) {
            let detail = "a cart is not worth less than nothing";
            return Err(Problem::new(ProblemCode::InvalidField, detail).at("cart.total"));
        }
        Ok(Some(KnownCart {
            source: CartSource::Request,
            filled: !items.is_empty() || value.is_some_and(|value| value.minor_units > 0),
            value,
            products: items
                .iter()
                .filter_map(|item| item.product_id.clone())
                .collect(),
        }))
    }

    /// What the items are worth together; `None` when no price is given.
    fn sum(&self, items: &[NamedItem]) -> Result<Option<Money>, Problem> {
        let mut sum: Option<Money> = None;
        for (place, item) in items.iter().enumerate() {
            let Some(price) = item.price else { continue };
            let field = format!("cart.items[{place}].price");
            let too_large = || {
                Problem::new(
                    ProblemCode::InvalidField,
                    "the cart's worth is too large an amount",
                )
                .at(field.clone())
            };
            let price = price.of(self.currency(&field)?);
            let worth = price
                .times(item.quantity.unwrap_or(1))
                .ok_or_else(too_large)?;
            sum = Some(match sum {
                Some(sum) => sum.plus(worth).ok_or_else(too_large)?,
                None => worth,
            });
        }
        Ok(sum)
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
    pub(crate) fn recorded(&self) -> RecordedCart {
        RecordedCart {
            source: self.source,
            value: self.value,
            products: self.products.clone(),
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
        let huge =
            r#"{"currency":"EUR","items":[{},{"price":"9999999999","quantity":4000000000}]}"#;
        assert_eq!(resolved(huge), invalid("cart.items[1].price"));
    }
}
