//! Whatever happens to the files, what is read is what was sealed, the newest or the one before it.

#![expect(clippy::unwrap_used, reason = "tests may")]

use std::{fs, path::Path};

use foretide_checkpoint::{Checkpoint, CheckpointError, Checkpoints};
use proptest::prelude::*;

const PARTITION: u32 = 7;
type Content = (String, u64, Vec<Vec<u8>>);

fn seal(checkpoints: &Checkpoints, rules: &str, actions: u64, entries: &[&[u8]]) {
    let mut draft = checkpoints.draft(PARTITION, rules).unwrap();
    for entry in entries {
        draft.entry(entry).unwrap();
    }
    let sealed = draft
        .seal(&[("actions", actions), ("profiles", actions / 2)])
        .unwrap();
    assert_eq!(sealed.entries, entries.len() as u64);
}

fn content(mut checkpoint: Checkpoint) -> Result<Content, CheckpointError> {
    let mut entries = Vec::new();
    while let Some(entry) = checkpoint.next_entry()? {
        entries.push(entry.to_vec());
    }
    assert_eq!(checkpoint.entries(), entries.len() as u64);
    Ok((
        checkpoint.rules().to_owned(),
        checkpoint.position("actions").unwrap(),
        entries,
    ))
}

/// What a reader ends up with: the first that can be read.
fn read(folder: &Path) -> Option<Content> {
    let checkpoints = Checkpoints::open(folder).unwrap();
    checkpoints
        .newest_first(PARTITION)
        .find_map(|found| found.and_then(content).ok())
}

fn owned(rules: &str, actions: u64, entries: &[&[u8]]) -> Content {
    (
        rules.to_owned(),
        actions,
        entries.iter().map(|entry| entry.to_vec()).collect(),
    )
}

const OLD: &[&[u8]] = &[b"old row", b""];
const NEW: &[&[u8]] = &[b"a new row", b"", &[0xff; 40], &[0; 3]];

/// A folder with two sealed checkpoints, and the newest's bytes.
fn two_sealed() -> (tempfile::TempDir, std::path::PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open(folder.path()).unwrap();
    seal(&checkpoints, "rules 1", 10, OLD);
    seal(&checkpoints, "rules 2", 20, NEW);
    let newest = folder.path().join("partition-00007.checkpoint");
    let bytes = fs::read(&newest).unwrap();
    (folder, newest, bytes)
}

#[test]
fn the_newest_is_read_and_the_one_before_it_kept() {
    let (folder, _, _) = two_sealed();
    let checkpoints = Checkpoints::open(folder.path()).unwrap();
    let all: Vec<_> = checkpoints
        .newest_first(PARTITION)
        .map(|found| content(found.unwrap()).unwrap())
        .collect();
    assert_eq!(all, [owned("rules 2", 20, NEW), owned("rules 1", 10, OLD)]);
    assert_eq!(checkpoints.newest_first(8).count(), 0);
    checkpoints.remove(PARTITION).unwrap();
    assert_eq!(checkpoints.newest_first(PARTITION).count(), 0);
}

#[test]
fn a_file_cut_off_at_any_byte_gives_the_one_before_it() {
    let (folder, newest, bytes) = two_sealed();
    for length in 0..bytes.len() {
        fs::write(&newest, &bytes[..length]).unwrap();
        assert_eq!(
            read(folder.path()),
            Some(owned("rules 1", 10, OLD)),
            "cut to {length}"
        );
    }
}

#[test]
fn a_flip_of_any_bit_gives_the_one_before_it() {
    let (folder, newest, bytes) = two_sealed();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << bit;
            fs::write(&newest, &altered).unwrap();
            assert_eq!(
                read(folder.path()),
                Some(owned("rules 1", 10, OLD)),
                "bit {bit} of byte {at}"
            );
        }
    }
}

