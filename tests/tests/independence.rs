//! The profiles of the same events are the same whatever the number of partitions, of threads, of batches and of commits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use foretide_tests::{
    faults::{Dice, Feed, KEY, assert_exact, seed, undisturbed},
    server::Server,
};

/// Partitions, threads that fold, milliseconds from one commit to the next.
const SETTINGS: [[&str; 3]; 4] = [
    ["1", "1", "1"],
    ["1", "3", "1000"],
    ["3", "2", "20"],
    ["8", "5", "300"],
];

#[test]
fn the_digest_is_the_same_for_any_number_of_partitions_threads_batches_and_commits() {
    let expected = undisturbed();
    for (turn, [partitions, threads, interval]) in (0..).zip(SETTINGS) {
        let mut server = Server::embedded()
            .with(&["--partitions", partitions])
            .with_env("FORETIDE_FOLD_THREADS", threads)
            .with_env("FORETIDE_PUBLISH_INTERVAL_MS", interval);
        server.use_key(KEY);
        server.start();
        let mut dice = Dice::new(seed() + turn, "batches");
        let mut feed = Feed::new(server.address(), &expected.shop.arrival(seed() + turn));
        while feed.send(1 + usize::try_from(dice.below(150)).unwrap()) {}
        assert_exact(&mut server, feed.sent, expected);
    }
}
