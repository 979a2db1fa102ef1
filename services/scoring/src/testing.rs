//! A shop in memory to ask questions of.

mod learnt;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Request};
use clap::Parser;
use foretide_decision::DecisionRecord;
use foretide_events::{
    Action, CartAdd, Category, Currency, EpochMs, Event, EventId, Identity, Money, PageView,
    Product, ProductView, RejectionReason, ShopId, ShopperId, SourceId, Text, wire,
};
use foretide_features::{FoldRules, Reference};
use foretide_http::{DirectRoute, Front, HttpMetrics, Keys, MemoryBudget, Protection};
use foretide_ports::{
    ACTIONS, Artefacts, DECISIONS, Log, NewRecord, ProfileTable, ReadOnlyLog, Record,
    ReferenceVersion, TopicPartition, Versioned, foretide_topics,
    memory::MemoryLog,
    partition_for, read_artefacts, shopper_key,
    store::{MemoryStore, Store, StoreView},
};
use foretide_privacy::{IdKind, PseudonymKey, Pseudonymiser};
use foretide_runtime::{
    CancellationToken, ManualClock, Secret,
    prometheus::{Registry, proto::Metric},
};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::{
    LocalSources, Parts, Scoring, ScoringConfig, api::Background, movements::SharedMovements,
};
use foretide_processor::SourceCounts;

pub(crate) use self::learnt::{cohorts, model, serving};

/// 2026-11-22T10:00:00Z.
pub(crate) const NOW: EpochMs = EpochMs(1_795_341_600_000);
pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
const PARTITIONS: u32 = 2;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    scoring: ScoringConfig,
}

/// The default configuration, but for the shoppers who never get an offer: there are none.
pub(crate) fn config() -> ScoringConfig {
    Command::parse_from(["serve", "--untreated-share=0"]).scoring
}

pub(crate) struct Shop {
    pub(crate) router: Router,
    /// What is answered in front of the router.
    pub(crate) direct: Vec<DirectRoute>,
    pub(crate) background: Background,
    pub(crate) log: MemoryLog,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) document: utoipa::openapi::OpenApi,
    pub(crate) table: Arc<ProfileTable>,
    pub(crate) artefacts: Artefacts,
    pub(crate) clock: ManualClock,
    pub(crate) registry: Registry,
    pub(crate) movements: SharedMovements,
    next_offset: std::cell::Cell<u64>,
}

/// What `work` comes to, which waits for nothing.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match work.as_mut().poll(&mut context) {
        std::task::Poll::Ready(done) => done,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

/// Three events of any source were refused.
struct Refused;

#[async_trait::async_trait]
impl crate::Rejections for Refused {
    async fn of(
        &self,
        _: &SourceId,
    ) -> Result<BTreeMap<RejectionReason, u64>, foretide_ports::store::StoreError> {
        Ok([(RejectionReason::MissingIdentity, 3)].into())
    }
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    /// A header's value; empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The body, whatever became of the request.
    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The answer of a request that went well.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }

    /// Status, code and field of a problem.
    pub(crate) fn problem(&self) -> (u16, String, String) {
        let problem: Value = serde_json::from_str(&self.text).unwrap();
        let member = |name: &str| problem[name].as_str().unwrap_or("").to_owned();
        (self.status, member("code"), member("field"))
    }
}

impl Shop {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    /// A shop whose profiles are fresh, at [`NOW`].
    pub(crate) fn with(config: ScoringConfig) -> Self {
        let clock = ManualClock::at(NOW.0);
        let log = MemoryLog::new(Arc::new(|| NOW));
        let table = ProfileTable::new(PARTITIONS);
        let registry = Registry::new();
        let store = Arc::new(MemoryStore::new());
        let view = at_once(StoreView::load(Arc::clone(&store) as Arc<dyn Store>)).unwrap();
        let sources = LocalSources {
            log: Arc::new(log.clone()),
            counts: SourceCounts::new(PARTITIONS),
            rejections: Arc::new(Refused),
        };
        let artefacts = Artefacts::default();
        let parts = Parts {
            config,
            log: Arc::new(log.clone()),
            store: view,
            table: Arc::clone(&table),
            rules: FoldRules::default(),
            artefacts: artefacts.clone(),
            pseudonymiser: pseudonymiser(),
            keys: Keys::new(&Secret::new("write"), &Secret::new("admin")),
            budget: MemoryBudget::new(1 << 20),
            sources: Arc::new(sources),
            clock: Arc::new(clock.clone()),
        };
        let scoring = Scoring::new(parts, &registry).unwrap();
        let direct = scoring.direct(&Protection::default());
        let movements = Arc::clone(&scoring.background.mover.movements);
        let Scoring {
            router,
            document,
            background,
            ..
        } = scoring;
        let next_offset = std::cell::Cell::new(0);
        let shop = Self {
            router,
            direct,
            background,
            log,
            store,
            document,
            table,
            artefacts,
            clock,
            registry,
            movements,
            next_offset,
        };
        shop.refresh();
        shop
    }

