//! What a plain service would parse an action into: one owned struct.

use serde::{Deserialize, Serialize};

/// The body of a request.
#[derive(Deserialize)]
pub struct Batch {
    /// The actions.
    pub actions: Vec<PlainAction>,
}

/// An action, flat, every field that the load sends.
#[derive(Deserialize, Serialize)]
pub struct PlainAction {
    /// Its id.
    pub id: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// When, RFC 3339.
    pub at: String,
    /// Who.
    pub shopper: PlainShopper,
    /// The visit.
    pub session: Option<String>,
    /// What it is about.
    pub product: Option<PlainProduct>,
    /// Search query.
    pub query: Option<String>,
    /// Number of results.
    pub result_count: Option<u32>,
    /// Path of the page.
    pub path: Option<String>,
    /// Time spent, in milliseconds.
    pub dwell_ms: Option<u32>,
    /// Deepest scroll position.
    pub scroll_depth: Option<f64>,
}

/// Who did it.
#[derive(Deserialize, Serialize)]
pub struct PlainShopper {
    /// The shop's id.
    pub user_id: String,
}

/// A product.
#[derive(Deserialize, Serialize)]
pub struct PlainProduct {
    /// Its id.
    pub product_id: String,
    /// Its category.
    pub category: String,
    /// Its brand.
    pub brand: String,
    /// Its price.
    pub price: PlainMoney,
    /// Pieces.
    pub quantity: Option<u32>,
}

/// An amount.
#[derive(Deserialize, Serialize)]
pub struct PlainMoney {
    /// Minor units.
    pub minor_units: i64,
    /// ISO 4217 code.
    pub currency: String,
}
