//! Reading a flat JSON object that holds two structs at once, a head and the fields of an action, in one pass.
//!
//! serde's `flatten` would keep every member in a buffer first. Here the head's members are taken out on the way, and the
//! others go straight to the type that the action's kind names. That needs the kind to be known by then: either `type`
//! comes before the fields, as it does from every writer that cares, or the caller has looked it up.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeSeed, Error, MapAccess, Visitor,
        value::{BorrowedStrDeserializer, MapAccessDeserializer, StringDeserializer},
    },
};

use crate::{
    ActionType, RejectionReason,
    fault::{self, Fault},
    text::RawText,
};

/// The members that an action of any kind has.
pub(crate) trait Head<'de>: Default {
    /// The fields of an action of one kind.
    type Fields;

    /// Takes the value of the member `name` if it is one of the head's; says whether it is.
    fn take<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<bool, A::Error>;

    /// What `type` said, once it was taken.
    fn kind(&self) -> Option<&str>;

    /// Reads the fields that an action of this kind has.
    fn read_fields<D: Deserializer<'de>>(
        kind: ActionType,
        fields: D,
    ) -> Result<Self::Fields, D::Error>;
}

/// A head and the fields beside it. Reading one fails where `type` comes after a field.
pub(crate) struct Flat<H, F> {
    pub(crate) head: H,
    pub(crate) fields: F,
}

impl<'de, H: Head<'de>> Deserialize<'de> for Flat<H, H::Fields> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FlatSeed {
            kind: None,
            head: PhantomData,
        }
        .deserialize(deserializer)
    }
}

/// Reads an object whatever the order of its members, in one more pass, and says what is wrong with it and where.
pub(crate) fn read<'de, H: Head<'de>>(json: &'de str) -> Result<Flat<H, H::Fields>, Fault> {
    let kind = fault::read::<Kind<'de>>(json, "")?
        .kind
        .ok_or_else(|| Fault::missing("type"))?;
    let kind = ActionType::from_name(&kind).ok_or_else(|| {
        let message = format!("`{}` is not a type of action", &*kind);
        Fault::new(RejectionReason::UnknownType, "type", message)
    })?;
    fault::read_seed(
        json,
        FlatSeed {
            kind: Some(kind),
            head: PhantomData,
        },
        "",
    )
}

/// The path of every member of an action that says nothing: neither the head nor its kind knows it. Of an action that is not
/// well-formed, as far as it can be read.
pub(crate) fn ignored<'de, H: Head<'de>>(json: &'de str) -> Vec<String> {
    let kind = fault::read::<Kind<'de>>(json, "").ok();
    let Some(kind) = kind.and_then(|kind| ActionType::from_name(kind.kind.as_deref()?)) else {
        return Vec::new();
    };
    let mut paths = Vec::new();
    let mut note = |path: serde_ignored::Path<'_>| paths.push(path_text(&path));
    let seed = FlatSeed {
        kind: Some(kind),
        head: PhantomData::<H>,
    };
    let mut reader = serde_json::Deserializer::from_str(json);
    let _ = seed.deserialize(serde_ignored::Deserializer::new(&mut reader, &mut note));
    paths
}

/// The path as complaints write it, such as `products[2].price`.
fn path_text(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", path_text(parent)),
        Path::Map { parent, key } => fault::join(&path_text(parent), key),
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => path_text(parent),
    }
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<RawText<'a>>,
}

struct FlatSeed<H> {
    kind: Option<ActionType>,
    head: PhantomData<H>,
}

impl<H> Clone for FlatSeed<H> {
    fn clone(&self) -> Self {
        Self {
            kind: self.kind,
            head: PhantomData,
        }
    }
}

impl<'de, H: Head<'de>> DeserializeSeed<'de> for FlatSeed<H> {
    type Value = Flat<H, H::Fields>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, H: Head<'de>> Visitor<'de> for FlatSeed<H> {
    type Value = Flat<H, H::Fields>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an action, which is an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        let mut rest = Rest {
            head: H::default(),
            first: None,
            members,
        };
        rest.first = rest.next_field()?;
        let named = || rest.head.kind().and_then(ActionType::from_name);
        let kind = self
            .kind
            .or_else(named)
            .ok_or_else(|| A::Error::custom("type comes too late"))?;
        let fields = H::read_fields(kind, MapAccessDeserializer::new(&mut rest))?;
        Ok(Flat {
            head: rest.head,
            fields,
        })
    }
}

/// The members that are not the head's, of which the name of the first was read already.
struct Rest<'de, H, A> {
    head: H,
    first: Option<RawText<'de>>,
    members: A,
}

impl<'de, H: Head<'de>, A: MapAccess<'de>> Rest<'de, H, A> {
    /// The name of the next member that is not the head's; the head takes those before it.
    fn next_field(&mut self) -> Result<Option<RawText<'de>>, A::Error> {
        while let Some(name) = self.members.next_key::<RawText<'de>>()? {
            if !self.head.take(&name, &mut self.members)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

impl<'de, H: Head<'de>, A: MapAccess<'de>> MapAccess<'de> for Rest<'de, H, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let name = match self.first.take() {
            Some(name) => Some(name),
            None => self.next_field()?,
        };
        name.map(|name| match name.into_cow() {
            Cow::Borrowed(name) => seed.deserialize(BorrowedStrDeserializer::new(name)),
            Cow::Owned(name) => seed.deserialize(StringDeserializer::new(name)),
        })
        .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.members.next_value_seed(seed)
    }
}

/// Reads the value of a member of a head into its place. A member that comes twice is a fault, as it is for fields.
pub(crate) fn fill<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    place: &mut Option<T>,
    name: &'static str,
    members: &mut A,
) -> Result<(), A::Error> {
    if place.is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    *place = members.next_value()?;
    Ok(())
}