    /// Declares the topics.
    pub(crate) async fn declared(self) -> Self {
        self.log
            .declare(&foretide_topics(PARTITIONS))
            .await
            .unwrap();
        self
    }

    /// Says that profiles are complete as of [`NOW`].
    pub(crate) fn refresh(&self) {
        (0..PARTITIONS).for_each(|partition| self.table.set_fresh(partition, NOW));
    }

    /// Lets a reference serve from `since` on, under which hats cost 10.00 EUR.
    pub(crate) fn serve_reference(&self, version: &str, since: EpochMs) {
        let mut stored = serde_json::to_value(Reference::prior()).unwrap();
        stored["version"] = version.into();
        stored["levels"] = serde_json::json!([
            {"category": "hats", "currency": "EUR", "mean_ln_price": 1_000_f64.ln()}
        ]);
        let version = ReferenceVersion {
            version: Text::new(version).unwrap(),
            since,
            shoppers: 100,
            reference: Arc::new(serde_json::from_value(stored).unwrap()),
        };
        self.publish(&version);
    }

    /// Lets an artefact be known.
    pub(crate) fn publish(&self, artefact: &impl Versioned) {
        let NewRecord { key, value, .. } = artefact.record().unwrap();
        let record = Record {
            offset: 0,
            appended_at: NOW,
            key,
            value,
        };
        let taken = self.artefacts.take(&record);
        assert!(taken.is_some_and(|noted| !noted.refused));
    }

    /// Takes in what is on `foretide.artefacts`, as the follower does.
    pub(crate) async fn follow_artefacts(&self) {
        let log = ReadOnlyLog::new(Arc::new(self.log.clone()));
        read_artefacts(&log, Duration::from_secs(1), |record| {
            self.artefacts.take(record);
        })
        .await
        .unwrap();
    }

    /// Folds an action of the shopper with this user id, `before_ms` before [`NOW`].
    pub(crate) fn fold(&self, user: &str, before_ms: i64, action: Action) -> ShopperId {
        let shopper = shopper_of(user);
        let offset = self.next_offset.get();
        self.next_offset.set(offset + 1);
        let event = event(shopper, offset, NOW.plus(-before_ms), action);
        let applied = self.table.update(&shopper, |profile| {
            profile.apply(&event, offset, &FoldRules::default())
        });
        assert!(applied.is_some());
        shopper
    }

