//! The bodies of Segment's HTTP API, as its stock SDKs send them.
//!
//! A batch is opened first, because some SDKs send their write key only inside it; its receipts follow when the caller is
//! known. Tracked e-commerce events of Segment's specification (version 2, and the names of version 1) become the actions
//! they mean, every other track becomes a custom action.
//!
//! Shops send all sorts of properties, so only what Foretide acts on is held to its type: a wrong id, amount, currency,
//! quantity or time refuses the event and names the field. Descriptive text of another type is left out, and cut where
//! it is too long. Unknown properties are ignored. A blank text is an absent one.

mod catalogue;
mod content;
mod context;
mod custom;
mod item;
mod list;
mod loose;
mod order;
mod page;
mod person;
mod product;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    BatchRefusal, EpochMs, Intake, List, Receipt, body,
    fault::{self, Fault},
    limits::{MAX_BATCH_EVENTS, MAX_BATCH_ITEMS},
    text::RawText,
};

/// The body of a batch, opened: it is JSON of the right shape, its items are not looked into yet.
#[derive(Debug)]
pub struct Batch<'a> {
    items: List<&'a RawValue, MAX_BATCH_ITEMS>,
    write_key: Option<RawText<'a>>,
    outer: Outer<'a>,
}

/// What a batch says for all of its items that do not say otherwise.
#[derive(Clone, Copy, Debug, Default)]
struct Outer<'a> {
    sent_at: Option<EpochMs>,
    context: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    batch: List<&'a RawValue, MAX_BATCH_ITEMS>,
    #[serde(borrow, default)]
    sent_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    write_key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    context: Option<&'a RawValue>,
}

/// Opens the body of `/v1/batch` or `/v1/import`: `{"batch":[…],"sentAt"?,"writeKey"?,"context"?}`.
pub fn open(body: &[u8]) -> Result<Batch<'_>, BatchRefusal> {
    let body = body::open(body)?;
    if !body.text.starts_with('{') {
        return Err(body.not_an_object(r#"is not {"batch":[…]}"#));
    }
    let body: Body<'_> =
        serde_json::from_str(body.text).map_err(|error| body::refusal(&error, "batch"))?;
    Ok(Batch {
        items: body.batch,
        write_key: member(body.write_key, "writeKey")?,
        outer: Outer { sent_at: member(body.sent_at, "sentAt")?, context: body.context },
    })
}

fn member<'a, T: Deserialize<'a>>(
    value: Option<&'a RawValue>,
    field: &'static str,
) -> Result<Option<T>, BatchRefusal> {
    let Some(value) = value else { return Ok(None) };
    serde_json::from_str(value.get())
        .map_err(|error| BatchRefusal::Shape { field, cause: error.to_string() })
}

impl Batch<'_> {
    /// The write key in the body, where there is one.
    pub fn write_key(&self) -> Option<&str> {
        self.write_key.as_deref()
    }

    /// A receipt for every item, in order.
    pub fn receipts(&self, intake: &mut Intake<'_>) -> Vec<Receipt> {
        let items = self.items.iter().map(|item| item.get()).enumerate();
        items.map(|(index, item)| self.receipt(index, item, intake)).collect()
    }

    fn receipt(&self, index: usize, item: &str, intake: &mut Intake<'_>) -> Receipt {
        let event = if index < MAX_BATCH_EVENTS {
            item::event(item, &self.outer, intake)
        } else {
            Err(Fault::batch_full(MAX_BATCH_EVENTS))
        };
        event.map_err(|fault| fault.rejection(index, fault::legible_id(item)))
    }
}

/// Reads the properties of an item as far as `T` knows them.
fn read<'a, T: Deserialize<'a>>(properties: &'a str) -> Result<T, Fault> {
    fault::read(properties, "properties")
}
