//! What goes wrong below and passes again, told to whoever runs a command that ends by itself.
//!
//! A server has a log for that. Here warnings are plain lines on standard error beside the progress.

use std::{
    collections::HashMap,
    fmt::{self, Write as _},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    filter::LevelFilter,
    layer::{Context, SubscriberExt as _},
    util::SubscriberInitExt as _,
};

use crate::output::note;

/// For so long the same thing is not told again: a broker that is away is complained of many times a second.
const QUIET: Duration = Duration::from_secs(30);
/// Whose lines all say the same in many ways.
const LIBRDKAFKA: &str = "librdkafka";

/// Tells warnings and errors on standard error from now on.
pub(crate) fn tell() {
    let warnings = Warnings::default().with_filter(LevelFilter::WARN);
    // It fails only where something hears them already.
    let _ = tracing_subscriber::registry().with(warnings).try_init();
}

#[derive(Default)]
struct Warnings {
    /// When each place in the code was heard last.
    heard: Mutex<HashMap<(&'static str, Option<u32>), Instant>>,
}

impl Warnings {
    fn is_new(&self, metadata: &'static Metadata<'static>, now: Instant) -> bool {
        let target = metadata.target();
        let line = metadata.line().filter(|_| target != LIBRDKAFKA);
        let mut heard = self.heard.lock();
        let last = heard.get(&(target, line));
        let is_new = last.is_none_or(|last| now.duration_since(*last) >= QUIET);
        if is_new {
            heard.insert((target, line), now);
        }
        is_new
    }
}

impl<S: Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if self.is_new(event.metadata(), Instant::now()) {
            note(&line(event));
        }
    }
}

/// `warning: what happened (name: value, …)`.
fn line(event: &Event<'_>) -> String {
    let mut words = Words::default();
    event.record(&mut words);
    let Words { message, fields } = words;
    if fields.is_empty() {
        return format!("warning: {message}");
    }
    format!("warning: {message} ({})", fields.join(", "))
}

#[derive(Default)]
struct Words {
    message: String,
    fields: Vec<String>,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            // Writing to a string cannot fail.
            "message" => drop(write!(self.message, "{value:?}")),
            // Of librdkafka, for those who know its code.
            "facility" => {}
            name => self.fields.push(format!("{name}: {value:?}")),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Keeps the lines of what it hears.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<String>>>, Arc<Warnings>);

    impl<S: Subscriber> Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            if self.1.is_new(event.metadata(), Instant::now()) {
                self.0.lock().push(line(event));
            }
        }
    }

    #[test]
    fn a_warning_is_a_plain_line_and_not_told_again_at_once() {
        let kept = Kept::default();
        let hearing = tracing_subscriber::registry().with(kept.clone());
        tracing::subscriber::with_default(hearing, || {
            for attempt in 0..3 {
                tracing::warn!(attempt, said = "no", "it begins anew");
            }
            tracing::error!(target: LIBRDKAFKA, facility = "FAIL", "refused");
            tracing::warn!(target: LIBRDKAFKA, "refused, 12 suppressed");
        });
        let expected = [
            "warning: it begins anew (attempt: 0, said: no)",
            "warning: refused",
        ];
        assert_eq!(*kept.0.lock(), expected);
    }
}
