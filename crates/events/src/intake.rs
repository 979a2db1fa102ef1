//! What the parsers need from their caller, and what every event gets from it: its time, its pseudonyms, its id.

use foretide_privacy::{IdKind, Pseudonymiser};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Action, Alias, Currency, EpochMs, Event, EventId, Group, Identity, RejectionReason, SessionId,
    ShopperId, SourceId, fault::Fault, limits::MAX_RAW_ID_CHARS, text::RawText,
};

/// What the parsers of one request need from outside.
pub struct Intake<'a> {
    /// Makes pseudonyms of raw ids.
    pub pseudonymiser: &'a Pseudonymiser,
    /// When the request came in.
    pub received_at: EpochMs,
    /// Whom its events are counted for.
    pub source: &'a SourceId,
    /// Makes an id for an event that came without.
    pub make_id: &'a mut dyn FnMut() -> EventId,
    /// The currency of amounts that come without one (Segment only; native amounts name theirs).
    pub default_currency: Currency,
    /// Where to say how the time of each accepted event came about, in order. Only a sender who asks wants to know.
    pub timings: Option<&'a mut Vec<Timing>>,
}

/// How the time of an event came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Timing {
    /// When it happened, by our clock.
    pub at: EpochMs,
    /// What that was made of.
    pub basis: TimeBasis,
    /// Whether that was in the future, or before the earliest time there is, and was moved to the nearest that is not.
    pub clamped: bool,
    /// The time as the sender's clock told it, where it came with the event.
    pub sent: Option<EpochMs>,
}

/// What the time of an event is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeBasis {
    /// It came without a time: it happened when it was received.
    Received,
    /// The sender's clock was believed.
    SendersClock,
    /// The sender's clock was corrected by the time at which it said that the event was sent.
    CorrectedClock,
}

/// An event as sent, in parts, whichever API brought it.
pub(crate) struct Parts<'p, 'a> {
    pub(crate) id: Option<&'p RawText<'a>>,
    pub(crate) session: Option<&'p RawText<'a>>,
    pub(crate) timing: Timing,
    pub(crate) identity: Identity,
    pub(crate) shopper: ShopperId,
    pub(crate) action: Action,
}

/// What an API calls the members every event has, for complaints.
pub(crate) struct Names {
    pub(crate) id: &'static str,
    pub(crate) session: &'static str,
    pub(crate) identity: &'static str,
}

impl Names {
    /// The shopper that `identity` names. Asked before an action is read: an event of nobody is told first.
    pub(crate) fn shopper(&self, identity: &Identity) -> Result<ShopperId, Fault> {
        identity.shopper().ok_or_else(|| {
            let message = "names no shopper: an id is needed";
            Fault::new(RejectionReason::MissingIdentity, self.identity, message)
        })
    }
}

impl Intake<'_> {
    /// The pseudonym of a raw id; `None` where it is absent or blank.
    pub(crate) fn pseudonym(
        &self,
        kind: IdKind,
        raw: Option<&RawText<'_>>,
        field: &str,
    ) -> Result<Option<ShopperId>, Fault> {
        let Some(raw) = raw.filter(|raw| !raw.trim().is_empty()) else {
            return Ok(None);
        };
        if raw.len() > MAX_RAW_ID_CHARS && raw.chars().count() > MAX_RAW_ID_CHARS {
            return Err(Fault::too_long(field, MAX_RAW_ID_CHARS));
        }
        Ok(Some(ShopperId(self.pseudonymiser.pseudonym(kind, raw))))
    }

    /// The group of a raw group id.
    pub(crate) fn group(&self, raw: Option<&RawText<'_>>, field: &str) -> Result<Group, Fault> {
        let group = self.pseudonym(IdKind::Group, raw, field)?;
        group
            .map(|group| Group { group })
            .ok_or_else(|| Fault::missing(field))
    }

    /// The alias of a raw former id.
    pub(crate) fn alias(&self, raw: Option<&RawText<'_>>, field: &str) -> Result<Alias, Fault> {
        let user = self.pseudonym(IdKind::User, raw, field)?;
        let anonymous = self.pseudonym(IdKind::Anonymous, raw, field)?;
        match (user, anonymous) {
            (Some(previous_user), Some(previous_anonymous)) => Ok(Alias {
                previous_user,
                previous_anonymous,
            }),
            _ => Err(Fault::missing(field)),
        }
    }

    /// When an event happened by our clock, if the sender's clock said `at` then and `sent_at` when sending it: the time
    /// between the two is trusted, the clock is not. Never in the future.
    pub(crate) fn happened_at(&self, sent: Option<EpochMs>, sent_at: Option<EpochMs>) -> Timing {
        let (basis, meant) = match (sent, sent_at) {
            (Some(at), Some(sent_at)) => (
                TimeBasis::CorrectedClock,
                self.received_at.plus(-sent_at.since(at)),
            ),
            (Some(at), None) => (TimeBasis::SendersClock, at),
            (None, _) => (TimeBasis::Received, self.received_at),
        };
        let at = meant.clamp(EpochMs::EARLIEST, self.received_at.max(EpochMs::EARLIEST));
        Timing {
            at,
            basis,
            clamped: at != meant,
            sent,
        }
    }

    /// The event that `parts` make.
    pub(crate) fn event(&mut self, parts: Parts<'_, '_>, names: &Names) -> Result<Event, Fault> {
        let session = parts
            .session
            .filter(|session| !session.is_empty())
            .map(|session| SessionId::new(session))
            .transpose()
            .map_err(|error| Fault::in_field(names.session, error.to_string()))?;
        let id = match parts.id.filter(|id| !id.is_empty()) {
            Some(id) => {
                EventId::new(id).map_err(|error| Fault::in_field(names.id, error.to_string()))?
            }
            None => (self.make_id)(),
        };
        if let Some(timings) = &mut self.timings {
            timings.push(parts.timing);
        }
        Ok(Event {
            id,
            at: parts.timing.at,
            received_at: self.received_at,
            shopper: parts.shopper,
            identity: parts.identity,
            session,
            source: self.source.clone(),
            action: parts.action,
        })
    }
}
