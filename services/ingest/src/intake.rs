//! Taking the events of one request: from receipts to what is stored, counted and answered.

use std::{sync::Arc, time::Instant};

use axum::http::HeaderMap;
use foretide_events::{EpochMs, Event, EventId, Intake, Receipt, Rejection, SourceId};
use foretide_http::{BatchFacts, BodyReader, HeldBody, Problem, ProblemCode};
use foretide_ports::LogError;
use tokio::time::timeout;
use uuid::{Timestamp, Uuid};

use crate::{IngestState, records::records, source, watch};

/// The handlers' common work.
pub(crate) struct Ingest {
    state: IngestState,
    key_source: SourceId,
}

/// What became of the events of one request, all of which the log holds or will never hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) accepted: usize,
    pub(crate) rejected: Vec<Rejection>,
}

impl Taken {
    pub(crate) fn facts(&self) -> BatchFacts {
        BatchFacts {
            accepted: self.accepted,
            rejected: self.rejected.len(),
        }
    }
}

impl Ingest {
    pub(crate) fn new(state: IngestState) -> Arc<Self> {
        let key_source = source::of_write_key(&state.keys);
        Arc::new(Self { state, key_source })
    }

    pub(crate) fn state(&self) -> &IngestState {
        &self.state
    }

    /// Reads the body of a request, if the log is there to take what is in it.
    pub(crate) async fn read(&self, body: &mut BodyReader) -> Result<HeldBody, Problem> {
        if let Some(cause) = self.state.log_ready.cause() {
            return Err(Problem::new(ProblemCode::LogAway, cause).retry_after_s(AWAY_RETRY_S));
        }
        body.read(self.state.config.body_limits(), &self.state.budget)
            .await
    }

    /// Whom the events of a request with `headers` are counted for.
    pub(crate) fn source(&self, headers: &HeaderMap) -> Result<SourceId, Problem> {
        Ok(source::of_import(headers)?.unwrap_or_else(|| self.key_source.clone()))
    }

    /// The receipts that `parse` gives out.
    pub(crate) fn receipts<T>(
        &self,
        source: &SourceId,
        parse: impl FnOnce(&mut Intake<'_>) -> T,
    ) -> T {
        let now_ms = self.state.clock.now_ms();
        let mut made = 0;
        let mut make_id = || {
            made += 1;
            new_id(now_ms)
        };
        let receipts = parse(&mut Intake {
            pseudonymiser: &self.state.pseudonymiser,
            received_at: EpochMs(now_ms),
            source,
            make_id: &mut make_id,
            default_currency: self.state.config.default_currency,
        });
        self.state.metrics.ids_made.inc_by(made);
        receipts
    }

    /// Stores the accepted events of `receipts` in one append and counts all of them for `source`. What it returns may be
    /// answered: the log holds the accepted ones durably. On an error nothing may be.
    pub(crate) async fn take(
        &self,
        source: &SourceId,
        receipts: Vec<Receipt>,
    ) -> Result<Taken, Problem> {
        let mut accepted = Vec::with_capacity(receipts.len());
        let mut rejected = Vec::new();
        for receipt in receipts {
            match receipt {
                Ok(event) => accepted.push(event),
                Err(rejection) => rejected.push(rejection),
            }
        }
        if !accepted.is_empty() {
            self.store(&accepted)
                .await
                .map_err(|error| self.refusal(&error))?;
        }
        let taken = Taken {
            accepted: accepted.len(),
            rejected,
        };
        self.count(source, &taken);
        Ok(taken)
    }

    /// Counts a request that is refused as a whole.
    pub(crate) fn refused(&self, problem: Problem) -> Problem {
        self.state
            .metrics
            .refusals
            .with_label_values(&[problem.code().as_str()])
            .inc();
        problem
    }

    async fn store(&self, events: &[Event]) -> Result<(), LogError> {
        let began = Instant::now();
        let limit = self.state.config.append_timeout();
        let append = self
            .state
            .log
            .append(records(events, self.state.partitions));
        match timeout(limit, append).await {
            Ok(appended) => {
                appended?;
                self.state
                    .metrics
                    .append
                    .observe(began.elapsed().as_secs_f64());
                Ok(())
            }
            Err(_) => Err(LogError::Away(format!(
                "it did not store within {} ms",
                limit.as_millis()
            ))),
        }
    }

    fn count(&self, source: &SourceId, taken: &Taken) {
        let metrics = &self.state.metrics;
        metrics
            .batch_events
            .observe((taken.accepted + taken.rejected.len()) as f64);
        metrics
            .receipts
            .with_label_values(&["accepted", ""])
            .inc_by(taken.accepted as u64);
        for rejection in &taken.rejected {
            metrics
                .receipts
                .with_label_values(&["rejected", rejection.code.as_str()])
                .inc();
        }
        self.state.rejected.add(source, &taken.rejected);
    }

    /// What a failed append means for the request.
    fn refusal(&self, error: &LogError) -> Problem {
        let (cause, problem) = match error {
            LogError::Away(_) => (
                "away",
                Problem::new(ProblemCode::LogAway, error.to_string()).retry_after_s(AWAY_RETRY_S),
            ),
            LogError::Full(_) => (
                "full",
                Problem::new(ProblemCode::LogFull, error.to_string()).retry_after_s(FULL_RETRY_S),
            ),
            _ => (
                "broken",
                Problem::new(
                    ProblemCode::Internal,
                    "the log cannot store events; its own log tells more",
                ),
            ),
        };
        self.state
            .metrics
            .append_failures
            .with_label_values(&[cause])
            .inc();
        if cause == "broken" {
            tracing::error!(%error, "events cannot be stored");
        } else {
            // The watch turns it green again as soon as the log is there.
            watch::not_ready(&self.state.log_ready, error);
        }
        problem
    }
}

/// When to try again while the log is away: the watch asks every second.
const AWAY_RETRY_S: u32 = 2;

/// When to try again while the log is full: somebody has to make room, or retention does.
const FULL_RETRY_S: u32 = 30;

/// A new id: a version 7 UUID, whose order is that of time.
fn new_id(now_ms: i64) -> EventId {
    let now_ms = u64::try_from(now_ms).unwrap_or(0);
    let nanoseconds = u32::try_from(now_ms % 1000).unwrap_or(0) * 1_000_000;
    let at = Timestamp::from_unix(uuid::NoContext, now_ms / 1000, nanoseconds);
    EventId::from_uuid(Uuid::new_v7(at).as_u128())
}
