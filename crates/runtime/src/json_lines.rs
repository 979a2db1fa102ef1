//! Log events as lines of JSON: `timestamp`, `level`, `message`, the event's own fields, `target`.
//!
//! The same as `tracing_subscriber`'s own format with flattened fields, for a fraction of its work: every request writes
//! one of these lines, on the thread that answers it. Each thread has memory for its line, which is handed on in one piece.

use std::{
    cell::RefCell,
    fmt::{self, Write as _},
};

use serde::Serialize;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::{clock, timestamp::Timestamp};

/// Writes events as lines of JSON. Spans are not shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonLines;

thread_local! {
    /// What a thread writes its lines with.
    static PEN: RefCell<Pen> = RefCell::default();
}

/// A line that is being written, and what is kept from one line to the next.
#[derive(Default)]
struct Pen {
    line: Vec<u8>,
    time: Timestamp,
}

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
        PEN.with(|pen| match pen.try_borrow_mut() {
            Ok(mut pen) => pen.write(event, &mut writer),
            // An event from within the text of another.
            Err(_) => Pen::default().write(event, &mut writer),
        })
    }
}

impl Pen {
    fn write(&mut self, event: &Event<'_>, writer: &mut Writer<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let line = &mut self.line;
        line.clear();
        line.extend_from_slice(b"{\"timestamp\":\"");
        self.time.write(clock::now_us(), line);
        line.extend_from_slice(b"\",\"level\":\"");
        line.extend_from_slice(metadata.level().as_str().as_bytes());
        line.push(b'"');
        event.record(&mut Fields(line));
        line.extend_from_slice(b",\"target\":");
        write_json(line, metadata.target());
        line.extend_from_slice(b"}\n");
        writer.write_str(str::from_utf8(line).map_err(|_| fmt::Error)?)
    }
}

/// Writes the fields of an event as they come.
struct Fields<'a>(&'a mut Vec<u8>);

impl Fields<'_> {
    /// Writes the field's name, and gives the line to write its value to.
    fn named(&mut self, field: &Field) -> &mut Vec<u8> {
        // Raw identifiers are fields of the same name. What a name may be made of needs no escape but where it is a text.
        let name = field.name().trim_start_matches("r#");
        self.0.push(b',');
        if name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte))
        {
            self.0.push(b'"');
            self.0.extend_from_slice(name.as_bytes());
            self.0.push(b'"');
        } else {
            write_json(self.0, name);
        }
        self.0.push(b':');
        self.0
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // What is not finite is `null`.
        write_json(self.named(field), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        write_json(self.named(field), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        write_json(self.named(field), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        write_json(self.named(field), &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        write_json(self.named(field), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let line = self.named(field);
        line.push(b'"');
        // Only a `Debug` that fails by itself fails: what it wrote before is shown.
        let _ = write!(Escaped(line), "{value:?}");
        line.push(b'"');
    }
}

/// Writes a number, a truth or a text. Writing these to memory does not fail.
fn write_json<T: Serialize + ?Sized>(line: &mut Vec<u8>, value: &T) {
    let _ = serde_json::to_writer(line, value);
}

/// Escapes what JSON wants escaped in the pieces of a text.
struct Escaped<'a>(&'a mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        // As a text of its own, whose quotes are taken off again.
        let begin = self.0.len();
        write_json(self.0, piece);
        self.0.pop();
        self.0.remove(begin);
        Ok(())
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
