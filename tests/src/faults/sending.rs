//! Sending as a shop's servers do: until it is acknowledged.

use std::{thread::sleep, time::Duration};

use serde_json::{Value, json};

use super::Arrival;
use crate::server::Address;

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Copies that were acknowledged.
    pub accepted: u64,
    /// Copies whose reply was lost, or was a refusal: they may be stored nevertheless.
    pub uncertain: u64,
}

/// Hands events over, batch by batch.
pub struct Feed {
    address: Address,
    rest: std::vec::IntoIter<Value>,
    /// What was handed over so far.
    pub sent: Sent,
}

impl Feed {
    /// All of `arrival`, to `address`.
    pub fn new(address: Address, arrival: &Arrival) -> Self {
        Self {
            address,
            rest: arrival.events.clone().into_iter(),
            sent: Sent::default(),
        }
    }

    /// Sends the next `count` events together until they are acknowledged. Says whether there were any.
    pub fn send(&mut self, count: usize) -> bool {
        let actions: Vec<Value> = self.rest.by_ref().take(count).collect();
        if actions.is_empty() {
            return false;
        }
        let count = actions.len() as u64;
        let body = json!({ "actions": actions }).to_string();
        loop {
            let answer = self.address.ingest("/v1/actions", body.as_bytes());
            if answer.status == 200 {
                assert_eq!(answer.body["accepted"], count, "{}", answer.body);
                self.sent.accepted += count;
                return true;
            }
            self.sent.uncertain += count;
            sleep(Duration::from_millis(50));
        }
    }

    /// Sends `batches` of `count` events each with `pause` between. Says whether there is more to come.
    pub fn send_some(&mut self, batches: usize, count: usize, pause: Duration) -> bool {
        (0..batches).all(|_| {
            sleep(pause);
            self.send(count)
        })
    }

    /// Sends all the rest.
    pub fn send_rest(&mut self) {
        while self.send(100) {}
    }

    /// How many events are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }
}
