//! The native API's bodies: one action, a batch of actions, or one action a line.
//!
//! ```text
//! {"type":"cart_add","id":"e-1","at":"2026-11-22T08:00:00Z","shopper":{"user_id":"ann"},"session":"s-1",
//!  "product":{"product_id":"p-7","price":{"minor_units":12990,"currency":"EUR"},"quantity":1}}
//! ```
//!
//! `type` and `shopper` are needed. `shopper` holds `user_id`, `anonymous_id` (or both), or the pseudonym as `shopper_id`.
//! A missing `at` means now, a missing `id` is made, which makes a retry a second event. With `sent_at`, the sender's
//! clock is corrected. Where a batch has bad actions, each is refused alone, even one that is not JSON as long as it can be
//! told where it ends.

mod action;
mod envelope;
mod ignored;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    BatchRefusal, Event, Intake, List, Receipt, apart, body,
    fault::{self, Fault},
    flat::{self, Flat},
    intake::{Names, Parts},
    limits::{MAX_BATCH_EVENTS, MAX_BATCH_ITEMS, MAX_DEPTH, MAX_EVENT_BYTES},
};

use action::Fields;
pub(crate) use action::sent_fields_schema;
pub(crate) use envelope::Envelope;
pub use ignored::{Ignored, ignored_members};

const NAMES: Names = Names {
    id: "id",
    session: "session",
    identity: "shopper",
};

/// An action as sent.
type Sent<'a> = Flat<Envelope<'a>, Fields<'a>>;

/// A batch all of whose actions are well-formed.
#[derive(Deserialize)]
struct GoodBatch<'a> {
    #[serde(borrow)]
    actions: List<Sent<'a>, MAX_BATCH_EVENTS>,
}

/// Any body: a batch, or else one action.
#[derive(Deserialize)]
struct AnyBody<'a> {
    #[serde(borrow, default)]
    actions: Option<List<&'a RawValue, MAX_BATCH_ITEMS>>,
}

/// Reads one action object or `{"actions":[…]}`: a receipt for each, in order.
pub fn parse_json(body: &[u8], intake: &mut Intake<'_>) -> Result<Vec<Receipt>, BatchRefusal> {
    match parse_whole(body, intake) {
        Err(refusal) if refusal.is_unreadable() => {
            let actions = taken_apart(body).ok_or(refusal)?.into_iter().enumerate();
            let receipts =
                actions.map(|(index, action)| judge_part(action, "the action", index, intake));
            Ok(receipts.collect())
        }
        parsed => parsed,
    }
}

/// The actions of a batch that is not JSON as a whole, where they can be told apart.
fn taken_apart(body: &[u8]) -> Option<Vec<&[u8]>> {
    apart::apart(body, "actions", []).map(|parts| parts.items)
}

fn parse_whole(body: &[u8], intake: &mut Intake<'_>) -> Result<Vec<Receipt>, BatchRefusal> {
    let body = body::open(body)?;
    if !body.text.starts_with('{') {
        return Err(body.not_an_object(r#"is neither an action nor {"actions":[…]}"#));
    }
    // Most batches are well-formed throughout and are read in one pass. One that is not is read action by action.
    if body.items_fit
        && let Ok(batch) = serde_json::from_str::<GoodBatch<'_>>(body.text)
    {
        let actions = batch.actions.into_iter().enumerate();
        return Ok(actions
            .map(|(index, sent)| receipt(sent, index, intake))
            .collect());
    }
    let any: AnyBody<'_> =
        serde_json::from_str(body.text).map_err(|error| body::refusal(&error, "actions"))?;
    Ok(match any.actions {
        Some(actions) => {
            let actions = actions.into_iter().enumerate();
            actions
                .map(|(index, action)| judge(action.get(), index, intake))
                .collect()
        }
        None => vec![judge(body.text, 0, intake)],
    })
}

/// Reads one action a line: a receipt for each line that is not blank, in order. A line that is not an action, not JSON or
/// not even UTF-8 is refused alone.
pub fn parse_ndjson(body: &[u8], intake: &mut Intake<'_>) -> Result<Vec<Receipt>, BatchRefusal> {
    if lines(body).nth(MAX_BATCH_ITEMS).is_some() {
        let cause = format!("has more than {MAX_BATCH_ITEMS} lines");
        return Err(BatchRefusal::Shape {
            field: "body",
            cause,
        });
    }
    Ok(lines(body)
        .enumerate()
        .map(|(index, line)| judge_part(line, "the line", index, intake))
        .collect())
}

/// The lines of `body` that are not blank.
fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = body.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty())
}

/// The receipt of an action that may not even be JSON; `what` is what it is called then.
fn judge_part(part: &[u8], what: &str, index: usize, intake: &mut Intake<'_>) -> Receipt {
    let action = apart::readable(part, what, index)?;
    judge(action, index, intake)
}

/// The receipt of an action that may be wrong in any way, but is JSON.
fn judge(action: &str, index: usize, intake: &mut Intake<'_>) -> Receipt {
    let sent = if index < MAX_BATCH_EVENTS {
        read(action)
    } else {
        Err(Fault::batch_full(MAX_BATCH_EVENTS))
    };
    match sent {
        Ok(sent) => receipt(sent, index, intake),
        Err(fault) => Err(fault.rejection(index, fault::legible_id(action))),
    }
}

fn read(action: &str) -> Result<Sent<'_>, Fault> {
    if action.len() > MAX_EVENT_BYTES {
        return Err(Fault::oversized(action.len(), MAX_EVENT_BYTES));
    }
    if !action.starts_with('{') {
        return Err(Fault::not_an_object("an action is a JSON object"));
    }
    if !body::item_nests_within_limit(action) {
        return Err(Fault::too_deep(MAX_DEPTH));
    }
    serde_json::from_str(action).or_else(|_| flat::read(action))
}

/// The receipt of a well-formed action, which may still lack something.
fn receipt(sent: Sent<'_>, index: usize, intake: &mut Intake<'_>) -> Receipt {
    let id = sent.head.id.clone();
    event(sent, intake).map_err(|fault| fault.rejection(index, id.map(|id| fault::cut_to_id(&id))))
}

fn event(sent: Sent<'_>, intake: &mut Intake<'_>) -> Result<Event, Fault> {
    let Flat { head, fields } = sent;
    let identity = head.identity(intake)?;
    let parts = Parts {
        id: head.id.as_ref(),
        session: head.session.as_ref(),
        timing: intake.happened_at(head.at, head.sent_at),
        identity,
        shopper: NAMES.shopper(&identity)?,
        action: fields.action(intake)?,
    };
    intake.event(parts, &NAMES)
}
