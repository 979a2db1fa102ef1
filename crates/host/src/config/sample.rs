//! The sample environment file, written from the definitions of the flags, so that it cannot grow old.

use std::fmt::Write as _;

use clap::{Arg, Command};

use super::given::takes_value;

/// How wide a line of comment may be.
const WIDTH: usize = 100;

const INTRO: &str = "\
# Every setting of `foretide serve` and of the services alone, as variables of the environment. Each is a flag, too:
# FORETIDE_DATA_DIR is --data-dir. A flag wins over its variable. What is commented out is the default, or has none.
#
# Usable as an EnvironmentFile of systemd, and by docker run --env-file. It holds secrets once filled in: chmod 600.
# In brackets: the programs that know the setting. Others pass it over. A name that none knows is warned of.
#
# Made by `foretide config sample`.
";

/// A program with settings.
#[derive(Debug)]
pub struct Program {
    /// What it is called in the sample.
    pub name: &'static str,
    /// Its settings.
    pub command: Command,
}

/// The sample environment file of `programs`. Settings of one name are one setting.
pub fn sample(programs: &[Program]) -> String {
    let mut text = INTRO.to_owned();
    let mut headings: Vec<&str> = Vec::new();
    let mut variables: Vec<(&str, &Arg, Vec<&str>)> = Vec::new();
    for program in programs {
        for arg in program
            .command
            .get_arguments()
            .filter(|arg| !arg.is_hide_set())
        {
            let Some(name) = arg.get_env().and_then(|name| name.to_str()) else {
                continue;
            };
            let heading = heading(arg);
            if !headings.contains(&heading) {
                headings.push(heading);
            }
            match variables.iter_mut().find(|(known, ..)| *known == name) {
                Some((.., programs)) => programs.push(program.name),
                None => variables.push((name, arg, vec![program.name])),
            }
        }
    }
    for of in headings {
        let _ = writeln!(text, "\n# {of}\n# {}", "-".repeat(of.len()));
        for (name, arg, programs) in &variables {
            if heading(arg) == of {
                one(&mut text, name, arg, programs);
            }
        }
    }
    text
}

fn heading(arg: &Arg) -> &str {
    arg.get_help_heading().unwrap_or("Output")
}

fn one(text: &mut String, name: &str, arg: &Arg, programs: &[&str]) {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let must = if arg.is_required_set() {
        " Must be given."
    } else {
        ""
    };
    let possible: Vec<_> = arg
        .get_possible_values()
        .iter()
        .map(|value| value.get_name().to_owned())
        .collect();
    let possible = if possible.is_empty() {
        String::new()
    } else {
        format!(" One of {}.", possible.join(", "))
    };
    comment(
        text,
        &format!("{help}.{possible}{must} [{}]", programs.join(", ")),
    );
    let defaults: Vec<_> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect();
    let default = if takes_value(arg) {
        defaults.join(";")
    } else {
        "false".to_owned()
    };
    let _ = writeln!(text, "#{name}={default}");
}

/// Writes `words` as lines of comment, with a blank line before.
fn comment(text: &mut String, words: &str) {
    let mut line = "\n#".to_owned();
    for word in words.split_whitespace() {
        if line.trim_start().len() + 1 + word.len() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}
