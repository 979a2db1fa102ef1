//! How large stored profiles are, on the simulator's data.

use std::iter::once;

use foretide_events::EpochMs;
use foretide_features::FoldRules;
use foretide_simulator::Temperament;

use crate::{
    population::{Population, Resident},
    product::Installation,
};

/// When the simulated days end: a Sunday evening in Europe.
const UNTIL: EpochMs = EpochMs(1_795_374_000_000);

/// Simulates `shoppers` shoppers for each of `days` and prints the sizes of their profiles.
pub fn run(shoppers: u32, days: &[i64]) -> anyhow::Result<()> {
    println!(
        "\n| days | shoppers | profiles | bytes, p50 / p90 / p99 | settled state | recent observations | recents, number |"
    );
    println!("|---|---|---|---|---|---|---|");
    for days in days {
        let population =
            Population::simulate(&Installation::pseudonymiser(), shoppers, *days, UNTIL)?;
        let kinds = Temperament::ALL.into_iter().map(Some);
        for kind in once(None).chain(kinds) {
            let of_kind =
                |resident: &&Resident| kind.is_none_or(|kind| kind == resident.temperament);
            let residents: Vec<_> = population.residents.iter().filter(of_kind).collect();
            println!(
                "| {days} | {} | {} | {} | {} | {} | {} |",
                kind.map_or("all", Temperament::as_str),
                residents.len(),
                quantiles(&residents, |sizes| sizes.0),
                quantiles(&residents, |sizes| sizes.1),
                quantiles(&residents, |sizes| sizes.2),
                quantiles(&residents, |sizes| sizes.3),
            );
        }
    }
    println!("\ngoal: a median of at most 640 bytes over all");
    Ok(())
}

/// The bytes of a stored profile, of its settled state and of its recent observations, and the number of the latter.
type Sizes = (usize, usize, usize, usize);

fn quantiles(residents: &[&Resident], part: impl Fn(Sizes) -> usize) -> String {
    let rules = FoldRules::default();
    let size = |resident: &&Resident| {
        let stored = resident.profile.stored_size(&rules);
        let whole = stored.head + stored.settled + stored.recents;
        part((
            whole,
            stored.settled,
            stored.recents,
            resident.profile.recent_len(),
        ))
    };
    let mut sizes: Vec<usize> = residents.iter().map(size).collect();
    sizes.sort_unstable();
    let at = |share: f64| {
        sizes
            .get((sizes.len() as f64 * share) as usize)
            .copied()
            .unwrap_or(0)
    };
    format!("{} / {} / {}", at(0.5), at(0.9), at(0.99))
}
