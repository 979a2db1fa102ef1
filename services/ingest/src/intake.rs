//! Taking the events of one request: from who sends them to what is stored, counted and answered.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use axum::extract::Request;
use axum::http::request::Parts;
use foretide_events::{EpochMs, Event, EventId, Intake, Receipt, Rejection, SourceId, Timing};
use foretide_http::{BatchFacts, BodyReader, HeldBody, Problem};
use foretide_privacy::Pseudonymiser;
use uuid::{Timestamp, Uuid};

use crate::{
    IngestState,
    append::{append, check_log},
    caller::Caller,
    dry_run::{self, DryRun},
    form::{Form, Opened},
    source,
};

/// How often members that mean nothing are looked for, in milliseconds.
const LOOK_EVERY_MS: i64 = 1000;

/// The handlers' common work.
pub(crate) struct Ingest {
    state: IngestState,
    /// Dry runs go by their own pseudonyms.
    dry_run_pseudonymiser: Pseudonymiser,
    /// When ignored members were last looked for, by the service's clock.
    looked_at_ms: AtomicI64,
}

/// What became of the events of one request, all of which the log holds or will never hold.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) accepted: usize,
    pub(crate) rejected: Vec<Rejection>,
    /// What would become of each event, where only that was asked: then the log holds none.
    pub(crate) dry_run: Option<DryRun>,
}

impl Taken {
    /// What the log event of the request tells. Of a dry run, nothing: it takes no events.
    pub(crate) fn facts(&self) -> Option<BatchFacts> {
        self.dry_run.is_none().then_some(BatchFacts {
            accepted: self.accepted,
            rejected: self.rejected.len(),
        })
    }
}

impl Ingest {
    pub(crate) fn new(state: IngestState) -> Arc<Self> {
        Arc::new(Self {
            state,
            dry_run_pseudonymiser: dry_run::pseudonymiser(),
            looked_at_ms: AtomicI64::new(i64::MIN),
        })
    }

    pub(crate) fn state(&self) -> &IngestState {
        &self.state
    }

    /// Takes the events that `request` sends in this form; `query_key` is the key in its query, on routes that take one
    /// there. What it returns may be answered: the log holds the accepted ones durably, unless only a dry run was asked for.
    /// A problem means that nothing was accepted; it was counted, and the body was thrown away.
    pub(crate) async fn take(
        &self,
        form: Form,
        request: Request,
        query_key: Option<&str>,
    ) -> Result<Taken, Problem> {
        let (head, mut body) = BodyReader::of(request);
        let taken = self.take_from(&head, &mut body, form, query_key).await;
        if taken.is_err() {
            body.discard().await;
        }
        taken.map_err(|problem| self.refused(problem))
    }

    async fn take_from(
        &self,
        head: &Parts,
        body: &mut BodyReader,
        form: Form,
        query_key: Option<&str>,
    ) -> Result<Taken, Problem> {
        let caller = Caller::of(&self.state.keys, &head.headers, query_key)?;
        if !form.may_hold_a_key() {
            caller.needs_key()?;
        }
        let is_dry = dry_run::is_wanted(&head.uri)?;
        let body = self.read(body, is_dry).await?;
        let opened = form.open(&body)?;
        let key = caller.signed(opened.write_key())?;
        let source = source::of_request(&head.headers, key)?;
        if is_dry {
            return self.explain(&source, &opened);
        }
        let (receipts, ids_made) =
            self.receipts(&source, &self.state.pseudonymiser, None, |intake| {
                opened.receipts(intake)
            })?;
        self.state.metrics.ids_made.inc_by(ids_made);
        self.look_for_ignored(&opened);
        self.store(&source, receipts).await
    }

    /// Reads the body of a request, if the log is there to take what is in it.
    async fn read(&self, body: &mut BodyReader, is_dry: bool) -> Result<HeldBody, Problem> {
        if !is_dry {
            check_log(&self.state)?;
        }
        body.read(self.state.config.body_limits(), &self.state.budget)
            .await
    }

