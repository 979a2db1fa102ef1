//! Shadows: named sets of profiles beside the live ones, on local disk, that a replay makes and a later one goes on with.
//!
//! A shadow is a folder: `shadow.json` says by what terms it was folded, and each partition has a checkpoint with its profiles,
//! its counts and the position up to which they are folded. A partition's checkpoint is complete or not there, so a replay that
//! is killed leaves the shadow as it was, and the next one folds the rest again. Nothing of a shadow is ever on the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    str::FromStr,
};

use foretide_checkpoint::{Checkpoint, CheckpointError, Checkpoints};
use foretide_events::{EpochMs, ShopperId};
use foretide_features::FoldRules;
use serde::{Deserialize, Serialize};

use crate::{
    FoldedLog,
    load::{self, entry, position},
    published::{self, PublishedError},
    reading::at,
};

/// The version of the terms' form.
const FORMAT: u32 = 1;
/// In the folder of a shadow: by what terms it is folded.
const TERMS: &str = "shadow.json";
/// In the folder of a shadow: held by whoever works on it.
const LOCK: &str = "lock";
/// The first byte of the entry of a shopper of whom an event was late.
const LATE: u8 = b'l';

/// The name of a shadow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ShadowName(String);

impl ShadowName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ShadowName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !begins_well || text.len() > Self::MAX_BYTES || !text.chars().all(is_plain) {
            return Err(
                "a shadow's name is up to 64 letters, digits, dots, dashes and underscores, the first a letter or digit",
            );
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ShadowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// By what terms a shadow is folded, from its first replay on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// When it was made.
    pub made_at: EpochMs,
    /// The log it is folded from, where that has a name.
    pub log_id: Option<String>,
    /// For each partition of the actions, the offset it begins at.
    pub begins: Vec<u64>,
    /// The numbers of the fold rules that are other than those of the live profiles, by name.
    pub what_if: BTreeMap<String, f64>,
    /// The version of all rules together.
    pub rules: u32,
    /// Whether late events are folded at their place.
    pub with_late: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredTerms {
    format: u32,
    #[serde(flatten)]
    terms: Terms,
}

/// What went wrong with a shadow.
#[derive(Debug, thiserror::Error)]
pub enum ShadowError {
    /// The disk or the system refused.
    #[error("cannot {attempt} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        attempt: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Its terms cannot be read.
    #[error("{} cannot be read: {problem}. `foretide shadows drop` removes a shadow", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        problem: String,
    },
    /// Another process works on it.
    #[error("another process works on the shadow {0}: wait for it, or take another name")]
    InUse(ShadowName),
    /// One of its files.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Something in one of its files.
    #[error("the shadow's partition {partition} cannot be read: {problem}")]
    Entry {
        /// The partition.
        partition: u32,
        /// What is wrong.
        problem: String,
    },
}

fn failed(attempt: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ShadowError {
    let path = path.to_owned();
    move |source| ShadowError::Io {
        attempt,
        path,
        source,
    }
}

/// The shadows in one folder.
#[derive(Clone, Debug)]
pub struct Shadows(PathBuf);

impl Shadows {
    /// Those in `folder`, which need not be there yet.
    pub fn within(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The names of all there are, sorted.
    pub fn list(&self) -> Result<Vec<ShadowName>, ShadowError> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed("list", &self.0))?,
        };
        let mut names = BTreeSet::new();
        for entry in entries {
            let entry = entry.map_err(failed("list", &self.0))?;
            let name = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            if entry.path().join(TERMS).is_file() {
                names.extend(name);
            }
        }
        Ok(names.into_iter().collect())
    }

    /// Opens the shadow called `name` for this process alone; `None` if there is none.
    pub fn open(&self, name: &ShadowName) -> Result<Option<Shadow>, ShadowError> {
        let folder = self.0.join(name.as_str());
        let path = folder.join(TERMS);
        if !path.try_exists().map_err(failed("look for", &path))? {
            return Ok(None);
        }
        let lock = lock(&folder, name)?;
        let text = fs::read(&path).map_err(failed("read", &path))?;
        let damaged = |problem: String| ShadowError::Damaged {
            path: path.clone(),
            problem,
        };
        let stored: StoredTerms =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if stored.format != FORMAT {
            return Err(damaged(format!(
                "it has format {}, and only {FORMAT} is known",
                stored.format
            )));
        }
        Ok(Some(Shadow {
            name: name.clone(),
            folder,
            terms: stored.terms,
            _lock: lock,
        }))
    }

    /// Makes a shadow, with nothing folded yet.
    pub fn make(&self, name: &ShadowName, terms: Terms) -> Result<Shadow, ShadowError> {
        let folder = self.0.join(name.as_str());
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(failed("create", &folder))?;
        let lock = lock(&folder, name)?;
        let stored = StoredTerms {
            format: FORMAT,
            terms,
        };
        // Text keys and finite numbers: nothing could fail to serialise.
        let text = serde_json::to_vec_pretty(&stored).unwrap_or_default();
        write_whole(&folder.join(TERMS), &text)?;
        Ok(Shadow {
            name: name.clone(),
            folder,
            terms: stored.terms,
            _lock: lock,
        })
    }
}

