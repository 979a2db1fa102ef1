//! Reading the settings of a process: flags and `FORETIDE_` variables, with every fault told at once.

mod faults;
mod given;
mod sample;
mod settings;
mod several;
mod unknown;

use std::{env, ffi::OsString, fmt, process::ExitCode};

use clap::{Command, FromArgMatches, error::ErrorKind};

pub use self::{
    sample::{Program, sample},
    settings::Settings,
    several::Several,
};

/// Settings that can say what is wrong with them taken together, beyond what is wrong with each.
pub trait Checked {
    /// A sentence for each fault, naming the flag. No secret is part of one.
    fn faults(&self) -> Vec<String>;
}

/// Settings as they were read.
#[derive(Clone, Debug)]
pub struct Parsed<C> {
    /// The settings.
    pub config: C,
    /// Those that differ from their defaults, to be logged.
    pub settings: Settings,
}

/// Why a process does not start with the settings it was given.
#[derive(Debug)]
pub enum Refusal {
    /// It was asked for its help or its version, or something is wrong that clap tells best.
    Told(clap::Error),
    /// These faults, all of them.
    Faults {
        /// The command, such as `foretide serve`.
        command: String,
        /// A sentence each.
        faults: Vec<String>,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(error) => write!(f, "{error}"),
            Self::Faults { command, faults } => {
                match faults.as_slice() {
                    [one] => writeln!(f, "{command}: {one}")?,
                    many => {
                        writeln!(f, "{command}: {} settings are wrong:", many.len())?;
                        for fault in many {
                            writeln!(f, "- {fault}")?;
                        }
                    }
                }
                write!(f, "`{command} --help` shows every setting with examples")
            }
        }
    }
}

impl Refusal {
    /// Tells it, help and version on standard output and anything else on standard error, and how the process is to end:
    /// 0 after help, 2 after a fault.
    #[expect(clippy::print_stderr, reason = "before there is a log")]
    pub fn tell(&self) -> ExitCode {
        match self {
            Self::Told(error) => {
                // A closed output is no reason to end in another way.
                let _ = error.print();
                u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
            }
            Self::Faults { .. } => {
                eprintln!("{self}");
                ExitCode::from(2)
            }
        }
    }
}

/// Reads the settings of this process by `command`.
pub fn parse<C: FromArgMatches + Checked>(command: Command) -> Result<Parsed<C>, Refusal> {
    parse_from(command, &env::args_os().collect::<Vec<_>>())
}

/// Reads settings from `args`, whose first is the program's name, and from the environment.
pub fn parse_from<C: FromArgMatches + Checked>(
    mut command: Command,
    args: &[OsString],
) -> Result<Parsed<C>, Refusal> {
    command.build();
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let unknown = unknown::told(&command, names);
    let parsed = command.clone().try_get_matches_from(args);
    let error = match parsed.and_then(|matches| Ok((C::from_arg_matches(&matches)?, matches))) {
        Ok((config, matches)) => {
            let (command, matches) = given::deepest(&command, &matches);
            let faults = config.faults();
            return if faults.is_empty() {
                let settings = Settings::of(command, matches, unknown);
                Ok(Parsed { config, settings })
            } else {
                Err(Refusal::Faults {
                    command: given::name(command),
                    faults,
                })
            };
        }
        Err(error) => error,
    };
    let not_a_fault = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if not_a_fault {
        return Err(Refusal::Told(error));
    }
    let (name, found) = faults::all::<C>(&command, args, &|variable| env::var_os(variable));
    // What is not found looking at each setting alone is left to clap to tell.
    if found.is_empty() {
        return Err(Refusal::Told(error));
    }
    Err(Refusal::Faults {
        command: name,
        faults: found,
    })
}

#[cfg(test)]
mod tests;
