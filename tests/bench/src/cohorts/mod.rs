//! Cohorts against faiss and scikit-learn: everyone assigned to the nearest centroid, a complete re-forming, and how good its
//! centroids are.

mod frozen;
mod peer;
#[path = "../../../../crates/cohorts/tests/planted/mod.rs"]
#[expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "it is a helper of tests too"
)]
mod planted;
mod shoppers;
mod stability;

use std::{hint::black_box, path::Path, time::Instant};

use foretide_cohorts::{
    Cohorts, Counts, Reformer, Reforming, Rows, Sample, Settings,
    assign::{Kernel, nearest, squared_distance},
};
use foretide_events::{EpochMs, Text};
use tempfile::TempDir;

use self::{
    peer::{Clustering, Matrix},
    shoppers::Shoppers,
};
use crate::measure::{Pairs, print_head};

/// Threads of both sides.
const THREADS: usize = 2;
/// How many cohorts.
const COUNTS: [usize; 2] = [16, 64];
/// When the cohorts serve.
const SINCE: EpochMs = EpochMs(1_795_374_000_000);
/// Part of the sample that is held out.
const HELD_OUT: usize = 5;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Shoppers who are simulated.
    pub simulated: u32,
    /// Shoppers who are assigned.
    pub shoppers: usize,
    /// Shoppers of the sample.
    pub sample: usize,
    /// Turns of each side.
    pub pairs: usize,
}

/// Runs the benchmark; files are put into `directory`.
pub fn run(directory: &Path, scope: Scope) -> anyhow::Result<()> {
    let own = TempDir::new_in(directory)?;
    let mut peer = Clustering::start(own.path(), THREADS)?;
    let shoppers = Shoppers::simulate(scope.simulated)?;
    for k in COUNTS {
        Bench::prepare(&shoppers, scope, k)?.measure(&mut peer)?;
    }
    Ok(())
}

/// Prints how many shoppers keep their cohort; files are put into `directory`.
pub fn stability(directory: &Path, simulated: u32) -> anyhow::Result<()> {
    stability::run(&Shoppers::simulate(simulated)?, directory)
}

/// What the turns for one number of cohorts share.
struct Bench {
    scope: Scope,
    k: usize,
    reformer: Reformer,
    serving: Cohorts,
    /// Everyone, placed.
    all: Rows,
    /// The samples of the next re-forming.
    next: Samples,
    /// The first of them, placed.
    sampled: Rows,
    centroids: Rows,
}

impl Bench {
    fn prepare(shoppers: &Shoppers, scope: Scope, k: usize) -> anyhow::Result<Self> {
        let settings = Settings {
            cohorts: Counts::Fixed(k),
            threads: THREADS,
            ..Settings::default()
        };
        let reformer = Reformer::new(settings, 1)?;
        let serving = Samples::draw(shoppers, scope, 0).candidate(&reformer, None)?;
        let mut centroids = Vec::new();
        for cohort in &serving.members {
            centroids.extend_from_slice(&cohort.centroid);
        }
        let next = Samples::draw(shoppers, scope, 1);
        Ok(Self {
            all: shoppers.placed(&serving.space, scope.shoppers),
            sampled: next.train.placed(&serving.space),
            centroids: Rows::new(serving.space.len(), centroids),
            next,
            scope,
            k,
            reformer,
            serving,
        })
    }

    fn measure(&self, peer: &mut Clustering) -> anyhow::Result<()> {
        let Self { k, scope, .. } = self;
        let width = self.serving.space.len();
        println!("\n{} shoppers, {width} dimensions, k = {k}", scope.shoppers);
        let files = Files {
            all: peer.put(&self.all)?,
            sampled: peer.put(&self.sampled)?,
            points: peer.put(&self.centroids)?,
        };
        let assigned = self.assigned(peer, &files)?;
        let [reformed, reformed_by_ours] = self.reformed(peer, &files, &assigned.ours)?;
        let inertia = Pairs {
            floor: vec![peer.kmeans(&files.sampled, *k, 10)?],
            ours: vec![self.inertia()?],
        };
        print_head();
        let what = format!("assign, k = {k}: faiss IndexFlatL2");
        assigned.print(&what, "ms", "≤ 0.5");
        let what = format!("re-form and assign, k = {k}: MiniBatchKMeans and faiss");
        reformed.print(&what, "ms", "≤ 3");
        let what = format!("the same, k = {k}: MiniBatchKMeans and our own assignment");
        reformed_by_ours.print(&what, "ms", "≤ 3");
        let what = format!("inertia, k = {k}: scikit-learn KMeans, 10 starts");
        inertia.print(&what, "squared distance", "≤ 1.02");
        Ok(())
    }

