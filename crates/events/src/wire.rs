//! The stored form of an event, version 1: the value of a record on `foretide.actions`, one flat JSON object that a person
//! can read.
//!
//! ```text
//! {"v":1,"type":"cart_view","id":"e-1","at":"2026-11-22T08:00:00.000Z","received_at":"2026-11-22T08:00:01.000Z",
//!  "shopper":{"user":"00112233445566778899aabbccddeeff"},"source":"key:0a1b2c3d","cart_id":"c-1"}
//! ```
//!
//! What is written here can be read for as long as a topic is kept, and longer from archives: a change of meaning needs
//! another `v`. Unknown members are ignored, so that a field can be added.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::MapAccess};

use crate::{
    Action, ActionType, EpochMs, Event, EventId, Identity, SessionId, SourceId,
    action::FieldsVisitor,
    fault::{self, Fault},
    flat::{self, Flat, fill},
    text::RawText,
};

/// The version this code writes, and the only one there is.
pub const VERSION: u64 = 1;

/// Why bytes are not a stored event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They are not UTF-8.
    #[error("the stored event is not UTF-8")]
    NotUtf8,
    /// They are of a version that this code does not know, perhaps of a newer Foretide.
    #[error("the stored event has version {0}, and only version {VERSION} is known")]
    UnknownVersion(u64),
    /// They are of a type of action that this code does not know, perhaps of a newer Foretide.
    #[error("the stored event has the unknown type `{0}`")]
    UnknownType(String),
    /// They are not JSON of the stored form.
    #[error("the stored event is malformed: {0}")]
    Malformed(String),
}

impl From<Fault> for DecodeError {
    fn from(fault: Fault) -> Self {
        Self::Malformed(fault.to_string())
    }
}

/// The members of a stored event beside the fields of its action.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StoredHead")]
pub(crate) struct Head<'a> {
    /// Version of the stored form.
    #[schemars(extend("const" = VERSION))]
    v: u64,
    /// The kind of action.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What makes the event itself: of two events with one id, one counts.
    id: &'a EventId,
    /// When it happened, corrected for the skew of the sender's clock, never after `received_at`.
    at: EpochMs,
    /// When ingest took it.
    received_at: EpochMs,
    /// Who did it, as pseudonyms.
    shopper: Identity,
    /// The shop's id of the visit.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a SessionId>,
    /// Whom it is counted for.
    source: &'a SourceId,
}

/// Head and fields as one flat object.
#[derive(Serialize)]
struct Stored<'a, F> {
    #[serde(flatten)]
    head: &'a Head<'a>,
    #[serde(flatten)]
    fields: &'a F,
}

struct WriteTo<'a> {
    head: Head<'a>,
    out: &'a mut Vec<u8>,
}

impl FieldsVisitor for WriteTo<'_> {
    type Output = serde_json::Result<()>;

    fn visit<F: Serialize>(self, fields: &F) -> Self::Output {
        serde_json::to_writer(
            self.out,
            &Stored {
                head: &self.head,
                fields,
            },
        )
    }
}

/// Appends the stored form of `event` to `out`.
pub fn encode(event: &Event, out: &mut Vec<u8>) {
    let head = Head {
        v: VERSION,
        kind: event.action.action_type().as_str(),
        id: &event.id,
        at: event.at,
        received_at: event.received_at,
        shopper: event.identity,
        session: event.session.as_ref(),
        source: &event.source,
    };
    let start = out.len();
    let written = event.action.visit_fields(WriteTo { head, out });
    // Writing to memory cannot fail, and every field is text, a finite number, a list or an object with text keys.
    if written.is_err() {
        out.truncate(start);
    }
}

/// The head as it is read.
#[derive(Default)]
struct StoredHead<'a> {
    v: Option<u64>,
    kind: Option<RawText<'a>>,
    id: Option<EventId>,
    at: Option<EpochMs>,
    received_at: Option<EpochMs>,
    shopper: Option<Identity>,
    session: Option<SessionId>,
    source: Option<SourceId>,
}

impl<'de> flat::Head<'de> for StoredHead<'de> {
    type Fields = Action;

    fn take<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<bool, A::Error> {
        match name {
            "v" => fill(&mut self.v, "v", members)?,
            "type" => fill(&mut self.kind, "type", members)?,
            "id" => fill(&mut self.id, "id", members)?,
            "at" => fill(&mut self.at, "at", members)?,
            "received_at" => fill(&mut self.received_at, "received_at", members)?,
            "shopper" => fill(&mut self.shopper, "shopper", members)?,
            "session" => fill(&mut self.session, "session", members)?,
            "source" => fill(&mut self.source, "source", members)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    fn read_fields<D: Deserializer<'de>>(kind: ActionType, fields: D) -> Result<Action, D::Error> {
        kind.read_fields(fields)
    }
}

/// Reads a stored event.
pub fn decode(bytes: &[u8]) -> Result<Event, DecodeError> {
    let text = std::str::from_utf8(bytes).map_err(|_| DecodeError::NotUtf8)?;
    let stored: Flat<StoredHead<'_>, Action> = match serde_json::from_str(text) {
        Ok(stored) => stored,
        Err(_) => read_with_care(text)?,
    };
    let Flat { head, fields } = stored;
    match head.v {
        Some(VERSION) => {}
        Some(version) => return Err(DecodeError::UnknownVersion(version)),
        None => return Err(Fault::missing("v").into()),
    }
    let identity = head.shopper.ok_or_else(|| Fault::missing("shopper"))?;
    Ok(Event {
        id: head.id.ok_or_else(|| Fault::missing("id"))?,
        at: head.at.ok_or_else(|| Fault::missing("at"))?,
        received_at: head
            .received_at
            .ok_or_else(|| Fault::missing("received_at"))?,
        shopper: identity
            .shopper()
            .ok_or_else(|| Fault::missing("shopper"))?,
        identity,
        session: head.session,
        source: head.source.ok_or_else(|| Fault::missing("source"))?,
        action: fields,
    })
}

/// The type alone.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, rename = "type")]
    kind: RawText<'a>,
}

/// The version alone.
#[derive(Deserialize)]
struct Version {
    v: u64,
}

/// Reads what is not as this code writes it. Bytes of another version may look wrong only because of that.
fn read_with_care(text: &str) -> Result<Flat<StoredHead<'_>, Action>, DecodeError> {
    let Version { v } = fault::read(text, "")?;
    if v != VERSION {
        return Err(DecodeError::UnknownVersion(v));
    }
    let kind: RawText<'_> = fault::read::<Kind<'_>>(text, "")?.kind;
    if ActionType::from_name(&kind).is_none() {
        return Err(DecodeError::UnknownType(kind.to_string()));
    }
    Ok(flat::read(text)?)
}
