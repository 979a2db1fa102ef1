//! The service put together.

use std::sync::Arc;

use axum::Router;
use foretide_decision::{Popularity, PopularityRules};
use foretide_features::{FoldRules, schema_id};
use foretide_http::{DirectRoute, Keys, MemoryBudget, Protection};
use foretide_ports::{Artefacts, Log, ProfileTable, ReadOnlyLog, store::StoreView};
use foretide_privacy::Pseudonymiser;
use foretide_runtime::{CancellationToken, Lifecycle, SharedClock, prometheus};
use parking_lot::RwLock;
use utoipa::openapi::OpenApi;

use crate::{
    ScoringConfig, SourceReader,
    metrics::ScoringMetrics,
    movements::{MovementFollower, MovementMetrics, SharedMovements},
    parity::{Follower, Parity},
    popular::{Learner, SharedPopularity},
    recorder::{self, Drain, Recorder},
    routes,
    rulebook::Rulebook,
};

/// What the service needs from outside.
pub struct Parts {
    /// How it decides.
    pub config: ScoringConfig,
    /// Where decisions go and actions are read.
    pub log: Arc<dyn Log>,
    /// The offers, keys and settings.
    pub store: Arc<StoreView>,
    /// The profiles.
    pub table: Arc<ProfileTable>,
    /// The rules the profiles were folded by.
    pub rules: FoldRules,
    /// What was learnt and serves: the reference, the cohorts, the models.
    pub artefacts: Artefacts,
    /// Replaces raw ids.
    pub pseudonymiser: Pseudonymiser,
    /// Whom it answers.
    pub keys: Keys,
    /// The bound on request bodies, shared with the other services of the process.
    pub budget: MemoryBudget,
    /// What became of a source's events.
    pub sources: Arc<dyn SourceReader>,
    /// The time of day.
    pub clock: SharedClock,
}

/// What every handler sees.
pub(crate) struct Api {
    pub(crate) store: Arc<StoreView>,
    pub(crate) rulebook: Rulebook,
    pub(crate) table: Arc<ProfileTable>,
    pub(crate) rules: FoldRules,
    pub(crate) artefacts: Artefacts,
    /// Where the changes that people ask for are written.
    pub(crate) log: Arc<dyn Log>,
    /// Who moved between cohorts lately.
    pub(crate) movements: SharedMovements,
    /// The name of the catalogue of features.
    pub(crate) catalogue: Arc<str>,
    pub(crate) pseudonymiser: Pseudonymiser,
    pub(crate) keys: Keys,
    pub(crate) budget: MemoryBudget,
    pub(crate) sources: Arc<dyn SourceReader>,
    pub(crate) clock: SharedClock,
    pub(crate) popularity: SharedPopularity,
    pub(crate) recorder: Recorder,
    pub(crate) metrics: ScoringMetrics,
    /// Where it is noted what was served, for some shoppers.
    pub(crate) parity: Parity,
}

/// The service: its routes, and what runs behind them.
pub struct Scoring {
    /// The routes. Put [`foretide_http::protect`] and [`foretide_http::observe`] around them.
    pub router: Router,
    /// Their description.
    pub document: OpenApi,
    /// What runs behind them.
    pub background: Background,
    api: Arc<Api>,
}

/// The tasks of the service.
pub struct Background {
    pub(crate) drain: Drain,
    pub(crate) learner: Learner,
    pub(crate) parity: Follower,
    pub(crate) mover: MovementFollower,
}

impl Scoring {
    /// Puts the service together; its metrics show on `registry`. Fails when one of their names is taken there.
    pub fn new(parts: Parts, registry: &prometheus::Registry) -> prometheus::Result<Self> {
        let metrics = ScoringMetrics::register(registry)?;
        let Parts { config, log, .. } = parts;
        let (recorder, drain) = recorder::queue(config.decision_queue, Arc::clone(&log), &metrics);
        let popularity = Arc::new(RwLock::new(Popularity::new(PopularityRules::default())));
        let (parity, compared) = Parity::new(config.parity_sample, registry)?;
        let follower = Follower::new(
            ReadOnlyLog::new(Arc::clone(&log)),
            Arc::clone(&parts.table),
            parts.rules,
            compared,
        );
        let movements = SharedMovements::default();
        let mover = MovementFollower {
            log: Arc::clone(&log),
            movements: Arc::clone(&movements),
            clock: Arc::clone(&parts.clock),
            metrics: MovementMetrics::register(registry)?,
        };
        let learner = Learner {
            log: Arc::clone(&log),
            popularity: Arc::clone(&popularity),
            tail: config.popularity_actions,
            metrics: metrics.clone(),
        };
        let api = Api {
            rulebook: Rulebook::new(Arc::clone(&parts.store), config),
            store: parts.store,
            table: parts.table,
            rules: parts.rules,
            artefacts: parts.artefacts,
            log: Arc::clone(&log),
            movements: Arc::clone(&movements),
            catalogue: schema_id().into(),
            pseudonymiser: parts.pseudonymiser,
            keys: parts.keys,
            budget: parts.budget,
            sources: parts.sources,
            clock: parts.clock,
            popularity,
            recorder,
            metrics,
            parity,
        };
        let api = Arc::new(api);
        let (router, document) = routes::table(Arc::clone(&api));
        Ok(Self {
            router,
            document,
            background: Background {
                drain,
                learner,
                parity: follower,
                mover,
            },
            api,
        })
    }

    /// Those of the routes that are answered in front of the router, with `protection` around them.
    pub fn direct(&self, protection: &Protection) -> Vec<DirectRoute> {
        routes::direct(&self.api, protection)
    }
}

impl Background {
    /// Runs the tasks as components of `lifecycle`. `closed` says that the last request has been answered.
    pub fn spawn(self, lifecycle: &Lifecycle, closed: &CancellationToken) {
        let (closed, hard) = (closed.clone(), lifecycle.hard().clone());
        lifecycle.spawn("decision recorder", async move {
            self.drain.run(closed, hard).await;
            Ok(())
        });
        let soft = lifecycle.soft().clone();
        lifecycle.spawn("popularity learner", async move {
            self.learner.run(soft).await;
            Ok(())
        });
        let soft = lifecycle.soft().clone();
        lifecycle.spawn("movement follower", async move {
            self.mover.run(soft).await;
            Ok(())
        });
        let soft = lifecycle.soft().clone();
        lifecycle.spawn("parity gauge", async move {
            self.parity.run(soft).await;
            Ok(())
        });
    }
}
