//! An example: what was known of a shopper at an instant, and what became of it. It is what `foretide.examples` holds and models
//! are trained on.
//!
//! # No feature of the future
//!
//! The features of an example are a [`Snapshot`], and there are two ways to one. [`Snapshot::take`] computes it from a state, and
//! refuses a state that has folded an event after the instant. Reading one from the log refuses what says that it rests on a
//! later event, any name that the catalogue does not have, and any value that its feature cannot have. So nobody can hand
//! in a column of their own: whatever is learnt from is a feature of the catalogue, of what had happened by then.
//!
//! # Revisions
//!
//! Of the records with one id the one with the highest revision counts: an event out of order changes what was known, or what
//! became of it. A record without a [`Point`] takes its id back.

mod snapshot;
mod wire;

use foretide_events::{EpochMs, ShopperId, Text};

pub use self::snapshot::{FromTheFuture, Snapshot};
use crate::Target;

/// One record of `foretide.examples`.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Names the point: whose it is, what is predicted, and which.
    pub id: Text<128>,
    /// What is predicted.
    pub kind: Target,
    /// Of several with one id the one with the highest revision counts.
    pub revision: u64,
    /// Whom it is about.
    pub shopper_id: ShopperId,
    /// The point; `None` where there is none any more.
    pub point: Option<Point>,
}

/// An instant of a shopper at which something could be predicted.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The instant.
    pub at: EpochMs,
    /// When the session began that it lies in, for abandonment.
    pub session_started_at: Option<EpochMs>,
    /// When the latest action of that session was; the point may lie after it, in a pause.
    pub session_ended_at: Option<EpochMs>,
    /// How much it counts: a quarter for each point of a session, which has four at most.
    pub weight: f64,
    /// Whether it happened, where the record itself says so: for abandonment, that nothing was bought in the session after the
    /// point. What became of a point of drift follows from a later point of the same shopper.
    pub label: Option<bool>,
    /// From when on nothing changes any more, whatever the label: the record is not to be learnt from before.
    pub certain_at: EpochMs,
    /// The other pseudonyms of the shopper whose actions count here: devices that turned out to be theirs by the time this was told. What
    /// was shown to one of them was shown to the shopper.
    pub devices: Vec<ShopperId>,
    /// What was known.
    pub known: Snapshot,
}

/// Why bytes are no example that can be learnt from.
#[derive(Debug, thiserror::Error)]
pub enum ExampleError {
    /// They are not JSON of the needed shape.
    #[error("not an example: {0}")]
    Shape(#[from] serde_json::Error),
    /// They are of a version that is not known here.
    #[error("an example of version {0}, which is not known here")]
    Version(u32),
    /// A member is missing that this kind has.
    #[error("an example without `{0}`")]
    Missing(&'static str),
    /// A number has no meaning.
    #[error("`{0}` must be a number above zero and at most 1")]
    Weight(&'static str),
    /// Its features are of another catalogue, which may mean other things by the same names.
    #[error("an example of the catalogue {found}, where {known} is known")]
    Catalogue {
        /// The catalogue that it names.
        found: String,
        /// The catalogue of this program.
        known: String,
    },
    /// It holds something that is no feature.
    #[error("`{0}` is no feature of the catalogue: nothing else may be learnt from")]
    UnknownFeature(String),
    /// A feature has a value that it cannot have.
    #[error("`{0}` has a value out of its range")]
    OutOfRange(&'static str),
    /// Its features rest on something that happened after its instant.
    #[error(transparent)]
    FromTheFuture(#[from] FromTheFuture),
}

impl ExampleError {
    /// Its stable name, for counting.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Shape(_) | Self::Missing(_) | Self::Weight(_) => "unreadable",
            Self::Version(_) => "other_version",
            Self::Catalogue { .. } => "other_catalogue",
            Self::UnknownFeature(_) => "unknown_feature",
            Self::OutOfRange(_) => "out_of_range",
            Self::FromTheFuture(_) => "from_the_future",
        }
    }
}

impl Example {
    /// Its bytes: one JSON object.
    pub fn encode(&self) -> Vec<u8> {
        wire::write(self)
    }

    /// Reads the bytes of an example, and refuses what must not be learnt from.
    pub fn decode(bytes: &[u8]) -> Result<Self, ExampleError> {
        wire::read(bytes)
    }
}

#[cfg(test)]
mod tests;
