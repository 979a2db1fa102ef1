//! One item of a batch: a call of `track`, `page`, `screen`, `identify`, `group` or `alias`.

use foretide_privacy::IdKind;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Call, Outer, catalogue, context::Context, loose, page, person};
use crate::{
    Action, EpochMs, Event, Identity, Intake, RejectionReason, body,
    fault::{self, Fault},
    intake::{Names, Parts, Timing},
    limits::{MAX_DEPTH, MAX_EVENT_BYTES},
    text::RawText,
};

const NAMES: Names = Names {
    id: "messageId",
    session: "context.sessionId",
    identity: "userId",
};

/// What items of all types have, and the members that say what was done.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<RawText<'a>>,
    #[serde(borrow, default)]
    message_id: Option<RawText<'a>>,
    #[serde(borrow, default)]
    user_id: Option<RawText<'a>>,
    #[serde(borrow, default)]
    anonymous_id: Option<RawText<'a>>,
    #[serde(default, deserialize_with = "loose::at")]
    timestamp: Option<EpochMs>,
    #[serde(default, deserialize_with = "loose::at")]
    original_timestamp: Option<EpochMs>,
    #[serde(default)]
    sent_at: loose::Instant,
    #[serde(default, deserialize_with = "loose::at")]
    received_at: Option<EpochMs>,
    #[serde(borrow, default)]
    context: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event: Option<RawText<'a>>,
    #[serde(borrow, default)]
    pub(super) name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) category: Option<&'a RawValue>,
    #[serde(borrow, default)]
    properties: Option<&'a RawValue>,
    #[serde(borrow, default)]
    traits: Option<&'a RawValue>,
    #[serde(borrow, default)]
    group_id: Option<RawText<'a>>,
    #[serde(borrow, default)]
    previous_id: Option<RawText<'a>>,
}

/// Reads an item that may be wrong in any way, but is JSON.
pub(super) fn read(json: &str) -> Result<Item<'_>, Fault> {
    if json.len() > MAX_EVENT_BYTES {
        return Err(Fault::oversized(json.len(), MAX_EVENT_BYTES));
    }
    if !json.starts_with('{') {
        return Err(Fault::not_an_object("an item of a batch is a JSON object"));
    }
    if !body::item_nests_within_limit(json) {
        return Err(Fault::too_deep(MAX_DEPTH));
    }
    fault::read(json, "")
}

impl<'a> Item<'a> {
    /// Its id, for a complaint.
    pub(super) fn id(&self) -> Option<String> {
        self.message_id.as_deref().map(fault::cut_to_id)
    }

    /// The event that it means.
    pub(super) fn event(&self, outer: &Outer<'a>, intake: &mut Intake<'_>) -> Result<Event, Fault> {
        let context = Context::of(self.context, outer.context);
        let session = context.session();
        let identity = self.identity(intake)?;
        let parts = Parts {
            id: self.message_id.as_ref(),
            session: session.as_ref(),
            timing: self.happened_at(outer, intake),
            identity,
            shopper: NAMES.shopper(&identity)?,
            action: self.action(self.call(outer)?, &context, intake)?,
        };
        intake.event(parts, &NAMES)
    }

    fn identity(&self, intake: &Intake<'_>) -> Result<Identity, Fault> {
        Ok(Identity {
            user: intake.pseudonym(IdKind::User, self.user_id.as_ref(), "userId")?,
            anonymous: intake.pseudonym(
                IdKind::Anonymous,
                self.anonymous_id.as_ref(),
                "anonymousId",
            )?,
        })
    }

    /// Event time = our time − (sentAt − originalTimestamp). An item that another server has received before, such as one
    /// of an archive, brings that server's `receivedAt`, and its `timestamp` is that server's correction: years may lie
    /// between its `sentAt` and now.
    fn happened_at(&self, outer: &Outer<'_>, intake: &Intake<'_>) -> Timing {
        let by_client = self.original_timestamp.or(self.timestamp);
        let Some(received_at) = self.received_at else {
            return intake.happened_at(by_client, self.sent_at.0.or(outer.sent_at));
        };
        let corrected = self
            .timestamp
            .unwrap_or_else(|| match (by_client, self.sent_at.0) {
                (Some(at), Some(sent_at)) => received_at.plus(-sent_at.since(at)),
                (at, _) => at.unwrap_or(received_at),
            });
        intake.happened_at(Some(corrected), None)
    }

    /// The type of call: that of the route it came by, else what it says itself.
    fn call(&self, outer: &Outer<'_>) -> Result<Call, Fault> {
        if let Some(call) = outer.call {
            return Ok(call);
        }
        let name = self.kind.as_deref().ok_or_else(|| Fault::missing("type"))?;
        Call::from_name(name).ok_or_else(|| {
            let message = format!("`{name}` is not a type of call");
            Fault::new(RejectionReason::UnknownType, "type", message)
        })
    }

    fn action(
        &self,
        call: Call,
        context: &Context<'a>,
        intake: &Intake<'_>,
    ) -> Result<Action, Fault> {
        match call {
            Call::Track => {
                let name = self
                    .event
                    .as_deref()
                    .map(str::trim)
                    .filter(|name| !name.is_empty());
                let name = name.ok_or_else(|| Fault::missing("event"))?;
                catalogue::track(name, self.properties()?, intake.default_currency)
            }
            Call::Page => page::page(self, self.properties()?, Some(context)).map(Action::PageView),
            Call::Screen => page::page(self, self.properties()?, None).map(Action::PageView),
            Call::Identify => Ok(Action::Identify(person::identify(self.traits, context))),
            Call::Group => intake
                .group(self.group_id.as_ref(), "groupId")
                .map(Action::Group),
            Call::Alias => intake
                .alias(self.previous_id.as_ref(), "previousId")
                .map(Action::Alias),
        }
    }

    /// The properties, `{}` where there are none.
    fn properties(&self) -> Result<&'a str, Fault> {
        match self.properties.map(RawValue::get) {
            None | Some("null") => Ok("{}"),
            Some(object) if object.starts_with('{') => Ok(object),
            Some(_) => Err(Fault::in_field("properties", "is not an object")),
        }
    }
}
