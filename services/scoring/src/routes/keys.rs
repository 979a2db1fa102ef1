//! `/v1/keys`: who may call.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Request, State, rejection::PathRejection},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use foretide_decision::catalogue::Name;
use foretide_events::{EpochMs, SourceId};
use foretide_http::{
    Problem, ProblemCode, documented,
    openapi::{BODY, KEYED},
    parse_json, read_body,
};
use foretide_ports::store::{KeyId, KeyRole, NewKey, StoreError, StoredKey};
use rand::{TryRngCore as _, rngs::OsRng};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    BODY_LIMITS, DATABASE,
    offers::form::{parse_text, text_schema},
    variable,
};
use crate::{api::Api, stored};

/// How often another key is made when the id of one is taken. Ids are 32 bits: twice in a row never happens by chance.
const ATTEMPTS: usize = 3;

/// A key to make.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewKey", example = serde_json::json!({"name": "storefront", "role": "write"}))]
pub(crate) struct AskedKey {
    #[schemars(schema_with = "name_schema")]
    name: String,
    /// What it is for.
    role: Role,
}

/// What a key is for.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "KeyRole")]
enum Role {
    /// Sending actions, and nothing else.
    Write,
    /// Everything but sending actions.
    Admin,
}

/// A key that was made at run time.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Key")]
pub(crate) struct ShownKey {
    /// The first 8 hexadecimal digits of its SHA-256.
    #[schemars(regex(pattern = ID_PATTERN))]
    id: String,
    #[schemars(schema_with = "name_schema")]
    name: Name,
    /// What it is for.
    role: Role,
    /// Whom the events that come with it are counted for, as `GET /v1/sources/{source}` names them.
    source: SourceId,
    /// When it was made.
    created_at: EpochMs,
    /// When it was revoked; `null` while it counts.
    revoked_at: Option<EpochMs>,
}

/// A key that has just been made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MadeKey")]
pub(crate) struct MadeKey {
    #[serde(flatten)]
    shown: ShownKey,
    /// The key itself. It is shown this once and never again.
    key: String,
}

/// Keys.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Keys {
    /// The keys, the oldest first.
    keys: Vec<ShownKey>,
}

/// Where a key is.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "documents the path")]
pub(crate) struct KeyPath {
    /// The key's id.
    #[schemars(regex(pattern = ID_PATTERN))]
    id: String,
}

const ID_PATTERN: &str = "^[0-9a-f]{8}$";

fn name_schema(_: &mut SchemaGenerator) -> Schema {
    let schema = text_schema(Name::MAX_CHARS, "What people call it.");
    Schema::try_from(schema).unwrap_or_default()
}

documented! {
    asked AskedKey;
    answered ShownKey;
    answered MadeKey;
    answered Keys;
    path KeyPath;
    refused ListRefusals = KEYED;
    refused MakeRefusals = KEYED, BODY, DATABASE;
    refused RevokeRefusals = KEYED, DATABASE, &[ProblemCode::InvalidField, ProblemCode::NotFound];
}

impl ShownKey {
    fn of(key: &StoredKey) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            role: match key.role {
                KeyRole::Write => Role::Write,
                KeyRole::Admin => Role::Admin,
            },
            source: key.id.source(),
            created_at: key.created_at,
            revoked_at: key.revoked_at,
        }
    }
}

/// Lists the keys that were made at run time.
///
/// The oldest first, revoked ones included. The two that the server was started with are not among them.
#[utoipa::path(get, path = "/v1/keys", operation_id = "list_keys", tag = "keys",
    responses((status = 200, description = "The keys", body = Keys), ListRefusals))]
pub(crate) async fn list(State(api): State<Arc<Api>>) -> Json<Keys> {
    let snapshot = stored::newest(&api.store).await;
    Json(Keys {
        keys: snapshot.keys.iter().map(ShownKey::of).collect(),
    })
}

/// Makes a key.
///
/// The answer is the only place where it is ever shown: only its SHA-256 is kept. It counts at once here, on other instances
/// within about a second.
#[utoipa::path(post, path = "/v1/keys", operation_id = "make_key", tag = "keys", request_body = AskedKey,
    responses((status = 201, description = "The key", body = MadeKey), MakeRefusals))]
pub(crate) async fn make(
    State(api): State<Arc<Api>>,
    request: Request,
) -> Result<Response, Problem> {
    let (_, body) = read_body(request, BODY_LIMITS, &api.budget).await?;
    let asked: AskedKey = parse_json(&body)?;
    let name: Name = parse_text(&asked.name, "name")?;
    let role = match asked.role {
        Role::Write => KeyRole::Write,
        Role::Admin => KeyRole::Admin,
    };
    let at = EpochMs(api.clock.now_ms());
    for _ in 0..ATTEMPTS {
        let key = random_key(role)?;
        let new = NewKey {
            digest: Sha256::digest(key.as_bytes()).into(),
            role,
            name: name.clone(),
        };
        let adding = api.store.store().add_key(new, at);
        let stored = stored::change(&api, async {
            match adding.await {
                Err(StoreError::Conflict { .. }) => Ok(None),
                stored => stored.map(Some),
            }
        });
        if let Some(stored) = stored.await? {
            let shown = ShownKey::of(&stored);
            return Ok((
                StatusCode::CREATED,
                never_kept(),
                Json(MadeKey { shown, key }),
            )
                .into_response());
        }
    }
    Err(Problem::new(
        ProblemCode::Internal,
        "no key could be made whose id is free",
    ))
}

/// Revokes a key for good.
///
/// It opens nothing any more: here at once, on other instances within about a second, or as soon as they reach the database
/// again. One that is revoked already stays as it is. The two keys that the server was started with cannot be revoked here.
#[utoipa::path(delete, path = "/v1/keys/{id}", operation_id = "revoke_key", tag = "keys", params(KeyPath),
    responses((status = 200, description = "The key, revoked", body = ShownKey), RevokeRefusals))]
pub(crate) async fn revoke(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<ShownKey>, Problem> {
    let id: KeyId =
        variable(id, "id")?
            .parse()
            .map_err(|error: foretide_ports::store::InvalidKeyId| {
                Problem::new(ProblemCode::InvalidField, error.to_string()).at("id")
            })?;
    let at = EpochMs(api.clock.now_ms());
    let revoked = stored::change(&api, api.store.store().revoke_key(&id, at)).await?;
    let revoked = revoked.ok_or_else(|| {
        let detail =
            format!("there is no key {id} that was made at run time: GET /v1/keys lists them");
        Problem::new(ProblemCode::NotFound, detail).at("id")
    })?;
    // Should the newest keys not have been read after the change, this one is known no more nevertheless.
    api.keys.withdraw(&revoked.digest);
    Ok(Json(ShownKey::of(&revoked)))
}

/// A key of 256 random bits. Its beginning says what it is, to people and to scanners for leaked secrets.
fn random_key(role: KeyRole) -> Result<String, Problem> {
    let random = || {
        OsRng.try_next_u64().map_err(|error| {
            tracing::error!(%error, "the system gives no random bytes");
            Problem::new(ProblemCode::Internal, "the system gives no random bytes")
        })
    };
    let [a, b, c, d] = [random()?, random()?, random()?, random()?];
    let role = role.as_str();
    Ok(format!("foretide_{role}_{a:016x}{b:016x}{c:016x}{d:016x}"))
}

/// What is secret stays in no cache.
fn never_kept() -> [(HeaderName, &'static str); 1] {
    [(header::CACHE_CONTROL, "no-store")]
}

#[cfg(test)]
mod tests;
