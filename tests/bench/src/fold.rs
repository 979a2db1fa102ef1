//! The fold alone, without I/O, on one core, against F6: a random read-modify-write of rows the size of a profile.

use std::{hint::black_box, time::Instant};

use foldhash::{HashMap, HashMapExt as _};
use foretide_events::{
    Action, Category, Currency, EpochMs, Event, EventId, Identity, Money, Product, ProductView,
    Search, ShopperId, SourceId, Text,
};
use foretide_features::{FoldRules, Profile};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::measure::{Pairs, print_head, resident_bytes};

/// Events each shopper has before anything is measured.
const WARM_EVENTS: usize = 3;

/// A made clickstream: event number `n` of `shopper`, ten seconds after the one before it anywhere.
fn event(
    rng: &mut ChaCha8Rng,
    categories: &[Category],
    source: &SourceId,
    shopper: ShopperId,
    n: usize,
) -> Event {
    let at = EpochMs(1_767_225_600_000 + n as i64 * 10);
    let product = Product {
        product_id: Text::new(&format!("p{}", rng.random_range(0..5000))),
        category: Some(categories[rng.random_range(0..categories.len())].clone()),
        price: Some(Money {
            minor_units: rng.random_range(500..20_000),
            currency: Currency::EUR,
        }),
        ..Product::default()
    };
    let action = if rng.random_range(0..10) == 0 {
        Action::Search(Search {
            query: Text::new("kettle"),
            result_count: Some(12),
            ..Search::default()
        })
    } else {
        Action::ProductView(ProductView {
            product,
            dwell_ms: Some(20_000),
            ..ProductView::default()
        })
    };
    Event {
        id: EventId::new(&format!("e{n}")).unwrap_or_else(|_| unreachable!("a short id is valid")),
        at,
        received_at: at,
        shopper,
        identity: Identity {
            user: Some(shopper),
            anonymous: None,
        },
        session: None,
        source: source.clone(),
        action,
    }
}

fn shopper(number: usize) -> ShopperId {
    // Scattered bits, as pseudonyms have.
    let mixed = (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    ShopperId(mixed.to_le_bytes())
}

/// Runs `pairs` turns over `shoppers` shoppers, `events` random events a turn.
pub fn run(shoppers: usize, events: usize, pairs: usize) -> anyhow::Result<()> {
    let rules = FoldRules::default();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let categories: Vec<Category> = (0..40)
        .map(|n| Category::new(&format!("home.kitchen.c{n}")))
        .collect::<Result<_, _>>()?;
    let source = SourceId::new("key:bench")?;
    let before = resident_bytes();
    let mut profiles: HashMap<ShopperId, Profile> = HashMap::with_capacity(shoppers);
    let mut n = 0;
    for _ in 0..WARM_EVENTS {
        for number in 0..shoppers {
            let id = shopper(number);
            let warm = event(&mut rng, &categories, &source, id, n);
            let profile = profiles.entry(id).or_insert_with(|| Profile::new(id));
            black_box(profile.apply(&warm, n as u64, &rules));
            n += 1;
        }
    }
    let row_bytes = ((resident_bytes() - before) / shoppers as f64) as usize / 8 * 8;
    let mut rows: HashMap<ShopperId, Box<[u64]>> = HashMap::with_capacity(shoppers);
    for number in 0..shoppers {
        rows.insert(
            shopper(number),
            vec![number as u64; row_bytes / 8].into_boxed_slice(),
        );
    }
    println!("profiles take {row_bytes} bytes of memory each; {events} events a turn");

    let mut stream: Vec<Event> = Vec::with_capacity(events);
    let mut encoded = Vec::new();
    for number in (0..shoppers).step_by(shoppers / 1000 + 1) {
        let mut bytes = Vec::new();
        profiles[&shopper(number)].encode(&rules, &mut bytes);
        encoded.push(bytes.len());
    }
    encoded.sort_unstable();
    println!(
        "encoded, the median profile takes {} bytes",
        encoded[encoded.len() / 2]
    );

    let picks: Vec<ShopperId> = (0..events)
        .map(|_| shopper(rng.random_range(0..shoppers)))
        .collect();
    let floor = || {
        let start = Instant::now();
        for (turn, id) in picks.iter().enumerate() {
            if let Some(row) = rows.get_mut(id) {
                for word in row.iter_mut() {
                    *word = word.wrapping_add(turn as u64);
                }
            }
        }
        black_box(&rows);
        Ok(start.elapsed().as_secs_f64() / events as f64 * 1e9)
    };
    let ours = || {
        stream.clear();
        for _ in 0..events {
            let id = shopper(rng.random_range(0..shoppers));
            stream.push(event(&mut rng, &categories, &source, id, n));
            n += 1;
        }
        let first = n - events;
        let start = Instant::now();
        for (place, event) in stream.iter().enumerate() {
            if let Some(profile) = profiles.get_mut(&event.shopper) {
                black_box(profile.apply(event, (first + place) as u64, &rules));
            }
        }
        Ok(start.elapsed().as_secs_f64() / events as f64 * 1e9)
    };
    let pairs = Pairs::take(pairs, floor, ours)?;
    print_head();
    pairs.print("fold one event, 1 core", "ns", "≤ 6");
    Ok(())
}
