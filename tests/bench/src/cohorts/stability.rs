//! How many shoppers keep their cohort when nothing but the sample changes: on planted behaviours, on the simulator's shoppers, whose
//! behaviour has no clear edges, and on the households of Complete Journey; against plain k-means that starts from where it was.

use std::path::Path;

use foretide_cohorts::{Cohorts, Counts, Reformer, Rows, Settings, assign::Kernel};
use foretide_events::{EpochMs, Text};
use foretide_tests::project_root;

use super::{SINCE, Shoppers, THREADS, frozen::Frozen};

/// Re-formings.
const ROUNDS: u64 = 20;
/// Shoppers who are like the simulated ones.
const SIMULATED: usize = 20_000;
/// Shoppers of each planted behaviour.
const PLANTED: usize = 1_000;
/// The part of all who are in each sample; half as many are held out.
const SAMPLED: f64 = 0.5;
/// The fewest shoppers of a cohort here: there are few households in all.
const MINIMUM_SIZE: u64 = 10;
/// Plain k-means ends after so many passes at the latest.
const PASSES: usize = 300;

/// Prints the part of shoppers who have the cohort that they had first, after 20 re-formings on fresh samples. What is kept
/// meanwhile is put into `directory`.
pub fn run(shoppers: &Shoppers, directory: &Path) -> anyhow::Result<()> {
    println!(
        "\n| shoppers | cohorts | kept over {ROUNDS} re-formings: plain k-means | Foretide | from one to the next, least | \
         accepted | number of cohorts |"
    );
    println!("|---|---|---|---|---|---|---|");
    for k in [8, 16] {
        let planted = Frozen::planted(k, PLANTED);
        let (least, most) = (k - 4, k + 4);
        for counts in [Counts::Fixed(k), Counts::Between { least, most }] {
            compare(&format!("{k} planted behaviours"), &planted, counts)?;
        }
    }
    let simulated = Frozen::simulated(shoppers, SIMULATED);
    let journey = project_root().join("../shared/data/completejourney");
    let mut all = vec![("simulated", simulated)];
    if journey.exists() {
        all.push(("Complete Journey", Frozen::journey(&journey, directory)?));
    }
    for (name, frozen) in all {
        let free = Counts::Between { least: 4, most: 12 };
        for counts in [Counts::Fixed(8), Counts::Fixed(16), free] {
            compare(name, &frozen, counts)?;
        }
    }
    Ok(())
}

fn compare(name: &str, frozen: &Frozen, cohorts: Counts) -> anyhow::Result<()> {
    let settings = Settings {
        features: frozen.features.clone(),
        minimum_size: MINIMUM_SIZE,
        cohorts,
        threads: THREADS,
        ..Settings::default()
    };
    let reference = Text::new("prior").unwrap_or_default();
    let form = |round: u64, serving: Option<&Cohorts>| {
        let count = frozen.len() as f64 * SAMPLED;
        let train = frozen.sample(2 * round, count as usize);
        let held_out = frozen.sample(2 * round + 1, count as usize / 2);
        let since = EpochMs(SINCE.0 + round as i64 * 300_000);
        let reformer = Reformer::new(settings.clone(), round)?;
        anyhow::Ok(reformer.reform(&train, &held_out, serving, since, &reference))
    };
    let first = form(0, None)?;
    let verdict = first.verdict.clone();
    let mut serving = first
        .candidate
        .ok_or_else(|| anyhow::anyhow!("no cohorts of {name}: {verdict:?}"))?;
    let plain = plain(frozen, &serving);
    let before = ids(&serving, frozen);
    let (mut former, mut least, mut accepted) = (before.clone(), 1.0_f64, 0);
    let mut counts = vec![serving.members.len()];
    for round in 1..=ROUNDS {
        if let Some(next) = form(round, Some(&serving))?.accepted() {
            serving = next;
            accepted += 1;
        }
        let now = ids(&serving, frozen);
        least = least.min(kept(&former, &now));
        former = now;
        counts.push(serving.members.len());
    }
    let number = match cohorts {
        Counts::Fixed(k) => k.to_string(),
        Counts::Between { least, most } => format!("{least} to {most}"),
    };
    counts.dedup();
    println!(
        "| {} {name} | {number} | {plain:.3} | **{:.3}** | {least:.3} | {accepted} | {counts:?} |",
        frozen.len(),
        kept(&before, &former)
    );
    Ok(())
}

/// The ids of the cohorts of the same shoppers each time.
fn ids(cohorts: &Cohorts, frozen: &Frozen) -> Vec<String> {
    let rows: Rows = frozen.placed(&cohorts.space);
    let labels = cohorts.assign_rows(&rows, THREADS);
    let id = |label: &u16| {
        cohorts
            .get(*label)
            .map_or_else(String::new, |own| own.id.to_string())
    };
    labels.iter().map(id).collect()
}

fn kept<T: PartialEq>(before: &[T], after: &[T]) -> f64 {
    let same = before.iter().zip(after).filter(|(one, other)| one == other);
    same.count() as f64 / before.len().max(1) as f64
}

/// The part of shoppers who keep their place with plain k-means on the same samples, in the space of `first` and from its centroids:
/// each time from where it was, to the end, and nothing else.
fn plain(frozen: &Frozen, first: &Cohorts) -> f64 {
    let space = &first.space;
    let all = frozen.placed(space);
    let mut centroids = Vec::new();
    for cohort in &first.members {
        centroids.extend_from_slice(&cohort.centroid);
    }
    let mut centroids = Rows::new(space.len(), centroids);
    let labels = |centroids: &Rows| {
        let mut labels = vec![0_u16; all.len()];
        Kernel::new(centroids).assign(&all, &mut labels, THREADS);
        labels
    };
    let before = labels(&centroids);
    for round in 1..=ROUNDS {
        let count = frozen.len() as f64 * SAMPLED;
        let rows = frozen.sample(2 * round, count as usize).placed(space);
        centroids = lloyd(&rows, centroids);
    }
    kept(&before, &labels(&centroids))
}

/// Plain k-means on `rows` from these centroids. One that nobody is near stays where it is.
fn lloyd(rows: &Rows, mut centroids: Rows) -> Rows {
    let width = rows.width();
    let mut labels = vec![0_u16; rows.len()];
    let mut former = Vec::new();
    for _ in 0..PASSES {
        Kernel::new(&centroids).assign(rows, &mut labels, THREADS);
        if labels == former {
            break;
        }
        former.clone_from(&labels);
        let mut sums = vec![0.0_f64; centroids.values().len()];
        let mut counts = vec![0_u32; centroids.len()];
        for (row, label) in rows.iter().zip(&labels) {
            let label = usize::from(*label);
            counts[label] += 1;
            let sum = &mut sums[label * width..][..width];
            sum.iter_mut()
                .zip(row)
                .for_each(|(sum, place)| *sum += f64::from(*place));
        }
        let place = |(index, was): (usize, &f32)| match counts[index / width] {
            0 => *was,
            count => (sums[index] / f64::from(count)) as f32,
        };
        let moved = centroids.values().iter().enumerate().map(place).collect();
        centroids = Rows::new(width, moved);
    }
    centroids
}
