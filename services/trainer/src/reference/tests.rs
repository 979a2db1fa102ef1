use std::sync::Arc;

use foretide_features::{Feature, FoldRules, Reference};
use foretide_ports::{Log as _, ReferenceVersion};
use foretide_runtime::Clock as _;

use super::*;
use crate::{
    parts::LEAD_MS,
    rhythm::TRY_AGAIN_AFTER,
    testing::{HOUR_MS, NOW, PARTITIONS, Rig, text},
};

/// Enough of the simulated shoppers to learn from.
const SHOPPERS: usize = 150;

/// A trainer with its surroundings.
struct Learner {
    rig: Rig,
    trainer: ReferenceTrainer,
}

impl Learner {
    async fn with_shoppers(most: usize) -> Self {
        let rig = Rig::with_shoppers(most).await;
        let trainer = ReferenceTrainer::new(rig.parts.clone(), &TrainerConfig::default());
        Self { rig, trainer }
    }

    async fn attempt(&mut self) -> Outcome {
        self.trainer.attempt(&CancellationToken::new()).await;
        self.rig.follow().await;
        self.trainer.last.unwrap()
    }

    fn newest(&self) -> Arc<ReferenceVersion> {
        self.rig.parts.artefacts.references.newest().unwrap()
    }

    /// How many shoppers have a level of prices at `at`, told against the reference of then.
    fn with_level(&self, at: EpochMs) -> usize {
        let reference = self.rig.parts.artefacts.references.at(at);
        let rules = FoldRules::default();
        let mut found = 0;
        for partition in 0..PARTITIONS {
            self.rig.parts.table.for_each(partition, |profile| {
                let features = profile.state().features(at, &rules, &reference);
                found += usize::from(features.get(Feature::ViewedPriceLevel).is_some());
            });
        }
        found
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_learnt_of_shoppers_serves_from_its_time_on_and_not_before() {
    let mut own = Learner::with_shoppers(SHOPPERS).await;
    assert!(own.trainer.is_due());
    assert_eq!(own.attempt().await, Outcome::Published);
    let version = own.newest();
    assert_eq!(version.since, NOW.plus(LEAD_MS));
    assert_eq!(version.shoppers, SHOPPERS as u64);
    assert!(version.reference.levels().count() > 0);
    let since = version.since;
    assert_eq!(
        own.rig
            .parts
            .artefacts
            .references
            .at(since.plus(-1))
            .version(),
        "prior-1"
    );
    assert_eq!(own.with_level(since.plus(-1)), 0);
    assert!(own.with_level(since) > 100, "{}", own.with_level(since));
}

#[tokio::test(start_paused = true)]
async fn the_same_profiles_are_published_once_by_however_many_trainers() {
    let mut own = Learner::with_shoppers(SHOPPERS).await;
    assert_eq!(own.attempt().await, Outcome::Published);
    assert_eq!(own.attempt().await, Outcome::Unchanged);
    // A trainer elsewhere, which has not seen what was published, comes to the same name.
    let mut other = Learner::with_shoppers(SHOPPERS).await;
    assert_eq!(other.attempt().await, Outcome::Published);
    assert_eq!(other.newest(), own.newest());
}

#[tokio::test(start_paused = true)]
async fn it_learns_at_its_interval_whoever_learnt_before() {
    let mut own = Learner::with_shoppers(SHOPPERS).await;
    assert_eq!(own.attempt().await, Outcome::Published);
    assert!(!own.trainer.is_due());
    own.rig.pass(1).await;
    assert!(!own.trainer.is_due(), "it has not served for an hour yet");
    own.rig.clock.advance(LEAD_MS);
    assert!(own.trainer.is_due());
    assert_eq!(own.attempt().await, Outcome::Unchanged);
    assert!(!own.trainer.is_due());
    own.rig.pass(1).await;
    assert!(own.trainer.is_due());
    // Just started, beside what another has published a moment ago.
    own.trainer = ReferenceTrainer::new(own.rig.parts.clone(), &TrainerConfig::default());
    let another = ReferenceVersion {
        since: EpochMs(own.rig.clock.now_ms()),
        version: text("another"),
        reference: Arc::new(Reference::prior().named(text("another"))),
        shoppers: 1,
    };
    own.rig
        .log
        .append(vec![another.record().unwrap()])
        .await
        .unwrap();
    own.rig.follow().await;
    assert!(!own.trainer.is_due());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_learnt_from_a_part_of_the_profiles_or_from_a_few() {
    let own = Learner::with_shoppers(SHOPPERS).await;
    let partition = own.rig.parts.table.partitions() - 1;
    own.rig.parts.artefacts_ready.not_ready("reading");
    assert!(!own.trainer.is_due(), "it is not known what is published");
    own.rig.parts.artefacts_ready.ready();
    assert!(own.trainer.is_due());
    own.rig.parts.table.clear_partition(partition);
    assert!(!own.trainer.is_due(), "a partition is being restored");
    let few = Learner::with_shoppers(20).await;
    assert!(!few.trainer.is_due());
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_and_the_last_one_serves_on() {
    let mut own = Learner::with_shoppers(SHOPPERS).await;
    own.rig.log.faults().set_away(true);
    own.trainer.attempt(&CancellationToken::new()).await;
    assert_eq!(own.trainer.last.unwrap(), Outcome::Failed);
    assert!(!own.trainer.is_due());
    own.rig.log.faults().set_away(false);
    tokio::time::advance(TRY_AGAIN_AFTER).await;
    assert!(own.trainer.is_due());
    assert_eq!(own.attempt().await, Outcome::Published);
}

#[tokio::test(start_paused = true)]
async fn versions_of_long_ago_are_taken_away() {
    let mut own = Learner::with_shoppers(SHOPPERS).await;
    let old = |name: &str, since: i64| ReferenceVersion {
        since: EpochMs(since),
        version: text(name),
        reference: Arc::new(Reference::prior().named(text(name))),
        shoppers: 1,
    };
    for version in [old("first", 0), old("second", HOUR_MS)] {
        own.rig
            .log
            .append(vec![version.record().unwrap()])
            .await
            .unwrap();
    }
    own.rig.follow().await;
    assert_eq!(own.attempt().await, Outcome::Published);
    let left: Vec<_> = own.rig.parts.artefacts.references.all();
    assert_eq!(&*left[0].version, "second");
    assert_eq!(left.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn asked_to_end_it_stops_and_publishes_nothing() {
    let mut own = Learner::with_shoppers(SHOPPERS).await;
    let stop = CancellationToken::new();
    stop.cancel();
    own.trainer.attempt(&stop).await;
    assert_eq!(own.trainer.last.unwrap(), Outcome::Stopped);
    assert_eq!(own.rig.follow().await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_read_while_profiles_went_away_is_not_published() {
    let mut own = Learner::with_shoppers(SHOPPERS).await;
    own.rig.parts.table.clear_partition(0);
    assert_eq!(own.attempt().await, Outcome::Failed);
    assert_eq!(own.rig.follow().await, 0);
    own.rig.add_shoppers(SHOPPERS);
    assert_eq!(own.attempt().await, Outcome::Published);
}
