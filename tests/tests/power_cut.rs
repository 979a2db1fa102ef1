//! Replies follow the sync: what was acknowledged survives a loss of power, which `kill -9` says nothing about.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use foretide_tests::{
    power_cut::{Behaviour, cut, fail_syncs, under},
    segment,
    server::Server,
};
use serde_json::Value;

const BATCH: usize = 20;

/// Sends batches from four threads until the power goes, and returns those that were acknowledged.
fn send_until_the_power_goes(server: &mut Server) -> Vec<Value> {
    let acknowledged = Mutex::new(Vec::new());
    let (dark, next) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let shared = &*server;
        for _ in 0..4 {
            scope.spawn(|| {
                while !dark.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let batch = segment::batch(&format!("cut-{number}"), BATCH, 10);
                    let answer = shared.ingest("/v1/batch", &serde_json::to_vec(&batch).unwrap());
                    if answer.status == 200 {
                        acknowledged.lock().unwrap().push(batch);
                    }
                }
            });
        }
        thread::sleep(Duration::from_millis(700));
        std::fs::File::create(shared.directory().join("cut")).unwrap();
        while shared.readiness().is_some() {
            thread::sleep(Duration::from_millis(5));
        }
        dark.store(true, Ordering::Relaxed);
    });
    cut(server);
    acknowledged.into_inner().unwrap()
}

/// How many distinct events the log holds.
fn folded(server: &Server) -> u64 {
    server.digest()["events"].as_u64().unwrap()
}

/// How many of the acknowledged events the log lost: those that are new to it when they are sent again.
fn lost(server: &mut Server, acknowledged: &[Value]) -> u64 {
    let before = folded(server);
    server.start();
    for batch in acknowledged {
        assert_eq!(
            server
                .ingest("/v1/batch", &serde_json::to_vec(batch).unwrap())
                .status,
            200
        );
    }
    server.stop();
    folded(server) - before
}

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    for keep in ["none", "half"] {
        let mut server = under(Server::embedded(), Behaviour { keep, sync: "true" });
        server.start();
        for _ in 0..3 {
            let acknowledged = send_until_the_power_goes(&mut server);
            assert!(
                !acknowledged.is_empty(),
                "nothing was acknowledged before the cut"
            );
            assert_eq!(
                lost(&mut server, &acknowledged),
                0,
                "unsynced bytes kept: {keep}"
            );
            server.start();
        }
    }
}

#[test]
fn the_layer_shows_a_sync_that_does_nothing() {
    let mut server = under(
        Server::embedded(),
        Behaviour {
            keep: "none",
            sync: "lie",
        },
    );
    server.start();
    let acknowledged = send_until_the_power_goes(&mut server);
    // With lying syncs even the frame of the store may be gone: then everything is lost, which shows just as well.
    let intact = server.offline(&["digest"]).status.success();
    assert!(
        !intact || lost(&mut server, &acknowledged) > 0,
        "a lying sync must lose something"
    );
}

#[test]
fn a_failing_sync_is_never_acknowledged() {
    let mut server = under(
        Server::embedded(),
        Behaviour {
            keep: "none",
            sync: "fail",
        },
    );
    server.start();
    let body = |name: &str| serde_json::to_vec(&segment::batch(name, BATCH, 10)).unwrap();
    assert_eq!(server.ingest("/v1/batch", &body("before")).status, 200);
    fail_syncs(&server);
    for attempt in 0..5 {
        let answer = server.ingest("/v1/batch", &body(&format!("failing-{attempt}")));
        assert_ne!(
            answer.status, 200,
            "acknowledged without a sync: {}",
            answer.body
        );
    }
}