    /// Milliseconds to assign everyone.
    fn assigned(&self, peer: &mut Clustering, files: &Files) -> anyhow::Result<Pairs> {
        let mut labels = vec![0_u16; self.all.len()];
        let mut theirs = Vec::new();
        let pairs = Pairs::take(
            self.scope.pairs,
            || {
                let (seconds, found) = peer.assign(&files.all, &files.points)?;
                theirs = found;
                Ok(seconds * 1e3)
            },
            || {
                let start = Instant::now();
                Kernel::new(&self.centroids).assign(&self.all, &mut labels, THREADS);
                Ok(start.elapsed().as_secs_f64() * 1e3)
            },
        )?;
        self.compare(&labels, &theirs)?;
        Ok(pairs)
    }

    /// Milliseconds to form cohorts from a sample and to assign everyone: against the peer's assignment, and against our own,
    /// which took so long.
    fn reformed(
        &self,
        peer: &mut Clustering,
        files: &Files,
        assigning: &[f64],
    ) -> anyhow::Result<[Pairs; 2]> {
        let mut fits = Vec::new();
        let with_theirs = Pairs::take(
            self.scope.pairs,
            || {
                let fit = peer.minibatch(&files.sampled, self.k)? * 1e3;
                fits.push(fit);
                Ok(fit + peer.assign(&files.all, &files.points)?.0 * 1e3)
            },
            || {
                let start = Instant::now();
                let cohorts = self.next.candidate(&self.reformer, Some(&self.serving))?;
                black_box(cohorts.assign_rows(&self.all, THREADS));
                Ok(start.elapsed().as_secs_f64() * 1e3)
            },
        )?;
        let own = fits.iter().zip(assigning);
        let with_ours = Pairs {
            floor: own.map(|(fit, assigning)| fit + assigning).collect(),
            ours: with_theirs.ours.clone(),
        };
        Ok([with_theirs, with_ours])
    }

    /// Our labels are those of 64-bit arithmetic; theirs may differ where two centroids are as near as 32 bits can tell.
    fn compare(&self, ours: &[u16], theirs: &[i32]) -> anyhow::Result<()> {
        let mut differ = 0;
        for ((row, own), their) in self.all.iter().zip(ours).zip(theirs) {
            let (place, distance) = nearest(row, &self.centroids);
            anyhow::ensure!(
                usize::from(*own) == place,
                "a label is not that of the reference"
            );
            if i64::from(*own) != i64::from(*their) {
                let other = self.centroids.row(usize::try_from(*their)?);
                let off = squared_distance(row, other) - distance;
                anyhow::ensure!(
                    off <= 1e-4 * (1.0 + distance),
                    "the peer's label is off by {off}"
                );
                differ += 1;
            }
        }
        println!("all labels are those of the 64-bit reference; {differ} of the peer's are not");
        Ok(())
    }

    /// The inertia of the sample after a re-forming from what serves, as far as k-means itself goes.
    fn inertia(&self) -> anyhow::Result<f64> {
        let settings = Settings {
            damping: 1.0,
            ..self.reformer.settings().clone()
        };
        let reformer = Reformer::new(settings, 2)?;
        let cohorts = self.next.candidate(&reformer, Some(&self.serving))?;
        anyhow::ensure!(cohorts.space == self.serving.space, "the space has changed");
        let distance = |row| f64::from(cohorts.assign_row(row).distance);
        Ok(self.sampled.iter().map(|row| distance(row).powi(2)).sum())
    }
}

/// What the peer reads.
struct Files {
    all: Matrix,
    sampled: Matrix,
    points: Matrix,
}

/// The samples of one re-forming.
struct Samples {
    train: Sample,
    held_out: Sample,
}

impl Samples {
    /// Those of a round: no other has the same.
    fn draw(shoppers: &Shoppers, scope: Scope, round: u64) -> Self {
        let train = shoppers.sample(round, scope.sample);
        Self {
            train: train.stands_for(scope.shoppers as u64),
            held_out: shoppers.sample(round + 1_000, scope.sample / HELD_OUT),
        }
    }

    fn reform(&self, reformer: &Reformer, serving: Option<&Cohorts>) -> Reforming {
        let reference = Text::new("prior").unwrap_or_default();
        reformer.reform(&self.train, &self.held_out, serving, SINCE, &reference)
    }

    /// The candidate, whatever the verdict.
    fn candidate(&self, reformer: &Reformer, serving: Option<&Cohorts>) -> anyhow::Result<Cohorts> {
        let reforming = self.reform(reformer, serving);
        let verdict = reforming.verdict;
        let candidate = reforming.candidate;
        candidate.ok_or_else(|| anyhow::anyhow!("no cohorts: {verdict:?}"))
    }
}
