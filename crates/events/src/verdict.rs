//! What becomes of an event: one receipt from ingest, one fate from the processor. Both are closed sets whose names are
//! the same in the HTTP answer, the metric label and the log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Event;

/// Why ingest refused one event of a batch whose other events it took.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RejectionReason {
    /// It is not a JSON object.
    NotAnObject,
    /// No known type of action or call.
    UnknownType,
    /// A needed field is absent.
    MissingField,
    /// Nothing says which shopper did it.
    MissingIdentity,
    /// A field holds something else than it should.
    InvalidField,
    /// The event, or a text or list in it, is over its limit.
    TooLarge,
    /// The batch already held as many events as it may.
    BatchFull,
}

impl RejectionReason {
    /// Every reason, for metrics and tests.
    pub const ALL: [Self; 7] = [
        Self::NotAnObject,
        Self::UnknownType,
        Self::MissingField,
        Self::MissingIdentity,
        Self::InvalidField,
        Self::TooLarge,
        Self::BatchFull,
    ];

    /// Its stable name, as in answers, metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAnObject => "not_an_object",
            Self::UnknownType => "unknown_type",
            Self::MissingField => "missing_field",
            Self::MissingIdentity => "missing_identity",
            Self::InvalidField => "invalid_field",
            Self::TooLarge => "too_large",
            Self::BatchFull => "batch_full",
        }
    }
}

/// What ingest says of an event it refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Rejection {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// Its id, where it has one that can be read.
    pub id: Option<String>,
    /// Why.
    pub code: RejectionReason,
    /// The path of the field at fault, such as `product.price.currency`; absent when it is the event as a whole.
    pub field: Option<String>,
    /// What is wrong, for a person.
    pub message: String,
}

/// What ingest says of one event: taken, as the event to store, or refused.
pub type Receipt = Result<Event, Rejection>;

/// Why a whole request was refused. Nothing of it was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchRefusal {
    /// The body is not UTF-8.
    #[error("the body is not UTF-8 (first bad byte at {at})")]
    NotUtf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// The body is not JSON.
    #[error("the body is not JSON: {cause}")]
    NotJson {
        /// The parser's words, with line and column.
        cause: String,
    },
    /// The body nests deeper than the limit.
    #[error("the body nests deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// The body is JSON of another shape.
    #[error("{field}: {cause}")]
    Shape {
        /// The member at fault.
        field: &'static str,
        /// What is wrong with it.
        cause: String,
    },
}

impl BatchRefusal {
    /// Whether the body as a whole is no JSON text: a batch of which one event is not may still be taken apart.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, Self::NotUtf8 { .. } | Self::NotJson { .. })
    }

    /// Its stable name, as in answers, metrics and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotUtf8 { .. } => "not_utf8",
            Self::NotJson { .. } => "not_json",
            Self::TooDeep { .. } => "too_deep",
            Self::Shape { .. } => "invalid_body",
        }
    }
}

/// What the fold did with an event on the log. Judged in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[must_use]
pub enum Fate {
    /// Older than the profile's recent observations reach back.
    Late,
    /// An event with the same id is among them.
    Duplicate,
    /// It is part of the profile.
    Folded,
}

impl Fate {
    /// Its stable name, as in answers, metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::Folded => "folded",
        }
    }
}
