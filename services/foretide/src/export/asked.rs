//! What is asked for: every shopper at an instant, or a list of shoppers and instants.

use std::{
    collections::BTreeSet,
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use csv::StringRecord;
use foretide_events::{EpochMs, ShopperId, limits::MAX_RAW_ID_CHARS};
use foretide_features::FeatureSpec;
use foretide_frame::Kind;
use foretide_privacy::{IdKind, Pseudonymiser};

use super::{Row, cells::Guess, table};

/// What the columns may be called that say when.
const INSTANTS: [&str; 2] = ["event_timestamp", "at"];
/// Milliseconds below this are taken for seconds: it is the year 1973.
const LEAST_MS: i64 = 100_000_000_000;
const WHEN: &str =
    "a time is RFC 3339 with an offset, such as 2026-11-22T10:00:00Z, or milliseconds since 1970";

/// What is asked for, with the shop's ids replaced.
pub(super) enum Asked {
    /// Every shopper known at the instant.
    Everyone(EpochMs),
    /// These.
    Events(Events),
}

/// The rows of a list.
pub(super) struct Events {
    pub(super) list: List,
    /// Whose each row is, and when.
    pub(super) rows: Vec<Row>,
    /// What the columns hold that are carried through.
    pub(super) kinds: Vec<Kind>,
}

/// A file of comma-separated values with a heading.
#[derive(Debug)]
pub(super) struct List {
    path: PathBuf,
    names: Vec<String>,
    /// Where the columns are.
    shopper: Option<usize>,
    user: Option<usize>,
    anonymous: Option<usize>,
    at: usize,
    carried: Vec<usize>,
}

impl List {
    /// Reads the heading of the file at `path`.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let context = || format!("reading {} (--at)", path.display());
        let mut reader = reader(path).with_context(context)?;
        let heading = reader.headers().with_context(context)?;
        let names: Vec<String> = heading.iter().map(plain).collect();
        Self::of(path.to_owned(), names).with_context(context)
    }

    fn of(path: PathBuf, names: Vec<String>) -> anyhow::Result<Self> {
        if let Some(nameless) = names.iter().position(String::is_empty) {
            let number = nameless + 1;
            bail!("column {number} has no name (pandas: `to_csv(…, index=False)`)");
        }
        let mut known = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !known.insert(name.as_str())) {
            bail!("there are two columns `{twice}`");
        }
        let place = |name: &str| names.iter().position(|column| column == name);
        let (shopper, user) = (place("shopper_id"), place("user_id"));
        let anonymous = place("anonymous_id");
        if shopper.or(user).or(anonymous).is_none() {
            bail!(
                "there is no column user_id, anonymous_id or shopper_id that says whose each row is; the columns are {}",
                names.join(", ")
            );
        }
        let Some(at) = INSTANTS.into_iter().find_map(place) else {
            bail!(
                "there is no column event_timestamp (or at) that says when; the columns are {}",
                names.join(", ")
            );
        };
        let taken = [shopper, user, anonymous, Some(at)];
        let carried = (0..names.len()).filter(|column| !taken.contains(&Some(*column)));
        Ok(Self {
            carried: carried.collect(),
            path,
            shopper,
            user,
            anonymous,
            at,
            names,
        })
    }

    /// Refuses columns that are called as those that are written beside them.
    pub(super) fn check_names(&self, features: &[&FeatureSpec]) -> anyhow::Result<()> {
        let is_taken = |name: &&str| {
            table::OWN_COLUMNS.contains(name) || features.iter().any(|spec| spec.name == *name)
        };
        match self.carried().find(is_taken) {
            None => Ok(()),
            Some(name) => bail!(
                "{} (--at) has a column `{name}`, and so has what is written: give it another name",
                self.path.display()
            ),
        }
    }

    /// Whether shoppers are named by the shop's own ids.
    pub(super) fn has_raw_ids(&self) -> bool {
        self.user.or(self.anonymous).is_some()
    }

    /// The names of the columns that are carried through.
    pub(super) fn carried(&self) -> impl Iterator<Item = &str> {
        self.carried
            .iter()
            .map(|column| self.names[*column].as_str())
    }

    /// Reads all rows. Raw ids are replaced here, and nothing after has seen one.
    pub(super) fn read(self, key: Option<&Pseudonymiser>) -> anyhow::Result<Events> {
        let mut rows = Vec::new();
        let mut guesses = vec![Guess::default(); self.carried.len()];
        self.for_each(|number, record| {
            let shopper = self.shopper(record, key);
            let shopper = shopper.map_err(|fault| self.at_fault(number, record, &fault))?;
            let at = record.get(self.at).unwrap_or_default();
            let at = instant(at).map_err(|cause| {
                let name = self.names[self.at].clone();
                self.at_fault(number, record, &Fault { name, cause })
            })?;
            rows.push((shopper, at));
            for (guess, field) in guesses.iter_mut().zip(self.carried_fields(record)) {
                guess.see(field);
            }
            Ok(())
        })?;
        if rows.is_empty() {
            bail!(
                "{} (--at) has no rows below its heading",
                self.path.display()
            );
        }
        Ok(Events {
            rows,
            kinds: guesses.into_iter().map(Guess::kind).collect(),
            list: self,
        })
    }

    /// Shows `see` every row with its number, from 0.
    pub(super) fn for_each(
        &self,
        mut see: impl FnMut(u64, &StringRecord) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let context = || format!("reading {} (--at)", self.path.display());
        let mut reader = reader(&self.path).with_context(context)?;
        let mut record = StringRecord::new();
        let mut number = 0;
        while reader.read_record(&mut record).with_context(context)? {
            see(number, &record)?;
            number += 1;
        }
        Ok(())
    }

    /// The fields of the columns that are carried through.
    pub(super) fn carried_fields<'a>(
        &self,
        record: &'a StringRecord,
    ) -> impl Iterator<Item = &'a str> {
        let fields = self.carried.iter();
        fields.map(|column| record.get(*column).unwrap_or_default())
    }

    /// Whose a row is: by the pseudonym, else the user's id, else the device's, as in events.
    fn shopper(
        &self,
        record: &StringRecord,
        key: Option<&Pseudonymiser>,
    ) -> Result<ShopperId, Fault> {
        let field = |column: Option<usize>| {
            let field = record.get(column?)?;
            // Blank ids are none.
            (!field.trim().is_empty()).then_some(field)
        };
        let fault = |name: &str, cause: &str| Fault {
            name: name.to_owned(),
            cause: cause.to_owned(),
        };
        let pseudonym = |name: &str, column, kind| {
            let Some(raw) = field(column) else {
                return Ok(None);
            };
            if raw.chars().count() > MAX_RAW_ID_CHARS {
                let cause = format!("has more than {MAX_RAW_ID_CHARS} characters");
                return Err(fault(name, &cause));
            }
            Ok(key.map(|key| ShopperId(key.pseudonym(kind, raw))))
        };
        let user = pseudonym("user_id", self.user, IdKind::User)?;
        let given = field(self.shopper).map(|text| {
            let parsed: Result<ShopperId, _> = text.trim().parse();
            parsed.map_err(|error| fault("shopper_id", &error.to_string()))
        });
        match (given.transpose()?, user) {
            (Some(given), Some(user)) if given != user => {
                let cause = "is not the pseudonym of the user_id beside it";
                Err(fault("shopper_id", cause))
            }
            (Some(shopper), _) | (None, Some(shopper)) => Ok(shopper),
            (None, None) => {
                let anonymous = pseudonym("anonymous_id", self.anonymous, IdKind::Anonymous)?;
                anonymous.ok_or_else(|| fault(self.id_name(), "is empty"))
            }
        }
    }

    /// What the column is called that is looked at first for whose a row is.
    fn id_name(&self) -> &str {
        let column = self.shopper.or(self.user).or(self.anonymous);
        column.map_or("user_id", |column| &self.names[column])
    }

    fn at_fault(&self, number: u64, record: &StringRecord, fault: &Fault) -> anyhow::Error {
        let row = number + 1;
        let line = record.position().map_or(row + 1, csv::Position::line);
        let Fault { name, cause } = fault;
        anyhow::anyhow!(
            "{} (--at), row {row} (line {line}), column `{name}`: {cause}",
            self.path.display()
        )
    }
}

