//! What the tests of the simulator share.

#![allow(dead_code)] // each test file uses a part

use std::collections::BTreeMap;

use foretide_events::EpochMs;
use foretide_simulator::{Action, Settings, Simulator, Temperament};

pub const OPENING: EpochMs = EpochMs(1_800_000_000_000);
pub const DAY_MS: i64 = 86_400_000;

pub fn settings(seed: u64, shoppers: u32) -> Settings {
    Settings::new(seed, shoppers, OPENING)
}

/// Everything that happens in the first `days`.
pub fn days(settings: Settings, days: i64) -> (Simulator, Vec<Action>) {
    let mut simulator = Simulator::new(settings);
    let actions = simulator
        .next_batch(OPENING.plus(days * DAY_MS), usize::MAX)
        .actions;
    (simulator, actions)
}

/// The actions as one text of lines.
pub fn lines(simulator: &Simulator, actions: &[Action]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for action in actions {
        simulator.write_native(action, &mut bytes);
        bytes.push(b'\n');
    }
    bytes
}

/// The actions by the temperament of who did them.
pub fn by_temperament(
    simulator: &Simulator,
    actions: &[Action],
) -> BTreeMap<Temperament, Vec<Action>> {
    let mut sorted: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for action in actions {
        let truth = simulator.truth(action.identity.shopper, action.at);
        sorted
            .entry(truth.temperament)
            .or_default()
            .push(action.clone());
    }
    sorted
}
