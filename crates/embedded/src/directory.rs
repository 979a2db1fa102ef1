//! The log's directory: who may use it, what is in it, and that all of it is durable before it is used.
//!
//! ```text
//!   lock      locked by the process that has the log open
//!   format    the version of all this, written last of all when a log is made
//!   store/    the key-value store
//! ```

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use foretide_ports::LogError;

/// What the file `format` says.
const FORMAT: &str = "foretide embedded log, format 1\n";

/// A log's directory, locked while this lives.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Holds the lock.
    _lock: File,
}

impl Directory {
    /// Makes the directory if it is missing and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, LogError> {
        let named = |error: io::Error| LogError::Unusable(format!("{}: {error}", path.display()));
        create_durably(path).map_err(named)?;
        let path = path.canonicalize().map_err(named)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .map_err(named)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = path.display();
                return Err(LogError::Unusable(format!(
                    "{path} is in use by another process: stop it, or give this one another directory"
                )));
            }
            Err(TryLockError::Error(error)) => return Err(named(error)),
        }
        Ok(Self { path, _lock: lock })
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the key-value store is.
    pub(crate) fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    /// Lets `make` make the store in the directory it is given if there is none yet, and checks the format. A crash in
    /// between leaves nothing that a later call would take for a log.
    pub(crate) fn initialise(
        &self,
        make: impl FnOnce(&Path) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let marker = self.path.join("format");
        match fs::read_to_string(&marker) {
            Ok(format) if format == FORMAT => return Ok(()),
            Ok(format) => {
                let (path, format) = (marker.display(), format.trim());
                return Err(LogError::Unusable(format!(
                    "{path} says {format:?}, this program reads {:?}",
                    FORMAT.trim()
                )));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(self.error(&error)),
        }
        // Without the marker nothing was ever acknowledged here.
        if self.store().exists() {
            fs::remove_dir_all(self.store()).map_err(|error| self.error(&error))?;
        }
        make(&self.store())?;
        self.write_marker(&marker)
            .map_err(|error| self.error(&error))
    }

    fn write_marker(&self, marker: &Path) -> io::Result<()> {
        sync_directory(&self.path)?;
        let unfinished = marker.with_extension("new");
        let mut file = File::create(&unfinished)?;
        file.write_all(FORMAT.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, marker)?;
        sync_directory(&self.path)
    }

    fn error(&self, error: &io::Error) -> LogError {
        LogError::Unusable(format!("{}: {error}", self.path.display()))
    }
}

/// Makes a directory and those above it that are missing, and syncs each into the one above.
fn create_durably(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = match path.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    create_durably(above)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_directory(above)
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_in_use_is_refused_in_clear_words() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let first = Directory::open(&path).unwrap();
        let error = Directory::open(&path).unwrap_err();
        assert!(
            error.to_string().contains("in use by another process"),
            "{error}"
        );
        drop(first);
        Directory::open(&path).unwrap();
    }

    #[test]
    fn a_store_that_was_not_finished_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        let unfinished = directory.initialise(|store| {
            fs::create_dir(store).unwrap();
            fs::write(store.join("half"), "").unwrap();
            Err(LogError::Away("the machine went down".to_owned()))
        });
        assert!(unfinished.is_err());
        directory
            .initialise(|store| {
                fs::create_dir(store).unwrap();
                Ok(())
            })
            .unwrap();
        assert!(!directory.store().join("half").exists());
        directory.initialise(|_| panic!("it is made once")).unwrap();
    }

    #[test]
    fn another_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        fs::write(
            dir.path().join("format"),
            "foretide embedded log, format 9\n",
        )
        .unwrap();
        let error = directory.initialise(|_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("format 9"), "{error}");
    }
}
