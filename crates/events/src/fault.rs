//! What is wrong with one event, and where: from serde's complaint to a rejection that names the field.

use std::marker::PhantomData;

use serde::{Deserialize, de::DeserializeSeed};
use serde_json::{Deserializer, value::RawValue};

use crate::{BatchRefusal, EventId, Rejection, RejectionReason, bounded::TOO_LONG, text::RawText};

/// The most bytes of a message: serde quotes what it found, which may be the whole event.
const MAX_MESSAGE_BYTES: usize = 240;

/// What is wrong with an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", .field.as_deref().unwrap_or("event"))]
pub(crate) struct Fault {
    code: RejectionReason,
    field: Option<String>,
    message: String,
}

impl Fault {
    pub(crate) fn new(code: RejectionReason, field: &str, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MAX_MESSAGE_BYTES {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
            message.push('…');
        }
        let field = (!field.is_empty()).then(|| field.to_owned());
        Self {
            code,
            field,
            message,
        }
    }

    /// A needed field is absent.
    pub(crate) fn missing(field: &str) -> Self {
        Self::new(RejectionReason::MissingField, field, "is missing")
    }

    /// A field holds something else than it should, or too much of it.
    pub(crate) fn in_field(field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let code = if message.starts_with(TOO_LONG) {
            RejectionReason::TooLarge
        } else {
            RejectionReason::InvalidField
        };
        Self::new(code, field, message)
    }

    /// A text has more characters than it may.
    pub(crate) fn too_long(field: &str, limit: usize) -> Self {
        Self::in_field(field, format!("{TOO_LONG} {limit} characters"))
    }

    /// The event is over its limit as a whole.
    pub(crate) fn oversized(bytes: usize, limit: usize) -> Self {
        let message = format!("has {bytes} bytes, more than the {limit} an event may have");
        Self::new(RejectionReason::TooLarge, "", message)
    }

    /// The batch already held as many events as it may.
    pub(crate) fn batch_full(limit: usize) -> Self {
        let message = format!("the batch already held {limit} events");
        Self::new(RejectionReason::BatchFull, "", message)
    }

    /// The event nests deeper than an event may.
    pub(crate) fn too_deep(limit: usize) -> Self {
        let message = format!("nests deeper than {limit} levels");
        Self::new(RejectionReason::TooLarge, "", message)
    }

    /// A part of the body, which is called `what`, cannot be read at all.
    pub(crate) fn of_part(refusal: &BatchRefusal, what: &str) -> Self {
        let code = match refusal {
            BatchRefusal::TooDeep { .. } => RejectionReason::TooLarge,
            _ => RejectionReason::NotAnObject,
        };
        let message = refusal.to_string();
        Self::new(code, "", message.replacen("the body", what, 1))
    }

    /// Something else than an object stands where an event should.
    pub(crate) fn not_an_object(message: impl Into<String>) -> Self {
        Self::new(RejectionReason::NotAnObject, "", message)
    }

    /// Says so of the event at `index`.
    pub(crate) fn rejection(self, index: usize, id: Option<String>) -> Rejection {
        Rejection {
            index,
            id,
            code: self.code,
            field: self.field,
            message: self.message,
        }
    }
}

/// Reads a value from JSON text; `under` is the path of that text in the event, empty for the event itself.
pub(crate) fn read<'de, T: Deserialize<'de>>(json: &'de str, under: &str) -> Result<T, Fault> {
    read_seed(json, PhantomData::<T>, under)
}

/// Reads what `seed` reads. Only when that fails is the text read once more, keeping track of the path, which is slower.
pub(crate) fn read_seed<'de, S>(json: &'de str, seed: S, under: &str) -> Result<S::Value, Fault>
where
    S: DeserializeSeed<'de> + Clone,
{
    let mut reader = Deserializer::from_str(json);
    seed.clone()
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| locate(json, seed, under, &error))
}

#[cold]
fn locate<'de, S: DeserializeSeed<'de>>(
    json: &'de str,
    seed: S,
    under: &str,
    error: &serde_json::Error,
) -> Fault {
    let mut track = serde_path_to_error::Track::new();
    let mut reader = Deserializer::from_str(json);
    let tracked = serde_path_to_error::Deserializer::new(&mut reader, &mut track);
    let words = match seed.deserialize(tracked) {
        Ok(_) => error.to_string(),
        Err(error) => error.to_string(),
    };
    // The position is one inside the event; the path says it better.
    let words = words
        .rsplit_once(" at line ")
        .map_or(words.as_str(), |(words, _)| words);
    let path = track.path().to_string();
    let field = join(under, if path == "." { "" } else { &path });
    let missing = words
        .strip_prefix("missing field `")
        .and_then(|rest| rest.strip_suffix('`'));
    match missing {
        Some(name) => Fault::missing(&join(&field, name)),
        None => Fault::in_field(&field, words),
    }
}

/// The path of `name` within `under`.
pub(crate) fn join(under: &str, name: &str) -> String {
    match (under, name) {
        ("", name) => name.to_owned(),
        (under, "") => under.to_owned(),
        (under, name) => format!("{under}.{name}"),
    }
}

/// The ids an event may have, in whatever else it may be wrong.
#[derive(Deserialize)]
struct AnyId<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "messageId")]
    message_id: Option<&'a RawValue>,
}

/// The id of an event that is refused, where it can be read, cut to the length an id may have.
pub(crate) fn legible_id(json: &str) -> Option<String> {
    let ids: AnyId<'_> = serde_json::from_str(json).ok()?;
    let id: RawText<'_> = serde_json::from_str(ids.message_id.or(ids.id)?.get()).ok()?;
    Some(cut_to_id(&id))
}

/// The id of an event that is refused, cut to the length an id may have.
pub(crate) fn cut_to_id(id: &str) -> String {
    id.chars().take(EventId::MAX_CHARS).collect()
}
