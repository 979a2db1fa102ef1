//! What was given, before anybody looks at whether it makes sense.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

use clap::{
    Arg, ArgAction, ArgMatches, Command,
    builder::{Resettable, ValueParser},
    error::{ContextKind, ContextValue, ErrorKind},
};

/// How many unknown words are told of before the rest is not looked at.
const MAX_UNKNOWN: usize = 20;

/// The words of a command line, sorted to their flags whatever they say.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// The values of each argument, by its id; of a flag without values, an empty list.
    pub(super) values: BTreeMap<String, Vec<OsString>>,
    /// The subcommands, in order.
    pub(super) path: Vec<String>,
    /// What no argument takes, told in a sentence each.
    pub(super) unknown: Vec<String>,
}

/// The innermost command that `matches` are about, with its matches.
pub(super) fn deepest<'a>(
    mut command: &'a Command,
    mut matches: &'a ArgMatches,
) -> (&'a Command, &'a ArgMatches) {
    while let Some((name, inner)) = matches.subcommand() {
        let Some(next) = command.find_subcommand(name) else {
            break;
        };
        (command, matches) = (next, inner);
    }
    (command, matches)
}

/// What people call `command`.
pub(super) fn name(command: &Command) -> String {
    command
        .get_bin_name()
        .unwrap_or_else(|| command.get_name())
        .to_owned()
}

/// Whether `arg` is followed by a value.
pub(super) fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

/// Sorts `args`, whose first is the program's name, to the arguments of `command`, which is built.
pub(super) fn sort(command: &Command, args: &[OsString]) -> Given {
    let lenient = lenient(command.clone());
    let mut words = args.to_vec();
    let mut given = Given::default();
    while given.unknown.len() < MAX_UNKNOWN {
        match lenient.clone().try_get_matches_from(&words) {
            Ok(matches) => {
                given.take(&lenient, &matches);
                break;
            }
            Err(error) if error.kind() == ErrorKind::UnknownArgument => {
                let Some(word) = text(&error, ContextKind::InvalidArg) else {
                    break;
                };
                let hint = text(&error, ContextKind::SuggestedArg)
                    .filter(|similar| begin_alike(similar, &word))
                    .map(|similar| format!(": did you mean {similar}?"));
                given
                    .unknown
                    .push(format!("there is no {word}{}", hint.unwrap_or_default()));
                if !remove(&mut words, &word) {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    given
}

impl Given {
    fn take(&mut self, command: &Command, matches: &ArgMatches) {
        let mut inner = matches;
        while let Some((name, next)) = inner.subcommand() {
            self.path.push(name.to_owned());
            inner = next;
        }
        let (command, matches) = deepest(command, matches);
        for arg in command.get_arguments() {
            let id = arg.get_id().as_str();
            if !takes_value(arg) {
                if matches!(arg.get_action(), ArgAction::SetTrue) && matches.get_flag(id) {
                    self.values.insert(id.to_owned(), Vec::new());
                }
                continue;
            }
            if let Some(values) = matches.get_many::<OsString>(id) {
                self.values.insert(id.to_owned(), values.cloned().collect());
            }
        }
    }
}

/// `command` taking any value for anything, and nothing from elsewhere than its words.
fn lenient(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        let arg = arg.required(false).env(Resettable::Reset);
        if !takes_value(&arg) {
            return arg;
        }
        let arg = arg
            .default_value(Resettable::Reset)
            .value_delimiter(Resettable::Reset)
            .value_parser(ValueParser::os_string());
        if arg.is_positional() {
            arg
        } else {
            arg.action(ArgAction::Append).num_args(0..=1)
        }
    });
    command
        .mut_subcommands(lenient)
        .subcommand_required(false)
        .arg_required_else_help(false)
}

/// A flag of another program is often somewhat like one of this one, and not meant.
fn begin_alike(one: &str, other: &str) -> bool {
    let begin = |word: &str| {
        let letters = word.trim_start_matches('-');
        letters.chars().take(2).collect::<String>()
    };
    begin(one) == begin(other)
}

/// Takes `word` away, and the value that seems to follow it.
fn remove(words: &mut Vec<OsString>, word: &str) -> bool {
    let is_it = |found: &OsString| {
        found == word
            || found
                .to_str()
                .and_then(|found| found.split_once('='))
                .is_some_and(|(flag, _)| flag == word)
    };
    let Some(place) = words.iter().position(is_it) else {
        return false;
    };
    let removed = words.remove(place);
    let looks_like_value = |next: &OsString| !next.to_string_lossy().starts_with('-');
    if removed == *OsStr::new(word)
        && word.starts_with('-')
        && words.get(place).is_some_and(looks_like_value)
    {
        words.remove(place);
    }
    true
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        _ => None,
    }
}