#[test]
fn a_file_of_another_log_or_partition_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open(folder.path()).unwrap().of_log("one");
    seal(&checkpoints, "rules", 1, OLD);
    let found = |checkpoints: &Checkpoints, partition| {
        let found = checkpoints.newest_first(partition).next().unwrap();
        match found {
            Ok(_) => "read",
            Err(CheckpointError::Foreign { what, .. }) => what,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(found(&checkpoints, PARTITION), "read");
    assert_eq!(
        found(&checkpoints.clone().of_log("other"), PARTITION),
        "log"
    );
    let moved = folder.path().join("partition-00003.checkpoint");
    fs::copy(folder.path().join("partition-00007.checkpoint"), moved).unwrap();
    assert_eq!(found(&checkpoints, 3), "partition");
}

#[test]
fn bytes_after_the_end_give_the_one_before_it() {
    let (folder, newest, mut bytes) = two_sealed();
    bytes.push(0);
    fs::write(&newest, &bytes).unwrap();
    assert_eq!(read(folder.path()), Some(owned("rules 1", 10, OLD)));
}

#[test]
fn a_file_that_changes_after_it_was_verified_is_noticed_before_its_end_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open(folder.path()).unwrap();
    // Larger than what is read at once, so that the change is seen.
    let row = vec![5; 400_000];
    seal(&checkpoints, "rules", 1, &[&row, &row]);
    let checkpoint = checkpoints.newest_first(PARTITION).next().unwrap().unwrap();
    let path = folder.path().join("partition-00007.checkpoint");
    let mut bytes = fs::read(&path).unwrap();
    bytes[700_000] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(
        content(checkpoint),
        Err(CheckpointError::Damaged { .. })
    ));
}

#[test]
fn a_draft_is_not_seen_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open(folder.path()).unwrap();
    seal(&checkpoints, "rules", 1, OLD);
    let mut draft = checkpoints.draft(PARTITION, "rules").unwrap();
    draft.entry(b"unsealed").unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    assert_eq!(checkpoints.newest_first(PARTITION).count(), 1);
    drop(draft);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    // One that a killed process left is removed at the next start.
    fs::write(folder.path().join("partition-00009.draft"), b"half").unwrap();
    Checkpoints::open(folder.path()).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_crash_between_the_two_renames_leaves_the_one_before() {
    let (folder, newest, _) = two_sealed();
    fs::rename(&newest, folder.path().join("partition-00007.previous")).unwrap();
    assert_eq!(read(folder.path()), Some(owned("rules 2", 20, NEW)));
}

#[test]
fn a_file_of_another_format_version_is_named_as_such() {
    let (folder, newest, mut bytes) = two_sealed();
    bytes[8] = 9;
    let sum = crc32fast::hash(&bytes[..bytes.len() - 4]).to_le_bytes();
    let end = bytes.len() - 4;
    bytes[end..].copy_from_slice(&sum);
    fs::write(&newest, &bytes).unwrap();
    let checkpoints = Checkpoints::open(folder.path()).unwrap();
    let first = checkpoints.newest_first(PARTITION).next().unwrap();
    assert!(matches!(
        first,
        Err(CheckpointError::UnknownVersion { version: 9, .. })
    ));
    assert_eq!(read(folder.path()), Some(owned("rules 1", 10, OLD)));
}

#[test]
fn what_is_over_a_limit_of_the_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open(folder.path()).unwrap();
    assert!(matches!(
        checkpoints.draft(0, &"r".repeat(2_000)),
        Err(CheckpointError::TooLong { limit: 1024, .. })
    ));
    let draft = checkpoints.draft(0, "rules").unwrap();
    assert!(matches!(
        draft.seal(&[(&"n".repeat(300), 1)]),
        Err(CheckpointError::TooLong { .. })
    ));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_sealed_is_what_is_read(
        rules in "\\PC{0,30}",
        positions in proptest::collection::vec(("[a-z]{1,12}", any::<u64>()), 0..5),
        entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..40),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(folder.path()).unwrap();
        let mut draft = checkpoints.draft(0, &rules).unwrap();
        for entry in &entries {
            draft.entry(entry).unwrap();
        }
        let named: Vec<_> = positions.iter().map(|(name, at)| (name.as_str(), *at)).collect();
        draft.seal(&named).unwrap();
        let mut found = checkpoints.newest_first(0).next().unwrap().unwrap();
        prop_assert_eq!(found.rules(), &rules);
        for (name, _) in &positions {
            let first = positions.iter().find(|(other, _)| other == name).map(|(_, at)| *at);
            prop_assert_eq!(found.position(name), first);
        }
        for entry in &entries {
            prop_assert_eq!(found.next_entry().unwrap(), Some(&entry[..]));
        }
        prop_assert_eq!(found.next_entry().unwrap(), None);
        prop_assert_eq!(found.next_entry().unwrap(), None);
    }

    #[test]
    fn no_bytes_whatever_make_it_panic_or_pass(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("partition-00007.checkpoint"), &bytes).unwrap();
        prop_assert_eq!(read(folder.path()), None);
    }
}
