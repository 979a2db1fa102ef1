//! The bodies of Segment's HTTP API, as its stock SDKs send them.
//!
//! A batch is opened first, because some SDKs send their write key only inside it; its receipts follow when the caller is
//! known. Tracked e-commerce events of Segment's specification (version 2, and the names of version 1) become the actions
//! they mean, every other track becomes a custom action.
//!
//! Shops send all sorts of properties, so only what Foretide acts on is held to its type: a wrong id, amount, currency,
//! quantity or time refuses the event and names the field; a time may have any offset of ISO 8601, such as `+0100`.
//! Descriptive text of another type is left out, and cut where it is too long. Unknown properties are ignored. A blank text is
//! an absent one. A `quantity` that is no whole number, as of goods by weight, becomes one piece at the price of all of it;
//! an `sku` stands in for a `product_id` that is absent. A `sentAt` that cannot be read is an absent one too: it says nothing of the event, and without it the
//! sender's clock is believed.

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
    BatchRefusal, EpochMs, Intake, List, Receipt,
    apart::{self, Parts},
    body,
    fault::{self, Fault},
    limits::{MAX_BATCH_EVENTS, MAX_BATCH_ITEMS},
    object::Object,
    text::RawText,
};

use item::Item;

/// The types of calls that Segment knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Something was done.
    Track,
    /// A page was looked at.
    Page,
    /// A screen of an app was looked at.
    Screen,
    /// Who the shopper is.
    Identify,
    /// What group the shopper is in.
    Group,
    /// Two ids are one shopper.
    Alias,
}

impl Call {
    /// Every type.
    pub const ALL: [Self; 6] = [
        Self::Track,
        Self::Page,
        Self::Screen,
        Self::Identify,
        Self::Group,
        Self::Alias,
    ];

    /// Its name, as in the `type` of an item and in the path of its route.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Track => "track",
            Self::Page => "page",
            Self::Screen => "screen",
            Self::Identify => "identify",
            Self::Group => "group",
            Self::Alias => "alias",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|call| call.as_str() == name)
    }
}

/// The body of a batch, opened: it is JSON of the right shape, what its items mean is not looked into yet. A single call is
/// a batch of one.
#[derive(Debug)]
pub struct Batch<'a> {
    items: Items<'a>,
    write_key: Option<RawText<'a>>,
    outer: Outer<'a>,
}

#[derive(Debug)]
enum Items<'a> {
    /// All of them are well-formed.
    Good(List<Object<Item<'a>>, MAX_BATCH_EVENTS>),
    /// Some may not be.
    Any(List<&'a RawValue, MAX_BATCH_ITEMS>),
    /// Some may not even be JSON.
    Apart(Vec<&'a [u8]>),
    /// The body is the one item.
    One(&'a RawValue),
}

/// What a batch says for all of its items that do not say otherwise.
#[derive(Clone, Copy, Debug, Default)]
struct Outer<'a> {
    sent_at: Option<EpochMs>,
    context: Option<&'a RawValue>,
    call: Option<Call>,
}

/// What of a single call is looked at before the caller is known.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signed<'a> {
    #[serde(borrow, default)]
    write_key: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a, T> {
    batch: T,
    #[serde(default)]
    sent_at: loose::Instant,
    #[serde(borrow, default)]
    write_key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    context: Option<&'a RawValue>,
}

/// Opens the body of `/v1/batch` or `/v1/import`: `{"batch":[…],"sentAt"?,"writeKey"?,"context"?}`. An item that is not JSON
/// is refused alone, as long as it can be told where it ends.
pub fn open(body: &[u8]) -> Result<Batch<'_>, BatchRefusal> {
    match open_whole(body) {
        Err(refusal) if refusal.is_unreadable() => open_apart(body).ok_or(refusal)?,
        opened => opened,
    }
}

/// Opens a batch that is not JSON as a whole, where its items can be told apart.
fn open_apart(body: &[u8]) -> Option<Result<Batch<'_>, BatchRefusal>> {
    let Parts { items, beside } = apart::apart(body, "batch", ["sentAt", "writeKey", "context"])?;
    let [sent_at, key, context] = beside;
    let sent_at = sent_at.and_then(|at| serde_json::from_str::<loose::Instant>(at.get()).ok()?.0);
    Some(write_key(key).map(|write_key| Batch {
        items: Items::Apart(items),
        write_key,
        outer: Outer {
            sent_at,
            context,
            call: None,
        },
    }))
}

