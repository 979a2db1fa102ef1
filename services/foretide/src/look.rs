//! What the commands that look at a log are told: which log, and how long to wait for it.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use clap::{ArgMatches, Args, Command, Error, FromArgMatches, builder::OsStr, parser::ValueSource};
use foretide_host::{LogArgs, LogChoice};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

/// Stands for the data directory where none is given. Nothing is looked for in it.
const NO_DIR: &str = ".";

/// Which log. A server's own flags, but that a log on Kafka needs no data directory here, for nothing is kept there.
#[derive(Clone, Debug)]
pub(crate) struct WhichLog {
    args: LogArgs,
    has_dir: bool,
}

impl WhichLog {
    /// The data directory, if one was given.
    pub(crate) fn data_dir(&self) -> Option<PathBuf> {
        self.has_dir.then(|| self.args.data_dir.clone())
    }

    /// Everything that is wrong with them taken together.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = self.args.faults();
        if !self.has_dir && self.args.log == LogChoice::Embedded(None) {
            faults.push(
                "--data-dir (FORETIDE_DATA_DIR) must be given: the directory that the server keeps its data in. For a log on \
                 Kafka give --log kafka:HOST:PORT instead"
                    .to_owned(),
            );
        }
        faults
    }
}

impl std::ops::Deref for WhichLog {
    type Target = LogArgs;

    fn deref(&self) -> &LogArgs {
        &self.args
    }
}

impl FromArgMatches for WhichLog {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Ok(Self {
            args: LogArgs::from_arg_matches(matches)?,
            has_dir: matches.value_source("data_dir") != Some(ValueSource::DefaultValue),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for WhichLog {
    fn augment_args(command: Command) -> Command {
        LogArgs::augment_args(command)
            .mut_arg("data_dir", |arg| {
                arg.required(false)
                    .default_value(OsStr::from(NO_DIR))
                    .hide_default_value(true)
                    .help(
                        "The directory that the server keeps its data in, with an embedded log in it; not needed with Kafka",
                    )
            })
            .mut_arg("pseudonym_key_file", |arg| {
                arg.help("The key of the pseudonyms, if it is to be compared with the log's; nothing needs it here")
            })
            // For servers, which write.
            .mut_arg("disk_reserve_bytes", |arg| arg.hide(true))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// How long to wait for a log that says nothing.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Give up when the log says nothing for so many seconds: a broker is away
    #[arg(long, env = "FORETIDE_WAIT", value_name = "S", default_value_t = 60, help_heading = "Storage",
        value_parser = clap::value_parser!(u32).range(1..=86_400))]
    wait: u32,
}

impl Patience {
    /// For `seconds`.
    #[cfg(test)]
    pub(crate) fn of(seconds: u32) -> Self {
        Self { wait: seconds }
    }

    /// For how long.
    pub(crate) fn time(self) -> Duration {
        Duration::from_secs(self.wait.into())
    }

    /// What there is to say when it is over.
    pub(crate) fn over(self) -> Silent {
        Silent(self.wait)
    }

    /// Does `work` and gives up when it shows no sign of life for too long. It gives one by its [`Pulse`].
    pub(crate) async fn with<T, F: Future<Output = T>>(
        self,
        work: impl FnOnce(Pulse) -> F,
    ) -> Result<T, Silent> {
        let pulse = Pulse(Arc::new(Mutex::new(Instant::now())));
        let working = work(pulse.clone());
        let watching = async {
            loop {
                let until = *pulse.0.lock() + self.time();
                if Instant::now() >= until {
                    break;
                }
                sleep_until(until).await;
            }
        };
        tokio::select! {
            // What is there when time is over counts.
            biased;
            done = working => Ok(done),
            () = watching => Err(self.over()),
        }
    }
}

/// By what work shows that it gets on.
#[derive(Clone)]
pub(crate) struct Pulse(Arc<Mutex<Instant>>);

impl Pulse {
    /// It does at this moment.
    pub(crate) fn beat(&self) {
        *self.0.lock() = Instant::now();
    }
}

/// The log said nothing for so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Silent(u32);

impl std::error::Error for Silent {}

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0;
        write!(
            f,
            "nothing came from the log for {seconds} s (--wait), so its end was not reached. See whether all brokers of --log \
             are up (`kcat -L -b HOST:PORT` shows which answer), then run it again; --wait takes more seconds where they are \
             only slow"
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tokio::time::sleep;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        log: WhichLog,
        #[command(flatten)]
        patience: Patience,
    }

    fn cli(words: &str) -> Cli {
        let words = ["look"].into_iter().chain(words.split_whitespace());
        Cli::try_parse_from(words).unwrap()
    }

    #[test]
    fn a_directory_is_needed_only_where_the_log_is_in_it() {
        for enough in ["--data-dir x", "--log kafka:a:1", "--log embedded:/x"] {
            assert!(cli(enough).log.faults().is_empty(), "{enough}");
        }
        // As in the environment of a server.
        assert!(cli("--data-dir x --log kafka:a:1").log.faults().is_empty());
        let faults = cli("").log.faults();
        assert!(
            faults[0].starts_with("--data-dir (FORETIDE_DATA_DIR)"),
            "{faults:?}"
        );
        assert_eq!(
            cli("--data-dir .").log.faults(),
            [""; 0],
            "it may be this one"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_gets_on_is_waited_for_and_what_stands_still_is_not() {
        let patience = cli("--wait 5").patience;
        let slow = patience.with(async |pulse: Pulse| {
            for _ in 0..10 {
                sleep(Duration::from_secs(4)).await;
                pulse.beat();
            }
            "done"
        });
        assert_eq!(slow.await, Ok("done"));
        let began = Instant::now();
        let hung = patience.with(async |pulse: Pulse| {
            sleep(Duration::from_secs(3)).await;
            pulse.beat();
            std::future::pending::<()>().await;
        });
        let silent = hung.await.unwrap_err();
        assert_eq!(began.elapsed().as_secs(), 8);
        assert!(silent.to_string().contains("5 s (--wait)"), "{silent}");
    }
}
