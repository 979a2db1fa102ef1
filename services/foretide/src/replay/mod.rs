//! `foretide replay`: folds a range of the log again, silently.

mod into;
mod profiles;
mod summary;

use std::{path::PathBuf, time::Instant};

use anyhow::bail;
use clap::{Args, builder::FalseyValueParser};
use foretide_events::EpochMs;
use foretide_host::{FoldRulesArgs, config::Checked, key_file};
use foretide_ports::{ACTIONS, ReadOnlyLog, References};
use foretide_processor::{
    FoldedLog,
    replay::{
        AloneReplay, GroupName, Progress, RanAlone, Replay, Replayed, Speed, compare,
        shadow::{ShadowName, Shadows},
    },
};
use foretide_runtime::{CancellationToken, Clock as _, SystemClock};
use uuid::Uuid;

use self::{
    profiles::ProfilesFile,
    summary::{Check, Summary},
};
use crate::{
    instant::instant,
    look::{Patience, WhichLog},
    output::{Output, note},
    progress::Meter,
    shadows::{
        against,
        place::{NOWHERE, ShadowDir},
        what_if::WhatIf,
    },
    stop,
    topics::place::Place,
};

/// How many shoppers that differ are named.
const NAMED: usize = 10;
/// How it is shown how far a replay is.
const METER: &str = "{bar:30} {percent}%  {msg}  {per_sec}  {eta} to go";

pub(crate) const EXAMPLES: &str = "\
Examples:
  # Prove that the profiles being served are what the log says: exit status 1 if any differs
  foretide replay --check --log kafka:127.0.0.1:9092

  # One morning again, with the profiles it makes in a file
  foretide replay --from 2026-11-22T06:00:00Z --to 2026-11-22T12:00:00Z --profiles morning.ndjson \\
    --at 2026-11-22T12:00:00Z --log kafka:127.0.0.1:9092

  # Offsets 0 to 99999 of every partition, in a group that other tools can watch
  foretide replay --to 100000 --group foretide.replay.check \\
    --log kafka:127.0.0.1:9092

  # The last day once more at 60 times its pace, with how far it is
  foretide replay --from 2026-11-21T12:00:00Z --speed 60 --log kafka:127.0.0.1:9092

  # What if a session ended after ten minutes? Profiles of their own beside the live ones, and how they differ
  foretide replay --into gap10 --what-if session-gap-s=600 --data-dir /var/lib/foretide

  # The same command later goes on where that stopped; `foretide shadows` shows, compares and drops what there is
  foretide replay --into gap10 --data-dir /var/lib/foretide

  # What if nothing had come late? Late events are folded at their place, in a shadow alone
  foretide replay --into in-time --with-late --data-dir /var/lib/foretide

A replay folds by the same code as the processor, so the whole log gives the digest of `foretide digest`, as long as \
retention has taken nothing from foretide.actions. It publishes nothing and sends nothing: it is given a log that can only \
be read. Over Kafka it is a member of a consumer group of its own, whose offsets show how far it is; several with \
the same --group share the partitions, and each tells of its own; links between shoppers are applied where one \
replayer has the partitions of both. With --speed or --into it is in no group.

A shadow (--into) is kept on this machine, up to the last action that was folded: a replay of the same name goes on there. \
It is compared with the live profiles when it is done. Nothing of it ever reaches the log, the live profiles or a shopper. \
The flags of section Profile are the settings of the services.

Profiles are kept in memory while it runs. An embedded log that a server has open cannot be read beside it.";

