//! What an error of librdkafka means to the services.

use foretide_ports::LogError;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// The meaning of `error`, met while doing `what`.
pub(crate) fn log_error(what: &str, error: &KafkaError) -> LogError {
    if let KafkaError::ClientConfig(_, problem, key, value) = error {
        return LogError::Unusable(format!("the Kafka setting {key}={value}: {problem}"));
    }
    let said = match error {
        KafkaError::Transaction(error) => format!("{what}: {error}"),
        error => match error.rdkafka_error_code() {
            Some(code) => format!("{what}: {code}"),
            None => format!("{what}: {error}"),
        },
    };
    match error.rdkafka_error_code() {
        Some(code) if is_fencing(code) => LogError::Fenced(said),
        Some(code) if is_lasting(code) => LogError::Unusable(said),
        _ => LogError::Away(said),
    }
}

/// Whether another producer or member took the place of this one.
pub(crate) fn is_fencing(code: Code) -> bool {
    matches!(
        code,
        Code::Fenced
            | Code::ProducerFenced
            | Code::InvalidProducerEpoch
            | Code::FencedInstanceId
            | Code::FencedMemberEpoch
            | Code::UnknownMemberId
            | Code::IllegalGeneration
            | Code::StaleMemberEpoch
            | Code::RebalanceInProgress
    )
}

/// Whether waiting does not cure it: an operator has to change something.
fn is_lasting(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::UnsupportedVersion
            | Code::UnsupportedFeature
            | Code::InvalidTransactionTimeout
            | Code::InvalidSessionTimeout
    )
}

/// Whether the error says that a topic or partition is not there.
pub(crate) fn is_missing(code: Code) -> bool {
    matches!(
        code,
        Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicOrPartition
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fencing_is_told_from_absence_and_from_what_waiting_does_not_cure() {
        let meaning = |code| log_error("committing", &KafkaError::MessageProduction(code));
        assert!(matches!(meaning(Code::ProducerFenced), LogError::Fenced(_)));
        assert!(matches!(
            meaning(Code::IllegalGeneration),
            LogError::Fenced(_)
        ));
        assert!(matches!(meaning(Code::MessageTimedOut), LogError::Away(_)));
        assert!(matches!(
            meaning(Code::NotEnoughReplicas),
            LogError::Away(_)
        ));
        assert!(matches!(
            meaning(Code::TopicAuthorizationFailed),
            LogError::Unusable(_)
        ));
    }
}
