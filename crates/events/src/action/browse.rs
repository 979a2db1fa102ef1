//! Looking around: pages, searches, lists, products.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Filters, Label, Phrase, Product, Products, ShopId};
use crate::{Category, Fraction, List, location, object::from_objects_alone};

/// A page or screen that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PageView {
    /// Name of the page or screen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Label>,
    /// Path of the page. Of a URL only the path is kept, at most 1024 characters.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "location::read_path"
    )]
    #[schemars(with = "Option<String>")]
    pub path: Option<Phrase>,
    /// Title of the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Label>,
    /// Category of the page, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// Host and path it was reached from, at most 1024 characters; query, fragment and credentials are not kept.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "location::read_host_and_path"
    )]
    #[schemars(with = "Option<String>")]
    pub referrer: Option<Phrase>,
    /// Time spent on it, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dwell_ms: Option<u32>,
    /// Deepest scroll position, 0 (top) to 1 (end).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scroll_depth: Option<Fraction>,
}

/// A search in the shop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Search {
    /// What was searched for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<Phrase>,
    /// Filters in force.
    #[serde(skip_serializing_if = "List::is_empty")]
    pub filters: Filters,
    /// Number of results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_count: Option<u32>,
    /// Time spent on the results, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dwell_ms: Option<u32>,
}

/// One filter or sort of a list: its kind and the chosen value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
pub struct Filter {
    /// What is filtered or sorted by, such as `price` or `colour`.
    pub kind: Label,
    /// The chosen value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Label>,
}

from_objects_alone!(
    Filter,
    "a filter such as {\"kind\":\"colour\",\"value\":\"red\"}"
);

/// A list of products that was shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ProductListView {
    /// The shop's id of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_id: Option<ShopId>,
    /// Category of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// The products shown.
    #[serde(skip_serializing_if = "List::is_empty")]
    pub products: Products,
    /// Time spent on it, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dwell_ms: Option<u32>,
}

/// A list of products that was filtered or sorted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ProductListFilter {
    /// The shop's id of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_id: Option<ShopId>,
    /// Category of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// Filters in force.
    #[serde(skip_serializing_if = "List::is_empty")]
    pub filters: Filters,
    /// Sorts in force.
    #[serde(skip_serializing_if = "List::is_empty")]
    pub sorts: Filters,
    /// The products shown.
    #[serde(skip_serializing_if = "List::is_empty")]
    pub products: Products,
}

/// A product that was clicked in a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ProductClick {
    /// The product.
    pub product: Product,
    /// The list it stood in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_id: Option<ShopId>,
}

/// A product whose own page was looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ProductView {
    /// The product.
    pub product: Product,
    /// Attributes examined, such as `size-chart` or `reviews`.
    #[serde(skip_serializing_if = "List::is_empty")]
    pub attributes: List<Label, 50>,
    /// Time spent on it, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dwell_ms: Option<u32>,
    /// Deepest scroll position, 0 (top) to 1 (end).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scroll_depth: Option<Fraction>,
}