/// What is wrong with a field, and the name of its column.
struct Fault {
    name: String,
    cause: String,
}

fn reader(path: &Path) -> Result<csv::Reader<BufReader<File>>, csv::Error> {
    let file = BufReader::with_capacity(64 * 1024, File::open(path)?);
    Ok(csv::ReaderBuilder::new().from_reader(file))
}

/// The name of a column, without what editors put in front of the first.
fn plain(name: &str) -> String {
    name.trim_start_matches('\u{feff}').trim().to_owned()
}

/// Reads an instant of a list.
fn instant(text: &str) -> Result<EpochMs, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if let Ok(ms) = text.parse::<i64>() {
        return match EpochMs(ms) {
            _ if (0..LEAST_MS).contains(&ms) => Err(format!(
                "`{text}` looks like seconds since 1970, and milliseconds are meant: append 000"
            )),
            at if (EpochMs::EARLIEST..=EpochMs::LATEST).contains(&at) => Ok(at),
            _ => Err(format!(
                "`{text}` milliseconds since 1970 are beyond the year 9999"
            )),
        };
    }
    // As pandas writes it.
    let rfc_3339 = text.replacen(' ', "T", 1);
    let rfc_3339 = rfc_3339
        .strip_suffix(" UTC")
        .map(|at| format!("{at}Z"))
        .unwrap_or(rfc_3339);
    EpochMs::parse(&rfc_3339).ok_or_else(|| format!("`{text}` cannot be read: {WHEN}"))
}

#[cfg(test)]
mod tests;
