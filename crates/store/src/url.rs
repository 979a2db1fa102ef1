//! Where the database is.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// Why a text does not say where a database is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDatabaseUrl {
    /// It begins with neither `sqlite:` nor `postgres://`.
    #[error("is neither sqlite:FILE nor postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    UnknownScheme,
    /// It names no file.
    #[error("names no file: write sqlite:FILE, for example sqlite:/var/lib/foretide/foretide.db")]
    NoFile,
    /// It gives a file parameters.
    #[error("has a ?, but SQLite has no parameters here: write sqlite:FILE and nothing else")]
    FileWithParameters,
    /// It asks for a database that is gone with the process.
    #[error("is a database in memory, which would forget everything: name a file")]
    InMemory,
    /// It names no host or database.
    #[error("names no {0}: write postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Lacks(&'static str),
    /// It cannot be read.
    #[error(
        "cannot be read as postgres://USER:PASSWORD@HOST:PORT/DATABASE ({0}); in user and password, write characters such \
         as @ : / ? # % as %40 %3A %2F %3F %23 %25"
    )]
    Unreadable(String),
    /// It has a parameter that does not exist.
    #[error("has the parameter {0}, which is not known: there are {known}", known = PARAMETERS.join(", "))]
    UnknownParameter(String),
    /// It asks for encryption, which is not built in.
    #[error(
        "asks for TLS (sslmode={0}), which this binary was built without: build it with --features tls, or connect over a \
         network you trust with sslmode=disable"
    )]
    TlsNotBuiltIn(&'static str),
}

/// The parameters after `?` that PostgreSQL's address may have.
const PARAMETERS: &[&str] = &[
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "application_name",
    "options",
    "statement-cache-capacity",
];

/// Where the database is: `sqlite:FILE` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`. Printed without the password.
///
/// What a PostgreSQL address leaves out comes from the usual places: `PGUSER`, `PGPASSWORD`, `PGPASSFILE` and so on.
///
/// ```
/// use foretide_store::DatabaseUrl;
/// let url: DatabaseUrl = "postgres://shop:secret@db.example:5432/foretide".parse()?;
/// assert_eq!(url.to_string(), "postgres://shop@db.example:5432/foretide");
/// # Ok::<(), foretide_store::InvalidDatabaseUrl>(())
/// ```
#[derive(Clone)]
pub struct DatabaseUrl(pub(crate) Kind);

#[derive(Clone)]
pub(crate) enum Kind {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

impl DatabaseUrl {
    /// The database in this file.
    pub fn sqlite(file: impl Into<PathBuf>) -> Self {
        Self(Kind::Sqlite(file.into()))
    }

    /// The file, if it is one.
    pub fn sqlite_file(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Sqlite(file) => Some(file),
            Kind::Postgres(_) => None,
        }
    }

    /// Whether several instances, on several hosts, may use it at once: PostgreSQL.
    pub fn is_shared(&self) -> bool {
        matches!(self.0, Kind::Postgres(_))
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        if let Some(file) = text.strip_prefix("sqlite:") {
            let file = file.strip_prefix("//").unwrap_or(file);
            return match file {
                "" => Err(InvalidDatabaseUrl::NoFile),
                ":memory:" => Err(InvalidDatabaseUrl::InMemory),
                file if file.contains('?') => Err(InvalidDatabaseUrl::FileWithParameters),
                file => Ok(Self::sqlite(file)),
            };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return postgres(text);
        }
        Err(InvalidDatabaseUrl::UnknownScheme)
    }
}

