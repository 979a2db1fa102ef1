//! `foretide database`: the tables of offers, keys and settings.

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use foretide_decision::catalogue::OfferState;
use foretide_events::EpochMs;
use foretide_ports::store::{Store as _, StoredKey};
use foretide_runtime::{Clock as _, SystemClock};
use foretide_store::{DatabaseUrl, SchemaState, SqlStore};
use serde::Serialize;

use crate::output::Output;

const MIGRATE_EXAMPLES: &str = "\
Examples:
  foretide database migrate --database sqlite:/var/lib/foretide/foretide.db
  foretide database migrate --database postgres://foretide:PASSWORD@db.example:5432/foretide

Makes the tables, or brings them to the version that this binary needs: all of it or, when anything fails, \
nothing. Running it again changes nothing; several at once take turns.

A server sets up an empty database by itself, and upgrades a SQLite file by itself. It refuses a PostgreSQL \
database with an older version, which other servers may still be using. To upgrade: make a backup \
(pg_dump), stop the servers, run this, start the new servers.";

const STATUS_EXAMPLES: &str = "\
Examples:
  foretide database status --database sqlite:/var/lib/foretide/foretide.db
  foretide database status --database postgres://foretide:PASSWORD@db.example:5432/foretide --json

Changes nothing. Exit status 1 if the database cannot be reached, or its tables are not of the version that \
this binary needs; standard error says what to do.";

/// Looks at the database of offers, keys and settings, or upgrades it
#[derive(Args, Debug)]
pub(crate) struct DatabaseArgs {
    #[command(subcommand)]
    command: DatabaseCommand,
}

#[derive(Debug, Subcommand)]
enum DatabaseCommand {
    /// Makes the tables, or upgrades them to the version that this binary needs
    #[command(after_help = MIGRATE_EXAMPLES)]
    Migrate(Place),
    /// Shows which version the tables have, and how much they hold
    #[command(after_help = STATUS_EXAMPLES)]
    Status(Place),
}

#[derive(Args, Debug)]
struct Place {
    /// The database: `sqlite:FILE` or `postgres://USER:PASSWORD@HOST:PORT/NAME`
    #[arg(
        long,
        env = "FORETIDE_DATABASE",
        value_name = "URL",
        hide_env_values = true
    )]
    database: String,
}

impl Place {
    /// Where it is. Read here and not by clap, whose complaint would show the password.
    fn url(&self) -> anyhow::Result<DatabaseUrl> {
        self.database.parse().context("--database")
    }
}

/// What `migrate` did.
#[derive(Debug, Serialize)]
struct MigrateReport {
    database: String,
    /// The version before; 0 if there was nothing.
    from: u32,
    /// The version now.
    to: u32,
}

/// What `status` found.
#[derive(Debug, Serialize)]
struct StatusReport {
    database: String,
    /// `empty`, `older`, `current` or `newer`.
    schema: &'static str,
    /// The version that is there; 0 if there is nothing.
    found: u32,
    /// The version that this binary needs.
    needed: u32,
    /// How much it holds, if this binary can read it.
    #[serde(flatten)]
    content: Option<Content>,
}

/// How much a database holds.
#[derive(Debug, Serialize)]
struct Content {
    revision: u64,
    offers: usize,
    active_offers: usize,
    keys: usize,
    active_keys: usize,
    settings: usize,
}

/// Runs the command.
pub(crate) async fn run(args: DatabaseArgs, output: Output) -> anyhow::Result<()> {
    match args.command {
        DatabaseCommand::Migrate(place) => migrate(&place.url()?, output).await,
        DatabaseCommand::Status(place) => status(&place.url()?, output).await,
    }
}

