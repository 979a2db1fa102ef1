//! The folder of checkpoints: for each partition the newest, the one before it, and drafts.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{Checkpoint, CheckpointError, Draft, error::io_error};

/// The checkpoints of one instance, in one folder.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    log: Arc<str>,
}

impl Checkpoints {
    /// Opens `folder`, makes it if it is not there, and removes drafts that a killed process left behind.
    pub fn open(folder: &Path) -> Result<Self, CheckpointError> {
        fs::create_dir_all(folder).map_err(io_error("create", folder))?;
        for entry in fs::read_dir(folder).map_err(io_error("list", folder))? {
            let path = entry.map_err(io_error("list", folder))?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "draft")
            {
                fs::remove_file(&path).map_err(io_error("remove", &path))?;
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            log: Arc::default(),
        })
    }

    /// The same folder, for checkpoints of the log of this name alone; one of another log is never read.
    #[must_use]
    pub fn of_log(self, log: &str) -> Self {
        Self {
            log: log.into(),
            ..self
        }
    }

    /// Begins a checkpoint of `partition`; `rules` is the version of whatever made the entries. A draft that is dropped
    /// unsealed leaves no trace. Of several drafts of a partition, the one sealed last is the newest checkpoint.
    pub fn draft(&self, partition: u32, rules: &str) -> Result<Draft, CheckpointError> {
        Draft::begin(
            Files::of(&self.folder, partition),
            &self.log,
            partition,
            rules,
        )
    }

    /// The checkpoints of `partition` that there are, newest first, each verified whole when it is reached. One that is
    /// damaged, of another version or of another log or partition is an error in its place; going on gives the one before it.
    pub fn newest_first(
        &self,
        partition: u32,
    ) -> impl Iterator<Item = Result<Checkpoint, CheckpointError>> + use<> {
        let (files, log) = (Files::of(&self.folder, partition), Arc::clone(&self.log));
        [files.newest, files.previous]
            .into_iter()
            .filter_map(move |path| match Checkpoint::open(&path, &log, partition) {
                Err(CheckpointError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound =>
                {
                    None
                }
                found => Some(found),
            })
    }

    /// Removes the checkpoints of `partition`.
    pub fn remove(&self, partition: u32) -> Result<(), CheckpointError> {
        let files = Files::of(&self.folder, partition);
        for path in [&files.newest, &files.previous] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error("remove", path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The files of one partition.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) folder: PathBuf,
    pub(crate) newest: PathBuf,
    pub(crate) previous: PathBuf,
    pub(crate) draft: PathBuf,
}

impl Files {
    fn of(folder: &Path, partition: u32) -> Self {
        /// Keeps drafts apart: one that was given up may still be written when the next begins.
        static DRAFTS: AtomicU64 = AtomicU64::new(0);
        let draft = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let file = |extension| folder.join(format!("partition-{partition:05}.{extension}"));
        Self {
            folder: folder.to_owned(),
            newest: file("checkpoint"),
            previous: file("previous"),
            draft: folder.join(format!("partition-{partition:05}.{draft}.draft")),
        }
    }
}
