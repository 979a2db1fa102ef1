//! Keys made at run time, by their digests.

use foretide_decision::catalogue::Name;
use foretide_events::EpochMs;
use foretide_ports::{KeyId, KeyRole, NewKey, StoreError, StoredKey};

use crate::{
    connection::{Row, Value},
    errors::nonsense,
    hexadecimal::{digest_of, hexadecimal},
    session::Session,
};

/// All, the oldest first.
pub(crate) async fn all(session: &mut Session) -> Result<Vec<StoredKey>, StoreError> {
    let sql = "SELECT id, digest, role, name, created_at, revoked_at FROM foretide_keys";
    let rows = session.rows(sql, &[]).await?;
    let keys: Result<Vec<_>, _> = rows.iter().map(read).collect();
    let mut keys = keys?;
    keys.sort_by_key(|key| (key.created_at, key.id));
    Ok(keys)
}

async fn one(session: &mut Session, id: &KeyId) -> Result<Option<StoredKey>, StoreError> {
    let sql =
        "SELECT id, digest, role, name, created_at, revoked_at FROM foretide_keys WHERE id = $1";
    let rows = session.rows(sql, &[Value::Text(id.to_string())]).await?;
    rows.first().map(read).transpose()
}

/// Adds one.
pub(crate) async fn add(
    session: &mut Session,
    key: NewKey,
    at: EpochMs,
) -> Result<StoredKey, StoreError> {
    let key = StoredKey::new(key, at);
    if one(session, &key.id).await?.is_some() {
        return Err(StoreError::Conflict { found: Some(1) });
    }
    let sql = "INSERT INTO foretide_keys (id, digest, role, name, created_at) VALUES ($1, $2, $3, $4, $5)";
    let values = [
        Value::Text(key.id.to_string()),
        Value::Text(hexadecimal(&key.digest)),
        Value::text(key.role.as_str()),
        Value::text(&key.name),
        Value::Whole(at.0),
    ];
    session.execute(sql, &values).await?;
    Ok(key)
}

/// Revokes one. With whether that changed anything.
pub(crate) async fn revoke(
    session: &mut Session,
    id: &KeyId,
    at: EpochMs,
) -> Result<(Option<StoredKey>, bool), StoreError> {
    let sql = "UPDATE foretide_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    let values = [Value::Text(id.to_string()), Value::Whole(at.0)];
    let changed = session.execute(sql, &values).await?;
    Ok((one(session, id).await?, changed > 0))
}

fn read(row: &Row) -> Result<StoredKey, StoreError> {
    let (id, digest, role, name) = (row.text(0)?, row.text(1)?, row.text(2)?, row.text(3)?);
    let digest = digest_of(&digest)
        .filter(|digest| KeyId::of(digest).to_string() == id)
        .ok_or_else(|| nonsense("the digest of a key", &id))?;
    Ok(StoredKey {
        id: KeyId::of(&digest),
        digest,
        role: KeyRole::parse(&role).ok_or_else(|| nonsense("the role of a key", &role))?,
        name: Name::new(&name).ok_or_else(|| nonsense("the name of a key", &name))?,
        created_at: EpochMs(row.whole(4)?),
        revoked_at: row.whole_if_any(5)?.map(EpochMs),
    })
}
