//! Settings.

use foretide_decision::catalogue::{Setting, SettingName, SettingValue};
use foretide_events::EpochMs;
use foretide_ports::{Expected, StoreError};

use crate::{
    connection::{Row, Value},
    errors::nonsense,
    session::Session,
};

/// All that have a value, by name. Those that only a newer binary knows are passed over.
pub(crate) async fn all(session: &mut Session) -> Result<Vec<Setting>, StoreError> {
    let sql =
        "SELECT name, value, version, updated_at FROM foretide_settings WHERE value IS NOT NULL";
    let mut settings = Vec::new();
    for row in session.rows(sql, &[]).await? {
        if let Ok(name) = SettingName::parse(&row.text(0)?) {
            settings.push(read(name, &row)?);
        }
    }
    settings.sort_by_key(|setting| setting.name.as_str());
    Ok(settings)
}

/// The last version of a setting and whether it has a value, which must be as `expected`.
async fn last(
    session: &mut Session,
    name: SettingName,
    expected: Expected,
) -> Result<Option<(u64, bool)>, StoreError> {
    let sql = "SELECT version, value FROM foretide_settings WHERE name = $1";
    let rows = session.rows(sql, &[Value::text(name.as_str())]).await?;
    let last = match rows.first() {
        Some(row) => Some((row.count(0)?, row.json_if_any(1)?.is_some())),
        None => None,
    };
    expected.check(last.and_then(|(version, has_value)| has_value.then_some(version)))?;
    Ok(last)
}

/// Gives one a value.
pub(crate) async fn put(
    session: &mut Session,
    value: SettingValue,
    expected: Expected,
    at: EpochMs,
) -> Result<Setting, StoreError> {
    let name = value.name();
    let last = last(session, name, expected).await?;
    let version = last.map_or(1, |(version, _)| version + 1);
    let sql = "INSERT INTO foretide_settings (name, value, version, updated_at) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (name) DO UPDATE SET value = excluded.value, version = excluded.version, \
        updated_at = excluded.updated_at";
    let values = [
        Value::text(name.as_str()),
        Value::Text(value.json().to_string()),
        Value::count(version),
        Value::Whole(at.0),
    ];
    session.execute(sql, &values).await?;
    Ok(Setting {
        name,
        value,
        version,
        updated_at: at,
    })
}

/// Takes one's value away. Whether there was one.
pub(crate) async fn remove(
    session: &mut Session,
    name: SettingName,
    expected: Expected,
) -> Result<bool, StoreError> {
    let Some((_, true)) = last(session, name, expected).await? else {
        return Ok(false);
    };
    let sql = "UPDATE foretide_settings SET value = NULL, version = version + 1 WHERE name = $1";
    session.execute(sql, &[Value::text(name.as_str())]).await?;
    Ok(true)
}

fn read(name: SettingName, row: &Row) -> Result<Setting, StoreError> {
    let held = row.json(1)?;
    let json = serde_json::from_str(&held).map_err(|_| nonsense("a setting", &held))?;
    let value = name
        .check(&json)
        .map_err(|error| nonsense(&format!("setting {name} {error}, and"), &held))?;
    Ok(Setting {
        name,
        value,
        version: row.count(2)?,
        updated_at: EpochMs(row.whole(3)?),
    })
}
