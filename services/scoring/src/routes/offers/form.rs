//! Offers as requests bring them and answers show them: one flat object of `id`, `name`, `state`, `kind` and the one member
//! of that kind.

use std::borrow::Cow;

use foretide_decision::{
    OfferId, OfferKind, Percent,
    catalogue::{CatalogueOffer, Name, NewOffer, OfferState, OfferTerms, ProductCount},
};
use foretide_events::{EpochMs, Label, ShopId, Text};
use foretide_http::{Problem, ProblemCode, parse_json};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};
use serde_json::{Map, Value, json};

use crate::whole::whole;

/// What an offer's id looks like: it stands in paths.
pub(super) const ID_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$";

const LONGEST_ID: usize = 64;

/// An offer to add.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct AskedOffer(Members);

/// An offer as it is to be from now on.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct ChangedOffer(Members);

/// A change of some members of an offer: those that are named, `null` for those that are to go.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct OfferPatch(Map<String, Value>);

/// What either of the first two may hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    #[serde(default, deserialize_with = "present")]
    id: Option<String>,
    name: String,
    kind: OfferKind,
    #[serde(default, deserialize_with = "present")]
    state: Option<OfferState>,
    #[serde(default, deserialize_with = "whole")]
    percent: Option<i64>,
    #[serde(default, deserialize_with = "whole")]
    products: Option<i64>,
    #[serde(default, deserialize_with = "present")]
    content_id: Option<String>,
    #[serde(default, deserialize_with = "present")]
    means: Option<String>,
    // What answers hold besides may be sent back, and is not looked at.
    #[serde(default, rename = "version")]
    _version: IgnoredAny,
    #[serde(default, rename = "created_at")]
    _created_at: IgnoredAny,
    #[serde(default, rename = "updated_at")]
    _updated_at: IgnoredAny,
}

/// Reads a member that may be absent, and is never `null`.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl AskedOffer {
    /// The offer, if its members fit together. It is active unless it says otherwise.
    pub(super) fn offer(mut self) -> Result<NewOffer, Problem> {
        let id = parse_id(&needed(self.0.id.take(), "id")?)?;
        let state = self.0.state.unwrap_or(OfferState::Active);
        self.0.offer(id, state)
    }
}

impl ChangedOffer {
    /// The offer `id`, if its members fit together.
    pub(super) fn offer(self, id: OfferId) -> Result<NewOffer, Problem> {
        if self
            .0
            .id
            .as_deref()
            .is_some_and(|given| given != id.as_str())
        {
            let detail = format!("is not {id}, which the path names: an id stays for good");
            return Err(invalid("id", detail));
        }
        let state = needed(self.0.state, "state")?;
        self.0.offer(id, state)
    }
}

impl OfferPatch {
    /// What `offer` is to be, all of it, by RFC 7396. No member is an object, so none is merged deeper.
    pub(super) fn apply(self, offer: &ShownOffer) -> Result<ChangedOffer, Problem> {
        let mut whole = json!(offer);
        for (name, value) in self.0 {
            match (whole.as_object_mut(), value) {
                (Some(members), Value::Null) => drop(members.remove(&name)),
                (Some(members), value) => drop(members.insert(name, value)),
                (None, _) => {}
            }
        }
        parse_json(whole.to_string().as_bytes())
    }
}

impl Members {
    fn offer(self, id: OfferId, state: OfferState) -> Result<NewOffer, Problem> {
        Ok(NewOffer {
            id,
            name: parse_text(&self.name, "name")?,
            terms: self.terms()?,
            state,
        })
    }

    fn terms(self) -> Result<OfferTerms, Problem> {
        self.refuse_strangers()?;
        match self.kind {
            OfferKind::Discount => {
                let percent = needed(self.percent, "percent")?;
                let percent = u8::try_from(percent).ok().and_then(Percent::new);
                let percent = percent.ok_or_else(|| {
                    invalid("percent", "is not a whole percentage between 1 and 100")
                })?;
                Ok(OfferTerms::Discount { percent })
            }
            OfferKind::Recommendations => {
                let products = needed(self.products, "products")?;
                let products = u8::try_from(products).ok().and_then(ProductCount::new);
                let products = products.ok_or_else(|| {
                    invalid("products", "is not a number of products between 1 and 50")
                })?;
                Ok(OfferTerms::Recommendations { products })
            }
            OfferKind::Content => Ok(OfferTerms::Content {
                content_id: parse_text(&needed(self.content_id, "content_id")?, "content_id")?,
            }),
            OfferKind::Assistance => Ok(OfferTerms::Assistance {
                means: parse_text(&needed(self.means, "means")?, "means")?,
            }),
        }
    }

