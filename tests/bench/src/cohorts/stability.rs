//! How many shoppers keep their cohort when nothing but the sample changes: on the simulator's shoppers, whose behaviour has no
//! clear edges.

use foretide_cohorts::{Cohorts, Counts, Reformer, Rows, Settings};

use super::{Samples, Scope, Shoppers, THREADS};

/// Re-formings.
const ROUNDS: u64 = 20;
/// Shoppers of each sample.
const SAMPLE: usize = 10_000;
/// Shoppers who are looked at.
const LOOKED_AT: usize = 20_000;

/// Prints the part of shoppers who have the cohort that they had first, after 20 re-formings on fresh samples.
pub fn run(shoppers: &Shoppers, scope: Scope) -> anyhow::Result<()> {
    println!(
        "\n| cohorts | kept over {ROUNDS} re-formings | from one to the next, least | number of cohorts |"
    );
    println!("|---|---|---|---|");
    for cohorts in [
        Counts::Fixed(8),
        Counts::Fixed(16),
        Counts::Between { least: 4, most: 12 },
    ] {
        let settings = Settings {
            cohorts,
            threads: THREADS,
            ..Settings::default()
        };
        let reformer = Reformer::new(settings, 3)?;
        let scope = Scope {
            sample: SAMPLE,
            ..scope
        };
        let mut serving = Samples::draw(shoppers, scope, 0).candidate(&reformer, None)?;
        let first = ids(&serving, shoppers);
        let (mut former, mut least) = (first.clone(), 1.0_f64);
        let mut counts = vec![serving.members.len()];
        for round in 1..=ROUNDS {
            let next = Samples::draw(shoppers, scope, round).reform(&reformer, Some(&serving));
            serving = next.accepted().unwrap_or(serving);
            let now = ids(&serving, shoppers);
            least = least.min(kept(&former, &now));
            former = now;
            counts.push(serving.members.len());
        }
        println!(
            "| {cohorts:?} | {:.3} | {least:.3} | {counts:?} |",
            kept(&first, &former)
        );
    }
    Ok(())
}

/// The ids of the cohorts of the same shoppers each time.
fn ids(cohorts: &Cohorts, shoppers: &Shoppers) -> Vec<String> {
    let rows: Rows = shoppers.placed(&cohorts.space, LOOKED_AT);
    let labels = cohorts.assign_rows(&rows, THREADS);
    let id = |label: &u16| {
        cohorts
            .get(*label)
            .map_or_else(String::new, |own| own.id.to_string())
    };
    labels.iter().map(id).collect()
}

fn kept(before: &[String], after: &[String]) -> f64 {
    let same = before.iter().zip(after).filter(|(one, other)| one == other);
    same.count() as f64 / before.len().max(1) as f64
}
