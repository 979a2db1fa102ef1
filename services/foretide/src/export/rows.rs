//! The rows as they become certain, in no order: on disk until they are written, so that a million of them need no memory.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context as _;
use foretide_events::{EpochMs, ShopperId};
use foretide_features::{FeatureSpec, FoldRules};
use foretide_ports::References;
use foretide_processor::frames::Seen;
use foretide_scoring::Served;
use parking_lot::Mutex;

use super::{asked::Asked, folder, writing};

/// What a state is read by.
pub(super) struct Parts {
    pub(super) features: Vec<&'static FeatureSpec>,
    pub(super) rules: FoldRules,
    pub(super) references: Arc<References>,
}

/// Rows by their numbers.
pub(super) struct Rows {
    parts: Parts,
    /// A file without a name: nothing of it stays.
    file: File,
    known: AtomicU64,
    /// Whose each row is, where that is not known beforehand.
    shoppers: Option<Mutex<Vec<(ShopperId, u64)>>>,
}

/// A row of a shopper who was known.
#[derive(Debug, PartialEq)]
pub(super) struct Known {
    /// When the newest action happened that it rests on.
    pub(super) as_of: EpochMs,
    /// The features, as they are served.
    pub(super) values: Vec<Option<f64>>,
}

/// What a row begins with if there is one: what was never written reads as zeros.
const THERE: u8 = 1;

impl Rows {
    /// No rows yet; they will lie on the disk of `out`.
    pub(super) fn beside(out: &Path, parts: Parts, asked: &Asked) -> anyhow::Result<Self> {
        let file = tempfile::tempfile_in(folder(out)).with_context(|| writing(out))?;
        let shoppers = matches!(asked, Asked::Everyone(_)).then(Mutex::default);
        Ok(Self {
            parts,
            file,
            known: AtomicU64::new(0),
            shoppers,
        })
    }

    /// Takes a row: what is served of it.
    pub(super) fn put(&self, seen: &Seen<'_>) -> io::Result<()> {
        let reference = self.parts.references.at(seen.at);
        let served = Served::of(seen.state, seen.at, &self.parts.rules, &reference);
        let mut stored = Vec::with_capacity(self.size());
        stored.push(THERE);
        stored.extend(served.as_of().0.to_le_bytes());
        for spec in &self.parts.features {
            // Every value is finite.
            let value = served.get(spec).0.unwrap_or(f64::NAN);
            stored.extend(value.to_le_bytes());
        }
        self.file.write_all_at(&stored, self.place(seen.row))?;
        self.known.fetch_add(1, Ordering::Relaxed);
        if let Some(shoppers) = &self.shoppers {
            shoppers.lock().push((seen.shopper, seen.row));
        }
        Ok(())
    }

    /// The row with this number; `None` if nothing was known of the shopper then.
    pub(super) fn get(&self, row: u64) -> io::Result<Option<Known>> {
        let end = self.file.metadata()?.len();
        if self.place(row) >= end {
            return Ok(None);
        }
        let mut stored = vec![0; self.size()];
        self.file.read_exact_at(&mut stored, self.place(row))?;
        let Some((&THERE, rest)) = stored.split_first() else {
            return Ok(None);
        };
        let mut words = rest.chunks_exact(8).map(|chunk| {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            word
        });
        let as_of = EpochMs(words.next().map_or(0, i64::from_le_bytes));
        let value = |word| Some(f64::from_le_bytes(word)).filter(|value| !value.is_nan());
        Ok(Some(Known {
            as_of,
            values: words.map(value).collect(),
        }))
    }

    /// How many rows were put.
    pub(super) fn known(&self) -> u64 {
        self.known.load(Ordering::Relaxed)
    }

    /// Whose rows were put, with their numbers, by shopper; nothing where rows have numbers beforehand.
    pub(super) fn by_shopper(&self) -> Vec<(ShopperId, u64)> {
        let Some(shoppers) = &self.shoppers else {
            return Vec::new();
        };
        let mut shoppers = std::mem::take(&mut *shoppers.lock());
        shoppers.sort_unstable();
        shoppers
    }

    fn size(&self) -> usize {
        1 + 8 + 8 * self.parts.features.len()
    }

    fn place(&self, row: u64) -> u64 {
        row * self.size() as u64
    }
}
