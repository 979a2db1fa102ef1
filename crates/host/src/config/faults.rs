//! Finds everything that is wrong with what was given: clap itself stops at the first fault.
//!
//! Every setting is looked at alone, by the very parser that its flag has. Then, with what is wrong or missing replaced,
//! the settings are looked at together.

use std::{
    error::Error as _,
    ffi::{OsStr, OsString},
};

use clap::{
    Arg, ArgAction, Command, FromArgMatches,
    builder::{PossibleValue, Resettable},
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{
    Checked,
    given::{self, Given, takes_value},
    several,
};

/// Looks a variable of the environment up.
type Environment<'a> = dyn Fn(&OsStr) -> Option<OsString> + 'a;

/// Every fault of `args` and the environment, with the name of the command they are about. `command` is built.
pub(super) fn all<C: FromArgMatches + Checked>(
    command: &Command,
    args: &[OsString],
    environment: &Environment<'_>,
) -> (String, Vec<String>) {
    let given = given::sort(command, args);
    let mut at = command;
    for name in &given.path {
        at = at.find_subcommand(name).unwrap_or(at);
    }
    let mut faults = given.unknown.clone();
    let mut sound: Vec<OsString> = std::iter::once(OsString::from(given::name(command)))
        .chain(given.path.iter().map(OsString::from))
        .collect();
    for arg in at.get_arguments() {
        let looked = look(arg, &given, environment);
        faults.extend(looked.fault);
        sound.extend(looked.sound);
    }
    faults.extend(together::<C>(command, &sound));
    (given::name(at), faults)
}

/// What one setting comes to.
#[derive(Default)]
struct Looked {
    fault: Option<String>,
    /// The words that give it again, or a stand-in for it where it is needed but wrong.
    sound: Vec<OsString>,
}

fn look(arg: &Arg, given: &Given, environment: &Environment<'_>) -> Looked {
    let on_the_line = given.values.get(arg.get_id().as_str());
    if !takes_value(arg) {
        let is_on = on_the_line.is_some() && matches!(arg.get_action(), ArgAction::SetTrue);
        return Looked {
            fault: None,
            sound: is_on
                .then(|| words(arg, None))
                .into_iter()
                .flatten()
                .collect(),
        };
    }
    let (name, values) = match (on_the_line, arg.get_env().and_then(environment)) {
        (Some(values), _) => (flag(arg), values.clone()),
        // As clap reads it: one value where the parser does not split it.
        (None, Some(value))
            if matches!(arg.get_action(), ArgAction::Append)
                && arg.get_value_delimiter().is_none() =>
        {
            (variable(arg), several::split(&value))
        }
        (None, Some(value)) => (variable(arg), vec![value]),
        (None, None) if arg.is_required_set() => return missing(arg),
        (None, None) => return Looked::default(),
    };
    let repeated =
        values.len() > 1 && !matches!(arg.get_action(), ArgAction::Append) && !arg.is_positional();
    let fault = if values.is_empty() {
        Some(format!("{name} needs a value"))
    } else if repeated {
        Some(format!("{name} is given {} times", values.len()))
    } else {
        values
            .iter()
            .find_map(|value| wrong(arg, value))
            .map(|reason| format!("{name} {reason}"))
    };
    match fault {
        Some(fault) if arg.is_required_set() => Looked {
            fault: Some(fault),
            ..missing(arg)
        },
        fault @ Some(_) => Looked {
            fault,
            sound: Vec::new(),
        },
        None => Looked {
            fault: None,
            sound: values
                .iter()
                .flat_map(|value| words(arg, Some(value)))
                .collect(),
        },
    }
}

fn missing(arg: &Arg) -> Looked {
    let what = arg
        .get_help()
        .map(|help| format!(": {help}"))
        .unwrap_or_default();
    let possible = arg.get_possible_values();
    let possible: Vec<_> = possible.iter().map(PossibleValue::get_name).collect();
    let one_of = if possible.is_empty() {
        String::new()
    } else {
        format!("; it is one of {}", possible.join(", "))
    };
    let name = match arg.get_env() {
        Some(env) if !arg.is_positional() => format!("{} ({})", flag(arg), env.to_string_lossy()),
        _ => flag(arg),
    };
    // Another one for each, or two that are missing would be told to be the same.
    let stand_in = possible.first().map_or_else(
        || OsString::from(format!("missing-{}", arg.get_id())),
        OsString::from,
    );
    Looked {
        fault: Some(format!("{name} must be given{what}{one_of}")),
        sound: words(arg, Some(&stand_in)),
    }
}

/// What is wrong with `value` for `arg`, if anything. Never repeats a secret.
fn wrong(arg: &Arg, value: &OsStr) -> Option<String> {
    let alone = arg
        .clone()
        .required(false)
        .global(false)
        .env(Resettable::Reset)
        .conflicts_with(Resettable::Reset)
        .requires(Resettable::Reset)
        .allow_hyphen_values(true);
    let error = Command::new("alone")
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(alone)
        .try_get_matches_from(words(arg, Some(value)))
        .err()?;
    if value.is_empty() {
        return Some("is empty".to_owned());
    }
    let reason = reason(&error);
    let shown = value.to_string_lossy();
    if !arg.is_hide_env_values_set() {
        return Some(format!("cannot be `{shown}`: {reason}"));
    }
    Some(if reason.contains(&*shown) {
        "is not as it should be".to_owned()
    } else {
        format!("is not as it should be: {reason}")
    })
}

fn reason(error: &clap::Error) -> String {
    if let Some(source) = error.source() {
        return source.to_string();
    }
    match (error.kind(), error.get(ContextKind::ValidValue)) {
        (ErrorKind::InvalidUtf8, _) => "it is not text in UTF-8".to_owned(),
        (_, Some(ContextValue::Strings(possible))) if !possible.is_empty() => {
            format!("it is one of {}", possible.join(", "))
        }
        _ => "it is not as it should be".to_owned(),
    }
}

/// The words that give `arg` the value `value`.
fn words(arg: &Arg, value: Option<&OsStr>) -> Vec<OsString> {
    let mut word = OsString::new();
    if let Some(long) = arg.get_long() {
        word.push("--");
        word.push(long);
        if value.is_some() {
            word.push("=");
        }
    }
    word.push(value.unwrap_or_default());
    vec![word]
}

fn flag(arg: &Arg) -> String {
    match arg.get_long() {
        Some(long) => format!("--{long}"),
        None => arg.get_id().as_str().to_uppercase(),
    }
}

fn variable(arg: &Arg) -> String {
    arg.get_env()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// What is wrong with the settings together, given in the words `sound`, each of which is right by itself.
fn together<C: FromArgMatches + Checked>(command: &Command, sound: &[OsString]) -> Vec<String> {
    without_environment(command.clone())
        .try_get_matches_from(sound)
        .and_then(|matches| C::from_arg_matches(&matches))
        .map(|config| config.faults())
        // A stand-in that does not fit: what is wrong by itself has been told.
        .unwrap_or_default()
}

fn without_environment(command: Command) -> Command {
    command
        .mut_args(|arg| arg.env(Resettable::Reset))
        .mut_subcommands(without_environment)
}
