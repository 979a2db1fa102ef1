//! What to do next, for the errors that come from deep below and know nothing of flags.

use std::io::ErrorKind;

use foretide_ports::LogError;
use foretide_processor::ProcessorError;

const HELD: &str = "An embedded log belongs to one process at a time: stop the server that has it open. With Kafka \
     (--log kafka:HOST:PORT) a log can be looked at while services work on it.";
const NO_BROKER: &str = "Is a broker up at the address of --log? `kcat -L -b HOST:PORT` shows what answers there. What \
     brokers want of their clients, such as TLS or a password, goes with --kafka-setting.";
const NO_TOPICS: &str =
    "`foretide topics create` makes the topics, and so does a server when it starts.";
const NO_ROOM: &str = "Free some room on the disk; an embedded log keeps --disk-reserve-bytes of it free. What was \
     acknowledged is safe.";
const DISK_FULL: &str = "Free some room on the disk, or give another place.";
const NO_PERMISSION: &str = "Run it as the user who owns that place, or give it another one.";
const DAMAGED: &str = "Make a copy of the whole directory before anything else is tried with it.";

/// What to do about `error`, where its own words do not say.
pub(crate) fn on(error: &anyhow::Error) -> Option<&'static str> {
    error.chain().find_map(|cause| {
        if let Some(error) = cause.downcast_ref::<LogError>() {
            return on_log(error);
        }
        if let Some(ProcessorError::Log(error)) = cause.downcast_ref() {
            return on_log(error);
        }
        on_io(cause.downcast_ref::<std::io::Error>()?)
    })
}

fn on_log(error: &LogError) -> Option<&'static str> {
    match error {
        LogError::Unusable(said) if said.contains("in use by another process") => Some(HELD),
        LogError::Unusable(said) if said.contains("Permission denied") => Some(NO_PERMISSION),
        LogError::Unusable(said) if said.contains("No space left") => Some(NO_ROOM),
        LogError::Away(_) => Some(NO_BROKER),
        LogError::Topic { problem, .. } if problem.contains("not there") => Some(NO_TOPICS),
        LogError::Full(_) => Some(NO_ROOM),
        LogError::Damaged(_) => Some(DAMAGED),
        _ => None,
    }
}

fn on_io(error: &std::io::Error) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::PermissionDenied => Some(NO_PERMISSION),
        ErrorKind::StorageFull => Some(DISK_FULL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn advice_is_found_below_what_was_attempted() {
        let away = Err::<(), _>(LogError::Away("no answer".to_owned()));
        let error = away.context("looking for the topics").unwrap_err();
        assert_eq!(on(&error), Some(NO_BROKER));
        let error = anyhow::Error::from(ProcessorError::Log(LogError::Full("/".to_owned())));
        assert_eq!(on(&error), Some(NO_ROOM));
        let denied = std::io::Error::from(ErrorKind::PermissionDenied);
        assert_eq!(on(&denied.into()), Some(NO_PERMISSION));
    }

    #[test]
    fn what_says_all_itself_gets_no_advice() {
        assert_eq!(on(&anyhow::anyhow!("there is no file x")), None);
        let fenced = LogError::Fenced("someone".to_owned());
        assert_eq!(on(&fenced.into()), None);
    }
}
