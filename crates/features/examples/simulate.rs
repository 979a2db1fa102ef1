//! Writes the events of a simulated shop as they stand on `foretide.actions`, one JSON object a line: some out of order, within the
//! lateness that is allowed, a tenth of them twice, and a few too late.
//!
//! `cargo run -p foretide-features --example simulate -- SHOPPERS DAYS > events.jsonl`

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods)] // an example takes arguments and prints

use std::io::Write as _;

use foretide_events::{Currency, EpochMs, Event, EventId, Intake, SourceId, native, wire};
use foretide_privacy::{PseudonymKey, Pseudonymiser};
use foretide_simulator::{Settings, Simulator};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// Opening of the shop: a Sunday in spring, before clocks change in Europe.
const OPENING: EpochMs = EpochMs(1_773_532_800_000);

fn main() {
    let mut given = std::env::args().skip(1).map(|text| text.parse().unwrap());
    let (shoppers, days): (u32, u32) = (given.next().unwrap_or(300), given.next().unwrap_or(60));
    let mut arrivals = Vec::new();
    for event in simulated(shoppers, OPENING.plus(i64::from(days) * DAY_MS)) {
        let drawn = draw(event.id.as_str());
        arrivals.push((event.at.plus(delay_ms(drawn)), event.clone()));
        if drawn.is_multiple_of(10) {
            let again = draw(&format!("again {}", event.id));
            arrivals.push((event.at.plus(delay_ms(again)), event));
        }
    }
    arrivals.sort_by_key(|(arrival, _)| *arrival);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut line = Vec::new();
    for (_, event) in &arrivals {
        line.clear();
        wire::encode(event, &mut line);
        line.push(b'\n');
        out.write_all(&line).unwrap();
    }
}

/// Half of the events arrive at once, most others within the hour or the day, and one in a hundred too late.
fn delay_ms(drawn: u64) -> i64 {
    let minutes = match drawn / 10 % 100 {
        0..50 => 0,
        50..85 => drawn / 1000 % 60,
        85..99 => drawn / 1000 % (24 * 60),
        _ => 25 * 60 + drawn / 1000 % 1000,
    };
    minutes.cast_signed() * MINUTE_MS
}

/// A number that any text has its own of.
fn draw(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }) >> 16
}

fn simulated(shoppers: u32, until: EpochMs) -> Vec<Event> {
    let pseudonymiser = Pseudonymiser::new(&PseudonymKey::from_bytes([7; 32]));
    let mut simulator = Simulator::new(Settings::new(11, shoppers, OPENING));
    let source = SourceId::new("key:example").unwrap();
    let (mut events, mut body) = (Vec::new(), Vec::new());
    loop {
        let batch = simulator.next_batch(until, 500).actions;
        if batch.is_empty() {
            return events;
        }
        body.clear();
        body.extend_from_slice(br#"{"actions":["#);
        for action in &batch {
            simulator.write_native(action, &mut body);
        }
        body.extend_from_slice(b"]}");
        let mut make_id = || EventId::new("made").unwrap();
        let mut intake = Intake {
            pseudonymiser: &pseudonymiser,
            received_at: until,
            source: &source,
            default_currency: Currency::EUR,
            make_id: &mut make_id,
            timings: None,
        };
        let receipts = native::parse_json(&body, &mut intake).unwrap();
        events.extend(receipts.into_iter().map(Result::unwrap));
    }
}
