//! A request for features, understood.

use std::{borrow::Cow, collections::HashSet};

use foretide_events::{EpochMs, ShopperId};
use foretide_features::{CATALOGUE, FeatureSpec};
use foretide_http::{Problem, ProblemCode};
use foretide_privacy::{IdKind, Pseudonymiser};
use serde_json::Value;

use super::asked::{Asked, Entities, Entity, MAX_FEATURES, MAX_SHOPPERS, RawId};
use crate::served::{FEATURE_SERVICE, FEATURE_VIEW};

/// The most characters that the name of a feature may have.
const MAX_NAME_CHARS: usize = 128;

/// Which features of which shoppers are to be read.
pub(super) struct Question {
    /// The instant it is about; now where absent.
    pub(super) at: Option<EpochMs>,
    /// What the ids are called.
    pub(super) entity: &'static str,
    /// The ids as they were sent.
    pub(super) sent: Vec<Value>,
    /// Whom they name, as many; nobody where an id is `null` or blank.
    pub(super) shoppers: Vec<Option<ShopperId>>,
    pub(super) features: Vec<Asking>,
    /// Whether features are shown with the name of their view.
    pub(super) full_names: bool,
    /// Whether the view is shown.
    pub(super) with_view: bool,
}

/// A feature that was asked for.
pub(super) enum Asking {
    /// One of the catalogue.
    Known(&'static FeatureSpec),
    /// A name that none has.
    Unknown(String),
}

impl Asking {
    fn of(name: &str) -> Self {
        let known = CATALOGUE.iter().find(|spec| spec.name == name);
        known.map_or_else(|| Self::Unknown(name.to_owned()), Self::Known)
    }

    fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Known(spec) => spec.name.into(),
            Self::Unknown(name) => name.clone().into(),
        }
    }
}

impl Question {
    /// What `asked` means. Raw ids are replaced here.
    pub(super) fn of(
        asked: Asked,
        at: Option<EpochMs>,
        pseudonymiser: &Pseudonymiser,
    ) -> Result<Self, Problem> {
        let features = features(&asked.features, asked.feature_service.as_deref())?;
        let (entity, sent, shoppers) = shoppers(asked.entities, pseudonymiser)?;
        Ok(Self {
            at,
            entity,
            sent,
            shoppers,
            features,
            full_names: asked.full_feature_names,
            with_view: asked.include_feature_view_version_metadata,
        })
    }

    /// How many values will be answered.
    pub(super) fn values(&self) -> usize {
        (self.features.len() + 1) * self.shoppers.len()
    }

    /// Whether it asks for what was known at an instant, which may have to be folded again.
    pub(super) fn is_of_the_past(&self) -> bool {
        self.at.is_some()
    }

    /// What the columns of the answer are called: the ids first.
    pub(super) fn names(&self) -> Vec<Cow<'static, str>> {
        let shown = |asking: &Asking| {
            if self.full_names {
                format!("{FEATURE_VIEW}__{}", asking.name()).into()
            } else {
                asking.name()
            }
        };
        let features = self.features.iter().map(shown);
        std::iter::once(self.entity.into())
            .chain(features)
            .collect()
    }
}

fn features(references: &[String], service: Option<&str>) -> Result<Vec<Asking>, Problem> {
    match service {
        None => referred(references),
        Some(_) if !references.is_empty() => {
            Err(invalid("comes beside features: send one of both").at("feature_service"))
        }
        Some(FEATURE_SERVICE) => Ok(CATALOGUE.iter().map(Asking::Known).collect()),
        Some(_) => {
            let detail = "there is one feature service, `foretide`: all features";
            Err(Problem::new(ProblemCode::NotFound, detail).at("feature_service"))
        }
    }
}

fn referred(references: &[String]) -> Result<Vec<Asking>, Problem> {
    if references.is_empty() {
        let detail = "name the features as `shopper:NAME`, or the feature_service `foretide`";
        return Err(Problem::new(ProblemCode::MissingField, detail).at("features"));
    }
    if references.len() > MAX_FEATURES {
        return Err(too_many("features", MAX_FEATURES).at("features"));
    }
    let mut known = HashSet::new();
    let mut features = Vec::with_capacity(references.len());
    for (place, reference) in references.iter().enumerate() {
        let name = match refer(reference) {
            Ok(name) if known.insert(name) => name,
            Ok(_) => return Err(invalid("names a feature a second time").at(nth(place))),
            Err(problem) => return Err(problem.at(nth(place))),
        };
        features.push(Asking::of(name));
    }
    Ok(features)
}

fn nth(place: usize) -> String {
    format!("features[{place}]")
}

fn invalid(detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem::new(ProblemCode::InvalidField, detail)
}

/// The name of the feature that `reference` means.
fn refer(reference: &str) -> Result<&str, Problem> {
    let Some((view, name)) = reference.split_once(':') else {
        return Err(invalid("is not VIEW:NAME, such as `shopper:actions_total`"));
    };
    if view != FEATURE_VIEW {
        let detail = "there is one feature view, `shopper`";
        return Err(Problem::new(ProblemCode::NotFound, detail));
    }
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME_CHARS || !name.bytes().all(letter) {
        return Err(invalid(format!(
            "the name after `shopper:` has 1 to {MAX_NAME_CHARS} letters, digits or any of `_.-`"
        )));
    }
    Ok(name)
}

/// What the ids are called, the ids, and whom they name.
type Named = (&'static str, Vec<Value>, Vec<Option<ShopperId>>);

fn shoppers(entities: Entities, pseudonymiser: &Pseudonymiser) -> Result<Named, Problem> {
    let raw = |kind| {
        move |id: RawId| {
            // Blank ids are none, as in events.
            let is_blank = id.trim().is_empty();
            (!is_blank).then(|| ShopperId(pseudonymiser.pseudonym(kind, &id)))
        }
    };
    let Entities {
        user_id,
        anonymous_id,
        shopper_id,
    } = entities;
    match (user_id, anonymous_id, shopper_id) {
        (Some(ids), None, None) => named("user_id", ids, raw(IdKind::User)),
        (None, Some(ids), None) => named("anonymous_id", ids, raw(IdKind::Anonymous)),
        (None, None, Some(ids)) => named("shopper_id", ids, Some),
        (None, None, None) => {
            let detail = "name the shoppers by a list: user_id, anonymous_id or shopper_id";
            Err(Problem::new(ProblemCode::MissingField, detail).at("entities"))
        }
        _ => {
            let detail = "name the shoppers by one of user_id, anonymous_id and shopper_id";
            Err(invalid(detail).at("entities"))
        }
    }
}

fn named<T>(
    entity: &'static str,
    ids: Vec<Entity<T>>,
    pseudonym: impl Fn(T) -> Option<ShopperId>,
) -> Result<Named, Problem> {
    if ids.len() > MAX_SHOPPERS {
        return Err(too_many("shoppers", MAX_SHOPPERS).at(format!("entities.{entity}")));
    }
    let parts = ids
        .into_iter()
        .map(|Entity { sent, id }| (sent, id.and_then(&pseudonym)));
    let (sent, shoppers) = parts.unzip();
    Ok((entity, sent, shoppers))
}

fn too_many(what: &str, max: usize) -> Problem {
    invalid(format!(
        "are more than {max} {what}: ask in several requests"
    ))
}
