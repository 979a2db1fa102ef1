//! What goes wrong in a database, as the port says it.

use std::io;

use foretide_ports::StoreError;
use sqlx::error::DatabaseError;

/// What helps when the tables are not there.
pub(crate) const MIGRATE: &str = "run `foretide database migrate --database …`";

/// Says what an error means.
pub(crate) fn explain(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) => {
            match error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
                Some(postgres) => explain_postgres(postgres.code(), &message_of(postgres)),
                None => explain_sqlite(&*error),
            }
        }
        sqlx::Error::PoolTimedOut => {
            StoreError::Away("no connection could be had in time; is it running?".to_owned())
        }
        sqlx::Error::Io(error) => explain_io(&error),
        sqlx::Error::Tls(error) => not_encrypted(&error),
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) => {
            StoreError::Away(error.to_string())
        }
        sqlx::Error::Configuration(error) => StoreError::Refused(error.to_string()),
        other => StoreError::Damaged(other.to_string()),
    }
}

fn explain_io(error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StoreError::Full(error.to_string())
        }
        // What TLS says of a certificate that is not the right one.
        io::ErrorKind::InvalidData => not_encrypted(error),
        _ => StoreError::Away(error.to_string()),
    }
}

fn not_encrypted(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Refused(format!(
        "no encrypted connection: {error}; look at sslmode and sslrootcert in --database"
    ))
}

fn message_of(error: &sqlx::postgres::PgDatabaseError) -> String {
    match error.detail() {
        Some(detail) => format!("{} ({detail})", error.message()),
        None => error.message().to_owned(),
    }
}

/// By PostgreSQL's error codes (its manual, appendix A).
fn explain_postgres(code: &str, message: &str) -> StoreError {
    let said = format!("{message} [{code}]");
    match code {
        "23505" => StoreError::Conflict { found: Some(1) },
        "28P01" | "28000" => StoreError::Refused(format!(
            "{said}; look at the user and password in --database"
        )),
        "3D000" => StoreError::Refused(format!(
            "{said}; make it with `createdb`, or correct the name in --database"
        )),
        "42501" | "3F000" => StoreError::Refused(format!(
            "{said}; the user of --database must own the database, or be allowed to make tables in it"
        )),
        "25006" => StoreError::Refused(format!(
            "{said}; --database names a standby: name the primary"
        )),
        "42P01" | "42703" => {
            StoreError::Refused(format!("{said}; its tables are not there: {MIGRATE}"))
        }
        // No room on the disk.
        "53100" => StoreError::Full(said),
        // Too many connections, no memory; a limit on time; a deadlock: all pass.
        _ if code.starts_with("53") || code.starts_with("40") => StoreError::Away(said),
        "57014" | "55P03" | "25P03" => StoreError::Away(said),
        // Connections that broke; a server that stops or starts.
        _ if code.starts_with("08") || code.starts_with("57P") => StoreError::Away(said),
        _ => StoreError::Damaged(said),
    }
}

/// By SQLite's result codes (sqlite.org/rescode.html), whose lowest byte is the kind.
fn explain_sqlite(error: &dyn DatabaseError) -> StoreError {
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    let said = format!("{} [{}]", error.message(), code.unwrap_or_default());
    if error.is_unique_violation() {
        return StoreError::Conflict { found: Some(1) };
    }
    // The file of the shared memory could not grow.
    if code == Some(4874) {
        return StoreError::Full(format!("{said}; make room on its disk"));
    }
    match code.map(|code| code & 0xff) {
        // Busy, locked.
        Some(5 | 6) => StoreError::Away(format!("{said}; another process holds its lock")),
        Some(10) => StoreError::Away(format!("{said}; look at its disk")),
        Some(13) => StoreError::Full(format!("{said}; make room on its disk")),
        // No permission, read-only, cannot be opened.
        Some(3 | 8 | 14 | 23) => StoreError::Refused(format!(
            "{said}; its file and directory must be there, and this user must be allowed to write to them"
        )),
        Some(1) if error.message().starts_with("no such table") => {
            StoreError::Refused(format!("{said}; {MIGRATE}"))
        }
        Some(26) => StoreError::Damaged(format!("{said}; --database names another kind of file")),
        _ => StoreError::Damaged(said),
    }
}

/// What was read from the database makes no sense.
pub(crate) fn nonsense(what: &str, held: &dyn std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("{what} holds what it cannot: {held}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_broken_connection() {
        let full = explain(sqlx::Error::Io(io::ErrorKind::StorageFull.into()));
        assert!(matches!(full, StoreError::Full(_)));
        let reset = explain(sqlx::Error::Io(io::ErrorKind::ConnectionReset.into()));
        assert!(matches!(reset, StoreError::Away(_)));
    }

    #[test]
    fn codes_of_postgresql_say_what_to_do() {
        let away = ["08006", "57P01", "57P03", "53300", "57014", "40P01"];
        for code in away {
            let error = explain_postgres(code, "m");
            assert!(matches!(error, StoreError::Away(_)), "{code}");
        }
        let refused = ["28P01", "3D000", "42501", "25006", "42P01"];
        for code in refused {
            let StoreError::Refused(text) = explain_postgres(code, "m") else {
                panic!("{code}");
            };
            assert!(text.contains("--database"), "{text}");
        }
        let conflict = explain_postgres("23505", "m");
        assert_eq!(conflict, StoreError::Conflict { found: Some(1) });
        assert!(matches!(
            explain_postgres("53100", "m"),
            StoreError::Full(_)
        ));
        assert!(matches!(
            explain_postgres("XX001", "m"),
            StoreError::Damaged(_)
        ));
    }
}
