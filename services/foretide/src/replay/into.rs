//! `foretide replay --into`: profiles of their own beside the live ones.

use std::{fmt, time::Instant};

use anyhow::{Context as _, bail};
use foretide_events::EpochMs;
use foretide_features::FoldRules;
use foretide_ports::{ACTIONS, ReadOnlyLog, References};
use foretide_processor::{
    DigestReport,
    replay::{
        AloneReplay, Lateness, Placed, RanAlone, Stretch,
        shadow::{Held, Shadow, ShadowName, Terms},
    },
};
use foretide_runtime::{CancellationToken, Clock as _, SystemClock};
use serde::Serialize;
use uuid::Uuid;

use super::{NAMED, ReplayArgs, fold_alone, profiles::ProfilesFile};
use crate::{
    output::{Output, note},
    shadows::{
        against::{self, Against, Shade},
        place::NOWHERE,
        rules_of, same_log, what_if,
    },
    topics::place::Place,
};

/// What a replay into a shadow came to.
#[derive(Serialize)]
struct Summary {
    shadow: ShadowName,
    digest: String,
    shoppers: u64,
    /// Events that are part of the shadow's profiles, of this replay and those before.
    folded: u64,
    duplicate: u64,
    late: u64,
    dead_letters: u64,
    /// Whether all of the range was folded.
    complete: bool,
    /// Offsets dealt with by this replay.
    events: u64,
    partitions: Vec<Stretch>,
    seconds: f64,
    /// What came of late events, if they are folded at their place.
    #[serde(skip_serializing_if = "Option::is_none")]
    with_late: Option<Placed>,
    /// How the live profiles differ; nothing where it was cut short.
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<Against>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}  {} shoppers, {} events folded, {} duplicate, {} late\n{} actions in {:.1} s into the shadow {}",
            self.digest,
            self.shoppers,
            self.folded,
            self.duplicate,
            self.late,
            self.events,
            self.seconds,
            self.shadow
        )?;
        if self.dead_letters > 0 {
            write!(f, "; {} records were no events", self.dead_letters)?;
        }
        if let Some(Placed {
            shoppers,
            folded,
            still_late,
        }) = &self.with_late
        {
            write!(
                f,
                "\n{shoppers} shoppers of whom an event was late, with {folded} events in the order in which they happened"
            )?;
            if *still_late > 0 {
                write!(f, "; {still_late} are late even so")?;
            }
        }
        match &self.live {
            Some(live) => write!(f, "\n{live}"),
            None => Ok(()),
        }
    }
}

/// Runs the command.
pub(super) async fn run(
    args: &ReplayArgs,
    name: &ShadowName,
    log: ReadOnlyLog,
    log_id: Option<Uuid>,
    file: Option<ProfilesFile>,
    output: Output,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let (shadow, rules) = shadow(args, name, &log, log_id).await?;
    let held = shadow.load(&rules)?;
    let replay = range(args, &log, &shadow, &held, rules).await?;
    let began = Instant::now();
    let ran = fold_alone(&replay, held.folded, args.patience, stop).await?;
    let RanAlone {
        replayed,
        late,
        placed,
    } = ran;
    let reached: Vec<u64> = replayed.stretches.values().map(|s| s.reached).collect();
    shadow.save(&replayed.folded, &reached, &late, &rules)?;
    let took = began.elapsed();

    let at = args.at.unwrap_or(EpochMs(SystemClock.now_ms()));
    let table = &replayed.folded.table;
    let references = References::load(&log, args.patience.time()).await?;
    let live = if replayed.is_complete {
        let (partitions, live_rules) = (args.log.partitions, args.rules.rules());
        let live = against::live(&log, partitions, live_rules, args.patience, stop).await?;
        let shade = Shade {
            table,
            rules: &rules,
            reached: &reached,
        };
        Some(Against::of(
            &shade,
            &live,
            &live_rules,
            &references,
            at,
            NAMED,
        ))
    } else {
        None
    };
    let DigestReport {
        digest, shoppers, ..
    } = replayed.folded.digest();
    let fates = replayed.folded.counts.total();
    let partitions: Vec<Stretch> = replayed.stretches.values().copied().collect();
    let summary = Summary {
        shadow: name.clone(),
        digest,
        shoppers,
        folded: fates.folded,
        duplicate: fates.duplicate,
        late: fates.late,
        dead_letters: replayed.folded.counts.dead_letters(),
        complete: replayed.is_complete,
        events: partitions.iter().map(|s| s.reached - s.from).sum(),
        partitions,
        seconds: took.as_secs_f64(),
        with_late: placed,
        live,
    };
    output.answer(&summary, || summary.to_string())?;
    if let Some(file) = file {
        let partitions: Vec<u32> = (0..table.partitions()).collect();
        let reference = References::load(&log, args.patience.time()).await?.at(at);
        file.write(table, &partitions, at, &rules, &reference)?;
    }
    if !summary.complete {
        let left: u64 = summary.partitions.iter().map(|s| s.to - s.reached).sum();
        bail!(
            "asked to end with {left} actions of the range still to fold. The shadow {name} keeps what was folded: the same \
             command goes on there"
        );
    }
    Ok(())
}

