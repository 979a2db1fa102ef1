//! Whether an event costs the same whatever the number of shoppers: parsing, folding and encoding events of few shoppers against
//! the same events of many, whose profiles are the same.

use std::hint::black_box;

use anyhow::{Context as _, ensure};
use foretide_events::{EpochMs, Event, EventId, Identity, Lean, ShopperId, wire};
use foretide_features::{FoldRules, Observation, Profile, Texts};
use foretide_ports::ProfileTable;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::{
    measure::{Pairs, print_head, thread_cpu_seconds},
    peer_actions,
    population::{Population, Resident},
    product::{Installation, PARTITIONS},
};

/// When the profiles end: a Sunday evening in Europe.
const UNTIL: EpochMs = EpochMs(1_795_374_000_000);
/// Days that the profiles hold.
const DAYS: i64 = 7;
/// Events of each of the few shoppers, at the mean, before all begins anew: profiles should stay as they are on the other side.
const EVENTS_EACH: usize = 2;
/// The profile of each tenth event is encoded: about as many as are published where events come as quickly as they can be folded.
const ENCODED_EVERY: usize = 10;
/// Events that others are made from.
const TEMPLATES: usize = 20_000;

/// What both sides are made from.
struct Shop {
    /// Shoppers and their profiles as they are stored.
    stored: Vec<(ShopperId, Vec<u8>)>,
    /// Events of any of them.
    templates: Vec<Event>,
    rules: FoldRules,
}

/// Compares `few` with `many` shoppers, about `events` events a turn.
pub fn run(few: usize, many: usize, events: usize, pairs: usize) -> anyhow::Result<()> {
    ensure!(
        few > 0 && many >= few,
        "there are more of the few than of the many"
    );
    let shop = Shop::simulate(few)?;
    let few = shop.stored.len();
    let copies = many / few;
    let per_round = few * EVENTS_EACH;
    let rounds = events.div_ceil(per_round);
    let all = ProfileTable::new(PARTITIONS);
    for copy in 0..copies {
        shop.put(&all, copy)?;
    }
    let few_side = |seed: u64| {
        let mut seconds = 0.0;
        for round in 0..rounds {
            let table = ProfileTable::new(PARTITIONS);
            shop.put(&table, 0)?;
            let events = shop.events(seed + round as u64, per_round, 1);
            seconds += shop.apply(&table, &events)?;
        }
        anyhow::Ok(seconds)
    };
    let many_side = |seed: u64| {
        let events = shop.events(seed, rounds * per_round, copies);
        shop.apply(&all, &events)
    };
    let ns = 1e9 / (rounds * per_round) as f64;
    let (mut floor_seed, mut our_seed) = (0, 0);
    let pairs = Pairs::take(
        pairs,
        || {
            floor_seed += 1_000_000;
            Ok(few_side(floor_seed)? * ns)
        },
        || {
            our_seed += 1_000_000;
            Ok(many_side(our_seed)? * ns)
        },
    )?;
    println!(
        "{few} shoppers against {} with the same profiles",
        all.len()
    );
    print_head();
    pairs.print(
        "parse, fold and encode one event: CPU time, few against many shoppers",
        "ns",
        "≤ 1.3",
    );
    Ok(())
}

impl Shop {
    fn simulate(shoppers: usize) -> anyhow::Result<Self> {
        let number = u32::try_from(shoppers)?;
        let rules = FoldRules::default();
        let population = Population::simulate(&Installation::pseudonymiser(), number, DAYS, UNTIL)?;
        let of_resident = |resident: &Resident| {
            let mut bytes = Vec::new();
            resident.profile.encode(&rules, &mut bytes);
            (resident.profile.shopper(), bytes)
        };
        let stored = population.residents.iter().take(shoppers).map(of_resident);
        let stored = stored.collect();
        let mut simulator = peer_actions::simulator(number);
        let mut templates = Vec::new();
        while templates.len() < TEMPLATES {
            let batch = peer_actions::next_events(&mut simulator)?;
            templates.extend(batch.into_iter().filter_map(peer_actions::unlinked));
        }
        Ok(Self {
            stored,
            templates,
            rules,
        })
    }

    /// Puts all profiles into `table`, as those of the `copy`th shoppers of their kind.
    fn put(&self, table: &ProfileTable, copy: usize) -> anyhow::Result<()> {
        for (shopper, bytes) in &self.stored {
            let name = of_copy(shopper, copy);
            table.insert(Profile::decode(name, bytes, &self.rules)?);
        }
        Ok(())
    }

    /// Events of random shoppers, each one of `copies`, as they are stored.
    fn events(&self, seed: u64, count: usize, copies: usize) -> Vec<Vec<u8>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut event = |number: usize| {
            let mut event = self.templates[rng.random_range(0..self.templates.len())].clone();
            let (shopper, _) = self.stored[rng.random_range(0..self.stored.len())];
            event.shopper = of_copy(&shopper, rng.random_range(0..copies));
            event.identity = Identity {
                user: Some(event.shopper),
                anonymous: None,
            };
            event.at = UNTIL.plus(number as i64);
            let id = format!("{seed:x}-{number}");
            event.id = EventId::new(&id).unwrap_or_else(|_| unreachable!("a short id is valid"));
            let mut bytes = Vec::with_capacity(512);
            wire::encode(&event, &mut bytes);
            bytes
        };
        (0..count).map(&mut event).collect()
    }

    /// Parses and folds `events`, and encodes the profiles of some. Returns the CPU time of it in seconds.
    fn apply(&self, table: &ProfileTable, events: &[Vec<u8>]) -> anyhow::Result<f64> {
        let mut texts = Texts::default();
        let mut encoded = Vec::new();
        let before = thread_cpu_seconds()?;
        for (number, bytes) in events.iter().enumerate() {
            let lean = Lean::read(bytes).context("an event is not as it is written")?;
            let observation = Observation::of_lean(&lean, &mut texts);
            encoded.clear();
            let applied = table.update(&lean.shopper, |profile| {
                let next = profile.next_offset();
                let applied = profile.apply_observation(observation, next, &self.rules);
                if number % ENCODED_EVERY == 0 {
                    profile.encode(&self.rules, &mut encoded);
                }
                applied
            });
            ensure!(applied.is_some(), "an event was not applied");
            black_box(&encoded);
        }
        Ok(thread_cpu_seconds()? - before)
    }
}

/// The pseudonym of a shopper's `copy`th copy, whose stored profile is the same: it ends as the shopper's does.
pub fn of_copy(shopper: &ShopperId, copy: usize) -> ShopperId {
    let mixed = (copy as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 16;
    ShopperId((u128::from_le_bytes(shopper.0) ^ mixed).to_le_bytes())
}
