//! How many actions a second are made and written on one core: `cargo run --release -p foretide-simulator --example rate`.
//! The number of shoppers and of millions of actions may follow.

#![allow(clippy::print_stdout, clippy::disallowed_methods)] // an example measures and says so

use std::time::Instant;

use foretide_events::EpochMs;
use foretide_simulator::{Settings, Simulator};

fn main() {
    let mut given = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse().ok());
    let shoppers: u32 = given.next().unwrap_or(1_000_000);
    let millions: u32 = given.next().unwrap_or(1);
    let opened = Instant::now();
    let mut simulator = Simulator::new(Settings::new(7, shoppers, EpochMs(1_800_000_000_000)));
    println!("{shoppers} shoppers, opened in {:?}", opened.elapsed());
    let began = Instant::now();
    let (mut actions, mut bytes) = (0, 0);
    let mut text = Vec::new();
    while actions < millions as usize * 1_000_000 {
        let batch = simulator.next_batch(EpochMs::LATEST, 1000);
        text.clear();
        for action in &batch.actions {
            simulator.write_native(action, &mut text);
        }
        actions += batch.actions.len();
        bytes += text.len();
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{actions} actions in {seconds:.2} s: {:.0} a second, {} bytes each",
        actions as f64 / seconds,
        bytes / actions
    );
}
