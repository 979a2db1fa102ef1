//! The reference as answers name it: features that use it are comparable only under the same one.

use foretide_events::EpochMs;
use foretide_ports::Serving;
use schemars::JsonSchema;
use serde::Serialize;

/// What is usual among shoppers, which some features are relative to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Reference")]
pub(crate) struct ShownReference {
    /// Its name. Another one has other price levels or habits.
    version: String,
    /// From when on it serves; `null` of the one that serves before any was learnt.
    since: Option<EpochMs>,
}

impl ShownReference {
    /// Names what serves.
    pub(crate) fn of(serving: &Serving) -> Self {
        Self {
            version: serving.reference.version().to_owned(),
            since: serving.since,
        }
    }
}

#[cfg(test)]
mod tests {
    use foretide_events::Action;
    use serde_json::{Value, json};

    use crate::testing::{MINUTE_MS, NOW, Shop, product, view};

    const LEVEL: &str = "viewed_price_level";

    /// A shop where a learnt reference has served for ten minutes, and in which ann looked at a hat of twice the usual price.
    fn shop() -> (Shop, String) {
        let shop = Shop::new();
        shop.serve_reference("learnt", NOW.plus(-10 * MINUTE_MS));
        let mut hat = view("p1");
        if let Action::ProductView(seen) = &mut hat {
            seen.product = product("p1", 2_000);
        }
        let shopper = shop.fold("ann", 30 * MINUTE_MS, hat);
        (shop, shopper.to_string())
    }

    fn is_twice(value: &Value) -> bool {
        (value.as_f64().unwrap() - 2_f64.ln()).abs() < 1e-6
    }

    #[tokio::test]
    async fn answers_are_told_against_the_reference_of_their_instant_and_name_it() {
        let (shop, shopper) = shop();
        let learnt = json!({"version": "learnt", "since": NOW.plus(-10 * MINUTE_MS)});
        let prior = json!({"version": "prior-1", "since": null});
        let past = format!("?at={}", NOW.plus(-20 * MINUTE_MS));
        for path in ["", "/features"] {
            let path = format!("/v1/shoppers/{shopper}{path}");
            let now = shop.get(&path).await.ok();
            assert_eq!(now["reference"], learnt);
            assert!(is_twice(&now["features"][LEVEL]["value"]), "{path}");
            let then = shop.get(&(path + &past)).await.ok();
            assert_eq!(then["reference"], prior);
            assert_eq!(then["features"][LEVEL]["value"], Value::Null);
        }
        let question = json!({"features": [format!("shopper:{LEVEL}")], "entities": {"shopper_id": [shopper]}});
        let now = shop.post("/get-online-features", &question).await.ok();
        assert_eq!(now["metadata"]["reference"], learnt);
        assert!(is_twice(&now["results"][1]["values"][0]));
        let path = format!("/get-online-features{past}");
        let then = shop.post(&path, &question).await.ok();
        assert_eq!(then["metadata"]["reference"], prior);
        assert_eq!(then["results"][1]["values"], json!([null]));
        assert_eq!(shop.get("/v1/features").await.ok()["reference"], learnt);
    }
}