/// Folds a range of the log again, and publishes nothing
#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    /// Where to begin in each partition of the actions: `beginning`, an offset, `-N` for N before the end, or a time (RFC
    /// 3339) by when actions were appended
    #[arg(
        long,
        env = "FORETIDE_REPLAY_FROM",
        value_name = "PLACE",
        default_value = "beginning",
        allow_hyphen_values = true
    )]
    from: Place,

    /// Where to stop, before that place; never beyond the end as it is at the start
    #[arg(
        long,
        env = "FORETIDE_REPLAY_TO",
        value_name = "PLACE",
        default_value = "end",
        allow_hyphen_values = true
    )]
    to: Place,

    /// The consumer group whose offsets tell how far it is; `foretide.replay.` and a random name by default
    #[arg(long, env = "FORETIDE_REPLAY_GROUP", value_name = "NAME", value_parser = GroupName::new)]
    group: Option<GroupName>,

    /// Compare with the profiles that are published; names shoppers that differ and fails if there are any
    #[arg(long, env = "FORETIDE_REPLAY_CHECK", conflicts_with_all = ["from", "to"], value_parser = FalseyValueParser::new())]
    check: bool,

    /// Write the profiles to this file, a line of JSON each
    #[arg(long, env = "FORETIDE_REPLAY_PROFILES", value_name = "FILE")]
    profiles: Option<PathBuf>,

    /// The instant of the features in that file, and of those that are compared with --into, RFC 3339; now by default
    #[arg(long, env = "FORETIDE_REPLAY_AT", value_name = "TIME", value_parser = instant)]
    at: Option<EpochMs>,

    /// How many times as fast as it was appended the log is folded, such as 1 or 60; as fast as it goes by default
    #[arg(
        long,
        env = "FORETIDE_REPLAY_SPEED",
        value_name = "X",
        conflicts_with = "group"
    )]
    speed: Option<Speed>,

    /// Keep the profiles as a shadow of this name, on this machine; go on with it where it stopped, if there is one
    #[arg(
        long,
        env = "FORETIDE_REPLAY_INTO",
        value_name = "NAME",
        conflicts_with_all = ["group", "check"]
    )]
    into: Option<ShadowName>,

    /// Fold late events at their place, in the shadow; they are no part of the live profiles
    #[arg(long, env = "FORETIDE_REPLAY_WITH_LATE", requires = "into", value_parser = FalseyValueParser::new())]
    with_late: bool,

    /// Fold the shadow with another number for this setting of section Profile; may be given several times
    #[arg(
        long,
        env = "FORETIDE_REPLAY_WHAT_IF",
        value_name = "SETTING=NUMBER",
        value_delimiter = ',',
        requires = "into"
    )]
    what_if: Vec<WhatIf>,

    #[command(flatten)]
    shadow_dir: ShadowDir,

    #[command(flatten)]
    log: WhichLog,

    #[command(flatten)]
    rules: FoldRulesArgs,

    #[command(flatten)]
    patience: Patience,
}

impl Checked for ReplayArgs {
    fn faults(&self) -> Vec<String> {
        let mut faults = self.log.faults();
        faults.extend(self.from.is_behind(&self.to));
        if self.at.is_some() && self.profiles.is_none() && self.into.is_none() {
            faults.push(
                "--at is the instant of features, and none are shown: give --profiles or --into"
                    .to_owned(),
            );
        }
        if self.into.is_some() && self.shadows().is_none() {
            faults.push(NOWHERE.to_owned());
        }
        faults
    }
}

impl ReplayArgs {
    fn shadows(&self) -> Option<Shadows> {
        self.shadow_dir.shadows(self.log.data_dir())
    }
}

