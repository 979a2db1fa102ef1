//! The members every native action has beside the fields of its type.

use foretide_privacy::IdKind;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::MapAccess};

use super::action::Fields;
use crate::{
    ActionType, EpochMs, Identity, Intake, ShopperId,
    fault::Fault,
    flat::{Head, fill},
    object::Object,
    text::RawText,
};

/// What every action has beside the fields of its type.
#[derive(Default, JsonSchema)]
pub(crate) struct Envelope<'a> {
    /// The kind of action.
    #[schemars(rename = "type")]
    kind: Option<RawText<'a>>,
    /// What makes the event itself, at most 100 characters: of two events with one id, one counts. Made when absent.
    pub(super) id: Option<RawText<'a>>,
    /// When it happened, by the sender's clock. Now, when absent; a time in the future is taken for now.
    pub(super) at: Option<EpochMs>,
    /// When it was sent, by the same clock: with it, a clock that is wrong does no harm.
    pub(super) sent_at: Option<EpochMs>,
    /// Who did it.
    #[schemars(with = "Option<Shopper<'a>>")]
    shopper: Option<Object<Shopper<'a>>>,
    /// The shop's id of the visit, at most 128 characters.
    pub(super) session: Option<RawText<'a>>,
}

impl<'de: 'a, 'a> Head<'de> for Envelope<'a> {
    type Fields = Fields<'a>;

    fn take<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<bool, A::Error> {
        match name {
            "type" => fill(&mut self.kind, "type", members)?,
            "id" => fill(&mut self.id, "id", members)?,
            "at" => fill(&mut self.at, "at", members)?,
            "sent_at" => fill(&mut self.sent_at, "sent_at", members)?,
            "shopper" => fill(&mut self.shopper, "shopper", members)?,
            "session" => fill(&mut self.session, "session", members)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    fn read_fields<D: Deserializer<'de>>(
        kind: ActionType,
        fields: D,
    ) -> Result<Fields<'a>, D::Error> {
        Fields::read(kind, fields)
    }
}

/// Who did it: at least one of the three. Raw ids are replaced by keyed pseudonyms before anything is stored.
#[derive(Deserialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "these are the names on the wire")]
pub(crate) struct Shopper<'a> {
    /// The shop's id of a shopper who signed in.
    #[serde(borrow, default)]
    user_id: Option<RawText<'a>>,
    /// The shop's id of a device or browser.
    #[serde(borrow, default)]
    anonymous_id: Option<RawText<'a>>,
    /// The pseudonym, for callers that know only it.
    #[serde(default)]
    shopper_id: Option<ShopperId>,
}

impl Envelope<'_> {
    pub(super) fn identity(&self, intake: &Intake<'_>) -> Result<Identity, Fault> {
        let none = Identity {
            user: None,
            anonymous: None,
        };
        self.shopper
            .as_ref()
            .map_or(Ok(none), |Object(shopper)| shopper.identity(intake))
    }
}

impl Shopper<'_> {
    /// A pseudonym given as such stands for the known shopper, unless it is that of the anonymous id beside it.
    fn identity(&self, intake: &Intake<'_>) -> Result<Identity, Fault> {
        let user = intake.pseudonym(IdKind::User, self.user_id.as_ref(), "shopper.user_id")?;
        let anonymous = intake.pseudonym(
            IdKind::Anonymous,
            self.anonymous_id.as_ref(),
            "shopper.anonymous_id",
        )?;
        let user = match (self.shopper_id, user) {
            (Some(given), Some(user)) if given != user => {
                let message = "is not the pseudonym of the user_id beside it";
                return Err(Fault::in_field("shopper.shopper_id", message));
            }
            (Some(given), None) if anonymous != Some(given) => Some(given),
            (_, user) => user,
        };
        Ok(Identity { user, anonymous })
    }
}