fn postgres(text: &str) -> Result<DatabaseUrl, InvalidDatabaseUrl> {
    let (_, parameters) = text.split_once('?').unwrap_or((text, ""));
    for parameter in parameters.split('&').filter(|one| !one.is_empty()) {
        let (name, _) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !PARAMETERS.contains(&name) {
            return Err(InvalidDatabaseUrl::UnknownParameter(name.to_owned()));
        }
    }
    let options = PgConnectOptions::from_str(text).map_err(|error| unreadable(&error))?;
    if options.get_host().is_empty() {
        return Err(InvalidDatabaseUrl::Lacks("host"));
    }
    if options.get_database().is_none_or(str::is_empty) {
        return Err(InvalidDatabaseUrl::Lacks("database"));
    }
    let wanted = match options.get_ssl_mode() {
        PgSslMode::Require => Some("require"),
        PgSslMode::VerifyCa => Some("verify-ca"),
        PgSslMode::VerifyFull => Some("verify-full"),
        _ => None,
    };
    match wanted {
        Some(mode) if !cfg!(feature = "tls") => Err(InvalidDatabaseUrl::TlsNotBuiltIn(mode)),
        _ => Ok(DatabaseUrl(Kind::Postgres(Box::new(options)))),
    }
}

/// The parser's own words, which never repeat what was given.
fn unreadable(error: &sqlx::Error) -> InvalidDatabaseUrl {
    InvalidDatabaseUrl::Unreadable(match error {
        sqlx::Error::Configuration(cause) => cause.to_string(),
        other => other.to_string(),
    })
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Sqlite(file) => write!(f, "sqlite:{}", file.display()),
            Kind::Postgres(options) => {
                let database = options.get_database().unwrap_or_default();
                write!(f, "postgres://{}@", options.get_username())?;
                match options.get_socket() {
                    Some(socket) => write!(f, "{}", socket.display())?,
                    None => f.write_str(options.get_host())?,
                }
                write!(f, ":{}/{database}", options.get_port())
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DatabaseUrl, InvalidDatabaseUrl> {
        text.parse()
    }

    #[test]
    fn a_file_is_named_with_or_without_slashes() {
        for (text, file) in [
            ("sqlite:data/foretide.db", "data/foretide.db"),
            ("sqlite:/var/foretide.db", "/var/foretide.db"),
            ("sqlite:///var/foretide.db", "/var/foretide.db"),
            ("sqlite://foretide.db", "foretide.db"),
        ] {
            let url = parse(text).unwrap();
            assert_eq!(url.sqlite_file(), Some(Path::new(file)), "{text}");
            assert_eq!(url.to_string(), format!("sqlite:{file}"));
            assert!(!url.is_shared());
        }
    }

    #[test]
    fn the_password_is_never_shown() {
        for text in [
            "postgres://shop:sec%40ret@db.example:5433/foretide",
            "postgresql://shop:sec%40ret@db.example:5433/foretide?application_name=a",
        ] {
            let url = parse(text).unwrap();
            assert_eq!(url.to_string(), "postgres://shop@db.example:5433/foretide");
            assert!(!format!("{url:?}").contains("sec"), "{url:?}");
            assert!(url.is_shared());
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong_without_the_password() {
        for (text, says) in [
            ("mysql://a:sesame@b/c", "neither sqlite:FILE"),
            ("sqlite:", "names no file"),
            ("sqlite::memory:", "would forget"),
            ("sqlite:foretide.db?mode=rwc", "has a ?"),
            ("postgres://a:sesame@b:port/c", "cannot be read"),
            ("postgres://a:ses@me@b:1:2/c", "%40"),
            ("postgres://a:sesame@b/", "names no database"),
            (
                "postgres://a:sesame@b/c?sslmod=require",
                "parameter sslmod,",
            ),
            ("postgres://a@b/c?password=sesame", "parameter password,"),
            ("postgres://a@b/c?sslmode=perhaps", "cannot be read"),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(says), "{text}: {message}");
            assert!(!message.contains("sesame") && !message.contains("ses@me"));
        }
    }

    #[test]
    fn encryption_is_refused_or_built_in() {
        let asked = parse("postgres://a@b/c?sslmode=verify-full");
        assert_eq!(asked.is_ok(), cfg!(feature = "tls"));
        if let Err(error) = asked {
            assert!(error.to_string().contains("--features tls"));
        }
    }
}
