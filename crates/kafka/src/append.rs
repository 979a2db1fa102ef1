//! Handing records to a producer and waiting for what became of them: one countdown for all records of a call.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use foretide_ports::{LogError, MAX_RECORD_BYTES, NewRecord};
use parking_lot::Mutex;
use rdkafka::{
    ClientConfig, ClientContext, Message,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseRecord, ProducerContext, ThreadedProducer},
    util::IntoOpaque,
};
use tokio::sync::oneshot;

use crate::{
    context::{log_error, log_line},
    errors,
    refusals::Refusals,
};

/// A producer whose delivery reports are counted down per call.
pub(crate) type Producer = ThreadedProducer<Deliveries>;

/// Creates a producer, which tells `refusals` why brokers turn it away; fails only on bad settings.
pub(crate) fn producer(config: &ClientConfig, refusals: Refusals) -> Result<Producer, LogError> {
    config
        .create_with_context(Deliveries::new(refusals))
        .map_err(|error| errors::log_error("creating a producer", &error))
}

/// Receives the delivery reports.
#[derive(Clone, Debug)]
pub(crate) struct Deliveries {
    refusals: Refusals,
}

impl Deliveries {
    pub(crate) fn new(refusals: Refusals) -> Self {
        Self { refusals }
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.refusals.note_line(message);
        // The end of a connection is for `refusals`: whether the brokers are away is told elsewhere, once.
        let is_end = facility == "FAIL" && message.contains("Disconnected");
        let level = if is_end {
            RDKafkaLogLevel::Debug
        } else {
            level
        };
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.refusals.note(&error, reason);
        log_error(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        match result {
            Ok(stored) => match u64::try_from(stored.offset()) {
                Ok(offset) => ticket.call.offsets[ticket.place].store(offset, Ordering::Relaxed),
                // The broker remembers that it has the record but no longer where.
                Err(_) => ticket
                    .call
                    .fail(LogError::Away("the offset is not known".into())),
            },
            Err((error, record)) => {
                let size = record.key_len() + record.payload_len();
                ticket.call.fail(undelivered(error, record.topic(), size));
            }
        }
        ticket.call.settle(1);
    }
}

/// What a failed delivery means to the caller.
pub(crate) fn undelivered(error: &KafkaError, topic: &str, bytes: usize) -> LogError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => LogError::TooLarge {
            bytes,
            limit: MAX_RECORD_BYTES.min(bytes.saturating_sub(1)),
        },
        Some(code) if errors::is_missing(code) => {
            let problem = "it is not there: declare the topics again".to_owned();
            LogError::Topic {
                topic: topic.to_owned(),
                problem,
            }
        }
        _ => errors::log_error("storing a record", error),
    }
}

/// Which record of which call a delivery report is for.
pub(crate) struct Ticket {
    call: Arc<Call>,
    place: usize,
}

/// One call's records on their way.
struct Call {
    /// Where each was stored.
    offsets: Box<[AtomicU64]>,
    /// How many are not decided yet.
    waiting: AtomicUsize,
    /// The first failure.
    failure: Mutex<Option<LogError>>,
    /// Told once all are decided.
    done: Mutex<Option<oneshot::Sender<()>>>,
}

impl Call {
    fn fail(&self, error: LogError) {
        self.failure.lock().get_or_insert(error);
    }

    /// `count` more records are decided.
    fn settle(&self, count: usize) {
        // The last one makes the results of all the others visible to whoever waits.
        if self.waiting.fetch_sub(count, Ordering::AcqRel) == count
            && let Some(done) = self.done.lock().take()
        {
            let _ = done.send(());
        }
    }
}

/// Records being handed to a producer, in order.
pub(crate) struct Sending {
    records: Vec<NewRecord>,
    next: usize,
    began: Instant,
    call: Arc<Call>,
    done: oneshot::Receiver<()>,
}

/// What came of handing over as many as possible.
pub(crate) enum Handed {
    /// All are on their way, or the call has failed.
    All,
    /// The producer's queue is full: try again in a moment.
    QueueFull,
}

impl Sending {
    /// Nothing is sent before [`Self::hand_over`]. `records` must not be empty.
    pub(crate) fn new(records: Vec<NewRecord>) -> Self {
        let (done, told) = oneshot::channel();
        let call = Call {
            offsets: records.iter().map(|_| AtomicU64::new(0)).collect(),
            waiting: AtomicUsize::new(records.len()),
            failure: Mutex::new(None),
            done: Mutex::new(Some(done)),
        };
        Self {
            records,
            next: 0,
            began: Instant::now(),
            call: Arc::new(call),
            done: told,
        }
    }

