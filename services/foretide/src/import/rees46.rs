//! The REES46 multi-category clickstream: views, cart changes and purchases with their prices.

use foretide_events::{Currency, EpochMs, Money};
use serde_json::{Value, json};

use super::{
    csv_line::Columns,
    ids::RowIds,
    row::{Reader, Row, Unusable},
};

const COLUMNS: [&str; 9] = [
    "event_time",
    "event_type",
    "product_id",
    "category_id",
    "category_code",
    "brand",
    "price",
    "user_id",
    "user_session",
];

/// Reads rows such as `2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d7…`.
#[derive(Debug)]
pub(crate) struct Rees46 {
    columns: Option<Columns<9>>,
    currency: Currency,
    ids: RowIds,
}

impl Rees46 {
    /// The file does not say which currency its prices are in.
    pub(crate) fn new(currency: Currency) -> Self {
        Self {
            columns: None,
            currency,
            ids: RowIds::new("rees46"),
        }
    }
}

impl Reader for Rees46 {
    fn has_heading(&self) -> bool {
        true
    }

    fn heading(&mut self, line: &str) -> anyhow::Result<()> {
        self.columns = Some(Columns::find(line, COLUMNS)?);
        Ok(())
    }

    fn row(&mut self, line: &str) -> Result<Row, Unusable> {
        let columns = self
            .columns
            .as_ref()
            .ok_or_else(|| Unusable::unreadable("there is no heading"))?;
        let [
            time,
            kind,
            product_id,
            category_id,
            category_code,
            brand,
            price,
            user,
            session,
        ] = columns.fields(line)?;
        let at = instant(&time).ok_or_else(|| {
            Unusable::unreadable(format!("event_time {time:?} is no time in UTC"))
        })?;
        if user.is_empty() {
            return Err(Unusable::missing("user_id"));
        }
        let price = (!price.is_empty())
            .then(|| Money::parse(&price, self.currency))
            .transpose()
            .map_err(|error| Unusable::unreadable(format!("price {price:?} {error}")))?;
        let category = if category_code.is_empty() {
            &category_id
        } else {
            &category_code
        };

        let mut product = json!({ "product_id": product_id });
        for (name, text) in [("category", category), ("brand", &brand)] {
            if !text.is_empty() {
                product[name] = json!(text);
            }
        }
        if let Some(price) = price {
            product["price"] = json!(price);
        }
        let id = self.ids.next(line.as_bytes());
        let mut action = action(&kind, &product, price, &id)?;
        action["id"] = json!(id);
        action["at"] = json!(at);
        action["shopper"] = json!({ "user_id": user });
        if !session.is_empty() {
            action["session"] = json!(session);
        }
        Ok(Row::new(&user, &action))
    }
}

/// `2019-10-01 00:00:00 UTC` as an instant.
fn instant(text: &str) -> Option<EpochMs> {
    let (day, time) = text.strip_suffix(" UTC")?.split_once(' ')?;
    EpochMs::parse(&format!("{day}T{time}Z"))
}

/// What a row of `kind` says was done. A purchase row is one product of an order the file does not name: each
/// becomes an order of its own, named by the row's id.
fn action(kind: &str, product: &Value, price: Option<Money>, id: &str) -> Result<Value, Unusable> {
    Ok(match kind {
        "view" => json!({ "type": "product_view", "product": product }),
        "cart" => json!({ "type": "cart_add", "product": product }),
        "remove_from_cart" => json!({ "type": "cart_remove", "product": product }),
        "purchase" => {
            let mut order = json!({ "type": "purchase", "order_id": id, "products": [product] });
            if let Some(price) = price {
                order["revenue"] = json!(price);
            }
            order
        }
        other => {
            return Err(Unusable::unreadable(format!(
                "event_type {other:?} is not known"
            )));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session";

    fn reader() -> Rees46 {
        let mut reader = Rees46::new(Currency::EUR);
        reader.heading(HEADING).unwrap();
        reader
    }

    fn read(line: &str) -> Value {
        serde_json::from_str(&reader().row(line).unwrap().item).unwrap()
    }

    #[test]
    fn a_view_without_a_category_code_has_the_category_id() {
        let action = read(
            "2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde",
        );
        assert_eq!(action["type"], "product_view");
        assert_eq!(action["at"], "2019-10-01T00:00:00.000Z");
        assert_eq!(action["shopper"], json!({ "user_id": "541312140" }));
        assert_eq!(action["session"], "72d76fde");
        assert_eq!(action["product"]["category"], "2103807459595387724");
        assert_eq!(
            action["product"]["price"],
            json!({ "minor_units": 3579, "currency": "EUR" })
        );
        assert!(action.get("sent_at").is_none());
    }

    #[test]
    fn each_purchase_row_is_an_order_named_by_its_id() {
        let action = read(
            "2019-10-01 00:02:14 UTC,purchase,1004856,1,electronics.smartphone,,130.76,543272936,8187d148",
        );
        assert_eq!(action["type"], "purchase");
        assert_eq!(action["order_id"], action["id"]);
        assert_eq!(action["revenue"]["minor_units"], 13_076);
        assert_eq!(action["products"][0]["category"], "electronics.smartphone");
        assert!(action["products"][0].get("brand").is_none());
    }

    #[test]
    fn cart_rows_put_in_and_take_out() {
        assert_eq!(
            read("2019-10-01 00:00:01 UTC,cart,1,2,,,1.00,3,")["type"],
            "cart_add"
        );
        let removed = read("2019-10-01 00:00:01 UTC,remove_from_cart,1,2,,,1.00,3,");
        assert_eq!(removed["type"], "cart_remove");
        assert!(removed.get("session").is_none());
    }

    #[test]
    fn rows_that_make_no_sense_say_why() {
        for (line, cause) in [
            ("yesterday,view,1,2,,,1.00,3,s", "yesterday"),
            ("2019-10-01 00:00:00 UTC,stroll,1,2,,,1.00,3,s", "stroll"),
            ("2019-10-01 00:00:00 UTC,view,1,2,,,cheap,3,s", "cheap"),
            ("2019-10-01 00:00:00 UTC,view,1,2,,,1.00,,s", "user_id"),
            ("2019-10-01 00:00:00 UTC,view", "2 fields"),
        ] {
            let unusable = reader().row(line).unwrap_err();
            assert!(unusable.cause.contains(cause), "{unusable}");
        }
    }
}
