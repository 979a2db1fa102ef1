//! Log events as lines of JSON: `timestamp`, `level`, `message`, the event's own fields, `target`.
//!
//! The same as `tracing_subscriber`'s own format with flattened fields, for a fraction of its work: every request writes
//! one of these lines, on the thread that answers it.

use std::fmt::{self, Write as _};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    registry::LookupSpan,
};

/// Writes events as lines of JSON. Spans are not shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        writer.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut writer)?;
        writer.write_str("\",\"level\":\"")?;
        writer.write_str(metadata.level().as_str())?;
        writer.write_char('"')?;
        let mut fields = Fields {
            writer: &mut writer,
            outcome: Ok(()),
        };
        event.record(&mut fields);
        fields.outcome?;
        writer.write_str(",\"target\":")?;
        write_text(&mut writer, metadata.target())?;
        writer.write_str("}\n")
    }
}

/// Writes the fields of an event as they come.
struct Fields<'a, 'w> {
    writer: &'a mut Writer<'w>,
    outcome: fmt::Result,
}

impl Fields<'_, '_> {
    fn write(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let member = || {
            self.writer.write_char(',')?;
            // Raw identifiers are fields of the same name.
            write_text(self.writer, field.name().trim_start_matches("r#"))?;
            self.writer.write_char(':')?;
            value(self.writer)
        };
        if self.outcome.is_ok() {
            self.outcome = member();
        }
    }
}

impl Visit for Fields<'_, '_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.write(field, |writer| {
            if value.is_finite() {
                write!(writer, "{value:?}")
            } else {
                writer.write_str("null")
            }
        });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, |writer| write!(writer, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, |writer| write!(writer, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, |writer| write!(writer, "{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, |writer| write_text(writer, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, |writer| {
            writer.write_char('"')?;
            write!(Escaped(writer), "{value:?}")?;
            writer.write_char('"')
        });
    }
}

fn write_text(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    writer.write_char('"')?;
    Escaped(writer).write_str(text)?;
    writer.write_char('"')
}

/// Escapes what JSON wants escaped in a text.
struct Escaped<'a, 'w>(&'a mut Writer<'w>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        // Byte by byte: none of these is part of another letter.
        let is_odd = |byte| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        while let Some(place) = rest.bytes().position(is_odd) {
            let (plain, odd) = rest.split_at(place);
            self.0.write_str(plain)?;
            let mut letters = odd.chars();
            match letters.next() {
                Some('"') => self.0.write_str("\\\"")?,
                Some('\\') => self.0.write_str("\\\\")?,
                Some('\n') => self.0.write_str("\\n")?,
                Some('\t') => self.0.write_str("\\t")?,
                Some(letter) => write!(self.0, "\\u{:04x}", u32::from(letter))?,
                None => {}
            }
            rest = letters.as_str();
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use proptest::prelude::*;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    /// What was logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Log {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// The one line that `log` logs.
    fn line(log: impl FnOnce()) -> serde_json::Value {
        let written = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .event_format(JsonLines)
            .with_writer(written.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = written.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn every_kind_of_field_is_a_member_of_its_own() {
        let absent: Option<u64> = None;
        let line = line(|| {
            tracing::warn!(
                target: "t",
                { http.method = "POST", http.status = 200_u16, duration_ms = 0.25, whole = 3.0, odd = f64::NAN, n = -1,
                  yes = true, absent, problem.code = Some("late"), error = %"no room", list = ?[1, 2] },
                "told"
            );
        });
        let mut told = line.as_object().unwrap().clone();
        let time = told.remove("timestamp").unwrap();
        assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
        assert_eq!(
            serde_json::Value::from(told),
            serde_json::json!({
                "level": "WARN", "message": "told", "http.method": "POST", "http.status": 200, "duration_ms": 0.25,
                "whole": 3.0, "odd": null, "n": -1, "yes": true, "problem.code": "late", "error": "no room",
                "list": "[1, 2]", "target": "t"
            })
        );
    }

    proptest! {
        #[test]
        fn any_text_survives(text: String) {
            let line = line(|| tracing::info!(text, shown = ?text, "a {text}"));
            prop_assert_eq!(line["text"].as_str(), Some(text.as_str()));
            let shown = format!("{text:?}");
            prop_assert_eq!(line["shown"].as_str(), Some(shown.as_str()));
            let message = format!("a {text}");
            prop_assert_eq!(line["message"].as_str(), Some(message.as_str()));
        }
    }
}
