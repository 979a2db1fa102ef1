//! What shoppers do, and in which order it arrives.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

use super::{Dice, short_or_long};
use crate::server::binary;

/// The pseudonym key of the shop.
pub const KEY: &[u8] = b"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n";

/// By how much an event may be overtaken, in hours of the shop's time: less than the 24 after which it would be late.
const SHUFFLED_WITHIN_H: u64 = 20;
/// How many percent of the events come a second time; of those, as many a third time.
const DUPLICATES: u64 = 30;
/// Of a pseudonym with more events some settle early, and order counts: that is the stated bound.
const MOST_OF_ONE: usize = 200;

/// What all shoppers of a shop did in two days, in the order in which they did it.
#[derive(Clone, Debug)]
pub struct Shop {
    /// Actions, as `POST /v1/actions` takes them.
    pub events: Vec<Value>,
}

/// The same as it arrives: shuffled within the allowed lateness, some of it more than once.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Actions, copies included.
    pub events: Vec<Value>,
    /// How many different ones.
    pub unique: usize,
}

impl Shop {
    /// A shop that follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self::of(seed, short_or_long(300, 3_000), "2025-06-01T00:00:00Z")
    }

    /// What `shoppers` people did in the two days before `as_of`.
    pub fn of(seed: u64, shoppers: usize, as_of: &str) -> Self {
        let output = Command::new(binary())
            .args(["simulate", "--out", "-", "--days", "2", "--as-of", as_of])
            .args(["--seed", &seed.to_string()])
            .args(["--shoppers", &shoppers.to_string()])
            .output()
            .unwrap();
        assert!(output.status.success(), "simulate: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let events: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let mut of_one = BTreeMap::<String, usize>::new();
        for event in &events {
            *of_one.entry(pseudonym(event)).or_default() += 1;
        }
        let events: Vec<Value> = events
            .into_iter()
            .filter(|event| of_one[&pseudonym(event)] <= MOST_OF_ONE)
            .collect();
        let shop = Self { events };
        shop.assert_people_sign_in();
        shop
    }

    /// The shop is only worth testing with if shoppers sign in, some of them on two devices.
    fn assert_people_sign_in(&self) {
        let mut devices = BTreeMap::<&str, Vec<&str>>::new();
        for event in &self.events {
            let shopper = &event["shopper"];
            if let (Some(user), Some(device)) = (
                shopper["user_id"].as_str(),
                shopper["anonymous_id"].as_str(),
            ) {
                devices.entry(user).or_default().push(device);
            }
        }
        for devices in devices.values_mut() {
            devices.sort_unstable();
            devices.dedup();
        }
        let two = devices.values().filter(|devices| devices.len() > 1).count();
        assert!(
            devices.len() >= 20 && two >= 1,
            "{} sign in, {two} on two devices",
            devices.len()
        );
    }

    /// How it arrives, as follows from `seed`.
    pub fn arrival(&self, seed: u64) -> Arrival {
        let mut dice = Dice::new(seed, "arrival");
        let mut arriving = Vec::new();
        for (place, event) in self.events.iter().enumerate() {
            loop {
                let delay_s = dice.below(SHUFFLED_WITHIN_H * 3600);
                let arrives_s = seconds(event["at"].as_str().unwrap()) + delay_s;
                arriving.push((arrives_s, place));
                if dice.below(100) >= DUPLICATES {
                    break;
                }
            }
        }
        arriving.sort_by_key(|(arrives, _)| *arrives);
        Arrival {
            events: arriving
                .iter()
                .map(|(_, place)| self.events[*place].clone())
                .collect(),
            unique: self.events.len(),
        }
    }
}

fn pseudonym(event: &Value) -> String {
    let shopper = &event["shopper"];
    let known = shopper["user_id"]
        .as_str()
        .or(shopper["anonymous_id"].as_str());
    known.unwrap().to_owned()
}

/// Seconds of an instant such as `2025-05-30T00:12:36.497Z` since the beginning of its year, give or take the length of
/// months: only differences within days matter, and no shop is open over the end of a month but May's.
fn seconds(at: &str) -> u64 {
    let number = |from: usize, to: usize| at[from..to].parse::<u64>().unwrap();
    let days = number(5, 7) * 31 + number(8, 10);
    ((days * 24 + number(11, 13)) * 60 + number(14, 16)) * 60 + number(17, 19)
}
