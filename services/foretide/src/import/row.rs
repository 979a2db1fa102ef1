//! What a reader makes of one row of a file.

use foretide_events::limits::MAX_EVENT_BYTES;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

/// A row as an item of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// A hash of the shopper's id: rows with the same travel in the same lane.
    pub(crate) shopper: u64,
    /// The item, JSON.
    pub(crate) item: String,
    /// Number of its line in the file.
    pub(crate) line: u64,
}

impl Row {
    /// `item` of the shopper that the file names `shopper`; whoever counts the lines fills in the line.
    pub(crate) fn new(shopper: &str, item: &Value) -> Self {
        Self {
            shopper: xxh3_64(shopper.as_bytes()),
            item: item.to_string(),
            line: 0,
        }
    }

    /// An `item` that is written already, of the shopper that the file names `shopper`, at `line` of the file.
    pub(crate) fn written(shopper: &str, item: String, line: u64) -> Self {
        Self {
            shopper: xxh3_64(shopper.as_bytes()),
            item,
            line,
        }
    }

    /// The row itself, if ingest takes an event of its size.
    pub(crate) fn fitting(self) -> Result<Self, Unusable> {
        if self.item.len() > MAX_EVENT_BYTES {
            return Err(Unusable::too_large(format!(
                "is larger than {MAX_EVENT_BYTES} bytes as an event"
            )));
        }
        Ok(self)
    }
}

/// Why a row is not sent. The reasons are named as ingest names its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub(crate) struct Unusable {
    /// Its stable name.
    pub(crate) reason: &'static str,
    /// What is wrong, for people.
    pub(crate) cause: String,
}

impl Unusable {
    /// The row is not of the file's format.
    pub(crate) fn unreadable(cause: impl Into<String>) -> Self {
        Self {
            reason: "unreadable_row",
            cause: cause.into(),
        }
    }

    /// The row lacks `field`.
    pub(crate) fn missing(field: &str) -> Self {
        Self {
            reason: "missing_field",
            cause: format!("{field} is missing"),
        }
    }

    /// The row is over a limit.
    pub(crate) fn too_large(cause: impl Into<String>) -> Self {
        Self {
            reason: "too_large",
            cause: cause.into(),
        }
    }
}

/// Turns the lines of a file into rows.
pub(crate) trait Reader: Send {
    /// Whether the first line names the columns.
    fn has_heading(&self) -> bool;

    /// Takes the heading.
    ///
    /// # Errors
    /// It is not one of this format.
    fn heading(&mut self, line: &str) -> anyhow::Result<()>;

    /// Reads a line.
    fn row(&mut self, line: &str) -> Result<Row, Unusable>;
}