    /// Refuses a member that belongs to another kind: it would be lost.
    fn refuse_strangers(&self) -> Result<(), Problem> {
        let members = [
            (OfferKind::Discount, self.percent.is_some()),
            (OfferKind::Recommendations, self.products.is_some()),
            (OfferKind::Content, self.content_id.is_some()),
            (OfferKind::Assistance, self.means.is_some()),
        ];
        for (kind, given) in members {
            if given && kind != self.kind {
                let detail = format!("belongs to offers of the kind {}", kind.as_str());
                return Err(invalid(member_of(kind), detail));
            }
        }
        Ok(())
    }
}

/// The member that only offers of this kind have.
fn member_of(kind: OfferKind) -> &'static str {
    match kind {
        OfferKind::Discount => "percent",
        OfferKind::Recommendations => "products",
        OfferKind::Content => "content_id",
        OfferKind::Assistance => "means",
    }
}

fn needed<T>(given: Option<T>, field: &'static str) -> Result<T, Problem> {
    given.ok_or_else(|| Problem::new(ProblemCode::MissingField, "is needed").at(field))
}

fn invalid(field: &'static str, detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem::new(ProblemCode::InvalidField, detail).at(field)
}

/// A text that people see: not blank, and without control characters, which some databases cannot hold.
pub(crate) fn parse_text<const MAX: usize>(
    text: &str,
    field: &'static str,
) -> Result<Text<MAX>, Problem> {
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(invalid(field, "holds a control character"));
    }
    if text.bytes().all(|byte| byte == b' ') {
        return Err(invalid(field, "is blank"));
    }
    Text::new(text).ok_or_else(|| invalid(field, format!("is longer than {MAX} characters")))
}

/// What [`parse_text`] takes.
pub(crate) fn text_schema(max: usize, description: &str) -> Value {
    json!({
        "type": "string", "minLength": 1, "maxLength": max,
        "pattern": r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$",
        "description": description,
    })
}

