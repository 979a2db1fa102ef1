//! The version of the tables, and how they get to the one that this binary needs.

use std::{fmt, time::Duration};

use foretide_events::EpochMs;
use foretide_ports::StoreError;
use sha2::{Digest as _, Sha256};

use crate::{
    connection::{Row, Value},
    errors::nonsense,
    hexadecimal::hexadecimal,
    session::Session,
};

/// One file of `migrations/`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// All migrations; the version of each is its place, from 1.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "catalogue",
        sql: include_str!("../../../migrations/0001_catalogue.sql"),
    },
    Migration {
        name: "rejections",
        sql: include_str!("../../../migrations/0002_rejections.sql"),
    },
];

/// How long a migration may wait for another one, and take.
pub(crate) const DEADLINE: Duration = Duration::from_mins(2);

/// Names the lock that instances take turns by: any number that no one else uses in the same database.
const LOCK: i64 = 0x666f_7265_7469_6465;

/// What the database holds, compared with what this binary needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// Nothing of ours.
    Empty,
    /// An earlier version of the tables.
    Older {
        /// The version that is there.
        found: u32,
        /// The version that this binary needs.
        needed: u32,
    },
    /// What this binary needs.
    Current,
    /// A later version, made by a newer binary.
    Newer {
        /// The version that is there.
        found: u32,
        /// The version that this binary knows.
        known: u32,
    },
}

impl SchemaState {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Older { .. } => "older",
            Self::Current => "current",
            Self::Newer { .. } => "newer",
        }
    }

    /// The version that is there; 0 if nothing is.
    pub fn found(self) -> u32 {
        match self {
            Self::Empty => 0,
            Self::Older { found, .. } | Self::Newer { found, .. } => found,
            Self::Current => needed(),
        }
    }

    /// The version that this binary needs.
    pub fn needed() -> u32 {
        needed()
    }
}

/// Says what to do about it.
impl fmt::Display for SchemaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(
                f,
                "the database is empty: run `foretide database migrate --database …`, or start a server"
            ),
            Self::Older { found, needed } => write!(
                f,
                "the schema is version {found} and this binary needs version {needed}: make a backup, then run \
                 `foretide database migrate --database …`"
            ),
            Self::Current => write!(f, "the schema is version {}, as it should be", needed()),
            Self::Newer { found, known } => write!(
                f,
                "this binary is older than the schema: it knows version {known} and the database is version {found}; run a \
                 newer binary, or restore the backup made before the upgrade"
            ),
        }
    }
}

/// What a migration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The version before; 0 if the database was empty.
    pub from: u32,
    /// The version now.
    pub to: u32,
}

fn needed() -> u32 {
    version_of(MIGRATIONS.len())
}