fn open_whole(body: &[u8]) -> Result<Batch<'_>, BatchRefusal> {
    let body = body::open(body)?;
    if !body.text.starts_with('{') {
        return Err(body.not_an_object(r#"is not {"batch":[…]}"#));
    }
    // Most batches are well-formed throughout and are read in one pass. One that is not is read item by item.
    if body.items_fit
        && let Ok(good) = serde_json::from_str::<Body<'_, _>>(body.text)
    {
        return good.opened(Items::Good);
    }
    let any: Body<'_, _> =
        serde_json::from_str(body.text).map_err(|error| body::refusal(&error, "batch"))?;
    any.opened(Items::Any)
}

/// Opens the body of `/v1/track` and its like: one item, which may hold a `writeKey`. What it is, `call` says; a `type` in
/// it counts for nothing, as with Segment's own service.
pub fn open_one(body: &[u8], call: Call) -> Result<Batch<'_>, BatchRefusal> {
    let body = body::open(body)?;
    if !body.text.starts_with('{') {
        return Err(body.not_an_object("is not a call, which is an object"));
    }
    let item: &RawValue =
        serde_json::from_str(body.text).map_err(|error| body::refusal(&error, "body"))?;
    let signed: Signed<'_> =
        serde_json::from_str(item.get()).map_err(|error| body::refusal(&error, "body"))?;
    Ok(Batch {
        write_key: write_key(signed.write_key)?,
        items: Items::One(item),
        outer: Outer {
            call: Some(call),
            ..Outer::default()
        },
    })
}

impl<'a, T> Body<'a, T> {
    fn opened(self, items: fn(T) -> Items<'a>) -> Result<Batch<'a>, BatchRefusal> {
        Ok(Batch {
            items: items(self.batch),
            write_key: write_key(self.write_key)?,
            outer: Outer {
                sent_at: self.sent_at.0,
                context: self.context,
                call: None,
            },
        })
    }
}

fn write_key(value: Option<&RawValue>) -> Result<Option<RawText<'_>>, BatchRefusal> {
    let Some(value) = value else { return Ok(None) };
    serde_json::from_str(value.get()).map_err(|error| BatchRefusal::Shape {
        field: "writeKey",
        cause: error.to_string(),
    })
}

impl Batch<'_> {
    /// The write key in the body, where there is one.
    pub fn write_key(&self) -> Option<&str> {
        self.write_key.as_deref()
    }

    /// A receipt for every item, in order.
    pub fn receipts(&self, intake: &mut Intake<'_>) -> Vec<Receipt> {
        match &self.items {
            Items::Good(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(index, Object(item))| self.receipt(item, index, intake))
                    .collect()
            }
            Items::One(item) => vec![self.judge(item.get(), 0, intake)],
            Items::Apart(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(index, item)| {
                        let item = apart::readable(item, "the item", index)?;
                        self.judge(item, index, intake)
                    })
                    .collect()
            }
            Items::Any(items) => {
                let items = items.iter().map(|item| item.get()).enumerate();
                items
                    .map(|(index, item)| self.judge(item, index, intake))
                    .collect()
            }
        }
    }

    /// The receipt of an item that may be wrong in any way, but is JSON.
    fn judge(&self, json: &str, index: usize, intake: &mut Intake<'_>) -> Receipt {
        let item = if index < MAX_BATCH_EVENTS {
            item::read(json)
        } else {
            Err(Fault::batch_full(MAX_BATCH_EVENTS))
        };
        match item {
            Ok(item) => self.receipt(&item, index, intake),
            Err(fault) => Err(fault.rejection(index, fault::legible_id(json))),
        }
    }

    /// The receipt of a well-formed item, which may still lack something or have wrong properties.
    fn receipt(&self, item: &Item<'_>, index: usize, intake: &mut Intake<'_>) -> Receipt {
        item.event(&self.outer, intake)
            .map_err(|fault| fault.rejection(index, item.id()))
    }
}

/// Reads the properties of an item as far as `T` knows them.
fn read<'a, T: Deserialize<'a>>(properties: &'a str) -> Result<T, Fault> {
    fault::read(properties, "properties")
}