/// Writes a file that is there whole or not at all.
fn write_whole(path: &Path, text: &[u8]) -> Result<(), ShadowError> {
    let draft = path.with_extension("part");
    let mut file = File::create(&draft).map_err(failed("create", &draft))?;
    file.write_all(text)
        .and_then(|()| file.sync_all())
        .map_err(failed("write", &draft))?;
    fs::rename(&draft, path).map_err(failed("rename", &draft))
}

fn lock(folder: &Path, name: &ShadowName) -> Result<File, ShadowError> {
    let path = folder.join(LOCK);
    let file = File::create(&path).map_err(failed("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ShadowError::InUse(name.clone())),
        Err(TryLockError::Error(error)) => Err(failed("lock", &path)(error)),
    }
}

/// One shadow, in the hands of this process until it is dropped.
#[derive(Debug)]
pub struct Shadow {
    name: ShadowName,
    folder: PathBuf,
    terms: Terms,
    _lock: File,
}

/// What a shadow holds.
pub struct Held {
    /// Its profiles and counts.
    pub folded: FoldedLog,
    /// For each partition, the offset up to which it is folded.
    pub reached: Vec<u64>,
    /// Shoppers of whom an event was late.
    pub late: BTreeSet<ShopperId>,
}

impl Shadow {
    /// Its name.
    pub fn name(&self) -> &ShadowName {
        &self.name
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// By what terms it is folded.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Reads all that it holds, which was folded by `rules`.
    pub fn load(&self, rules: &FoldRules) -> Result<Held, ShadowError> {
        let begins = &self.terms.begins;
        let partitions = u32::try_from(begins.len()).unwrap_or(u32::MAX);
        let mut held = Held {
            folded: FoldedLog::nothing(partitions),
            reached: begins.clone(),
            late: BTreeSet::new(),
        };
        let checkpoints = Checkpoints::open(&self.folder)?;
        for partition in 0..partitions {
            // One that is damaged ends it: falling back on the one before would fold on unseen from another place.
            if let Some(found) = checkpoints.newest_first(partition).next() {
                load_partition(found?, partition, rules, &mut held)?;
            }
        }
        Ok(held)
    }

    /// Keeps what was folded up to `reached`, in the place of what it held.
    pub fn save(
        &self,
        folded: &FoldedLog,
        reached: &[u64],
        late: &BTreeSet<ShopperId>,
        rules: &FoldRules,
    ) -> Result<(), ShadowError> {
        let checkpoints = Checkpoints::open(&self.folder)?;
        for partition in 0..folded.table.partitions() {
            let mut draft = checkpoints.draft(partition, &rules.version().to_string())?;
            let mut written = Ok(());
            let mut bytes = Vec::new();
            folded.table.for_each(partition, |profile| {
                if written.is_ok() {
                    load::write_profile(profile, rules, &mut bytes);
                    written = draft.entry(&bytes);
                }
            });
            written?;
            if let Some((counts, _)) = folded.counts.record(partition) {
                let stored = counts.value.unwrap_or_default();
                draft.entry(&[&[entry::COUNTS], &stored[..]].concat())?;
            }
            let own = |shopper: &&ShopperId| folded.table.partition_of(shopper) == partition;
            for shopper in late.iter().filter(own) {
                draft.entry(&[&[LATE], &shopper.as_bytes()[..]].concat())?;
            }
            draft.seal(&[(position::ACTIONS, at(reached, partition))])?;
        }
        Ok(())
    }

    /// Removes it with all it holds.
    pub fn remove(self) -> Result<(), ShadowError> {
        // First what makes it a shadow: one that is removed in part is none.
        let terms = self.folder.join(TERMS);
        fs::remove_file(&terms).map_err(failed("remove", &terms))?;
        fs::remove_dir_all(&self.folder).map_err(failed("remove", &self.folder))
    }
}

fn load_partition(
    mut checkpoint: Checkpoint,
    partition: u32,
    rules: &FoldRules,
    held: &mut Held,
) -> Result<(), ShadowError> {
    let bad = |problem: String| ShadowError::Entry { partition, problem };
    if checkpoint.rules() != rules.version().to_string() {
        return Err(bad(format!(
            "it was folded by other rules ({}), perhaps of another version of Foretide",
            checkpoint.rules()
        )));
    }
    let reached = checkpoint
        .position(position::ACTIONS)
        .ok_or_else(|| bad("it has no position".to_owned()))?;
    let unreadable = |error: PublishedError| bad(error.to_string());
    while let Some(found) = checkpoint.next_entry()? {
        match found.split_first() {
            Some((&entry::PROFILE, stored)) => {
                let profile = load::read_profile(stored, rules).map_err(PublishedError::from);
                held.folded.table.insert(profile.map_err(unreadable)?);
            }
            Some((&entry::COUNTS, stored)) => {
                let counts = published::decode_counts(stored).map_err(unreadable)?;
                held.folded.counts.update(partition, |own| *own = counts);
            }
            Some((&LATE, shopper)) => {
                let shopper = shopper.try_into();
                let shopper = shopper.map_err(|_| bad("an entry is cut short".to_owned()))?;
                held.late.insert(ShopperId(shopper));
            }
            _ => return Err(bad("an entry is of no known kind".to_owned())),
        }
    }
    if let Some(position) = held.reached.get_mut(partition as usize) {
        *position = reached;
    }
    held.folded.counts.update(partition, |counts| {
        counts.next_offset = counts.next_offset.max(reached);
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use foretide_features::Profile;

    use super::*;

    fn terms(begins: Vec<u64>) -> Terms {
        Terms {
            made_at: EpochMs(1_000),
            log_id: None,
            begins,
            what_if: [("session_gap_ms".to_owned(), 600_000.0)].into(),
            rules: FoldRules::default().version(),
            with_late: true,
        }
    }

    #[test]
    fn a_shadow_is_listed_found_again_and_gone_when_removed() {
        let dir = tempfile::tempdir().unwrap();
        let shadows = Shadows::within(dir.path().join("shadows"));
        assert_eq!(shadows.list().unwrap(), []);
        let name: ShadowName = "gap-10".parse().unwrap();
        assert!(shadows.open(&name).unwrap().is_none());
        let made = shadows.make(&name, terms(vec![3, 5])).unwrap();
        assert!(matches!(
            shadows.open(&name),
            Err(ShadowError::InUse(used)) if used == name
        ));
        drop(made);
        assert_eq!(shadows.list().unwrap(), std::slice::from_ref(&name));
        let found = shadows.open(&name).unwrap().unwrap();
        assert_eq!(found.terms(), &terms(vec![3, 5]));
        found.remove().unwrap();
        assert_eq!(shadows.list().unwrap(), []);
    }

    #[test]
    fn what_is_saved_is_what_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let shadows = Shadows::within(dir.path().to_owned());
        let rules = FoldRules::default();
        let shadow = shadows
            .make(&"a".parse().unwrap(), terms(vec![3, 5, 0]))
            .unwrap();
        let before = shadow.load(&rules).unwrap();
        assert_eq!(before.reached, [3, 5, 0]);
        let folded = FoldedLog::nothing(3);
        (0..50).for_each(|n| folded.table.insert(Profile::new(ShopperId([n; 16]))));
        folded.counts.update(1, |counts| counts.dead_letters = 2);
        let late = [ShopperId([7; 16])].into();
        shadow.save(&folded, &[9, 5, 7], &late, &rules).unwrap();
        let held = shadow.load(&rules).unwrap();
        assert_eq!(held.reached, [9, 5, 7]);
        assert_eq!(held.folded.positions(), [9, 5, 7]);
        assert_eq!(held.late, late);
        assert_eq!(held.folded.digest(), folded.digest());
        assert_eq!(held.folded.counts.dead_letters(), 2);
        let others = FoldRules {
            session_gap_ms: 1,
            ..rules
        };
        let refused = shadow.load(&others).err().unwrap();
        assert!(refused.to_string().contains("other rules"), "{refused}");
    }

    #[test]
    fn a_name_cannot_lead_out_of_the_folder() {
        for odd in ["", ".", "..", ".x", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(odd.parse::<ShadowName>().is_err(), "{odd}");
        }
    }
}