    /// What `parse` gives out, and how many ids were made for it.
    fn receipts<T>(
        &self,
        source: &SourceId,
        pseudonymiser: &Pseudonymiser,
        timings: Option<&mut Vec<Timing>>,
        parse: impl FnOnce(&mut Intake<'_>) -> Result<T, Problem>,
    ) -> Result<(T, u64), Problem> {
        let now_ms = self.state.clock.now_ms();
        let mut made = 0;
        let mut make_id = || {
            made += 1;
            new_id(now_ms)
        };
        let receipts = parse(&mut Intake {
            pseudonymiser,
            received_at: EpochMs(now_ms),
            source,
            make_id: &mut make_id,
            default_currency: self.state.config.default_currency,
            timings,
        })?;
        Ok((receipts, made))
    }

    /// Counts the members that mean nothing of one request a second: it takes a second reading of the body.
    fn look_for_ignored(&self, opened: &Opened<'_>) {
        if !opened.is_native() {
            return;
        }
        let now_ms = self.state.clock.now_ms();
        let last_ms = self.looked_at_ms.load(Ordering::Relaxed);
        // A clock that was set back starts anew.
        let is_due = now_ms < last_ms || now_ms.saturating_sub(last_ms) >= LOOK_EVERY_MS;
        if !is_due {
            return;
        }
        self.looked_at_ms.store(now_ms, Ordering::Relaxed);
        for ignored in opened.ignored().into_iter().flatten() {
            self.state
                .metrics
                .ignored_members
                .with_label_values(&[ignored.did_you_mean.unwrap_or_default()])
                .inc();
        }
    }

    /// Stores the accepted events of `receipts` in one append and counts all of them for `source`. On an error nothing may
    /// be answered as accepted.
    async fn store(&self, source: &SourceId, receipts: Vec<Receipt>) -> Result<Taken, Problem> {
        let (accepted, rejected) = parted(receipts);
        if !accepted.is_empty() {
            append(&self.state, &accepted).await?;
        }
        let taken = Taken {
            accepted: accepted.len(),
            rejected,
            dry_run: None,
        };
        self.count(source, &taken);
        Ok(taken)
    }

    /// Says what would become of the events, and counts only that somebody asked.
    fn explain(&self, source: &SourceId, opened: &Opened<'_>) -> Result<Taken, Problem> {
        let mut timings = Vec::new();
        let (receipts, _) = self.receipts(
            source,
            &self.dry_run_pseudonymiser,
            Some(&mut timings),
            |intake| opened.receipts(intake),
        )?;
        self.state
            .metrics
            .dry_run_events
            .inc_by(receipts.len() as u64);
        let dry_run = DryRun::of(&receipts, timings, opened.ignored());
        let (accepted, rejected) = parted(receipts);
        Ok(Taken {
            accepted: accepted.len(),
            rejected,
            dry_run: Some(dry_run),
        })
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
}

/// The accepted events and the rejections of `receipts`.
fn parted(receipts: Vec<Receipt>) -> (Vec<Event>, Vec<Rejection>) {
    let mut accepted = Vec::with_capacity(receipts.len());
    let mut rejected = Vec::new();
    for receipt in receipts {
        match receipt {
            Ok(event) => accepted.push(event),
            Err(rejection) => rejected.push(rejection),
        }
    }
    (accepted, rejected)
}

/// A new id: a version 7 UUID, whose order is that of time.
fn new_id(now_ms: i64) -> EventId {
    let now_ms = u64::try_from(now_ms).unwrap_or(0);
    let nanoseconds = u32::try_from(now_ms % 1000).unwrap_or(0) * 1_000_000;
    let at = Timestamp::from_unix(uuid::NoContext, now_ms / 1000, nanoseconds);
    EventId::from_uuid(Uuid::new_v7(at).as_u128())
}
