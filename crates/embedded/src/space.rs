//! Room on the disk.

use std::{io, path::Path, sync::Arc};

use foretide_ports::LogError;

/// Tells how many bytes are free where the log is. A parameter, so that a full disk can be played.
pub(crate) type FreeSpace = Arc<dyn Fn(&Path) -> io::Result<u64> + Send + Sync>;

/// What the file system says is free for this user.
pub(crate) fn of_file_system() -> FreeSpace {
    Arc::new(|path| {
        let space = rustix::fs::statvfs(path)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    })
}

/// Refuses when fewer than `reserve` bytes are free. The store must never meet a full disk: what it cannot finish it gives
/// up on, and the reserve is what it needs to move data and to delete.
pub(crate) fn check(free: &FreeSpace, path: &Path, reserve: u64) -> Result<(), LogError> {
    let free =
        free(path).map_err(|error| LogError::Away(format!("{}: {error}", path.display())))?;
    if free < reserve {
        let path = path.display();
        return Err(LogError::Full(format!(
            "{free} bytes are free at {path}, {reserve} are kept in reserve"
        )));
    }
    Ok(())
}
