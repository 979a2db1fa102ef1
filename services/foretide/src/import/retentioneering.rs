//! The Retentioneering e-commerce click log: names of pages and steps, without products or prices.

use foretide_events::EpochMs;
use serde_json::{Value, json};

use super::{
    csv_line::Columns,
    ids::RowIds,
    row::{Reader, Row, Unusable},
};

/// The log does not say which product was seen or put into the cart, so all are taken for one. It has no category,
/// price or name, so nothing is learnt of it beyond how often and how many.
const UNNAMED: &str = "unnamed-product";

/// Reads rows such as `user_0000,sess_000001,home,2024-03-13 10:21:14,desktop,email,2024-01,returning`.
#[derive(Debug)]
pub(crate) struct Retentioneering {
    columns: Option<Columns<4>>,
    ids: RowIds,
}

impl Retentioneering {
    pub(crate) fn new() -> Self {
        Self {
            columns: None,
            ids: RowIds::new("retentioneering"),
        }
    }
}

impl Reader for Retentioneering {
    fn has_heading(&self) -> bool {
        true
    }

    fn heading(&mut self, line: &str) -> anyhow::Result<()> {
        self.columns = Some(Columns::find(
            line,
            ["user_id", "session_id", "event", "timestamp"],
        )?);
        Ok(())
    }

    fn row(&mut self, line: &str) -> Result<Row, Unusable> {
        let columns = self
            .columns
            .as_ref()
            .ok_or_else(|| Unusable::unreadable("there is no heading"))?;
        let [user, session, event, time] = columns.fields(line)?;
        let at = instant(&time)
            .ok_or_else(|| Unusable::unreadable(format!("timestamp {time:?} is no time")))?;
        for (name, text) in [("user_id", &user), ("event", &event)] {
            if text.is_empty() {
                return Err(Unusable::missing(name));
            }
        }
        let id = self.ids.next(line.as_bytes());
        let mut action = action(&event, &id);
        action["id"] = json!(id);
        action["at"] = json!(at);
        action["shopper"] = json!({ "user_id": user });
        if !session.is_empty() {
            action["session"] = json!(session);
        }
        Ok(Row::new(&user, &action))
    }
}

/// `2024-03-13 10:21:14`, which is UTC, as an instant.
fn instant(text: &str) -> Option<EpochMs> {
    let (day, time) = text.split_once(' ')?;
    EpochMs::parse(&format!("{day}T{time}Z"))
}

/// What an event of the log says was done. Steps without a counterpart keep their name as custom actions.
fn action(event: &str, id: &str) -> Value {
    match event {
        "home" => json!({ "type": "page_view", "name": event, "path": "/" }),
        "promo_page" | "review_page" | "account_page" | "error_page" => {
            json!({ "type": "page_view", "name": event })
        }
        "catalog" => json!({ "type": "product_list_view" }),
        "filter_results" => json!({ "type": "product_list_filter" }),
        "search" => json!({ "type": "search" }),
        "product_view" => json!({ "type": "product_view", "product": { "product_id": UNNAMED } }),
        "wishlist_add" => json!({ "type": "wishlist_add", "product": { "product_id": UNNAMED } }),
        "add_to_cart" => json!({ "type": "cart_add", "product": { "product_id": UNNAMED } }),
        "cart" => json!({ "type": "cart_view" }),
        // Checkout in this shop begins with the shipping details and goes on with the payment details.
        "shipping_details" => json!({ "type": "checkout_start" }),
        "payment_details" => json!({ "type": "payment_info", "step": 2 }),
        "purchase" => json!({ "type": "purchase", "order_id": id }),
        "support_chat" => json!({
            "type": "content_interaction", "content_id": event, "kind": "assistance", "interaction": "click",
        }),
        // compare, payment_error, checkout_bug, and whatever else such a log may hold.
        other => json!({ "type": "custom", "name": other }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Value, Unusable> {
        let mut reader = Retentioneering::new();
        reader
            .heading("user_id,session_id,event,timestamp,platform,acquisition_channel,user_cohort,user_lifecycle")
            .unwrap();
        reader
            .row(line)
            .map(|row| serde_json::from_str(&row.item).unwrap())
    }

    #[test]
    fn times_are_utc() {
        let action =
            read("user_0000,sess_000001,home,2024-03-13 10:21:14,desktop,email,2024-01,returning")
                .unwrap();
        assert_eq!(action["at"], "2024-03-13T10:21:14.000Z");
        assert_eq!(action["shopper"]["user_id"], "user_0000");
        assert_eq!(action["session"], "sess_000001");
        assert_eq!(action["type"], "page_view");
    }

    #[test]
    fn steps_without_a_counterpart_keep_their_name() {
        for event in ["compare", "payment_error", "checkout_bug", "something_new"] {
            let action = read(&format!("u,s,{event},2024-03-13 10:21:14,d,e,c,l")).unwrap();
            assert_eq!(
                (action["type"].as_str(), action["name"].as_str()),
                (Some("custom"), Some(event))
            );
        }
    }

    #[test]
    fn each_purchase_is_an_order_of_its_own() {
        let action = read("u,s,purchase,2024-03-13 10:21:14,d,e,c,l").unwrap();
        assert_eq!(action["order_id"], action["id"]);
    }

    #[test]
    fn a_row_without_a_time_is_unreadable() {
        assert_eq!(
            read("u,s,home,,d,e,c,l").unwrap_err().reason,
            "unreadable_row"
        );
    }
}