    /// Appends an action to the log, unfolded.
    pub(crate) async fn append(&self, user: &str, action: Action) {
        self.log
            .append(vec![record(PARTITIONS, user, action)])
            .await
            .unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path), "admin", String::new()).await
    }

    pub(crate) async fn decide(&self, body: &Value) -> Reply {
        self.post("/v1/decisions", body).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Request::post(path), "admin", body.to_string())
            .await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(Request::put(path), "admin", body.to_string())
            .await
    }

    pub(crate) async fn put_if(&self, path: &str, version: &str, body: &Value) -> Reply {
        let request = Request::put(path).header("If-Match", version);
        self.send(request, "admin", body.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send(Request::patch(path), "admin", body.to_string())
            .await
    }

    pub(crate) async fn delete_if(&self, path: &str, version: &str) -> Reply {
        let request = Request::delete(path).header("If-Match", version);
        self.send(request, "admin", String::new()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(Request::delete(path), "admin", String::new())
            .await
    }

    pub(crate) async fn send(
        &self,
        request: axum::http::request::Builder,
        key: &str,
        body: String,
    ) -> Reply {
        let request = request.header("Authorization", format!("Bearer {key}"));
        let request = request.body(Body::from(body)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Reply {
            status,
            headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// Lets all be answered as the public port does it: by what is in front of the router, where that fits.
    pub(crate) fn with_front(mut self) -> Self {
        let metrics = HttpMetrics::register(&self.registry).unwrap();
        let front = Front::new(self.router, self.direct.clone(), metrics);
        let answer = move |request: Request<Body>| {
            let answer = front.answer(request);
            async move {
                let Ok(answer) = answer.await;
                answer.map(Body::new)
            }
        };
        self.router = Router::new().fallback(answer);
        self
    }

    /// Lets the learner read all actions on the log.
    pub(crate) async fn learn(&self) {
        let on_the_log: u64 = self.log.end_offsets(ACTIONS).await.unwrap().iter().sum();
        let soft = CancellationToken::new();
        let learner = self.background.learner.clone();
        let counted = learner.metrics.popularity_actions.clone();
        let running = tokio::spawn(learner.run(soft.clone()));
        while counted.get() < on_the_log {
            tokio::task::yield_now().await;
        }
        soft.cancel();
        running.await.unwrap();
    }

    /// Lets the recorder write what is queued, and reads all decisions on the log.
    pub(crate) async fn recorded(self) -> Vec<DecisionRecord> {
        let Self {
            background, log, ..
        } = self;
        let closed = CancellationToken::new();
        closed.cancel();
        background.drain.run(closed, CancellationToken::new()).await;
        let positions: Vec<_> = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
        let mut reader = log.reader(DECISIONS, &positions).await.unwrap();
        let mut records = Vec::new();
        let mut ended = 0;
        while ended < PARTITIONS {
            let chunk = reader.next(Duration::from_secs(1)).await.unwrap().unwrap();
            ended += u32::from(chunk.records.is_empty());
            for record in chunk.records {
                records.push(DecisionRecord::decode(&record.value.unwrap()).unwrap());
            }
        }
        records
    }

    /// The value of a counter or gauge, by name and label value.
    pub(crate) fn metric(&self, name: &str, label: Option<&str>) -> u64 {
        let families = self.registry.gather();
        let family = families
            .iter()
            .find(|family| family.name() == name)
            .unwrap();
        let labelled = |metric: &Metric| {
            metric
                .get_label()
                .first()
                .map(|pair| pair.value().to_owned())
        };
        let mut metrics = family.get_metric().iter();
        let metric = metrics
            .find(|metric| labelled(metric).as_deref() == label)
            .unwrap();
        let value = metric.get_counter().get_value() + metric.get_gauge().get_value();
        format!("{value}").parse().unwrap()
    }
}

/// The record of an action on a log of `partitions` partitions.
pub(crate) fn record(partitions: u32, user: &str, action: Action) -> NewRecord {
    let shopper = shopper_of(user);
    let key = shopper_key(&shopper);
    let mut value = Vec::new();
    wire::encode(&event(shopper, 0, NOW, action), &mut value);
    let at = TopicPartition {
        topic: ACTIONS,
        partition: partition_for(&key, partitions),
    };
    NewRecord {
        at,
        key: key.to_vec().into(),
        value: Some(value.into()),
    }
}

fn pseudonymiser() -> Pseudonymiser {
    Pseudonymiser::new(&PseudonymKey::from_bytes([7; 32]))
}

pub(crate) fn shopper_of(user: &str) -> ShopperId {
    ShopperId(pseudonymiser().pseudonym(IdKind::User, user))
}

fn event(shopper: ShopperId, number: u64, at: EpochMs, action: Action) -> Event {
    Event {
        id: EventId::new(&format!("e{number}")).unwrap(),
        at,
        received_at: at,
        shopper,
        identity: Identity {
            user: Some(shopper),
            anonymous: None,
        },
        session: None,
        source: SourceId::new("key:0123abcd").unwrap(),
        action,
    }
}

pub(crate) fn product(id: &str, cents: i64) -> Product {
    Product {
        product_id: ShopId::new(id),
        category: Category::new("hats").ok(),
        price: Some(Money {
            minor_units: cents,
            currency: Currency::EUR,
        }),
        ..Product::default()
    }
}

pub(crate) fn view(id: &str) -> Action {
    Action::ProductView(ProductView {
        product: product(id, 1_000),
        ..ProductView::default()
    })
}

pub(crate) fn add(id: &str, cents: i64) -> Action {
    Action::CartAdd(CartAdd {
        product: product(id, cents),
        ..CartAdd::default()
    })
}

pub(crate) fn page() -> Action {
    Action::PageView(PageView::default())
}
