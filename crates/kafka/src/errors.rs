//! What an error of librdkafka means to the services.

use foretide_ports::LogError;
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode as Code},
    types::RDKafkaConfRes,
};

/// The meaning of `error`, met while doing `what`.
pub(crate) fn log_error(what: &str, error: &KafkaError) -> LogError {
    if let KafkaError::ClientConfig(kind, _, key, _) = error {
        let problem = setting_fault(*kind, key);
        return LogError::Unusable(format!("the Kafka setting {problem}"));
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

/// What is wrong with the setting `key`. Never its value, which may be a secret, nor librdkafka's words, which repeat it.
pub(crate) fn setting_fault(kind: RDKafkaConfRes, key: &str) -> String {
    // What is called otherwise may be the rest of a password.
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    match kind {
        RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN if key.contains('.') && key.chars().all(is_name) => {
            format!("{key} is none that librdkafka knows: its CONFIGURATION.md names all")
        }
        RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN => {
            "whose name is not shown, as it could be part of a secret, is none that librdkafka knows".to_owned()
        }
        _ => format!("{key} has a value that librdkafka does not take: its CONFIGURATION.md says which it does"),
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
    fn neither_a_value_nor_what_could_be_part_of_one_is_told() {
        for key in [
            "sasl.passwordd",
            "security.protocol",
            "hunter2",
            "hunter2.X",
        ] {
            let mut config = rdkafka::ClientConfig::new();
            let Err(error) = config.set(key, "hunter2").create_native_config() else {
                panic!("{key} is taken");
            };
            let said = log_error("connecting", &error).to_string();
            assert!(!said.contains("hunter2"), "{said}");
            let is_setting = key.starts_with('s');
            assert_eq!(said.contains(key), is_setting, "{said}");
        }
    }

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
