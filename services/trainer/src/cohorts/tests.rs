use foretide_cohorts::Form;
use foretide_features::Feature;
use foretide_ports::{ARTEFACTS, CohortSizes, CohortVersions, Log as _, Report, TopicPartition};

use super::*;
use crate::{
    parts::LEAD_MS,
    rhythm::TRY_AGAIN_AFTER,
    testing::{NOW, Rig, text},
};

/// Enough of the simulated shoppers to form cohorts of.
const SHOPPERS: usize = 150;

/// Two to four cohorts, of ten shoppers at least.
fn config() -> TrainerConfig {
    TrainerConfig {
        cohorts_least: 2,
        cohorts_most: 4,
        cohorts_minimum_size: 10,
        ..TrainerConfig::default()
    }
}

/// A trainer with its surroundings.
struct Learner {
    rig: Rig,
    trainer: CohortTrainer,
}

impl Learner {
    async fn new(config: &TrainerConfig) -> Self {
        Self::on(Rig::with_shoppers(SHOPPERS).await, config)
    }

    fn on(rig: Rig, config: &TrainerConfig) -> Self {
        let trainer = CohortTrainer::new(rig.parts.clone(), config);
        Self { rig, trainer }
    }

    async fn attempt(&mut self) -> Outcome {
        self.trainer.attempt(&CancellationToken::new()).await;
        self.rig.follow().await;
        self.trainer.last.unwrap()
    }

    fn known(&self) -> &CohortVersions {
        &self.rig.parts.artefacts.cohorts
    }

