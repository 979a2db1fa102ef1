//! An action on the log, with its ids and times.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Action, EpochMs, EventId, SessionId, ShopperId, SourceId};

/// Who did it, as pseudonyms. At least one of the two is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// Pseudonym of the id of a shopper who signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<ShopperId>,
    /// Pseudonym of the id of a device or browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<ShopperId>,
}

impl Identity {
    /// The shopper the event belongs to: the known one if there is one, else the anonymous one.
    pub fn shopper(&self) -> Option<ShopperId> {
        self.user.or(self.anonymous)
    }
}

/// An action on the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What makes it itself.
    pub id: EventId,
    /// When it happened: the client's time, corrected for the skew of its clock, never after `received_at`.
    pub at: EpochMs,
    /// When ingest took it.
    pub received_at: EpochMs,
    /// The shopper whose profile it belongs to, which is the key of its record.
    pub shopper: ShopperId,
    /// Every pseudonym it named.
    pub identity: Identity,
    /// The visit it belongs to, where the shop says.
    pub session: Option<SessionId>,
    /// Whom it is counted for.
    pub source: SourceId,
    /// What was done.
    pub action: Action,
}
