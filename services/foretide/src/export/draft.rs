//! A file that is there whole or not at all.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::writing;

/// A file on its way: until it is whole, it has another name.
pub(super) struct Draft {
    path: PathBuf,
    part: PathBuf,
    file: File,
}

impl Draft {
    /// Begins to write `path`, so that what stands in the way shows before hours are spent.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let mut part = path.to_owned().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part).with_context(|| writing(&part))?;
        Ok(Self {
            path: path.to_owned(),
            part,
            file,
        })
    }

    /// The place to write to.
    pub(super) fn file(&self) -> anyhow::Result<File> {
        self.file.try_clone().with_context(|| writing(&self.part))
    }

    /// Gives the file its name: all is written. Returns how many bytes that is.
    pub(super) fn finish(self) -> anyhow::Result<u64> {
        self.file.sync_all().with_context(|| writing(&self.part))?;
        let bytes = self.file.metadata().map_or(0, |found| found.len());
        fs::rename(&self.part, &self.path).with_context(|| writing(&self.path))?;
        Ok(bytes)
    }
}

impl Drop for Draft {
    /// Nothing half-written stays; after the renaming there is nothing of that name.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.part);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_appears_when_it_is_whole_and_leaves_nothing_when_it_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("frame.csv");
        let draft = Draft::create(&path).unwrap();
        draft.file().unwrap().write_all(b"half").unwrap();
        drop(draft);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let draft = Draft::create(&path).unwrap();
        draft.file().unwrap().write_all(b"whole").unwrap();
        assert!(!path.exists());
        assert_eq!(draft.finish().unwrap(), 5);
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named_at_once() {
        let refused = Draft::create(Path::new("/nowhere/at/all.csv"));
        assert!(format!("{:#}", refused.err().unwrap()).contains("--out"));
    }
}
