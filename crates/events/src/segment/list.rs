//! Events about several products: searches, lists, carts.

use serde::Deserialize;

use super::{loose, product::ProductProps, read};
use crate::{
    CartView, Category, Currency, Filter, Filters, Label, List, Phrase, ProductListFilter,
    ProductListView, Products, Search, Share, ShopId, fault::Fault, object::Object,
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct SearchProps {
    #[serde(deserialize_with = "loose::words")]
    query: Option<Phrase>,
    /// Not of the specification: named as in the native API, as is what follows.
    #[serde(deserialize_with = "loose::list")]
    filters: List<Object<FilterProps>, 50>,
    #[serde(deserialize_with = "loose::count")]
    result_count: Option<u32>,
    #[serde(deserialize_with = "loose::count")]
    dwell_ms: Option<u32>,
}

/// A filter or sort, as the specification has it: what by, and the value.
#[derive(Default, Deserialize)]
#[serde(default)]
struct FilterProps {
    #[serde(rename = "type", deserialize_with = "loose::words")]
    by: Option<Label>,
    #[serde(deserialize_with = "loose::words")]
    value: Option<Label>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ListProps {
    #[serde(deserialize_with = "loose::id")]
    list_id: Option<ShopId>,
    #[serde(deserialize_with = "loose::category")]
    category: Option<Category>,
    #[serde(deserialize_with = "loose::id")]
    cart_id: Option<ShopId>,
    #[serde(deserialize_with = "loose::words")]
    share_via: Option<Label>,
    #[serde(deserialize_with = "loose::currency")]
    currency: Option<Currency>,
    #[serde(deserialize_with = "loose::list")]
    filters: List<Object<FilterProps>, 50>,
    #[serde(deserialize_with = "loose::list")]
    sorts: List<Object<FilterProps>, 50>,
    #[serde(deserialize_with = "loose::list")]
    products: List<Object<ProductProps>, 500>,
    #[serde(deserialize_with = "loose::count")]
    dwell_ms: Option<u32>,
}

impl ListProps {
    fn products(&mut self, default: Currency) -> Products {
        let default = self.currency.unwrap_or(default);
        std::mem::take(&mut self.products).map(|Object(product)| product.product(default))
    }
}

/// A filter without a kind says nothing and is left out.
fn filters(filters: List<Object<FilterProps>, 50>) -> Filters {
    filters.filter_map(|Object(filter)| {
        Some(Filter {
            kind: filter.by?,
            value: filter.value,
        })
    })
}

pub(super) fn search(properties: &str) -> Result<Search, Fault> {
    let search: SearchProps = read(properties)?;
    Ok(Search {
        query: search.query,
        filters: filters(search.filters),
        result_count: search.result_count,
        dwell_ms: search.dwell_ms,
    })
}

pub(super) fn view(properties: &str, default: Currency) -> Result<ProductListView, Fault> {
    let mut list: ListProps = read(properties)?;
    let products = list.products(default);
    Ok(ProductListView {
        list_id: list.list_id,
        category: list.category,
        products,
        dwell_ms: list.dwell_ms,
    })
}

pub(super) fn filter(properties: &str, default: Currency) -> Result<ProductListFilter, Fault> {
    let mut list: ListProps = read(properties)?;
    let products = list.products(default);
    Ok(ProductListFilter {
        list_id: list.list_id,
        category: list.category,
        filters: filters(list.filters),
        sorts: filters(list.sorts),
        products,
    })
}

pub(super) fn cart(properties: &str, default: Currency) -> Result<CartView, Fault> {
    let mut list: ListProps = read(properties)?;
    let products = list.products(default);
    Ok(CartView {
        cart_id: list.cart_id,
        products,
    })
}

/// Who it was shared with, and the message, are personal: they are not read.
pub(super) fn share_cart(properties: &str) -> Result<Share, Fault> {
    let list: ListProps = read(properties)?;
    Ok(Share {
        product: None,
        cart_id: list.cart_id,
        via: list.share_via,
    })
}
