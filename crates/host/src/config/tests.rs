use std::{collections::BTreeMap, ffi::OsStr};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use foretide_runtime::Secret;

use super::*;

/// Runs things
#[derive(Debug, Parser)]
#[command(name = "thing")]
struct Cli {
    /// JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Serves
    Serve(Serve),
}

#[derive(Args, Debug)]
struct Serve {
    /// Where data live
    #[arg(long, env = "THING_DATA_DIR", value_name = "DIR")]
    data_dir: std::path::PathBuf,
    /// Where to listen
    #[arg(long, env = "THING_LISTEN", default_value = "127.0.0.1:8080")]
    listen: std::net::SocketAddr,
    /// How many
    #[arg(long, env = "THING_PARTITIONS", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    partitions: u32,
    /// How often
    #[arg(long, env = "THING_EVERY_MS", default_value_t = 100)]
    every_ms: u64,
    /// A setting
    #[arg(long, env = "THING_SETTING", hide_env_values = true, value_delimiter = ';', value_parser = pair)]
    setting: Vec<(String, String)>,
    /// The one key
    #[arg(long, env = "THING_WRITE_KEY", hide_env_values = true)]
    write_key: Secret,
    /// The other key
    #[arg(long, env = "THING_ADMIN_KEY", hide_env_values = true)]
    admin_key: Secret,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("a setting is written NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Checked for Cli {
    fn faults(&self) -> Vec<String> {
        let Sub::Serve(serve) = &self.command;
        let same = serve.write_key.matches(serve.admin_key.expose());
        same.then(|| "--write-key and --admin-key are the same".to_owned())
            .into_iter()
            .collect()
    }
}

fn faults(line: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let mut command = Cli::command();
    command.build();
    let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
    let environment: BTreeMap<_, _> = environment.iter().copied().collect();
    let look_up = |name: &OsStr| environment.get(name.to_str()?).map(OsString::from);
    let (name, faults) = faults::all::<Cli>(&command, &args, &look_up);
    assert_eq!(name, "thing serve");
    faults
}

#[test]
fn every_fault_is_told_at_once_and_no_secret_is_shown() {
    let line = "thing serve --listen nowhere --every-ms=soon --setting s3cret-password --write-key hunter2";
    let found = faults(
        line,
        &[("THING_PARTITIONS", "0"), ("THING_ADMIN_KEY", "hunter2")],
    );
    let all = found.join("\n");
    for (place, part) in [
        "--data-dir (THING_DATA_DIR) must be given: Where data live",
        "--listen cannot be `nowhere`: invalid socket address syntax",
        "THING_PARTITIONS cannot be `0`: 0 is not in 1..=1024",
        "--every-ms cannot be `soon`: invalid digit found in string",
        "--setting is not as it should be: a setting is written NAME=VALUE",
        "--write-key and --admin-key are the same",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(found[place], part, "{all}");
    }
    assert_eq!(found.len(), 6, "{all}");
    assert!(!all.contains("hunter2") && !all.contains("s3cret"), "{all}");
}

#[test]
fn words_that_no_flag_takes_are_told_with_what_may_be_meant() {
    let found = faults(
        "thing --json serve --data-dir d --lissten 1:2 --write-key w --admin-key a --partitions --every-ms 1 --every-ms 2",
        &[],
    );
    assert_eq!(
        found,
        [
            "there is no --lissten: did you mean --listen?",
            "--partitions needs a value",
            "--every-ms is given 2 times"
        ]
    );
}

#[test]
fn what_is_missing_is_never_told_to_be_the_same() {
    let found = faults("thing serve --data-dir d", &[]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|fault| fault.contains("must be given")));
}

#[test]
fn one_fault_and_many_are_told_with_where_to_look() {
    let refusal = |faults: &[&str]| {
        Refusal::Faults {
            command: "thing serve".to_owned(),
            faults: faults.iter().map(|&fault| fault.to_owned()).collect(),
        }
        .to_string()
    };
    assert_eq!(
        refusal(&["one"]),
        "thing serve: one\n`thing serve --help` shows every setting with examples"
    );
    assert!(
        refusal(&["one", "two"]).starts_with("thing serve: 2 settings are wrong:\n- one\n- two\n")
    );
}

#[test]
fn the_settings_that_differ_are_shown_without_secrets() {
    let line = "thing serve --data-dir d --listen 127.0.0.1:8080 --partitions 4 --write-key w --admin-key a --setting a=b";
    let args: Vec<_> = line.split(' ').map(OsString::from).collect();
    let parsed: Parsed<Cli> = parse_from(Cli::command(), &args).unwrap();
    assert_eq!(
        parsed.settings.to_string(),
        "data-dir=d partitions=4 setting=(redacted) write-key=(redacted) admin-key=(redacted)"
    );
}

#[test]
fn help_is_no_fault() {
    let args = ["thing", "serve", "--help"].map(OsString::from);
    match parse_from::<Cli>(Cli::command(), &args) {
        Err(Refusal::Told(error)) => assert_eq!(error.exit_code(), 0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_sample_names_each_setting_once_with_its_default() {
    let mut command = Cli::command();
    command.build();
    let serve = || Program {
        name: "serve",
        command: command.find_subcommand("serve").unwrap().clone(),
    };
    let text = sample(&[
        serve(),
        Program {
            name: "other",
            ..serve()
        },
    ]);
    assert_eq!(text.matches("#THING_PARTITIONS=8\n").count(), 1, "{text}");
    assert!(text.contains("# How many. [serve, other]\n"), "{text}");
    assert!(
        text.contains("# The one key. Must be given. [serve, other]\n#THING_WRITE_KEY=\n"),
        "{text}"
    );
}
