//! Profiles that have no place in memory, in one directory: a key-value store that is not meant to last.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, Instant},
};

use fjall::{
    Database, Keyspace, KeyspaceCreateOptions,
    config::{BlockSizePolicy, CompressionPolicy},
};
use foretide_events::ShopperId;
use foretide_ports::{ColdError, ColdProfiles};
use parking_lot::Mutex;

/// The store's memory for blocks it read.
const CACHE_BYTES: u64 = 32 << 20;
/// The store's memory for what it has not yet in tables, of all partitions together.
const BUFFER_BYTES: u64 = 32 << 20;
/// The size of its journal. Nothing is ever read from it: it is only what the store needs.
const JOURNAL_BYTES: u64 = 128 << 20;

/// Where the directory cannot be opened it is not tried again for so long: many ask.
const OPEN_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Keeps profiles in a directory, until it is dropped. The directory is made when the first one comes; where that fails it is tried
/// again later.
pub struct ColdFolder {
    path: PathBuf,
    partitions: u32,
    opened: OnceLock<Opened>,
    refused: Mutex<Option<Refused>>,
    open_again_after: Duration,
}

/// The last attempt to open the directory failed.
struct Refused {
    at: Instant,
    error: ColdError,
}

struct Opened {
    partitions: Vec<Keyspace>,
    /// Removes the directory when it is dropped, which is last.
    _database: Database,
}

impl ColdFolder {
    /// Begins with nothing in `path`, whatever a former process may have left there.
    ///
    /// # Errors
    /// What it left cannot be removed.
    pub fn new(path: &Path, partitions: u32) -> io::Result<Self> {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self {
            path: path.to_owned(),
            partitions,
            opened: OnceLock::new(),
            refused: Mutex::default(),
            open_again_after: OPEN_AGAIN_AFTER,
        })
    }

    fn open(&self) -> Result<Opened, ColdError> {
        let open = || -> fjall::Result<Opened> {
            let database = Database::builder(&self.path)
                .cache_size(CACHE_BYTES)
                .max_journaling_size(JOURNAL_BYTES)
                .worker_threads(1)
                .manual_journal_persist(true)
                .temporary(true)
                .open()?;
            let buffer = (BUFFER_BYTES / u64::from(self.partitions.max(1))).clamp(1 << 20, 8 << 20);
            let partitions: fjall::Result<Vec<_>> = (0..self.partitions)
                .map(|partition| database.keyspace(&partition.to_string(), || options(buffer)))
                .collect();
            Ok(Opened {
                partitions: partitions?,
                _database: database,
            })
        };
        open().map_err(|error| ColdError(format!("{}: {error}", self.path.display())))
    }

    /// The store, opened if it is not and the last attempt is long enough ago.
    fn opened(&self) -> Result<&Opened, ColdError> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let mut refused = self.refused.lock();
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        if let Some(last) = &*refused
            && last.at.elapsed() < self.open_again_after
        {
            return Err(last.error.clone());
        }
        match self.open() {
            Ok(opened) => {
                *refused = None;
                Ok(self.opened.get_or_init(|| opened))
            }
            Err(error) => {
                *refused = Some(Refused {
                    at: Instant::now(),
                    error: error.clone(),
                });
                Err(error)
            }
        }
    }

    fn keyspace(&self, partition: u32) -> Result<&Keyspace, ColdError> {
        let partitions = &self.opened()?.partitions;
        partitions
            .get(partition as usize)
            .ok_or_else(|| ColdError(format!("there is no partition {partition}")))
    }
}

/// Profiles are small, and each is looked for by itself.
fn options(buffer: u64) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .manual_journal_persist(true)
        .max_memtable_size(buffer)
        .data_block_size_policy(BlockSizePolicy::all(4 << 10))
        .data_block_compression_policy(CompressionPolicy::disabled())
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
fn trouble(error: fjall::Error) -> ColdError {
    ColdError(error.to_string())
}

impl ColdProfiles for ColdFolder {
    fn put(&self, partition: u32, shopper: &ShopperId, profile: &[u8]) -> Result<(), ColdError> {
        let keyspace = self.keyspace(partition)?;
        keyspace
            .insert(shopper.as_bytes(), profile)
            .map_err(trouble)
    }

    fn get(&self, partition: u32, shopper: &ShopperId) -> Result<Option<Vec<u8>>, ColdError> {
        let found = self.keyspace(partition)?.get(shopper.as_bytes());
        Ok(found.map_err(trouble)?.map(|profile| profile.to_vec()))
    }

    fn remove(&self, partition: u32, shopper: &ShopperId) -> Result<(), ColdError> {
        let keyspace = self.keyspace(partition)?;
        keyspace.remove(shopper.as_bytes()).map_err(trouble)
    }

    fn clear(&self, partition: u32) -> Result<(), ColdError> {
        self.keyspace(partition)?.clear().map_err(trouble)
    }
}

#[cfg(test)]
mod tests {
    use foretide_ports::cold_conformance;

    use super::*;

    #[test]
    fn a_folder_keeps_profiles_as_the_port_says() {
        let own = tempfile::tempdir().unwrap();
        cold_conformance(&ColdFolder::new(&own.path().join("cold"), 2).unwrap());
    }

    #[test]
    fn a_folder_begins_with_nothing_and_leaves_nothing() {
        let own = tempfile::tempdir().unwrap();
        let path = own.path().join("cold");
        fs::create_dir_all(path.join("left/over")).unwrap();
        let shopper = ShopperId([7; 16]);
        let cold = ColdFolder::new(&path, 1).unwrap();
        cold.put(0, &shopper, b"profile").unwrap();
        drop(cold);
        assert!(!path.exists());
        let cold = ColdFolder::new(&path, 1).unwrap();
        assert_eq!(cold.get(0, &shopper), Ok(None));
    }

    #[test]
    fn a_place_that_is_no_directory_is_named() {
        let own = tempfile::tempdir().unwrap();
        let cold = ColdFolder::new(&own.path().join("cold"), 1).unwrap();
        fs::write(own.path().join("cold"), b"").unwrap();
        let refused = cold.get(0, &ShopperId([7; 16])).unwrap_err();
        assert!(refused.to_string().contains("/cold"), "{refused}");
    }

    #[test]
    fn a_folder_that_could_not_be_opened_is_tried_again() {
        let own = tempfile::tempdir().unwrap();
        let path = own.path().join("cold");
        let mut cold = ColdFolder::new(&path, 1).unwrap();
        let shopper = ShopperId([7; 16]);
        fs::write(&path, b"").unwrap();
        assert!(cold.put(0, &shopper, b"profile").is_err());
        fs::remove_file(&path).unwrap();
        assert!(
            cold.put(0, &shopper, b"profile").is_err(),
            "not at once, for many ask"
        );
        cold.open_again_after = Duration::ZERO;
        cold.put(0, &shopper, b"profile").unwrap();
        assert_eq!(cold.get(0, &shopper), Ok(Some(b"profile".to_vec())));
    }
}
