//! The file of profiles that a replay writes.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use foretide_events::EpochMs;
use foretide_features::{FoldRules, Reference};
use foretide_ports::ProfileTable;

use crate::profile_view::ProfileView;

/// A file that is there whole or not at all: until it is, what is written has another name.
pub(super) struct ProfilesFile {
    path: PathBuf,
    draft: PathBuf,
    out: BufWriter<File>,
}

impl ProfilesFile {
    /// Begins to write `path`, so that what stands in the way shows before hours are spent.
    pub(super) fn create(path: PathBuf) -> anyhow::Result<Self> {
        let mut draft = path.clone().into_os_string();
        draft.push(".part");
        let draft = PathBuf::from(draft);
        let file = File::create(&draft).with_context(|| writing(&draft))?;
        Ok(Self {
            path,
            draft,
            out: BufWriter::new(file),
        })
    }

    /// Writes the profiles of `partitions`, as they are at `at` and told against `reference`, and gives the file its name.
    pub(super) fn write(
        mut self,
        table: &ProfileTable,
        partitions: &[u32],
        at: EpochMs,
        rules: &FoldRules,
        reference: &Reference,
    ) -> anyhow::Result<()> {
        for partition in partitions {
            let mut written = Ok(());
            table.for_each(*partition, |profile| {
                if written.is_ok() {
                    let view = ProfileView::of(profile, at, rules, reference);
                    written = serde_json::to_writer(&mut self.out, &view)
                        .map_err(std::io::Error::from)
                        .and_then(|()| self.out.write_all(b"\n"));
                }
            });
            written.with_context(|| writing(&self.draft))?;
        }
        self.out.flush().with_context(|| writing(&self.draft))?;
        fs::rename(&self.draft, &self.path).with_context(|| writing(&self.path))
    }
}

impl Drop for ProfilesFile {
    /// Nothing half-written stays; after the renaming there is nothing of that name.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.draft);
    }
}

fn writing(path: &Path) -> String {
    format!("writing {} (--profiles)", path.display())
}

#[cfg(test)]
mod tests {
    use foretide_events::ShopperId;
    use foretide_features::Profile;

    use super::*;

    #[test]
    fn the_file_has_a_line_for_each_profile_and_appears_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("profiles.ndjson");
        let table = ProfileTable::new(2);
        (0..5).for_each(|n| table.insert(Profile::new(ShopperId([n; 16]))));
        let file = ProfilesFile::create(path.clone()).unwrap();
        assert!(!path.exists());
        let (rules, reference) = (FoldRules::default(), Reference::prior());
        file.write(&table, &[0, 1], EpochMs(0), &rules, &reference)
            .unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 5);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named_at_once() {
        let refused = ProfilesFile::create("/nowhere/at/all".into());
        assert!(format!("{:#}", refused.err().unwrap()).contains("--profiles"));
    }
}
