//! How long it takes to read a stored event, whole and as the fold does: `cargo run --release -p foretide-events --example reading`.
//! Files of stored events, one on each line, may follow; without any, the golden files are read.

#![allow(clippy::print_stdout, clippy::disallowed_methods)] // an example measures and says so

use std::{error::Error, fs, hint::black_box, time::Instant};

use foretide_events::{Lean, wire};

/// How many events are read, about.
const ROUNDS: u32 = 2_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut files: Vec<_> = std::env::args().skip(1).map(Into::into).collect();
    if files.is_empty() {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/stored");
        for entry in fs::read_dir(golden)? {
            files.push(entry?.path());
        }
    }
    let texts: Result<Vec<String>, _> = files.iter().map(fs::read_to_string).collect();
    let texts = texts?;
    let events: Vec<&[u8]> = texts
        .iter()
        .flat_map(|text| text.lines())
        .map(str::as_bytes)
        .collect();
    let lean = events
        .iter()
        .filter(|event| Lean::read(event).is_some())
        .count();
    let bytes: usize = events.iter().map(|event| event.len()).sum();
    println!(
        "{} events, {} bytes each at the mean, {lean} as they are written here",
        events.len(),
        bytes / events.len().max(1)
    );
    let rounds = ROUNDS / u32::try_from(events.len())? + 1;
    measure("whole", &events, rounds, |event| {
        drop(black_box(wire::decode(event)));
    });
    measure("lean", &events, rounds, |event| {
        drop(black_box(Lean::read(event)));
    });
    Ok(())
}

fn measure(name: &str, events: &[&[u8]], rounds: u32, read: impl Fn(&[u8])) {
    let began = Instant::now();
    for _ in 0..rounds {
        for event in events {
            read(event);
        }
    }
    let each = began.elapsed().as_secs_f64() / f64::from(rounds) / events.len() as f64;
    println!("{name}: {:.0} ns an event", each * 1e9);
}
