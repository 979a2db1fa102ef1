//! Writing a checkpoint: a draft first, visible only when sealed.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::{
    CheckpointError,
    error::io_error,
    folder::Files,
    format::{
        BUFFER_BYTES, END_OF_ENTRIES, MAGIC, MAX_ENTRY_BYTES, MAX_LOG_BYTES, MAX_NAME_BYTES,
        MAX_POSITIONS, MAX_RULES_BYTES, VERSION,
    },
};

/// A checkpoint being written. It becomes visible when it is sealed; dropped before that, it is gone.
#[derive(Debug)]
pub struct Draft {
    files: Files,
    out: Summed,
    entries: u64,
    leftover: RemovedOnDrop,
}

/// What was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Number of entries.
    pub entries: u64,
    /// Size of the file.
    pub bytes: u64,
}

impl Draft {
    pub(crate) fn begin(
        files: Files,
        log: &str,
        partition: u32,
        rules: &str,
    ) -> Result<Self, CheckpointError> {
        let length: u16 = within("rules text", rules.len(), MAX_RULES_BYTES)?;
        let log_length: u16 = within("name of a log", log.len(), MAX_LOG_BYTES)?;
        let file = File::create(&files.draft).map_err(io_error("create", &files.draft))?;
        let leftover = RemovedOnDrop(Some(files.draft.clone()));
        let mut draft = Self {
            files,
            out: Summed::new(file),
            entries: 0,
            leftover,
        };
        draft.write(MAGIC)?;
        draft.write(&VERSION.to_le_bytes())?;
        draft.write(&length.to_le_bytes())?;
        draft.write(rules.as_bytes())?;
        draft.write(&log_length.to_le_bytes())?;
        draft.write(log.as_bytes())?;
        draft.write(&partition.to_le_bytes())?;
        Ok(draft)
    }

    /// Adds an entry, of at most 64 MiB.
    pub fn entry(&mut self, bytes: &[u8]) -> Result<(), CheckpointError> {
        let length: u32 = within("entry", bytes.len(), MAX_ENTRY_BYTES)?;
        self.write(&length.to_le_bytes())?;
        self.write(bytes)?;
        self.entries += 1;
        Ok(())
    }

    /// Completes the checkpoint with `positions`, syncs it, keeps the newest so far as the previous one and takes its
    /// place. When this returns, the checkpoint outlives a loss of power.
    pub fn seal(mut self, positions: &[(&str, u64)]) -> Result<Sealed, CheckpointError> {
        let trailer = self.trailer(positions)?;
        self.write(&trailer)?;
        let length: u32 = within("trailer", trailer.len(), usize::MAX)?;
        self.write(&length.to_le_bytes())?;
        let bytes = self
            .out
            .finish()
            .map_err(io_error("write", &self.files.draft))?;
        publish(&self.files)?;
        self.leftover.0 = None;
        Ok(Sealed {
            entries: self.entries,
            bytes,
        })
    }

    fn trailer(&self, positions: &[(&str, u64)]) -> Result<Vec<u8>, CheckpointError> {
        let mut trailer = END_OF_ENTRIES.to_le_bytes().to_vec();
        trailer.push(within("list of positions", positions.len(), MAX_POSITIONS)?);
        for (name, position) in positions {
            trailer.push(within("name of a position", name.len(), MAX_NAME_BYTES)?);
            trailer.extend_from_slice(name.as_bytes());
            trailer.extend_from_slice(&position.to_le_bytes());
        }
        trailer.extend_from_slice(&self.entries.to_le_bytes());
        Ok(trailer)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), CheckpointError> {
        self.out
            .write(bytes)
            .map_err(io_error("write", &self.files.draft))
    }
}

/// Puts the synced draft in the newest's place. A crash between the renames leaves the previous one.
fn publish(files: &Files) -> Result<(), CheckpointError> {
    let Files {
        folder,
        newest,
        previous,
        draft,
    } = files;
    match fs::rename(newest, previous) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_error("rename", newest)(error));
        }
        _ => {}
    }
    #[cfg(feature = "fault-points")]
    foretide_faults::reach("between-checkpoints");
    fs::rename(draft, newest).map_err(io_error("rename", draft))?;
    sync_folder(folder)
}

/// The draft's file, which nobody needs unless it is sealed.
#[derive(Debug)]
struct RemovedOnDrop(Option<PathBuf>);

impl Drop for RemovedOnDrop {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // What cannot be removed now is removed at the next start.
            let _ = fs::remove_file(path);
        }
    }
}

/// A file with the checksum of what was written to it.
#[derive(Debug)]
struct Summed {
    file: BufWriter<File>,
    sum: crc32fast::Hasher,
    bytes: u64,
}

impl Summed {
    fn new(file: File) -> Self {
        Self {
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
            sum: crc32fast::Hasher::new(),
            bytes: 0,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// Appends the checksum and syncs. Returns the size of the file.
    fn finish(mut self) -> io::Result<u64> {
        let sum = self.sum.finalize().to_le_bytes();
        self.file.write_all(&sum)?;
        self.file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
        Ok(self.bytes + sum.len() as u64)
    }
}

/// Makes renames in `folder` durable.
fn sync_folder(folder: &Path) -> Result<(), CheckpointError> {
    File::open(folder)
        .and_then(|opened| opened.sync_all())
        .map_err(io_error("sync", folder))
}

/// `length` in the width the format has for it, unless it is over `limit`.
fn within<N: TryFrom<usize>>(
    what: &'static str,
    length: usize,
    limit: usize,
) -> Result<N, CheckpointError> {
    let too_long = CheckpointError::TooLong {
        what,
        length,
        limit,
    };
    if length > limit {
        Err(too_long)
    } else {
        N::try_from(length).map_err(|_| too_long)
    }
}