    fn report(&self) -> Arc<Report> {
        self.rig.parts.artefacts.reports.get(KIND).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn cohorts_of_all_shoppers_serve_from_their_time_on_and_are_told_of() {
    let mut own = Learner::new(&config()).await;
    assert!(own.trainer.is_due());
    assert_eq!(own.attempt().await, Outcome::Published);
    let version = own.known().newest().unwrap();
    assert_eq!(version.since, NOW.plus(LEAD_MS));
    assert!(own.known().at(NOW).is_none());
    assert!(version.version.starts_with("cohorts-"));
    let sizes: u64 = version
        .cohorts
        .members
        .iter()
        .map(|cohort| cohort.size)
        .sum();
    assert_eq!(
        (sizes, version.shoppers),
        (SHOPPERS as u64, SHOPPERS as u64)
    );
    assert!(
        version
            .cohorts
            .members
            .iter()
            .all(|cohort| cohort.size >= 10 && !cohort.name.is_empty())
    );
    let report = own.report();
    assert_eq!((&*report.outcome, report.at), ("published", NOW));
    assert_eq!(report.details["version"], *version.version);
    assert_eq!(report.details["sampled"], SHOPPERS);
}

#[tokio::test(start_paused = true)]
async fn the_same_shoppers_teach_the_same_and_are_published_once_by_however_many_trainers() {
    let mut own = Learner::new(&config()).await;
    assert_eq!(own.attempt().await, Outcome::Published);
    let first = own.known().newest().unwrap();
    // One that has not seen it comes to the same.
    let mut other = Learner::new(&config()).await;
    assert_eq!(other.attempt().await, Outcome::Published);
    assert_eq!(other.known().newest().unwrap().cohorts, first.cohorts);
    // One that has been started beside it takes its turn after an interval, and finds nothing else.
    let beside = Rig::on(&own.rig);
    beside.add_shoppers(SHOPPERS);
    beside.follow().await;
    let mut beside = Learner::on(beside, &config());
    assert!(!beside.trainer.is_due());
    beside.rig.pass(1).await;
    assert!(beside.trainer.is_due());
    let outcome = beside.attempt().await;
    assert!(
        matches!(outcome, Outcome::Unchanged | Outcome::Refused),
        "{outcome:?}"
    );
    assert_eq!(beside.known().count(), 1);
    assert_eq!(&*beside.report().outcome, outcome.label().unwrap());
}

#[tokio::test(start_paused = true)]
async fn too_few_shoppers_form_none_and_it_is_told_why() {
    let few = TrainerConfig {
        cohorts_minimum_size: 76,
        ..config()
    };
    let mut own = Learner::new(&few).await;
    assert!(
        !own.trainer.is_due(),
        "two cohorts of 76 are more than there are"
    );
    assert_eq!(own.attempt().await, Outcome::TooLittle);
    assert_eq!(own.known().count(), 0);
    let report = own.report();
    assert_eq!(&*report.outcome, "too_little");
    assert!(
        report.causes[0].contains("150 shoppers are too few"),
        "{:?}",
        report.causes
    );
}

#[tokio::test(start_paused = true)]
async fn a_cohort_below_the_minimum_never_serves_and_what_serves_goes_on() {
    let mut own = Learner::new(&config()).await;
    assert_eq!(own.attempt().await, Outcome::Published);
    let first = own.known().newest().unwrap();
    let rig = Rig::on(&own.rig);
    rig.add_shoppers(SHOPPERS);
    rig.follow().await;
    let largest = TrainerConfig {
        cohorts_least: 4,
        cohorts_minimum_size: 40,
        ..config()
    };
    let mut other = Learner::on(rig, &largest);
    assert_eq!(other.attempt().await, Outcome::Refused);
    assert!(!other.report().causes.is_empty());
    assert_eq!(other.known().newest().unwrap().version, first.version);
}

#[tokio::test(start_paused = true)]
async fn a_cohort_that_nobody_is_in_any_more_dies() {
    let mut own = Learner::new(&config()).await;
    assert_eq!(own.attempt().await, Outcome::Published);
    let first = own.known().newest().unwrap();
    let mut form = Form::from((*first.cohorts).clone());
    let mut deserted = form.members[0].clone();
    deserted.id = text(&format!("c-{}", form.next_number));
    form.next_number += 1;
    deserted
        .centroid
        .iter_mut()
        .for_each(|place| *place += 80.0);
    form.members.push(deserted.clone());
    let since = first.since.plus(1);
    let version = version_of(Cohorts::try_from(form).unwrap(), since, since, own.known());
    own.rig
        .log
        .append(vec![version.record().unwrap()])
        .await
        .unwrap();
    own.rig.follow().await;
    assert_eq!(own.attempt().await, Outcome::Published);
    let newest = own.known().newest().unwrap();
    assert!(newest.cohorts.by_id(&deserted.id).is_none());
    assert!(
        newest
            .cohorts
            .members
            .iter()
            .all(|cohort| cohort.size >= 10)
    );
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_whether_it_was_stored_or_not() {
    for stored in [false, true] {
        let mut own = Learner::new(&config()).await;
        own.rig.log.faults().fail_next_appends(1, stored);
        assert_eq!(own.attempt().await, Outcome::Failed);
        assert_eq!(own.known().count(), usize::from(stored));
        assert!(!own.trainer.is_due());
        own.rig.clock.advance(3_600_000);
        tokio::time::advance(TRY_AGAIN_AFTER).await;
        assert!(own.trainer.is_due());
        let outcome = own.attempt().await;
        assert_ne!(outcome, Outcome::Failed);
        assert_eq!(own.known().count(), 1, "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_on_the_topic_is_passed_over() {
    let mut own = Learner::new(&config()).await;
    let garbage = |key: &'static str| foretide_ports::NewRecord {
        at: TopicPartition {
            topic: ARTEFACTS,
            partition: 0,
        },
        key: key.into(),
        value: Some(r#"{"version":"x","since":1e999}"#.into()),
    };
    let records = ["cohorts/x", "report/cohorts", "reference/x"].map(garbage);
    own.rig.log.append(records.to_vec()).await.unwrap();
    own.rig.follow().await;
    assert!(own.trainer.is_due());
    assert_eq!(own.attempt().await, Outcome::Published);
    assert_eq!(own.known().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn versions_of_long_ago_are_taken_away_and_the_references_of_what_serves_stay() {
    let mut own = Learner::new(&config()).await;
    assert_eq!(own.attempt().await, Outcome::Published);
    let first = own.known().newest().unwrap();
    for days in [-300_i64, -200] {
        let since = NOW.plus(days * 24 * 3_600_000);
        let old = version_of((*first.cohorts).clone(), since, since, own.known());
        own.rig
            .log
            .append(vec![old.record().unwrap()])
            .await
            .unwrap();
        own.rig.follow().await;
    }
    assert_eq!(own.known().count(), 3);
    own.rig.clock.advance(10_000);
    own.attempt().await;
    let left = own.known().all();
    assert!(
        left.iter()
            .all(|version| version.since > NOW.plus(-250 * 24 * 3_600_000))
    );
    assert!(left.iter().any(|version| version.version == first.version));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_formed_from_a_part_of_the_profiles_and_nothing_after_it_is_to_end() {
    let mut own = Learner::new(&config()).await;
    own.rig.parts.artefacts_ready.not_ready("reading");
    assert!(!own.trainer.is_due(), "it is not known what is published");
    own.rig.parts.artefacts_ready.ready();
    let stop = CancellationToken::new();
    stop.cancel();
    own.trainer.attempt(&stop).await;
    assert_eq!(own.trainer.last.unwrap(), Outcome::Stopped);
    assert_eq!(own.rig.follow().await, 0);
    own.rig.parts.table.clear_partition(0);
    assert!(!own.trainer.is_due(), "a partition is being restored");
}

#[tokio::test(start_paused = true)]
async fn what_was_read_while_profiles_went_away_is_not_published() {
    let mut own = Learner::new(&config()).await;
    own.rig.parts.table.clear_partition(0);
    assert_eq!(own.attempt().await, Outcome::Failed);
    assert_eq!(own.rig.follow().await, 0);
    own.rig.add_shoppers(SHOPPERS);
    assert_eq!(own.attempt().await, Outcome::Published);
}

#[tokio::test(start_paused = true)]
async fn the_sizes_of_what_serves_are_counted_again_at_each_attempt() {
    let mut own = Learner::new(&config()).await;
    assert_eq!(own.attempt().await, Outcome::Published);
    let first = own.known().newest().unwrap();
    let more = SHOPPERS + 30;
    own.rig.add_shoppers(more);
    own.rig.pass(10).await;
    own.attempt().await;
    let told = CohortSizes::of(&own.report()).unwrap();
    assert_eq!(told.version, first.version);
    assert_eq!(told.sizes.iter().sum::<u64>(), more as u64);
    let shown = &own
        .rig
        .parts
        .artefacts
        .cohorts_counted(first.since)
        .unwrap();
    assert_eq!(shown.shoppers, more as u64);
    let sizes = shown.cohorts.members.iter().map(|cohort| cohort.size);
    assert_eq!(sizes.collect::<Vec<_>>(), told.sizes);
}

#[tokio::test(start_paused = true)]
async fn an_imported_past_is_read_as_of_its_own_newest_action() {
    let mut own = Learner::new(&config()).await;
    own.rig.pass(5 * 365 * 24).await;
    assert_eq!(own.attempt().await, Outcome::Published);
    let version = own.known().newest().unwrap();
    assert!(version.read_at() <= NOW && version.since > NOW);
    let members = version.cohorts.members.iter();
    let typical = members.flat_map(|cohort| &cohort.typical);
    let sessions = typical.filter(|typical| typical.feature == Feature::Sessions30d);
    let most = sessions
        .filter_map(|typical| typical.value)
        .fold(0.0, f64::max);
    assert!(
        most > 1.0,
        "{most} sessions in the thirty days before five years of nothing"
    );
}
