//! The fields of a native action, by its type.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use crate::{Action, ActionType, Intake, fault::Fault, text::RawText};

/// A group the shopper is put into.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct SentGroup<'a> {
    /// The shop's id of the group. Replaced by a keyed pseudonym before anything is stored.
    #[serde(borrow)]
    group_id: RawText<'a>,
}

/// Another id of the same shopper.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct SentAlias<'a> {
    /// The other id, of a user or of a device. Replaced by keyed pseudonyms before anything is stored.
    #[serde(borrow)]
    previous_id: RawText<'a>,
}

/// The fields of an action as sent: those that hold raw ids still do.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every action is of the large variant"
)]
pub(crate) enum Fields<'a> {
    Group(SentGroup<'a>),
    Alias(SentAlias<'a>),
    /// Any other kind: the same as is stored.
    Stored(Action),
}

impl<'a> Fields<'a> {
    pub(super) fn read<'de: 'a, D: Deserializer<'de>>(
        kind: ActionType,
        fields: D,
    ) -> Result<Self, D::Error> {
        match kind {
            ActionType::Group => SentGroup::deserialize(fields).map(Self::Group),
            ActionType::Alias => SentAlias::deserialize(fields).map(Self::Alias),
            kind => kind.read_fields(fields).map(Self::Stored),
        }
    }

    /// The action they are, with pseudonyms for raw ids.
    pub(super) fn action(self, intake: &Intake<'_>) -> Result<Action, Fault> {
        match self {
            Self::Group(sent) => intake
                .group(Some(&sent.group_id), "group_id")
                .map(Action::Group),
            Self::Alias(sent) => intake
                .alias(Some(&sent.previous_id), "previous_id")
                .map(Action::Alias),
            Self::Stored(mut action) => {
                complete(&mut action)?;
                Ok(action)
            }
        }
    }
}

/// Checks and derives what the types of the fields alone do not say.
fn complete(action: &mut Action) -> Result<(), Fault> {
    match action {
        Action::CheckoutStart(order)
        | Action::Purchase(order)
        | Action::OrderUpdate(order)
        | Action::Refund(order)
        | Action::Cancel(order) => order.settle_value(),
        _ => {}
    }
    match action.needed_product() {
        Some(product) if product.product_id.as_deref().unwrap_or_default().is_empty() => {
            Err(Fault::missing("product.product_id"))
        }
        _ => Ok(()),
    }
}

/// The schema of the fields an action of type `kind` is sent with.
pub(crate) fn sent_fields_schema(kind: ActionType, generator: &mut SchemaGenerator) -> Schema {
    match kind {
        ActionType::Group => generator.subschema_for::<SentGroup<'_>>(),
        ActionType::Alias => generator.subschema_for::<SentAlias<'_>>(),
        kind => kind.fields_schema(generator),
    }
}
