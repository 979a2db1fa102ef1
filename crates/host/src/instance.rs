//! The name of this instance, the same over all its restarts.
//!
//! Kafka knows the processor's transactions by it: a restart with the same name ends at once what the former run
//! left open, with another name it takes the broker's time-out to do so. Two processes with one name would fence
//! each other for ever, so whoever runs holds a lock on the file, which the system lets go of however the process
//! ends.

use std::{
    fs::{File, TryLockError},
    io::{self, Read as _},
    path::Path,
};

use anyhow::{Context as _, bail};
use uuid::Uuid;

use crate::durable;

/// The instance that runs on a data directory. While this lives no other does.
#[derive(Debug)]
pub struct Instance {
    /// Its name.
    pub id: String,
    _locked: File,
}

/// Takes the data directory `data_dir` for this process and reads the instance's name from its file `instance`,
/// made on the first start.
pub fn take(data_dir: &Path) -> anyhow::Result<Instance> {
    let path = data_dir.join("instance");
    let mut file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            durable::create(&path, format!("{}\n", Uuid::new_v4()).as_bytes())?;
            File::open(&path)
        }
        other => other,
    }
    .with_context(|| format!("opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            bail!(
                "another process runs on {} (--data-dir)",
                data_dir.display()
            )
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("locking {}", path.display()));
        }
    }
    let mut text = String::new();
    file.read_to_string(&mut text)
        .with_context(|| format!("reading {}", path.display()))?;
    let id = Uuid::try_parse(text.trim()).with_context(|| {
        format!(
            "{} should hold a UUID; delete it to get a new one",
            path.display()
        )
    })?;
    Ok(Instance {
        id: id.to_string(),
        _locked: file,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_keeps_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let first = take(dir.path()).unwrap().id;
        assert_eq!(take(dir.path()).unwrap().id, first);
        assert_ne!(take(tempfile::tempdir().unwrap().path()).unwrap().id, first);
    }

    #[test]
    fn a_data_directory_has_one_process_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = take(dir.path()).unwrap();
        let refusal = take(dir.path()).unwrap_err().to_string();
        assert!(refusal.contains("another process"), "{refusal}");
        drop(first);
        assert!(take(dir.path()).is_ok());
    }

    #[test]
    fn a_spoilt_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("instance"), "what?").unwrap();
        assert!(
            take(dir.path())
                .unwrap_err()
                .to_string()
                .contains("instance")
        );
    }
}
