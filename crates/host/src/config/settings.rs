//! The settings that somebody has set.

use std::fmt;

use clap::{Arg, ArgMatches, Command, parser::ValueSource};

use super::given::takes_value;

/// The settings that differ from their defaults, as one line for the log: `data-dir=/var/lib/foretide listen=…`. Secrets
/// are redacted. Besides, what looks like a setting and is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    set: Vec<(String, String)>,
    unknown: Vec<String>,
}

impl Settings {
    /// Those of `matches`, which are of `command`.
    pub(super) fn of(command: &Command, matches: &ArgMatches, unknown: Vec<String>) -> Self {
        let shown = |arg: &Arg| Some((arg.get_long()?.to_owned(), value(arg, matches)?));
        let set = command.get_arguments().filter_map(shown).collect();
        Self { set, unknown }
    }

    /// A sentence for each variable of the environment that is called like a setting and is none.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// Logs them: the first event of a process.
    pub fn log(&self, program: &str) {
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            settings = %self,
            "{program} starts; the settings that differ from their defaults are in `settings`"
        );
        for unknown in &self.unknown {
            tracing::warn!("{unknown}");
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, value)) in self.set.iter().enumerate() {
            let space = if place > 0 { " " } else { "" };
            write!(f, "{space}{name}={value}")?;
        }
        Ok(())
    }
}

/// The value of `arg`, if somebody has set it to another than its default.
fn value(arg: &Arg, matches: &ArgMatches) -> Option<String> {
    let id = arg.get_id().as_str();
    let set = matches!(
        matches.value_source(id),
        Some(ValueSource::CommandLine | ValueSource::EnvVariable)
    );
    if !set {
        return None;
    }
    if !takes_value(arg) {
        return matches.get_flag(id).then(|| "true".to_owned());
    }
    let raw: Vec<_> = matches.get_raw(id)?.collect();
    if raw == arg.get_default_values() {
        return None;
    }
    if arg.is_hide_env_values_set() {
        return Some("(redacted)".to_owned());
    }
    let texts: Vec<_> = raw.iter().map(|text| text.to_string_lossy()).collect();
    Some(texts.join(";"))
}