async fn migrate(url: &DatabaseUrl, output: Output) -> anyhow::Result<()> {
    let store = open(url).await?;
    let now = EpochMs(SystemClock.now_ms());
    let done = store
        .migrate(now)
        .await
        .with_context(|| format!("migrating {url}; nothing was changed"))?;
    store.close().await;
    let report = MigrateReport {
        database: url.to_string(),
        from: done.from,
        to: done.to,
    };
    output.answer(&report, || match (report.from, report.to) {
        (0, to) => format!("{url}: set up, schema version {to}"),
        (from, to) if from == to => format!("{url}: schema version {to} already"),
        (from, to) => format!("{url}: from schema version {from} to {to}"),
    })
}

async fn status(url: &DatabaseUrl, output: Output) -> anyhow::Result<()> {
    if let Some(file) = url.sqlite_file().filter(|file| !file.exists()) {
        bail!(
            "there is no file {}: a server makes it when it starts, and so does `foretide database migrate`",
            file.display()
        );
    }
    let store = open(url).await?;
    let reading = || format!("reading {url}");
    let state = store.schema().await.with_context(reading)?;
    let content = match state {
        SchemaState::Current => Some(content(&store).await.with_context(reading)?),
        _ => None,
    };
    store.close().await;
    let report = StatusReport {
        database: url.to_string(),
        schema: state.as_str(),
        found: state.found(),
        needed: SchemaState::needed(),
        content,
    };
    output.answer(&report, || text(&report))?;
    if state != SchemaState::Current {
        bail!("{state}");
    }
    Ok(())
}

async fn open(url: &DatabaseUrl) -> anyhow::Result<SqlStore> {
    SqlStore::connect(url)
        .await
        .with_context(|| format!("opening {url}"))
}

async fn content(store: &SqlStore) -> anyhow::Result<Content> {
    let (offers, keys) = (store.offers().await?, store.keys().await?);
    let is_shown = |state| state == OfferState::Active;
    Ok(Content {
        revision: store.revision().await?,
        active_offers: offers.iter().filter(|offer| is_shown(offer.state)).count(),
        offers: offers.len(),
        active_keys: keys.iter().filter(|key| StoredKey::is_active(key)).count(),
        keys: keys.len(),
        settings: store.settings().await?.len(),
    })
}

fn text(report: &StatusReport) -> String {
    let StatusReport {
        database,
        schema,
        found,
        needed,
        content,
    } = report;
    let schema = format!("{database}\nschema    {schema}: version {found} of {needed}");
    let Some(held) = content else {
        return schema;
    };
    format!(
        "{schema}\noffers    {}, {} of them active\nkeys      {}, {} of them active\nsettings  {}\nrevision  {}",
        held.offers, held.active_offers, held.keys, held.active_keys, held.settings, held.revision,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_address_is_refused_without_showing_it() {
        let place = Place {
            database: "postgres://foretide:sesame@host:port/db".to_owned(),
        };
        let refusal = format!("{:#}", place.url().unwrap_err());
        assert!(
            refusal.starts_with("--database: cannot be read"),
            "{refusal}"
        );
        assert!(!refusal.contains("sesame"), "{refusal}");
    }

    #[tokio::test]
    async fn the_state_of_a_file_that_is_not_there_makes_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("foretide.db");
        let url = DatabaseUrl::sqlite(&file);
        let refusal = status(&url, Output::new(true)).await.unwrap_err();
        assert!(
            refusal.to_string().contains("database migrate"),
            "{refusal}"
        );
        assert!(!file.exists());

        migrate(&url, Output::new(true)).await.unwrap();
        status(&url, Output::new(true)).await.unwrap();
    }

    #[test]
    fn a_state_that_cannot_be_read_further_is_shown_all_the_same() {
        let report = StatusReport {
            database: "sqlite:a.db".to_owned(),
            schema: "older",
            found: 1,
            needed: 2,
            content: None,
        };
        assert_eq!(
            text(&report),
            "sqlite:a.db\nschema    older: version 1 of 2"
        );
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"database":"sqlite:a.db","schema":"older","found":1,"needed":2}"#
        );
    }
}
