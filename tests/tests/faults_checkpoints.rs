//! Checkpoints on local disk that are torn, altered, lost or another's: noticed, passed over, and the profiles are the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use foretide_tests::{
    faults::{
        Dice, Feed, KEY, Shop, assert_exact, seed, short_or_long, source_counts, undisturbed,
    },
    server::Server,
};

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    /// Its end is missing.
    CutOff,
    /// Nothing is left of it but its name.
    Empty,
    /// Some bits are others.
    Flipped,
    /// A page of the disk was never written.
    ZeroPage,
    /// It has gone.
    Deleted,
    /// Another partition's lies in its place.
    OtherPartition,
    /// The same partition's of another log lies in its place.
    OtherLog,
}

const ALL: [Damage; 7] = [
    Damage::CutOff,
    Damage::Empty,
    Damage::Flipped,
    Damage::ZeroPage,
    Damage::Deleted,
    Damage::OtherPartition,
    Damage::OtherLog,
];

impl Damage {
    /// Does it to `file`. `other` is the folder of another log's checkpoints.
    fn inflict(self, file: &Path, other: &Path, dice: &mut Dice) {
        let mut bytes = fs::read(file).unwrap();
        if bytes.is_empty() {
            // It was damaged before.
            return;
        }
        let place =
            |dice: &mut Dice, length: usize| usize::try_from(dice.below(length as u64)).unwrap();
        match self {
            Self::CutOff => bytes.truncate(place(dice, bytes.len())),
            Self::Empty => bytes.clear(),
            Self::Flipped => {
                for _ in 0..=dice.below(3) {
                    let at = place(dice, bytes.len());
                    bytes[at] ^= 1 << dice.below(8);
                }
            }
            Self::ZeroPage => {
                let from = place(dice, bytes.len()) / 4096 * 4096;
                let end = (from + 4096).min(bytes.len());
                bytes[from..end].fill(0);
            }
            Self::Deleted => {
                fs::remove_file(file).unwrap();
                return;
            }
            Self::OtherPartition => {
                let others: Vec<PathBuf> = newest(file.parent().unwrap())
                    .into_iter()
                    .filter(|other| other != file)
                    .collect();
                bytes = fs::read(dice.one_of(&others)).unwrap();
            }
            Self::OtherLog => bytes = fs::read(other.join(file.file_name().unwrap())).unwrap(),
        }
        fs::write(file, bytes).unwrap();
    }
}

/// The only log's folder of checkpoints below the data of `server`.
fn folder(server: &Server) -> PathBuf {
    let all = fs::read_dir(server.directory().join("data/checkpoints")).unwrap();
    let mut all: Vec<PathBuf> = all.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// The newest checkpoint of each partition in `folder`.
fn newest(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut newest: Vec<_> = all
        .filter(|path| path.extension().is_some_and(|e| e == "checkpoint"))
        .collect();
    newest.sort();
    newest
}

/// A server with a shop, stopped after it wrote its checkpoints, twice.
fn elsewhere(shop: &Shop) -> Server {
    let mut server = Server::embedded();
    server.use_key(KEY);
    server.start();
    let mut feed = Feed::new(server.address(), &shop.arrival(seed() + 1));
    feed.send_some(10, 100, Duration::ZERO);
    source_counts(&server);
    server.stop();
    server
}

#[test]
fn damaged_checkpoints_are_noticed_and_passed_over() {
    let expected = undisturbed();
    let other = elsewhere(&expected.shop);
    let other = folder(&other);
    let mut dice = Dice::new(seed(), "checkpoints");
    let mut server = Server::embedded();
    server.use_key(KEY);
    let arrival = expected.shop.arrival(seed());
    let mut feed = Feed::new(server.address(), &arrival);
    let rounds = short_or_long(2, 8) * ALL.len();
    let portion = arrival.events.len() / (rounds + 1);
    server.start();
    let mut noticed = 0;
    for round in 0..rounds {
        feed.send(portion.max(1));
        // Only what was folded is in a checkpoint.
        source_counts(&server);
        server.stop();
        let damage = ALL[round % ALL.len()];
        let files = newest(&folder(&server));
        assert!(
            files.len() > 1,
            "round {round}: {files:?}\n{}",
            server.log_tail()
        );
        // One or several of them; every third time the one before it as well, so that nothing is left but the log.
        let mut hit = 0;
        for file in &files {
            if dice.below(2) == 0 && hit > 0 {
                continue;
            }
            let before = fs::read(file).unwrap();
            damage.inflict(file, &other, &mut dice);
            let previous = file.with_extension("previous");
            if round % 3 == 0 && previous.exists() {
                damage_previous(damage, &previous, &mut dice);
            }
            hit += usize::from(damage != Damage::Deleted && fs::read(file).unwrap() != before);
        }
        server.start();
        let said = server
            .process("serve")
            .log()
            .matches("a checkpoint is not used")
            .count();
        assert!(
            said >= noticed + hit,
            "{damage:?}: {hit} damaged, {} noticed",
            said - noticed
        );
        noticed = said;
    }
    feed.send_rest();
    assert_exact(&mut server, feed.sent, expected);
}

/// The one before the newest gets what can be done to a file by itself.
fn damage_previous(damage: Damage, previous: &Path, dice: &mut Dice) {
    match damage {
        Damage::OtherPartition | Damage::OtherLog => Damage::Flipped,
        alone => alone,
    }
    .inflict(previous, Path::new(""), dice);
}
