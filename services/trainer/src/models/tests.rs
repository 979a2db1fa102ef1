use bytes::Bytes;
use foretide_events::ShopperId;
use foretide_features::{Feature, schema_id};
use foretide_models::Model;
use foretide_ports::{
    ARTEFACTS, DECISIONS, EXAMPLES, Log as _, ModelVersion, ModelVersions, Report, TopicName,
    TopicPartition, partition_for, shopper_key,
};
use foretide_training::window::Row;
use serde_json::{Value, json};
use tokio::time::sleep;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::*;
use crate::{
    cohorts::CohortTrainer,
    parts::LEAD_MS,
    testing::{HOUR_MS, NOW, PARTITIONS, Rig},
};

const TARGET: Target = Target::Abandonment;
/// Sessions with a cart before now.
const SESSIONS: u32 = 2_000;
/// From one to the next, in milliseconds.
const APART_MS: i64 = 15 * 60_000;

/// Evenly spread over 0..1, the same for the same number.
fn draw(number: u32, which: u64) -> f64 {
    let hash = xxh3_64_with_seed(&number.to_le_bytes(), which);
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// Whose session is the one of this number.
fn shopper(number: u32) -> ShopperId {
    let hash = xxh3_64_with_seed(&(number % 500).to_le_bytes(), 99).to_be_bytes();
    let id: Vec<u8> = hash.into_iter().chain(hash).collect();
    ShopperId(id.try_into().unwrap())
}

/// How shoppers are who have a cart.
#[derive(Clone, Copy, PartialEq)]
enum Habit {
    /// Those who have looked at much abandon it.
    Usual,
    /// Those who have looked at little do.
    TurnedAround,
    /// All do.
    Always,
}

/// The instant of a session's point: the one of number `SESSIONS` would be now.
fn at(number: u32) -> EpochMs {
    NOW.plus((i64::from(number) - i64::from(SESSIONS)) * APART_MS)
}

fn example(number: u32, habit: Habit) -> NewRecord {
    let looked = (draw(number, 1) * 30.0).round();
    let chance = match habit {
        Habit::Usual => 0.05 + 0.9 * looked / 30.0,
        Habit::TurnedAround => 0.95 - 0.9 * looked / 30.0,
        Habit::Always => 1.0,
    };
    let (shopper, at) = (shopper(number), at(number));
    let content = json!({
        "v": 1,
        "id": format!("{}/abandonment/{number}/cart", shopper),
        "kind": "abandonment",
        "revision": 1,
        "shopper_id": shopper,
        "at": at,
        "session_started_at": at.plus(-60_000),
        "session_ended_at": at.plus(60_000),
        "label": draw(number, 2) < chance,
        "certain_at": at.plus(3 * HOUR_MS),
        "as_of": at,
        "catalogue": schema_id(),
        "reference": "prior-1",
        "features": {
            "product_views_30d": looked,
            "cart_items": 1.0 + (draw(number, 3) * 3.0).floor(),
            "purchases_total": (draw(number, 4) * 5.0).floor(),
            "seconds_since_seen": draw(number, 5) * 900.0,
        },
    });
    to(EXAMPLES, shopper, &content)
}

/// A decision in the middle of a session, by which an offer was served.
fn offered(number: u32) -> NewRecord {
    let content = json!({
        "v": 4,
        "decision_id": format!("d-{number}"),
        "at": at(number),
        "shopper": shopper(number),
        "arms": [{ "arm": "discount", "propensity": 1 }],
        "chosen": { "id": "discount-10" },
    });
    to(DECISIONS, shopper(number), &content)
}

fn to(topic: TopicName, shopper: ShopperId, content: &Value) -> NewRecord {
    let key = shopper_key(&shopper);
    NewRecord {
        at: TopicPartition {
            topic,
            partition: partition_for(&key, PARTITIONS),
        },
        key: Bytes::copy_from_slice(&key),
        value: Some(content.to_string().into()),
    }
}

fn artefact(key: &'static str, value: &Value) -> NewRecord {
    NewRecord {
        at: TopicPartition {
            topic: ARTEFACTS,
            partition: 0,
        },
        key: key.into(),
        value: Some(value.to_string().into()),
    }
}

fn examples(habit: Habit) -> Vec<NewRecord> {
    (0..SESSIONS).map(|number| example(number, habit)).collect()
}

/// A trainer with its surroundings.
struct Learner {
    rig: Rig,
    trainer: ModelTrainer,
}

impl Learner {
    async fn new(records: Vec<NewRecord>) -> Self {
        let rig = Rig::new().await;
        rig.log.append(records).await.unwrap();
        Self::on(rig).await
    }

    /// One that knows all that is on the log of `rig`.
    async fn on(rig: Rig) -> Self {
        rig.ready();
        rig.follow().await;
        let trainer = ModelTrainer::new(rig.parts.clone(), &TrainerConfig::default());
        let mut own = Self { rig, trainer };
        own.trainer.remember();
        own.read().await;
        own
    }

    /// Another one on the same log, which knows nothing but what is there.
    async fn another(&self) -> Self {
        Self::on(Rig::on(&self.rig)).await
    }

    /// Reads examples and decisions to their end.
    async fn read(&self) {
        let stop = CancellationToken::new();
        let following = tokio::spawn(self.trainer.follower().run(stop.clone()));
        while !self.trainer.learning.is_complete() {
            sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
        following.await.unwrap();
    }

    /// Reads on until so many points are held.
    async fn read_until(&self, held: u32) {
        let stop = CancellationToken::new();
        let following = tokio::spawn(self.trainer.follower().run(stop.clone()));
        while self.trainer.learning.held(TARGET) < held as usize {
            sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
        following.await.unwrap();
    }

    /// Attempts once, while the log is followed, and takes note of what is published.
    async fn try_once(&mut self) {
        let stop = CancellationToken::new();
        let following = tokio::spawn(self.trainer.follower().run(stop.clone()));
        self.trainer.attempt(&CancellationToken::new()).await;
        stop.cancel();
        following.await.unwrap();
        self.rig.follow().await;
    }

    /// Returns what is reported.
    async fn attempt(&mut self) -> Arc<Report> {
        self.try_once().await;
        self.report(TARGET)
    }

    fn report(&self, target: Target) -> Arc<Report> {
        let reports = &self.rig.parts.artefacts.reports;
        reports.get(target.as_str()).unwrap()
    }

    fn models(&self) -> &ModelVersions {
        &self.rig.parts.artefacts.models
    }

    /// What serves a moment after now.
    fn serving(&self) -> Option<Text<64>> {
        let soon = self.rig.parts.now().plus(LEAD_MS);
        Some(self.models().at(TARGET, soon)?.version.clone())
    }
}

#[tokio::test]
async fn a_model_that_proves_better_than_the_prior_serves_from_its_time_on() {
    let mut own = Learner::new(examples(Habit::Usual)).await;
    assert!(own.trainer.is_due());
    let report = own.attempt().await;
    assert_eq!(&*report.outcome, "promoted", "{:#}", report.details);
    assert_eq!(report.details["memory"]["challengers"], 1);
    assert_eq!(report.details["memory"]["comparisons"]["begun"], 1);
    assert!(own.models().at(TARGET, NOW).is_none(), "not yet");
    let version = own.serving().unwrap();
    let model = own.models().get(TARGET, &version).unwrap();
    assert!(
        model.card.metrics.unwrap().auc.low > 0.6,
        "{:?}",
        model.card.metrics
    );
    let change = &own.models().changes(TARGET)[0];
    assert_eq!((change.sequence, change.since), (1, NOW.plus(LEAD_MS)));
    assert_eq!(&*change.by, "trainer-1");
    // Of drift nothing is known.
    assert_eq!(&*own.report(Target::Drift).outcome, "too_little");
    assert!(own.models().models(Target::Drift).is_empty());
}

#[tokio::test]
async fn one_that_comes_after_it_goes_on_where_it_was() {
    let mut own = Learner::new(examples(Habit::Usual)).await;
    own.attempt().await;
    let version = own.serving().unwrap();
    let mut next = own.another().await;
    assert!(!next.trainer.is_due(), "it was done a moment ago");
    let report = next.attempt().await;
    assert_eq!(&*report.outcome, "kept", "nothing is new");
    assert_eq!(report.details["memory"]["challengers"], 1);
    assert_eq!(next.serving(), Some(version));
    assert_eq!(next.models().changes(TARGET).len(), 1);
}

#[tokio::test]
async fn the_same_examples_and_the_same_seed_make_the_same_model() {
    let mut one = Learner::new(examples(Habit::Usual)).await;
    let mut records = examples(Habit::Usual);
    records.reverse();
    let mut other = Learner::new(records).await;
    one.attempt().await;
    other.attempt().await;
    assert!(one.serving().is_some());
    assert_eq!(one.serving(), other.serving());
    // A minute later nothing more is certain, so it is the same but for when it was made.
    let mut later = Learner::new(examples(Habit::Usual)).await;
    later.rig.clock.advance(60_000);
    later.attempt().await;
    let parts = |learner: &Learner| {
        let models = learner.models().models(TARGET);
        let mut parts = models[0].model.parts().clone();
        parts.created_at = NOW;
        parts
    };
    assert_eq!(parts(&one), parts(&later));
}

/// A decision of a person, as scoring publishes it.
fn by_hand(model: &Model, sequence: u32, since: EpochMs, cause: ServingCause) -> NewRecord {
    let change = ServingChange {
        target: TARGET,
        sequence,
        version: Some(model.version().clone()),
        since,
        cause,
        by: Text::new("key-7").unwrap(),
        by_hand: true,
    };
    change.record().unwrap()
}

/// The same as `model`, trained a moment before it.
fn of_before(model: &ModelVersion) -> ModelVersion {
    let mut parts = model.model.parts().clone();
    parts.created_at = model.created_at.plus(-1);
    let own = Model::new(parts).unwrap();
    let mut card = model.card.clone();
    card.version = own.version().clone();
    ModelVersion {
        target: model.target,
        version: own.version().clone(),
        created_at: own.parts().created_at,
        card,
        model: Arc::new(own),
    }
}

#[tokio::test]
async fn what_a_person_lets_serve_is_watched_and_not_overruled_by_the_models_of_then() {
    let mut own = Learner::new(examples(Habit::Usual)).await;
    own.attempt().await;
    let version = own.serving().unwrap();
    let model = Arc::clone(&own.models().get(TARGET, &version).unwrap().model);
    let wants_to = of_before(&own.models().get(TARGET, &version).unwrap());
    let record = wants_to.record().unwrap();
    own.rig.log.append(vec![record]).await.unwrap();
    own.rig.follow().await;
    let standing = Standing::of(own.models(), TARGET, NOW.plus(LEAD_MS));
    assert_eq!(standing.challengers.len(), 1);
    for (sequence, cause) in [(2, ServingCause::Admin), (3, ServingCause::RolledBack)] {
        let since = NOW.plus(i64::from(sequence) * 10_000);
        let decided = by_hand(&model, sequence, since, cause);
        own.rig.log.append(vec![decided]).await.unwrap();
        own.rig.follow().await;
        let standing = Standing::of(own.models(), TARGET, since);
        assert_eq!(standing.since, since);
        assert!(matches!(standing.former, Some(None)), "the prior");
        assert!(standing.challengers.is_empty(), "that person has seen it");
    }
    let after = (SESSIONS..SESSIONS + 1_500).map(|number| example(number, Habit::TurnedAround));
    own.rig.log.append(after.collect()).await.unwrap();
    own.rig.clock.advance(1_500 * APART_MS + 4 * HOUR_MS);
    own.read_until(SESSIONS + 1_500).await;
    assert_eq!(&*own.attempt().await.outcome, "rolled_back");
    assert_eq!(own.serving(), None);
}

#[tokio::test]
async fn what_a_person_decides_at_the_same_moment_is_not_lost() {
    let mut own = Learner::new(examples(Habit::Usual)).await;
    own.attempt().await;
    let first = own.models().changes(TARGET)[0].clone();
    let model = Arc::clone(&own.models().models(TARGET)[0].model);
    // Stored before it and after it, by somebody who did not know of it.
    let to_the_prior = ServingChange {
        version: None,
        ..serde_json::from_slice(
            &by_hand(&model, 1, first.since, ServingCause::RolledBack)
                .value
                .unwrap(),
        )
        .unwrap()
    };
    own.rig
        .log
        .append(vec![to_the_prior.record().unwrap()])
        .await
        .unwrap();
    own.rig.follow().await;
    assert_eq!(own.serving(), None, "the prior, as that person said");
    assert_eq!(own.models().overruled(TARGET).len(), 1);
    // What does not count is taken away with the next attempt.
    own.rig.clock.advance(LEAD_MS);
    own.attempt().await;
    assert!(own.models().overruled(TARGET).is_empty());
    assert_eq!(own.models().changes(TARGET).len(), 1);
}

#[tokio::test]
async fn what_is_not_acknowledged_is_done_once_all_the_same() {
    for stored in [false, true] {
        let mut own = Learner::new(examples(Habit::Usual)).await;
        // Of drift too little is known, which is told first.
        own.rig.log.faults().fail_next_appends(2, stored);
        own.try_once().await;
        assert_eq!(own.serving().is_some(), stored);
        // Killed, and started anew.
        let mut next = own.another().await;
        let report = next.attempt().await;
        assert_eq!(&*report.outcome, if stored { "kept" } else { "promoted" });
        assert!(next.serving().is_some());
        assert_eq!(next.models().changes(TARGET).len(), 1);
        assert_eq!(next.models().models(TARGET).len(), 1);
    }
}

#[tokio::test]
async fn from_examples_of_one_label_nothing_is_learnt_and_nothing_serves() {
    let mut own = Learner::new(examples(Habit::Always)).await;
    let report = own.attempt().await;
    assert_eq!(&*report.outcome, "too_little");
    assert!(
        report.causes[0].contains("0 negative"),
        "{:?}",
        report.causes
    );
    assert_eq!(own.serving(), None);
    assert!(own.models().models(TARGET).is_empty());
}

#[tokio::test]
async fn garbage_on_every_topic_is_passed_over() {
    let mut records = examples(Habit::Usual);
    let someone = shopper(7);
    for garbage in [
        json!("garbage"),
        json!({ "v": 1 }),
        json!({ "v": 2 }),
        json!(null),
    ] {
        records.push(to(EXAMPLES, someone, &garbage));
        records.push(to(DECISIONS, someone, &garbage));
    }
    let planted = json!({ "v": 1, "id": "x", "kind": "abandonment", "revision": 1, "shopper_id": someone,
        "at": at(5), "session_started_at": at(5), "label": true, "certain_at": at(6), "as_of": at(6),
        "catalogue": schema_id(), "reference": "prior-1", "features": {} });
    records.push(to(EXAMPLES, someone, &planted));
    records.push(artefact("model/abandonment/x", &json!({ "version": "x" })));
    records.push(artefact(
        "report/abandonment",
        &json!({ "kind": "abandonment" }),
    ));
    let unknown = json!({ "target": "abandonment", "sequence": 7, "version": "abandonment-gone", "since": at(0),
        "cause": "admin", "by": "someone" });
    records.push(artefact("serving/abandonment/00000007", &unknown));
    // As soon, and in a time to come.
    for (key, since) in [
        ("serving/abandonment/00000005", 59_000),
        ("serving/abandonment/00000006", 1_000 * HOUR_MS),
    ] {
        let mut later = unknown.clone();
        later["sequence"] = json!(key[key.len() - 1..].parse::<u32>().unwrap());
        later["since"] = json!(NOW.plus(since));
        records.push(artefact(key, &later));
    }
    let mut own = Learner::new(records).await;
    assert_eq!(&*own.attempt().await.outcome, "promoted");
    assert_eq!(own.models().changes(TARGET).last().unwrap().sequence, 8);
    assert!(own.serving().is_some());
    let refused = &own.rig.parts.metrics.refused;
    let count = |cause: &str| refused.with_label_values(&[cause]).get();
    // Once by each who followed.
    assert_eq!(count("from_the_future"), 2);
    assert_eq!((count("unreadable"), count("other_version")), (6, 2));
    assert_eq!(count("unreadable_decision"), 8);
}

#[tokio::test]
async fn shoppers_who_got_an_offer_are_not_learnt_from() {
    let mut records = examples(Habit::Usual);
    records.extend((0..SESSIONS).step_by(2).map(offered));
    let mut own = Learner::new(records).await;
    let report = own.attempt().await;
    let told = &report.details["examples"];
    let count = |name: &str| told[name].as_u64().unwrap();
    // Half of those of which it is certain what became of them.
    let certain = u64::from(SESSIONS) - count("uncertain");
    assert!(certain.abs_diff(2 * count("treated")) <= 1, "{told}");
    assert_eq!(count("treated") + count("learnt_from"), certain, "{told}");
}

#[tokio::test]
async fn a_model_that_gets_worse_than_what_served_before_is_rolled_back() {
    let mut own = Learner::new(examples(Habit::Usual)).await;
    own.attempt().await;
    let version = own.serving().unwrap();
    let after = (SESSIONS..SESSIONS + 1_500).map(|number| example(number, Habit::TurnedAround));
    own.rig.log.append(after.collect()).await.unwrap();
    own.rig.clock.advance(1_500 * APART_MS + 4 * HOUR_MS);
    own.read_until(SESSIONS + 1_500).await;
    let report = own.attempt().await;
    assert_eq!(
        &*report.outcome, "rolled_back",
        "{:#}",
        report.details["look"]
    );
    assert_eq!(own.serving(), None, "the prior");
    // It does not come back.
    let mut next = own.another().await;
    next.rig.clock.advance(HOUR_MS);
    next.attempt().await;
    assert_ne!(next.serving(), Some(version));
}

#[tokio::test]
async fn asked_to_end_it_publishes_nothing() {
    let mut own = Learner::new(examples(Habit::Usual)).await;
    let stop = CancellationToken::new();
    stop.cancel();
    own.trainer.attempt(&stop).await;
    assert_eq!(own.rig.follow().await, 0);
}

#[tokio::test]
async fn nothing_is_learnt_before_all_is_known() {
    let rig = Rig::new().await;
    rig.log.append(examples(Habit::Usual)).await.unwrap();
    let mut trainer = ModelTrainer::new(rig.parts.clone(), &TrainerConfig::default());
    assert!(!trainer.is_due(), "it is not known what is published");
    rig.ready();
    assert!(trainer.is_due());
    trainer.attempt(&CancellationToken::new()).await;
    assert_eq!(rig.follow().await, 0, "the examples are not read yet");
    assert!(!trainer.is_due());
}

#[tokio::test]
async fn models_for_cohorts_that_begin_to_serve_are_trained_at_once() {
    let config = TrainerConfig {
        cohorts_least: 2,
        cohorts_most: 4,
        cohorts_minimum_size: 10,
        ..TrainerConfig::default()
    };
    let rig = Rig::with_shoppers(150).await;
    rig.log.append(examples(Habit::Usual)).await.unwrap();
    let mut own = Learner::on(rig).await;
    own.attempt().await;
    assert!(!own.trainer.is_due());
    let mut former = CohortTrainer::new(own.rig.parts.clone(), &config);
    former.attempt(&CancellationToken::new()).await;
    own.rig.follow().await;
    assert!(!own.trainer.is_due(), "they do not serve yet");
    own.rig.clock.advance(LEAD_MS);
    assert!(own.trainer.is_due());
    own.attempt().await;
    let serving = own.rig.parts.artefacts.cohorts.at(own.rig.parts.now());
    let models = own.models().models(TARGET);
    let newest = models.last().unwrap();
    assert_eq!(newest.card.cohorts, Some(serving.unwrap().version.clone()));
    assert!(!own.trainer.is_due());
}

/// Points after all others, of which each has looked at a million products.
fn odd_rows(hour: i64) -> Rows {
    let row = |number: i64| {
        let mut features = vec![f32::NAN; Feature::COUNT];
        features[Feature::ProductViews30d as usize] = 1e6;
        let at = NOW.plus(hour * HOUR_MS + number);
        let id = Text::new(&format!("{number}")).unwrap();
        Row::new(id, shopper(7), (at, at), true, features.into())
    };
    Rows {
        rows: (0..300).map(row).collect(),
        ..Rows::default()
    }
}

#[tokio::test]
async fn inputs_shift_where_newer_points_of_the_same_kind_are_others() {
    let mut own = Learner::new(examples(Habit::Usual)).await;
    own.attempt().await;
    let model = own.models().get(TARGET, &own.serving().unwrap()).unwrap();
    let metrics = &own.rig.parts.metrics;
    let shown = || {
        metrics
            .shift_examples
            .with_label_values(&["abandonment"])
            .get()
    };
    let labels = ["abandonment", "product_views_30d"];
    let psi = || metrics.shift_psi.with_label_values(&labels).get();
    let alarm = || metrics.shift_alarm.with_label_values(&labels).get();
    let mut shift = InputShift::default();
    let usual = own.trainer.learning.rows(TARGET, NOW).unwrap();
    shift.look(TARGET, Some(&model), &usual, metrics);
    assert!(shown() >= 100 && psi() > 0.0 && psi() < 0.1, "{}", psi());
    for look in 1..=3 {
        // What is looked at twice counts once.
        for _ in 0..3 {
            shift.look(TARGET, Some(&model), &odd_rows(look), metrics);
        }
        assert!(psi() > 0.25);
        assert_eq!(alarm(), i64::from(look == 3), "look {look}");
    }
    shift.look(TARGET, None, &usual, metrics);
    assert_eq!((shown(), alarm()), (0, 0), "of the prior nothing is shown");
    assert!(psi().abs() < 1e-9);
}
