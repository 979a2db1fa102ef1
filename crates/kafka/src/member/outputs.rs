//! The producer of a member's transactions. A transaction is committed only if all its records were stored, so that nobody needs to
//! be told of each: failures alone are reported.

use std::{
    thread,
    time::{Duration, Instant},
};

use foretide_ports::{LogError, NewRecord};
use parking_lot::Mutex;
use rdkafka::{
    ClientConfig, ClientContext, Message as _,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{Producer as _, ProducerContext, ThreadedProducer},
};

use crate::{
    append::{self, Deliveries},
    errors,
    refusals::Refusals,
};

/// How long a record may take to be stored, in a full queue and on its way.
const PATIENCE: Duration = Duration::from_secs(6);
/// How soon to look again whether there is room in the queue.
const RETRY: Duration = Duration::from_millis(5);
/// How soon to look again whether all records are stored: a small part of how long that takes.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// A producer of transactions.
pub(crate) type Producer = ThreadedProducer<Failures>;

/// Creates a producer; fails only on bad settings.
pub(crate) fn producer(config: &ClientConfig) -> Result<Producer, LogError> {
    let context = Failures {
        told: Deliveries::new(Refusals::default()),
        first: Mutex::new(None),
    };
    config
        .create_with_context(context)
        .map_err(|error| errors::log_error("creating a producer", &error))
}

/// Takes note of the first record that could not be stored.
pub(crate) struct Failures {
    told: Deliveries,
    first: Mutex<Option<LogError>>,
}

impl ClientContext for Failures {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.told.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.told.error(error, reason);
    }
}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, record)) = result
            && !was_purged(error)
        {
            let size = record.key_len() + record.payload_len();
            let failure = append::undelivered(error, record.topic(), size);
            self.first.lock().get_or_insert(failure);
        }
    }
}

/// Whether a record went because its transaction had failed already: what failed it, fencing perhaps, is to be told and not this.
fn was_purged(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{PurgeInflight, PurgeQueue};
    matches!(error.rdkafka_error_code(), Some(PurgeQueue | PurgeInflight))
}

/// Forgets what failed in an earlier transaction.
pub(super) fn begin(producer: &Producer) {
    *producer.client().context().first.lock() = None;
}

/// The first record's failure, which tells more than that of the transaction.
pub(super) fn failure(producer: &Producer) -> Option<LogError> {
    producer.client().context().first.lock().take()
}

/// Hands `records` over, in order. They are on their way when it returns.
pub(super) fn hand_over(producer: &Producer, records: &[NewRecord]) -> Result<(), LogError> {
    let began = Instant::now();
    for record in records {
        while let Err(error) = append::enqueue(producer, record, ()) {
            if !append::is_queue_full(&error) {
                return Err(append::undelivered(&error, record.at.topic, record.bytes()));
            }
            if began.elapsed() > PATIENCE {
                return Err(append::queue_full());
            }
            thread::sleep(RETRY);
        }
    }
    Ok(())
}

/// Waits until all is stored, or something cannot be: committing then tells. librdkafka would wait as well, but the binding looks
/// only every 100 ms whether that is over.
pub(super) fn settle(producer: &Producer) {
    let began = Instant::now();
    let failed = || producer.client().context().first.lock().is_some();
    while producer.in_flight_count() > 0 && !failed() && began.elapsed() <= PATIENCE {
        thread::sleep(LOOK_AGAIN);
    }
}
