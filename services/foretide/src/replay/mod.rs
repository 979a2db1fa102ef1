//! `foretide replay`: folds a range of the log again, silently.

mod profiles;
mod summary;

use std::{path::PathBuf, time::Instant};

use anyhow::{Context as _, bail};
use clap::{Args, builder::FalseyValueParser};
use foretide_events::EpochMs;
use foretide_features::FoldRules;
use foretide_host::{config::Checked, key_file};
use foretide_ports::{ACTIONS, ReadOnlyLog};
use foretide_processor::{
    FoldedLog, fold_all,
    replay::{GroupName, Progress, Replay, Replayed, compare},
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
    stop,
    topics::place::Place,
};

/// How many shoppers that differ are named.
const NAMED: usize = 10;

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

A replay folds by the same code as the processor, so the whole log gives the digest of `foretide digest`, as long as \
retention has taken nothing from foretide.actions. It publishes nothing and sends nothing: it is given a log that can only \
be read. Over Kafka it is a member of a consumer group of its own, whose offsets show how far it is; several with \
the same --group share the partitions, and each tells of its own.

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

    /// The instant of the features in that file, RFC 3339; now by default
    #[arg(long, env = "FORETIDE_REPLAY_AT", value_name = "TIME", requires = "profiles", value_parser = instant)]
    at: Option<EpochMs>,

    #[command(flatten)]
    log: WhichLog,

    #[command(flatten)]
    patience: Patience,
}

impl Checked for ReplayArgs {
    fn faults(&self) -> Vec<String> {
        let mut faults = self.log.faults();
        faults.extend(self.from.is_behind(&self.to));
        faults
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
    // From here on nothing can be written to the log.
    let log = ReadOnlyLog::new(log);

    let published = published(&args, &log, &stop).await?;
    let replay = range(&args, log, member, published.as_ref()).await?;
    let began = Instant::now();
    let replayed = fold(&replay, args.patience, &stop).await?;
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
        file.write(&replayed.folded.table, &partitions, at, &replay.rules)?;
    }
    Ok(summary.verdict()?)
}

/// The profiles that are published, with what follows them on the log folded as well, if they are to be compared with.
async fn published(
    args: &ReplayArgs,
    log: &ReadOnlyLog,
    stop: &CancellationToken,
) -> anyhow::Result<Option<FoldedLog>> {
    if !args.check {
        return Ok(None);
    }
    let meter = Meter::new("{msg}  {elapsed_precise}");
    let partitions = args.log.partitions;
    let folding = args.patience.with(|pulse| {
        let meter = &meter;
        fold_all(log, partitions, FoldRules::default(), move |n| {
            pulse.beat();
            meter.show(n, None, || {
                format!("reading what is published: {n} records")
            });
        })
    });
    let folded = tokio::select! {
        folded = folding => folded?.context("reading what is published")?,
        () = stop.cancelled() => bail!("asked to end while reading what is published"),
    };
    Ok(Some(folded))
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
        rules: FoldRules::default(),
        group: match &args.group {
            Some(group) => group.clone(),
            None => random().map_err(anyhow::Error::msg)?,
        },
        member,
        commits,
    })
}

/// Folds, and shows how far it is.
async fn fold(
    replay: &Replay,
    patience: Patience,
    stop: &CancellationToken,
) -> anyhow::Result<Replayed> {
    let meter = Meter::new("{bar:30} {percent}%  {msg}  {per_sec}  {eta} to go");
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
