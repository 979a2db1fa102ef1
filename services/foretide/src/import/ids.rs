//! Ids of imported events: made from what a row says, so that importing it again makes the same id.

use std::collections::{HashMap, HashSet};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Makes the ids of the rows of one file.
///
/// Real files hold equal rows that are different events, so the id also covers how many equal rows came before.
/// Counting them takes about ten bytes a row.
#[derive(Debug)]
pub(crate) struct RowIds {
    format: &'static str,
    seen: HashSet<u64>,
    repeated: HashMap<u64, u64>,
}

impl RowIds {
    /// Ids for rows of `format`.
    pub(crate) fn new(format: &'static str) -> Self {
        Self {
            format,
            seen: HashSet::new(),
            repeated: HashMap::new(),
        }
    }

    /// The id of the next row of the file: 32 hexadecimal digits of XXH3-128 over format, row and occurrence.
    pub(crate) fn next(&mut self, row: &[u8]) -> String {
        let occurrence = self.occurrence(xxh3_64(row));
        let mut hash = Xxh3::new();
        hash.update(self.format.as_bytes());
        hash.update(&[0]);
        hash.update(row);
        hash.update(&occurrence.to_le_bytes());
        format!("{:032x}", hash.digest128())
    }

    /// How many rows with this hash came before. (Should two different rows share a hash, the later is counted as a
    /// repetition: its id is another one than it would be alone, and the same each time the file is imported.)
    fn occurrence(&mut self, hash: u64) -> u64 {
        if self.seen.insert(hash) {
            return 0;
        }
        let count = self.repeated.entry(hash).or_insert(0);
        *count += 1;
        *count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn importing_again_makes_the_same_ids() {
        let ids = |rows: &[&str]| {
            let mut ids = RowIds::new("rees46");
            rows.iter()
                .map(|row| ids.next(row.as_bytes()))
                .collect::<Vec<_>>()
        };
        let rows = ["a", "b", "a", "a"];
        assert_eq!(ids(&rows), ids(&rows));
        let distinct: HashSet<_> = ids(&rows).into_iter().collect();
        assert_eq!(distinct.len(), 4, "equal rows are different events");
        assert_eq!(
            ids(&["b", "a"])[1],
            ids(&rows)[0],
            "the order of different rows does not matter"
        );
    }

    #[test]
    fn ids_never_change_between_versions() {
        // Whoever imports a file again with a newer version must get the ids of the first time.
        let mut ids = RowIds::new("rees46");
        assert_eq!(
            ids.next(b"2019-10-01 00:00:00 UTC,view"),
            "0a940bca65bbecc4b5c378fb5c43e244"
        );
        assert_eq!(
            ids.next(b"2019-10-01 00:00:00 UTC,view"),
            "8810b91227298a38561c08ad1b0b07af"
        );
        assert_ne!(
            RowIds::new("ndjson").next(b"row"),
            RowIds::new("rees46").next(b"row")
        );
    }
}