/// Runs the command.
///
/// # Errors
/// The log cannot be read, it was asked to end before it was done, or profiles differ.
pub(crate) async fn run(args: ReplayArgs, output: Output) -> anyhow::Result<()> {
    let stop = stop::when_asked();
    let file = args
        .profiles
        .clone()
        .map(ProfilesFile::create)
        .transpose()?;
    let member = format!("replay-{}", Uuid::new_v4());
    let log = tokio::select! {
        log = args.log.open_existing_log(&member) => log?,
        () = stop.cancelled() => bail!("asked to end before the log was open"),
    };
    key_file::check_if_given(&args.log, &*log).await?;
    let log_id = key_file::log_id(&*log).await?;
    // From here on nothing can be written to the log.
    let log = ReadOnlyLog::new(log);

    if let Some(name) = &args.into {
        return into::run(&args, name, log, log_id, file, output, &stop).await;
    }
    let published = if args.check {
        let (partitions, rules) = (args.log.partitions, args.rules.rules());
        Some(against::live(&log, partitions, rules, args.patience, &stop).await?)
    } else {
        None
    };
    let replay = range(&args, log, member, published.as_ref()).await?;
    let began = Instant::now();
    let replayed = if args.speed.is_some() {
        let alone = alone(&args, &replay);
        let onto = FoldedLog::empty(args.log.partitions);
        fold_alone(&alone, onto, args.patience, &stop)
            .await?
            .replayed
    } else {
        fold(&replay, args.patience, &stop).await?
    };
    let partitions: Vec<u32> = replayed.stretches.keys().copied().collect();
    let check = published.filter(|_| replayed.is_complete).map(|published| {
        let own = partitions.iter().copied();
        Check::of(compare(
            &published.table,
            &replayed.folded.table,
            own,
            NAMED,
        ))
    });
    let summary = Summary::of(&replay, &replayed, check, began.elapsed());
    output.answer(&summary, || summary.to_string())?;
    if let Some(file) = file {
        let at = args.at.unwrap_or(EpochMs(SystemClock.now_ms()));
        let reference = References::load(&replay.log, args.patience.time())
            .await?
            .at(at);
        let table = &replayed.folded.table;
        file.write(table, &partitions, at, &replay.rules, &reference)?;
    }
    Ok(summary.verdict()?)
}

/// What is to be replayed: what was asked for, or all that `published` rests on.
async fn range(
    args: &ReplayArgs,
    log: ReadOnlyLog,
    member: String,
    published: Option<&FoldedLog>,
) -> anyhow::Result<Replay> {
    let ends = match published {
        Some(published) => published.positions(),
        None => log.end_offsets(ACTIONS).await?,
    };
    let within = |offsets: Vec<u64>| -> Vec<u64> {
        let pairs = offsets.into_iter().zip(&ends);
        pairs.map(|(offset, end)| offset.min(*end)).collect()
    };
    let begins = within(args.from.in_each(&log, ACTIONS, &ends).await?);
    if args.from == Place::Beginning && begins.iter().any(|begin| *begin > 0) {
        let gone: u64 = begins.iter().sum();
        note(&format!(
            "the log has let go of its first {gone} actions: profiles that rest on them come out otherwise"
        ));
    }
    let ends = within(args.to.in_each(&log, ACTIONS, &ends).await?);
    // An embedded log has no tools that would look, and would keep the offsets of every random name.
    let commits = args.group.is_some() || args.log.is_shared();
    let random = || GroupName::new(&format!("foretide.replay.{}", Uuid::new_v4()));
    Ok(Replay {
        log,
        begins,
        ends,
        rules: args.rules.rules(),
        group: match &args.group {
            Some(group) => group.clone(),
            None => random().map_err(anyhow::Error::msg)?,
        },
        member,
        commits,
    })
}

/// The same range, by this process alone.
fn alone(args: &ReplayArgs, replay: &Replay) -> AloneReplay {
    AloneReplay {
        log: replay.log.clone(),
        begins: replay.begins.clone(),
        ends: replay.ends.clone(),
        rules: replay.rules,
        speed: args.speed,
        lateness: None,
    }
}

/// Folds alone, and shows how far it is.
async fn fold_alone(
    replay: &AloneReplay,
    onto: FoldedLog,
    patience: Patience,
    stop: &CancellationToken,
) -> anyhow::Result<RanAlone> {
    let meter = Meter::new(METER);
    let folding = patience.with(|pulse| {
        let meter = &meter;
        replay.run(onto, stop, move |Progress { done, total }| {
            pulse.beat();
            meter.show(done, Some(total), || {
                format!("{done} of {total} actions folded")
            });
        })
    });
    Ok(folding.await??)
}

/// Folds, and shows how far it is.
async fn fold(
    replay: &Replay,
    patience: Patience,
    stop: &CancellationToken,
) -> anyhow::Result<Replayed> {
    let meter = Meter::new(METER);
    let folding = patience.with(|pulse| {
        let meter = &meter;
        replay.run(stop, move |Progress { done, total }| {
            pulse.beat();
            meter.show(done, Some(total), || {
                format!("{done} of {total} actions folded")
            });
        })
    });
    Ok(folding.await??)
}
