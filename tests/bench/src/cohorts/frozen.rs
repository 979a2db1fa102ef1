//! Shoppers whose features stay as they are: what moves between cohorts then is moved by the re-forming alone.

use std::{collections::HashMap, path::Path, process::Command};

use anyhow::ensure;
use foretide_cohorts::{Rows, Sample, Space};
use foretide_events::{EpochMs, ShopperId};
use foretide_features::{Feature, FoldRules, Profile, Reference};
use foretide_ports::PROFILES;
use rand::{SeedableRng as _, seq::index};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use super::{Shoppers, planted};
use crate::{
    in_process::records,
    product::{ADMIN_KEY, Installation, LogKind, WRITE_KEY},
};

/// When the year of Complete Journey is over.
const YEAR_END: EpochMs = EpochMs(1_514_764_800_000);

/// Some shoppers, and all that is known of each.
pub struct Frozen {
    pub features: Vec<Feature>,
    rows: Vec<Vec<Option<f64>>>,
}

impl Frozen {
    /// So many of those who are like the simulated ones.
    pub fn simulated(shoppers: &Shoppers, count: usize) -> Self {
        let features = Space::default_features().to_vec();
        let rows = shoppers.known(99, count, &features);
        Self { features, rows }
    }

    /// So many planted behaviours, with `each` shoppers of each.
    pub fn planted(behaviours: usize, each: usize) -> Self {
        let behaviours: Vec<usize> = (0..behaviours).collect();
        let shop = planted::Shop::of(&behaviours, each);
        Self {
            features: planted::FEATURES.to_vec(),
            rows: shop
                .shoppers
                .into_iter()
                .map(|shopper| shopper.values)
                .collect(),
        }
    }

    /// The households of Complete Journey at the end of its year, as the product folds them; `folder` holds its Parquet files, and what
    /// the product keeps is put into `directory` meanwhile.
    pub fn journey(folder: &Path, directory: &Path) -> anyhow::Result<Self> {
        let own = TempDir::new_in(directory)?;
        let installation = Installation::new(own.path(), LogKind::Embedded)?;
        let served = installation.start(None, &["--examples", "off"])?;
        let import = Command::new(std::env::current_exe()?.with_file_name("foretide"))
            .args(["import", "--format", "completejourney", "--json"])
            .args(["--to", &format!("http://{}", served.address)])
            .args(["--write-key", WRITE_KEY, "--admin-key", ADMIN_KEY])
            .arg(folder)
            .output()?;
        let told = String::from_utf8_lossy(&import.stderr);
        ensure!(import.status.success(), "foretide import failed: {told}");
        served.stop()?;
        let runtime = tokio::runtime::Runtime::new()?;
        let stored = runtime.block_on(async {
            let log = installation.open_log().await?;
            records(&*log, PROFILES).await
        })?;
        // The last record of a shopper counts.
        let mut newest = HashMap::new();
        for (_, record) in &stored {
            let shopper = std::str::from_utf8(&record.key)
                .ok()
                .and_then(|key| key.parse::<ShopperId>().ok());
            if let (Some(shopper), Some(value)) = (shopper, record.value.as_deref()) {
                newest.insert(shopper, value);
            }
        }
        let mut newest: Vec<_> = newest.into_iter().collect();
        newest.sort_unstable_by_key(|(shopper, _)| *shopper);
        let (rules, reference) = (FoldRules::default(), Reference::prior());
        let features = Space::default_features().to_vec();
        let mut rows = Vec::with_capacity(newest.len());
        for (shopper, value) in newest {
            let profile = Profile::decode(shopper, value, &rules)?;
            let state = profile.state();
            let vector = state.features(state.as_of().max(YEAR_END), &rules, &reference);
            rows.push(features.iter().map(|own| vector.get(*own)).collect());
        }
        Ok(Self { features, rows })
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// `count` of them, none twice, drawn by `seed`.
    pub fn sample(&self, seed: u64, count: usize) -> Sample {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut sample = Sample::new(&self.features);
        for place in index::sample(&mut rng, self.rows.len(), count.min(self.rows.len())) {
            sample.push(self.of(place));
        }
        sample.stands_for(self.rows.len() as u64)
    }

    /// The places of all.
    pub fn placed(&self, space: &Space) -> Rows {
        let mut values = Vec::with_capacity(self.rows.len() * space.len());
        let mut row = vec![0.0; space.len()];
        for place in 0..self.rows.len() {
            space.place(self.of(place), &mut row);
            values.extend_from_slice(&row);
        }
        Rows::new(space.len(), values)
    }

    fn of(&self, place: usize) -> impl Fn(Feature) -> Option<f64> {
        move |feature| {
            let column = self.features.iter().position(|own| *own == feature)?;
            self.rows[place][column]
        }
    }
}