/// The shadow to fold into, made if it is not there, and the rules to fold it by.
async fn shadow(
    args: &ReplayArgs,
    name: &ShadowName,
    log: &ReadOnlyLog,
    log_id: Option<Uuid>,
) -> anyhow::Result<(Shadow, FoldRules)> {
    let shadows = args.shadows().context(NOWHERE)?;
    let asked = what_if::by_name(&args.what_if);
    if let Some(shadow) = shadows.open(name)? {
        let terms = shadow.terms();
        let other = "drop it (`foretide shadows drop`), or take another name (--into)";
        same_log(terms, log_id)?;
        if !asked.is_empty() && asked != terms.what_if {
            bail!(
                "the shadow {name} was made with other answers to --what-if: leave it away, {other}"
            );
        }
        if args.with_late && !terms.with_late {
            bail!("the shadow {name} was made without --with-late: leave it away, {other}");
        }
        if terms.begins.len() != args.log.partitions as usize {
            bail!(
                "the shadow {name} has {} partitions, the log {}: {other}",
                terms.begins.len(),
                args.log.partitions
            );
        }
        let rules = rules_of(terms, args.rules.rules())?;
        return Ok((shadow, rules));
    }
    let rules = what_if::rules(args.rules.rules(), &asked).map_err(anyhow::Error::msg)?;
    let ends = log.end_offsets(ACTIONS).await?;
    let begins = args.from.in_each(log, ACTIONS, &ends).await?;
    if args.from == Place::Beginning && begins.iter().any(|begin| *begin > 0) {
        let gone: u64 = begins.iter().sum();
        note(&format!(
            "the log has let go of its first {gone} actions: profiles that rest on them come out otherwise"
        ));
    }
    let terms = Terms {
        made_at: EpochMs(SystemClock.now_ms()),
        log_id: log_id.map(|id| id.to_string()),
        begins: begins
            .iter()
            .zip(&ends)
            .map(|(b, end)| *b.min(end))
            .collect(),
        what_if: asked,
        rules: rules.version(),
        with_late: args.with_late,
    };
    Ok((shadows.make(name, terms)?, rules))
}

/// What is to be folded: from where the shadow stopped, without a gap.
async fn range(
    args: &ReplayArgs,
    log: &ReadOnlyLog,
    shadow: &Shadow,
    held: &Held,
    rules: FoldRules,
) -> anyhow::Result<AloneReplay> {
    let (name, terms) = (shadow.name(), shadow.terms());
    let ends = log.end_offsets(ACTIONS).await?;
    let asked = args.from.in_each(log, ACTIONS, &ends).await?;
    let oldest = Place::Beginning.in_each(log, ACTIONS, &ends).await?;
    for (partition, reached) in (0_u32..).zip(&held.reached) {
        let at = |offsets: &[u64]| offsets.get(partition as usize).copied().unwrap_or(0);
        if at(&ends) < *reached {
            bail!(
                "partition {partition} of the log ends at {}, and the shadow {name} has folded it up to {reached}: it is not the \
                 log it was made from",
                at(&ends)
            );
        }
        if at(&oldest) > *reached {
            bail!(
                "the log has let go of actions that the shadow {name} has not folded: it has partition {partition} up to \
                 {reached}, and the log begins at {}. Make it anew: `foretide shadows drop`, then the same command",
                at(&oldest)
            );
        }
        if at(&asked) > *reached {
            bail!(
                "--from {} would leave a gap: the shadow {name} has folded partition {partition} up to {reached}. Leave --from \
                 away, and it goes on there",
                args.from
            );
        }
    }
    if terms.with_late && oldest.iter().zip(&terms.begins).any(|(o, begin)| o > begin) {
        bail!(
            "the log has let go of actions that the shadow {name} rests on, and to fold late ones at their place all of a \
             shopper's are needed. Make it anew: `foretide shadows drop`, then the same command"
        );
    }
    let to = args.to.in_each(log, ACTIONS, &ends).await?;
    let end = |(to, end): (u64, &u64)| to.min(*end);
    Ok(AloneReplay {
        log: log.clone(),
        begins: held.reached.clone(),
        ends: to.into_iter().zip(&ends).map(end).collect(),
        rules,
        speed: args.speed,
        lateness: terms.with_late.then(|| Lateness {
            begins: terms.begins.clone(),
            known: held.late.clone(),
        }),
    })
}