/// The id of an offer, as paths and bodies name it.
pub(super) fn parse_id(text: &str) -> Result<OfferId, Problem> {
    let first = text.bytes().next();
    let fits = text.len() <= LONGEST_ID
        && first.is_some_and(|byte| byte.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let id = OfferId::new(text.to_owned()).ok().filter(|_| fits);
    id.ok_or_else(|| {
        let detail = "is not 1 to 64 letters, digits, dots, underscores or hyphens, beginning with a letter or digit";
        invalid("id", detail)
    })
}

pub(super) fn parse_state(text: &str) -> Result<OfferState, Problem> {
    OfferState::parse(text)
        .ok_or_else(|| invalid("state", "is none of active, paused and archived"))
}

/// The parameter that names a state.
pub(super) fn state_of_query(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": OfferState::ALL.map(OfferState::as_str) })
}

/// An offer as it is shown.
#[derive(Serialize)]
pub(crate) struct ShownOffer {
    id: OfferId,
    name: Name,
    #[serde(flatten)]
    terms: OfferTerms,
    state: OfferState,
    version: u64,
    created_at: EpochMs,
    updated_at: EpochMs,
}

impl ShownOffer {
    pub(super) fn of(offer: &CatalogueOffer) -> Self {
        Self {
            id: offer.id.clone(),
            name: offer.name.clone(),
            terms: offer.terms.clone(),
            state: offer.state,
            version: offer.version,
            created_at: offer.created_at,
            updated_at: offer.updated_at,
        }
    }
}

/// The member of each kind.
fn member_schema(kind: OfferKind) -> Value {
    match kind {
        OfferKind::Discount => json!({
            "type": "integer", "minimum": 1, "maximum": 100,
            "description": "How much of the cart, in percent.",
        }),
        OfferKind::Recommendations => json!({
            "type": "integer", "minimum": 1, "maximum": 50,
            "description": "How many products are shown at most.",
        }),
        OfferKind::Content => {
            text_schema(ShopId::MAX_CHARS, "The shop's id of the banner or message.")
        }
        OfferKind::Assistance => text_schema(Label::MAX_CHARS, "The means, such as `chat`."),
    }
}

/// A schema of one variant a kind: the `common` members, of which `needed` are required, and the kind's own.
fn of_kinds(common: &Value, needed: &[&str], description: &str) -> Schema {
    let variant = |kind: OfferKind| {
        let mut properties = common.clone();
        properties["kind"] = json!({ "type": "string", "const": kind.as_str() });
        properties[member_of(kind)] = member_schema(kind);
        let required = [needed, &["kind", member_of(kind)]].concat();
        json!({
            "title": kind.as_str(),
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    };
    json_schema!({ "description": description, "oneOf": OfferKind::ALL.map(variant) })
}

fn name_schema() -> Value {
    text_schema(Name::MAX_CHARS, "What people call it.")
}

fn id_schema() -> Value {
    json!({ "type": "string", "pattern": ID_PATTERN, "description": "Names it for good, in decisions too." })
}

fn state_schema() -> Value {
    json!({
        "type": "string", "enum": OfferState::ALL.map(OfferState::as_str),
        "description": "Whether it may be shown. An archived one is kept because decisions name it.",
    })
}

impl JsonSchema for AskedOffer {
    fn schema_name() -> Cow<'static, str> {
        "NewOffer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut state = state_schema();
        state["default"] = "active".into();
        let common = as_read(json!({ "id": id_schema(), "name": name_schema(), "state": state }));
        let mut schema = of_kinds(&common, &["id", "name"], "An offer to add.");
        let example =
            json!({ "id": "spring-15", "name": "Spring sale", "kind": "discount", "percent": 15 });
        schema.insert("examples".to_owned(), json!([example]));
        schema
    }
}

impl JsonSchema for ChangedOffer {
    fn schema_name() -> Cow<'static, str> {
        "ChangedOffer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut id = id_schema();
        id["description"] = "May be left out; it is the one in the path.".into();
        let common = as_read(json!({ "id": id, "name": name_schema(), "state": state_schema() }));
        let description = "All of an offer, as it is to be from now on.";
        let mut schema = of_kinds(&common, &["name", "state"], description);
        let example =
            json!({ "name": "Spring sale", "kind": "discount", "percent": 20, "state": "active" });
        schema.insert("examples".to_owned(), json!([example]));
        schema
    }
}

impl JsonSchema for OfferPatch {
    fn schema_name() -> Cow<'static, str> {
        "OfferPatch".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let kinds = OfferKind::ALL.map(OfferKind::as_str);
        let mut properties = as_read(json!({
            "name": name_schema(),
            "state": state_schema(),
            "kind": { "type": "string", "enum": kinds, "description": "Needs the member of that kind." },
        }));
        for kind in OfferKind::ALL {
            let member = member_schema(kind);
            properties[member_of(kind)] = json!({ "anyOf": [member, { "type": "null" }] });
        }
        json_schema!({
            "description": "The members of an offer that change; `null` takes one away, as RFC 7396 has it.",
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
            "examples": [{ "state": "paused" }],
        })
    }
}

/// `properties`, and those that answers hold besides.
fn as_read(mut properties: Value) -> Value {
    for name in ["version", "created_at", "updated_at"] {
        properties[name] =
            json!({ "description": "May be sent back as it was read, and is not looked at." });
    }
    properties
}

impl JsonSchema for ShownOffer {
    fn schema_name() -> Cow<'static, str> {
        "Offer".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut time = |description| {
            let mut schema = generator.subschema_for::<EpochMs>();
            schema.insert("description".to_owned(), Value::from(description));
            schema
        };
        let common = json!({
            "id": id_schema(),
            "name": name_schema(),
            "state": state_schema(),
            "version": {
                "type": "integer", "minimum": 1,
                "description": "How often it was written: 1 at first, one more with each change.",
            },
            "created_at": time("When it was first written."),
            "updated_at": time("When it was last written."),
        });
        let needed = ["id", "name", "state", "version", "created_at", "updated_at"];
        of_kinds(&common, &needed, "An offer of the catalogue.")
    }
}
