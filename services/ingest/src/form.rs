//! The forms in which events come, and a body of each, opened.

use axum::http::{HeaderMap, header};
use foretide_events::{
    BatchRefusal, Intake, Receipt,
    native::{self, Ignored},
    segment::{self, Batch, Call},
};
use foretide_http::{Problem, ProblemCode};

/// Media types of one JSON value a line.
const NDJSON: [&str; 5] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/json-lines",
];

/// The forms in which events come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One native action, or `{"actions":[…]}`.
    Actions,
    /// One native action a line.
    ActionLines,
    /// Segment's `{"batch":[…]}`.
    Batch,
    /// One of Segment's calls.
    Call(Call),
}

impl Form {
    /// The form of native actions that the content type says. Anything else than lines is taken for JSON: senders are careless
    /// with it.
    pub(crate) fn of_actions(headers: &HeaderMap) -> Self {
        let content_type = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let media_type = content_type
            .and_then(|value| value.split(';').next())
            .map(str::trim);
        let is_lines = media_type
            .is_some_and(|name| NDJSON.iter().any(|known| name.eq_ignore_ascii_case(known)));
        if is_lines {
            Self::ActionLines
        } else {
            Self::Actions
        }
    }

    /// Whether a body of this form may hold the key of its sender.
    pub(crate) fn may_hold_a_key(self) -> bool {
        matches!(self, Self::Batch | Self::Call(_))
    }

    /// Opens `body`: it is found out who sent it, before what it says is looked into.
    pub(crate) fn open(self, body: &[u8]) -> Result<Opened<'_>, Problem> {
        Ok(match self {
            Self::Actions => Opened::Actions(body),
            Self::ActionLines => Opened::ActionLines(body),
            Self::Batch => Opened::Calls(segment::open(body).map_err(refused)?),
            Self::Call(call) => Opened::Calls(segment::open_one(body, call).map_err(refused)?),
        })
    }
}

/// A body, opened.
pub(crate) enum Opened<'b> {
    Actions(&'b [u8]),
    ActionLines(&'b [u8]),
    Calls(Batch<'b>),
}

impl Opened<'_> {
    /// The write key in it, where there is one.
    pub(crate) fn write_key(&self) -> Option<&str> {
        match self {
            Self::Actions(_) | Self::ActionLines(_) => None,
            Self::Calls(batch) => batch.write_key().filter(|key| !key.is_empty()),
        }
    }

    /// A receipt for each of its events, in order.
    pub(crate) fn receipts(&self, intake: &mut Intake<'_>) -> Result<Vec<Receipt>, Problem> {
        match self {
            Self::Actions(body) => native::parse_json(body, intake).map_err(refused),
            Self::ActionLines(body) => native::parse_ndjson(body, intake).map_err(refused),
            Self::Calls(batch) => Ok(batch.receipts(intake)),
        }
    }

    /// Whether it holds native actions, whose members are all known.
    pub(crate) fn is_native(&self) -> bool {
        !matches!(self, Self::Calls(_))
    }

    /// The members of each event that say nothing, in the order of the receipts. Not told of Segment's calls: shops send all
    /// sorts of properties with these.
    pub(crate) fn ignored(&self) -> Vec<Vec<Ignored>> {
        match self {
            Self::Actions(body) => native::ignored_members(body, false),
            Self::ActionLines(body) => native::ignored_members(body, true),
            Self::Calls(_) => Vec::new(),
        }
    }
}

/// A body of which nothing can be taken, as a problem.
#[expect(clippy::needless_pass_by_value, reason = "used with `map_err`")]
fn refused(refusal: BatchRefusal) -> Problem {
    let code = match &refusal {
        BatchRefusal::NotUtf8 { .. } => ProblemCode::NotUtf8,
        BatchRefusal::NotJson { .. } => ProblemCode::NotJson,
        BatchRefusal::TooDeep { .. } => ProblemCode::TooDeep,
        BatchRefusal::Shape { .. } => ProblemCode::InvalidBody,
    };
    let problem = Problem::new(code, refusal.to_string());
    match refusal {
        BatchRefusal::Shape { field, .. } => problem.at(field),
        _ => problem,
    }
}