    /// Hands records to `producer` until all are on their way or its queue is full; one that stays full for too long is an
    /// error. An error is told by [`Self::delivered`], like one met later.
    pub(crate) fn hand_over(&mut self, producer: &Producer) -> Handed {
        while let Some(record) = self.records.get(self.next) {
            let ticket = Box::new(Ticket {
                call: Arc::clone(&self.call),
                place: self.next,
            });
            match enqueue(producer, record, ticket) {
                Ok(()) => self.next += 1,
                Err(error) if is_queue_full(&error) => {
                    if self.began.elapsed() <= PATIENCE {
                        return Handed::QueueFull;
                    }
                    self.give_up(queue_full());
                }
                Err(error) => {
                    let refused = undelivered(&error, record.at.topic, record.bytes());
                    self.give_up(refused);
                }
            }
        }
        Handed::All
    }

    /// Hands no more over and fails the call.
    pub(crate) fn give_up(&mut self, error: LogError) {
        self.call.fail(error);
        let left = self.records.len() - self.next;
        self.next = self.records.len();
        if left > 0 {
            self.call.settle(left);
        }
    }

    /// Where the records were stored, in order, once all are decided.
    pub(crate) async fn delivered(self) -> Result<Vec<u64>, LogError> {
        let Self { call, done, .. } = self;
        outcome(&call, done.await.is_ok())
    }
}

fn outcome(call: &Call, decided: bool) -> Result<Vec<u64>, LogError> {
    if !decided {
        return Err(LogError::Away("the producer was closed".into()));
    }
    match call.failure.lock().take() {
        Some(error) => Err(error),
        None => Ok(call
            .offsets
            .iter()
            .map(|offset| offset.load(Ordering::Relaxed))
            .collect()),
    }
}

/// Hands one record over; its report will come with `opaque`.
pub(crate) fn enqueue<C>(
    producer: &ThreadedProducer<C>,
    record: &NewRecord,
    opaque: C::DeliveryOpaque,
) -> Result<(), KafkaError>
where
    C: ProducerContext + 'static,
    C::DeliveryOpaque: IntoOpaque,
{
    let partition = i32::try_from(record.at.partition)
        .map_err(|_| KafkaError::MessageProduction(RDKafkaErrorCode::UnknownPartition))?;
    let mut new = BaseRecord::<[u8], [u8], _>::with_opaque_to(record.at.topic, opaque)
        .partition(partition)
        .key(&record.key);
    if let Some(value) = &record.value {
        new = new.payload(value);
    }
    producer.send(new).map_err(|(error, _)| error)
}

pub(crate) fn is_queue_full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}

/// How long a full queue is waited for: as long as a record in it may take to be decided.
const PATIENCE: Duration = Duration::from_secs(6);
const RETRY: Duration = Duration::from_millis(5);

/// Appends `records`, without a transaction.
pub(crate) async fn append(
    producer: &Producer,
    records: Vec<NewRecord>,
) -> Result<Vec<u64>, LogError> {
    let mut sending = Sending::new(records);
    while let Handed::QueueFull = sending.hand_over(producer) {
        tokio::time::sleep(RETRY).await;
    }
    sending.delivered().await
}

pub(crate) fn queue_full() -> LogError {
    LogError::Away("the broker does not keep up: the producer's queue is full".into())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use foretide_ports::TopicPartition;

    use super::*;

    fn record(topic: &'static str) -> NewRecord {
        let at = TopicPartition {
            topic,
            partition: 0,
        };
        NewRecord {
            at,
            key: Bytes::from_static(b"k"),
            value: None,
        }
    }

    #[tokio::test]
    async fn a_call_is_decided_when_its_last_record_is() {
        let sending = Sending::new(vec![record("t"), record("t")]);
        let call = Arc::clone(&sending.call);
        call.offsets[1].store(8, Ordering::Relaxed);
        call.settle(1);
        let waiting = tokio::spawn(sending.delivered());
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        call.offsets[0].store(7, Ordering::Relaxed);
        call.settle(1);
        assert_eq!(waiting.await.unwrap(), Ok(vec![7, 8]));
    }

    #[tokio::test]
    async fn the_first_failure_fails_the_call_once_the_others_are_decided() {
        let mut sending = Sending::new(vec![record("t"), record("t"), record("t")]);
        let call = Arc::clone(&sending.call);
        sending.next = 1;
        sending.give_up(LogError::Away("first".into()));
        call.fail(LogError::Away("second".into()));
        call.settle(1);
        assert_eq!(
            sending.delivered().await,
            Err(LogError::Away("first".into()))
        );
    }
}
