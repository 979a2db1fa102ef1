//! What is taken from an item's `context`, and from that of its batch where the item's own is silent.
//!
//! A context describes; it never makes an event wrong. Whatever in it is of an unexpected type is as if it were absent.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::text::RawText;

/// The parts of a context that say something about the shopper or the shopper's step.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Context<'a> {
    #[serde(borrow)]
    session_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) locale: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) timezone: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) page: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) traits: Option<&'a RawValue>,
}

impl<'a> Context<'a> {
    /// The context of an item in a batch.
    pub(super) fn of(item: Option<&'a RawValue>, outer: Option<&'a RawValue>) -> Self {
        let item: Self = read_or_default(item);
        let outer: Self = read_or_default(outer);
        Self {
            session_id: item.session_id.or(outer.session_id),
            locale: item.locale.or(outer.locale),
            timezone: item.timezone.or(outer.timezone),
            page: item.page.or(outer.page),
            traits: item.traits.or(outer.traits),
        }
    }

    /// The shop's id of the visit. Segment has no member for it; RudderStack's SDKs send this one.
    pub(super) fn session(&self) -> Option<RawText<'a>> {
        self.session_id
            .and_then(|session| serde_json::from_str(session.get()).ok())
    }
}

/// What `json` says, or nothing where it is absent or of another shape.
pub(super) fn read_or_default<'a, T: Deserialize<'a> + Default>(json: Option<&'a RawValue>) -> T {
    json.and_then(|json| serde_json::from_str(json.get()).ok())
        .unwrap_or_default()
}
