//! Why brokers turn a client away. A call that they fail says only that its time is up; the reason comes on the side.

use std::sync::Arc;

use foretide_ports::LogError;
use parking_lot::Mutex;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// The last reason why the brokers turned a client away, until they let it in. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(Arc<Mutex<Option<Refusal>>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    /// Whether an operator has to change something.
    lasts: bool,
    said: String,
}

impl Refusals {
    /// Notes an error of the client as a whole, if it is such a reason.
    pub(crate) fn note(&self, error: &KafkaError, reason: &str) {
        if let Some(refusal) = error
            .rdkafka_error_code()
            .and_then(|code| refusal(code, reason))
        {
            *self.0.lock() = Some(refusal);
        }
    }

    /// Notes a line of librdkafka's log, if it is such a reason: brokers that speak another protocol just hang up, which is
    /// logged but is no error of the client.
    pub(crate) fn note_line(&self, line: &str) {
        if line.contains("Connection refused") {
            // Nobody listens there, so nobody speaks another protocol either: the broker had just ended.
            self.0.lock().take_if(|refusal| !refusal.lasts);
            return;
        }
        let before_a_word = line.contains("Disconnected") && line.contains("APIVERSION_QUERY");
        if before_a_word || line.contains("security.protocol") {
            *self.0.lock() = Some(other_protocol(line));
        }
    }

    /// Forgets the reason: the brokers answered.
    pub(crate) fn let_in(&self) {
        self.0.lock().take();
    }

    /// Says why the log is away, if brokers turned the client away.
    pub(crate) fn explain(&self, error: LogError) -> LogError {
        let LogError::Away(said) = error else {
            return error;
        };
        match self.0.lock().clone() {
            None => LogError::Away(said),
            Some(refusal) if refusal.lasts => LogError::Unusable(refusal.said),
            Some(refusal) => LogError::Away(format!("{said}; {}", refusal.said)),
        }
    }
}

fn other_protocol(line: &str) -> Refusal {
    let said = format!(
        "the brokers do not speak as expected ({}): check that the Kafka setting security.protocol fits the port",
        told(line)
    );
    Refusal { lasts: false, said }
}

/// A reason without librdkafka's name for the connection, which comes first.
fn told(reason: &str) -> &str {
    reason.rsplit_once("]: ").map_or(reason, |(_, told)| told)
}

fn refusal(code: Code, reason: &str) -> Option<Refusal> {
    let (lasts, what, advice) = match code {
        Code::Authentication | Code::SaslAuthenticationFailed => (
            true,
            "the brokers refuse the login",
            "check sasl.username, sasl.password and sasl.mechanism among the Kafka settings",
        ),
        Code::SSL if reason.contains("certificate") => (
            true,
            "the brokers' certificate is not trusted",
            "name the file that holds the certificate of the authority that signed it by the Kafka setting ssl.ca.location",
        ),
        Code::SSL => (
            false,
            "no encrypted connection comes about",
            "check that the port is one for TLS, and the Kafka settings security.protocol and ssl.*",
        ),
        _ => return None,
    };
    let said = format!("{what} ({}): {advice}", told(reason));
    Some(Refusal { lasts, said })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(code: Code, reason: &str) -> LogError {
        let refusals = Refusals::default();
        refusals.note(&KafkaError::Global(code), reason);
        refusals.explain(LogError::Away("asking".into()))
    }

    #[test]
    fn what_an_operator_has_to_change_is_told_from_what_passes() {
        let said = explained(
            Code::Authentication,
            "[thrd:sasl://a:1/bootstrap]: sasl://a:1/bootstrap: wrong",
        );
        assert!(
            matches!(&said, LogError::Unusable(said) if said.contains("sasl.password")),
            "{said}"
        );
        let said = explained(Code::SSL, "certificate verify failed");
        assert!(
            matches!(&said, LogError::Unusable(said) if said.contains("ssl.ca.location")),
            "{said}"
        );
        let said = explained(Code::SSL, "Disconnected");
        assert!(
            matches!(&said, LogError::Away(said) if said.contains("asking; ")),
            "{said}"
        );
        let said = explained(Code::AllBrokersDown, "all are down");
        assert_eq!(said, LogError::Away("asking".into()));
    }

    #[test]
    fn brokers_that_hang_up_on_another_protocol_are_told_from_those_that_end() {
        let refusals = Refusals::default();
        let away = LogError::Away("asking".into());
        refusals.note_line("a:1: Disconnected (after 3ms in state UP)");
        assert_eq!(refusals.explain(away.clone()), away);
        refusals
            .note_line("[thrd:a]: a:1: Disconnected: closed (after 3ms in state APIVERSION_QUERY)");
        let explained = refusals.explain(away.clone());
        assert!(explained.to_string().contains("fits the port"));
        refusals.note_line("a:1: Connect to a:1 failed: Connection refused (after 0ms)");
        assert_eq!(refusals.explain(away.clone()), away);
    }

    #[test]
    fn a_reason_is_forgotten_once_the_brokers_answer() {
        let refusals = Refusals::default();
        refusals.note(&KafkaError::Global(Code::Authentication), "wrong");
        refusals.let_in();
        let away = LogError::Away("asking".into());
        assert_eq!(refusals.explain(away.clone()), away);
    }
}