fn version_of(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn checksum(migration: &Migration) -> String {
    hexadecimal(&Sha256::digest(migration.sql.as_bytes()))
}

/// Looks what is there.
pub(crate) async fn state(session: &mut Session) -> Result<SchemaState, StoreError> {
    let known = needed();
    Ok(match found(session).await? {
        0 => SchemaState::Empty,
        found if found < known => SchemaState::Older {
            found,
            needed: known,
        },
        found if found == known => SchemaState::Current,
        found => SchemaState::Newer { found, known },
    })
}

/// The version that is there, once it is sure that it was made by these migrations.
async fn found(session: &mut Session) -> Result<u32, StoreError> {
    let is_there = if session.is_postgres() {
        "SELECT CAST(to_regclass('foretide_schema') AS TEXT)"
    } else {
        "SELECT max(name) FROM sqlite_master WHERE type = 'table' AND name = 'foretide_schema'"
    };
    if session.row(is_there).await?.json_if_any(0)?.is_none() {
        return Ok(0);
    }
    let sql = "SELECT version, checksum FROM foretide_schema ORDER BY version";
    let rows = session.rows(sql, &[]).await?;
    for (index, row) in rows.iter().enumerate() {
        check(index, row)?;
    }
    Ok(version_of(rows.len()))
}

fn check(index: usize, row: &Row) -> Result<(), StoreError> {
    let version = row.count(0)?;
    if version != u64::from(version_of(index + 1)) {
        return Err(nonsense("foretide_schema", &version));
    }
    match MIGRATIONS.get(index) {
        Some(migration) if checksum(migration) != row.text(1)? => {
            Err(StoreError::Damaged(format!(
                "its schema was made by another migration {version} ({}) than this binary's: use the binary that made it",
                migration.name
            )))
        }
        _ => Ok(()),
    }
}

/// Applies what is missing of `migrations`, in the transaction of `session`, so that all or nothing is done. Those who come
/// at the same time wait, and then find it done.
pub(crate) async fn migrate(
    session: &mut Session,
    migrations: &[Migration],
    at: EpochMs,
) -> Result<Migrated, StoreError> {
    if session.is_postgres() {
        let limit = DEADLINE.as_millis();
        session
            .script(format!(
                "SET LOCAL statement_timeout = {limit}; SELECT pg_advisory_xact_lock({LOCK})"
            ))
            .await?;
        check_encoding(session).await?;
    }
    let before = found(session).await?;
    let after = version_of(migrations.len()).max(before);
    if before > needed() {
        let state = state(session).await?;
        return Err(StoreError::Refused(state.to_string()));
    }
    if before == 0 {
        session
            .script(
                "CREATE TABLE IF NOT EXISTS foretide_schema (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, \
                 checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)",
            )
            .await?;
    }
    for (version, migration) in (1..).zip(migrations).skip(before as usize) {
        session
            .script(migration.sql.replace(":now", &at.0.to_string()))
            .await?;
        let values = [
            Value::Whole(version),
            Value::text(migration.name),
            Value::Text(checksum(migration)),
            Value::Whole(at.0),
        ];
        let sql = "INSERT INTO foretide_schema (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";
        session.execute(sql, &values).await?;
    }
    Ok(Migrated {
        from: before,
        to: after,
    })
}

/// Only UTF-8 holds every text.
async fn check_encoding(session: &mut Session) -> Result<(), StoreError> {
    let row = session
        .row("SELECT current_setting('server_encoding')")
        .await?;
    match row.text(0)?.as_str() {
        "UTF8" => Ok(()),
        other => Err(StoreError::Refused(format!(
            "the database's encoding is {other}: make one with `createdb --encoding=UTF8 --template=template0`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

    use super::*;
    use crate::connection::Pool;

    const AT: EpochMs = EpochMs(1_700_000_000_000);

    #[test]
    fn files_that_were_released_never_change() {
        let released = [
            "e9d5e0cd9cb41d721d1b5db7a1690536ea1c3c2fe2d90a6401db8028829d441f",
            "cd9a82039b792a39ab802c1a73a8a68d0a70bfd0b8f08e3ece35c63ed02639ca",
        ];
        for (migration, released) in MIGRATIONS.iter().zip(released) {
            assert_eq!(checksum(migration), released, "{}", migration.name);
        }
    }

    #[test]
    fn the_files_are_numbered_as_they_are_applied() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let names = (1..).zip(MIGRATIONS);
        let names = names.map(|(version, one)| format!("{version:04}_{}.sql", one.name));
        assert_eq!(files, names.collect::<Vec<_>>());
    }

    async fn changing(pool: &Pool) -> Session {
        Session::changing(pool, "here", DEADLINE).await.unwrap()
    }

    #[tokio::test]
    async fn a_migration_that_fails_leaves_everything_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(dir.path().join("store.db"))
            .create_if_missing(true);
        let pool = Pool::Sqlite(SqlitePool::connect_with(options).await.unwrap());
        let broken = Migration {
            name: "broken",
            sql: "CREATE TABLE half (a TEXT); CREATE TABL other (a TEXT)",
        };
        let mut session = changing(&pool).await;
        let failed = migrate(&mut session, &[MIGRATIONS[0], broken], AT).await;
        assert!(session.finish(failed).await.is_err());

        let mut session = changing(&pool).await;
        assert_eq!(state(&mut session).await, Ok(SchemaState::Empty));
        let migrated = migrate(&mut session, MIGRATIONS, AT).await;
        let to = needed();
        assert_eq!(session.finish(migrated).await, Ok(Migrated { from: 0, to }));
    }

    #[test]
    fn each_state_says_what_to_do() {
        for (state, says) in [
            (SchemaState::Empty, "database migrate"),
            (
                SchemaState::Older {
                    found: 1,
                    needed: 2,
                },
                "backup",
            ),
            (SchemaState::Newer { found: 3, known: 2 }, "newer binary"),
        ] {
            assert!(state.to_string().contains(says), "{state}");
        }
    }
}
