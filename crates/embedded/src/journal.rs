//! What the store's own journal needs around a crash.
//!
//! Two things are left to whoever uses the store:
//!
//! * Power lost in the middle of a write can leave the last change in the journal with a hole in it, and the store then
//!   refuses to open. Such a change was never synced, so nothing of it was acknowledged: it is cut off. A hole anywhere
//!   else is damage and stays an error.
//! * After a sync that failed the kernel may show data that it will never write. So before a store is opened again after
//!   an error its journals are copied and the copies synced: what can be read is then durable.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use foretide_ports::LogError;
use xxhash_rust::xxh3::xxh3_64;

use crate::{directory::sync_directory, store::Store};

/// What a change ends with, after its checksum.
const TRAILER: [u8; 4] = *b"FJL\x03";

/// Opens the store, cutting off an unfinished last change that the store itself cannot cope with.
pub(crate) fn open_store(store: &Path) -> Result<Store, LogError> {
    let refused = match Store::open(store) {
        Err(error @ LogError::Damaged(_)) => error,
        opened => return opened,
    };
    match cut_unfinished(store) {
        Ok(true) => Store::open(store),
        Ok(false) => Err(refused),
        Err(error) => Err(LogError::Unusable(format!("{}: {error}", store.display()))),
    }
}

/// Makes durable whatever can be read of the journals.
pub(crate) fn settle(store: &Path) -> Result<(), LogError> {
    let settle = || -> io::Result<()> {
        for journal in journals(store)? {
            let copy = journal.with_extension("copy");
            copy_durably(&journal, &copy).inspect_err(|_| drop(fs::remove_file(&copy)))?;
            fs::rename(&copy, &journal)?;
        }
        sync_directory(store)
    };
    settle().map_err(|error| {
        let why = format!("{}: {error}", store.display());
        if error.kind() == io::ErrorKind::StorageFull {
            LogError::Full(why)
        } else {
            LogError::Away(why)
        }
    })
}

fn copy_durably(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    File::open(to)?.sync_all()
}

/// The journals, oldest first.
pub(crate) fn journals(store: &Path) -> io::Result<Vec<PathBuf>> {
    let mut journals = Vec::new();
    for entry in store.read_dir()? {
        let path = entry?.path();
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let Some(number) = number
            && path.extension().is_some_and(|extension| extension == "jnl")
        {
            journals.push((number, path));
        }
    }
    journals.sort();
    Ok(journals.into_iter().map(|(_, path)| path).collect())
}

/// Cuts the newest journal after its last whole change, unless a whole change follows the hole. Whether it did.
fn cut_unfinished(store: &Path) -> io::Result<bool> {
    let Some(journal) = journals(store)?.pop() else {
        return Ok(false);
    };
    let bytes = fs::read(&journal)?;
    let mut whole = 0;
    while let Some(size) = change_at(&bytes[whole..]) {
        whole += size;
    }
    let rest = &bytes[whole..];
    let starts = (1..rest.len()).filter(|at| rest[*at] == 1);
    if rest.is_empty()
        || starts
            .into_iter()
            .any(|at| change_at(&rest[at..]).is_some())
    {
        return Ok(false);
    }
    let file = File::options().write(true).open(&journal)?;
    file.set_len(whole as u64)?;
    file.sync_all()?;
    tracing::warn!(
        bytes = whole,
        "an unfinished last write was cut off the embedded log's journal"
    );
    Ok(true)
}

/// The size of the whole change that `bytes` begin with, if they do. The store's format 3:
///
/// ```text
///   start   1, items u32, sequence u64
///   item    2, kind u8, compression u8, keyspace u64, key length u16, value length u32, stored length u32, key, value
///   clear   4, keyspace u64                       (counts as an item)
///   end     3, xxh3 of all items u64, "FJL\x03"
/// ```
pub(crate) fn change_at(bytes: &[u8]) -> Option<usize> {
    if *bytes.first()? != 1 {
        return None;
    }
    let items = u32::from_le_bytes(bytes.get(1..5)?.try_into().ok()?);
    let first = 13;
    let mut at = first;
    for _ in 0..items {
        at += match *bytes.get(at)? {
            2 => {
                let key = u16::from_le_bytes(bytes.get(at + 11..at + 13)?.try_into().ok()?);
                let value = u32::from_le_bytes(bytes.get(at + 17..at + 21)?.try_into().ok()?);
                21 + usize::from(key) + usize::try_from(value).ok()?
            }
            4 => 9,
            _ => return None,
        };
    }
    let end = bytes.get(at..at + 13)?;
    let checksum = u64::from_le_bytes(end[1..9].try_into().ok()?);
    let is_whole = end[0] == 3 && end[9..] == TRAILER && xxh3_64(bytes.get(first..at)?) == checksum;
    is_whole.then_some(at + 13)
}
