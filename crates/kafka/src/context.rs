//! What librdkafka tells on the side goes to `tracing`.

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode},
};
use tracing::{debug, error, info, warn};

/// Logs under the target `librdkafka` and has no other effect.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Logged;

/// A line that librdkafka logged.
pub(crate) fn log_line(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error => error!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Warning => warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            info!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Debug => debug!(target: "librdkafka", facility, "{message}"),
    }
}

/// An error that concerns the client as a whole. librdkafka goes on trying after all but the fatal ones, and those show
/// in the calls that they fail; so what is passing is only a warning.
pub(crate) fn log_error(error: &KafkaError, reason: &str) {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::Fatal) => error!(target: "librdkafka", %error, "{reason}"),
        // The end of a partition is asked for and is no error.
        Some(RDKafkaErrorCode::PartitionEOF) => {}
        // Told again and again beside the logged lines of the failed connections, which say why.
        Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure) => {
            debug!(target: "librdkafka", %error, "{reason}");
        }
        _ => warn!(target: "librdkafka", %error, "{reason}"),
    }
}

impl ClientContext for Logged {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log_error(&error, reason);
    }
}

impl ConsumerContext for Logged {}
