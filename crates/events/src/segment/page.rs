//! Pages and screens.

use serde::Deserialize;

use super::{
    context::{Context, read_or_default},
    item::Item,
    loose, read,
};
use crate::{Category, Fraction, Label, PageView, fault::Fault, location};

#[derive(Default, Deserialize)]
#[serde(default)]
struct PageProps<'a> {
    #[serde(deserialize_with = "loose::words")]
    name: Option<Label>,
    #[serde(borrow)]
    path: loose::Scalar<'a>,
    #[serde(borrow)]
    url: loose::Scalar<'a>,
    #[serde(deserialize_with = "loose::words")]
    title: Option<Label>,
    #[serde(deserialize_with = "loose::category")]
    category: Option<Category>,
    #[serde(borrow)]
    referrer: loose::Scalar<'a>,
    /// Not of the specification: named as in the native API, as is what follows.
    #[serde(deserialize_with = "loose::count")]
    dwell_ms: Option<u32>,
    #[serde(deserialize_with = "loose::fraction")]
    scroll_depth: Option<Fraction>,
}

impl PageProps<'_> {
    fn view(self) -> PageView {
        let address = self.path.text().or_else(|| self.url.text());
        PageView {
            name: self.name,
            path: address.and_then(|address| location::cut(&address, location::path)),
            title: self.title,
            category: self.category,
            referrer: self
                .referrer
                .text()
                .and_then(|from| location::cut(&from, location::host_and_path)),
            dwell_ms: self.dwell_ms,
            scroll_depth: self.scroll_depth,
        }
    }
}

/// The page that a call is about: what its properties say, else what the item says, else its context. (A screen has no
/// page in its context.)
pub(super) fn page(
    item: &Item<'_>,
    properties: &str,
    context: Option<&Context<'_>>,
) -> Result<PageView, Fault> {
    let said = read::<PageProps<'_>>(properties)?.view();
    let around = context.map(|context| read_or_default::<PageProps<'_>>(context.page).view());
    let around = around.unwrap_or_default();
    Ok(PageView {
        name: read_or_default::<Words>(item.name).0.or(said.name),
        path: said.path.or(around.path),
        title: said.title.or(around.title),
        category: said
            .category
            .or_else(|| read_or_default::<CategoryName>(item.category).0),
        referrer: said.referrer.or(around.referrer),
        ..said
    })
}

#[derive(Default, Deserialize)]
struct Words(#[serde(deserialize_with = "loose::words")] Option<Label>);

#[derive(Default, Deserialize)]
struct CategoryName(#[serde(deserialize_with = "loose::category")] Option<Category>);
