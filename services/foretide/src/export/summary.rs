//! What an export says in the end.

use std::{collections::BTreeSet, fmt, path::Path, time::Duration};

use foretide_features::schema_id;
use foretide_processor::frames::Framed;
use serde::Serialize;

use super::{
    asked::Asked,
    table::{Table, Written},
};

/// What an export came to.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    out: String,
    format: &'static str,
    rows: u64,
    /// Rows of shoppers of whom nothing was known.
    not_found: u64,
    bytes: u64,
    features: usize,
    /// Names the catalogue.
    schema: String,
    /// The version of the rules the profiles were folded by.
    fold_rules: u32,
    /// The versions of what is usual among shoppers.
    references: BTreeSet<String>,
    #[serde(flatten)]
    framed: Framed,
    seconds: f64,
}

impl Summary {
    pub(super) fn of(
        out: &Path,
        table: &Table<'_>,
        asked: &Asked,
        written: Written,
        took: Duration,
    ) -> Self {
        Self {
            out: out.display().to_string(),
            format: table.format.as_str(),
            rows: written.rows,
            not_found: written.not_found,
            bytes: written.bytes,
            features: table.features.len(),
            schema: schema_id(),
            fold_rules: table.rules.version(),
            references: table.versions(asked),
            framed: table.framed.clone(),
            seconds: took.as_secs_f64(),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            out,
            rows,
            not_found,
            features,
            seconds,
            framed,
            ..
        } = self;
        write!(
            f,
            "{rows} rows of {features} features in {out}, of {} actions in {seconds:.1} s",
            framed.actions
        )?;
        if *not_found > 0 {
            write!(
                f,
                "\n{not_found} rows are of shoppers of whom nothing was known then (status NOT_FOUND)"
            )?;
        }
        if *rows == 0 {
            write!(f, "\nno shopper was known at that instant")?;
        }
        Ok(())
    }
}
