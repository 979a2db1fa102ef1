//! The commands about shadows that are there.

use std::{fmt::Write as _, path::PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use foretide_events::EpochMs;
use foretide_features::FoldRules;
use foretide_host::{FoldRulesArgs, key_file};
use foretide_ports::{ReadOnlyLog, References};
use foretide_processor::{
    DigestReport,
    replay::shadow::{Held, Shadow, ShadowError, ShadowName, Shadows, Terms},
};
use foretide_runtime::{Clock as _, SystemClock};
use serde::Serialize;
use uuid::Uuid;

use super::{
    against::{self, Against, Shade},
    place::{Kept, NOWHERE, ShadowDir},
    what_if,
};
use crate::{
    instant::instant,
    look::{Patience, WhichLog},
    output::Output,
    stop,
};

pub(super) const LIST_EXAMPLES: &str = "\
Examples:
  foretide shadows list --data-dir /var/lib/foretide";
pub(super) const SHOW_EXAMPLES: &str = "\
Examples:
  # What it holds and up to where, without looking at a log
  foretide shadows show gap10 --data-dir /var/lib/foretide";
pub(super) const DIFF_EXAMPLES: &str = "\
Examples:
  # Which shoppers are others in it than live, and which of their features
  foretide shadows diff gap10 --data-dir /var/lib/foretide
  foretide shadows diff gap10 --shadow-dir ./shadows --log kafka:127.0.0.1:9092 --json

The live profiles are those published, with what follows them on the log. The features of both are those of one instant \
(--at), each by its own fold rules. The flags of section Profile are the settings of the services.";
pub(super) const DROP_EXAMPLES: &str = "\
Examples:
  foretide shadows drop gap10 --data-dir /var/lib/foretide";

/// Lists the shadows
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    #[command(flatten)]
    pub(super) kept: Kept,
}

/// Shows what a shadow holds, and by what terms it is folded
#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    /// The shadow
    #[arg(value_name = "NAME")]
    name: ShadowName,

    #[command(flatten)]
    pub(super) kept: Kept,

    #[command(flatten)]
    rules: FoldRulesArgs,
}

/// Shows how a shadow differs from the live profiles
#[derive(Args, Debug)]
pub(super) struct DiffArgs {
    /// The shadow
    #[arg(value_name = "NAME")]
    name: ShadowName,

    /// The instant of the features, RFC 3339; now by default
    #[arg(long, env = "FORETIDE_SHADOWS_AT", value_name = "TIME", value_parser = instant)]
    at: Option<EpochMs>,

    /// How many of the shoppers that differ are named
    #[arg(
        long,
        env = "FORETIDE_SHADOWS_LIMIT",
        value_name = "N",
        default_value_t = 10
    )]
    limit: usize,

    #[command(flatten)]
    dir: ShadowDir,

    #[command(flatten)]
    log: WhichLog,

    #[command(flatten)]
    rules: FoldRulesArgs,

    #[command(flatten)]
    patience: Patience,
}

impl DiffArgs {
    fn shadows(&self) -> Option<Shadows> {
        self.dir.shadows(self.log.data_dir())
    }

    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = self.log.faults();
        faults.extend(self.shadows().is_none().then(|| NOWHERE.to_owned()));
        faults
    }
}

/// Removes a shadow with all it holds
#[derive(Args, Debug)]
pub(super) struct DropArgs {
    /// The shadow
    #[arg(value_name = "NAME")]
    name: ShadowName,

    #[command(flatten)]
    pub(super) kept: Kept,
}

/// What there is to tell of a shadow without reading its profiles.
#[derive(Serialize)]
struct Listed {
    name: ShadowName,
    folder: PathBuf,
    /// Whether another process works on it; then its terms are not looked at.
    in_use: bool,
    #[serde(flatten)]
    terms: Option<Terms>,
}

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a ShadowName,
    folder: PathBuf,
    #[serde(flatten)]
    digest: DigestReport,
    late: u64,
    /// For each partition of the actions, the offset up to which it is folded.
    reached: &'a [u64],
    #[serde(flatten)]
    terms: &'a Terms,
}

/// The terms in words.
fn in_words(terms: &Terms) -> String {
    let mut text = format!("made {}", terms.made_at);
    for (name, value) in &terms.what_if {
        let _ = write!(text, ", {name}={value}");
    }
    if terms.with_late {
        text.push_str(", late events at their place");
    }
    text
}

pub(super) fn list(args: &ListArgs, output: Output) -> anyhow::Result<()> {
    let shadows = args.kept.shadows().context(NOWHERE)?;
    let mut listed = Vec::new();
    for name in shadows.list()? {
        let (in_use, terms) = match shadows.open(&name) {
            Ok(found) => (false, found.map(|shadow| shadow.terms().clone())),
            Err(ShadowError::InUse(_)) => (true, None),
            Err(error) => return Err(error.into()),
        };
        listed.push(Listed {
            folder: shadows.folder().join(name.as_str()),
            name,
            in_use,
            terms,
        });
    }
    if listed.is_empty() && !output.json() {
        let folder = shadows.folder().display();
        let none = format!("no shadows in {folder}: `foretide replay --into NAME` makes one");
        return output.answer(&(), || none);
    }
    for one in &listed {
        output.answer(one, || {
            let state = match &one.terms {
                Some(terms) => in_words(terms),
                None => "in use".to_owned(),
            };
            format!("{}  {state}", one.name)
        })?;
    }
    Ok(())
}

/// The shadow of that name.
pub(crate) fn existing(shadows: &Shadows, name: &ShadowName) -> anyhow::Result<Shadow> {
    match shadows.open(name)? {
        Some(shadow) => Ok(shadow),
        None => bail!(
            "there is no shadow {name} in {}: `foretide shadows list` shows which there are",
            shadows.folder().display()
        ),
    }
}

/// The rules that a shadow is folded by, where the live ones are `live`.
pub(crate) fn rules_of(terms: &Terms, live: FoldRules) -> anyhow::Result<FoldRules> {
    let rules = what_if::rules(live, &terms.what_if).map_err(anyhow::Error::msg)?;
    if rules.version() != terms.rules {
        bail!(
            "the shadow was folded by other rules ({}) than these settings and this version of Foretide come to ({}): give the \
             settings of section Profile it was made with, or drop it and make it anew",
            terms.rules,
            rules.version()
        );
    }
    Ok(rules)
}

pub(super) fn show(args: &ShowArgs, output: Output) -> anyhow::Result<()> {
    let shadow = existing(&args.kept.shadows().context(NOWHERE)?, &args.name)?;
    let rules = rules_of(shadow.terms(), args.rules.rules())?;
    let Held {
        folded,
        reached,
        late,
    } = shadow.load(&rules)?;
    let shown = Shown {
        name: shadow.name(),
        folder: shadow.folder().to_owned(),
        digest: folded.digest(),
        late: folded.counts.total().late,
        reached: &reached,
        terms: shadow.terms(),
    };
    output.answer(&shown, || {
        let DigestReport {
            digest,
            shoppers,
            events,
        } = &shown.digest;
        let mut text = format!(
            "{digest}  {shoppers} shoppers, {events} events folded, {} late ({} shoppers)\n{}",
            shown.late,
            late.len(),
            in_words(shown.terms)
        );
        for ((partition, begin), reached) in (0..).zip(&shown.terms.begins).zip(&reached) {
            let partition: u32 = partition;
            let _ = write!(text, "\n  partition {partition}: {begin} to {reached}");
        }
        text
    })
}

pub(super) async fn diff(args: DiffArgs, output: Output) -> anyhow::Result<()> {
    let stop = stop::when_asked();
    let shadow = existing(&args.shadows().context(NOWHERE)?, &args.name)?;
    let live_rules = args.rules.rules();
    let rules = rules_of(shadow.terms(), live_rules)?;
    let member = format!("shadows-{}", Uuid::new_v4());
    let log = args.log.open_existing_log(&member).await?;
    key_file::check_if_given(&args.log, &*log).await?;
    same_log(shadow.terms(), key_file::log_id(&*log).await?)?;
    let log = ReadOnlyLog::new(log);
    let held = shadow.load(&rules)?;
    let partitions = args.log.partitions;
    let live = against::live(&log, partitions, live_rules, args.patience, &stop).await?;
    let references = References::load(&log, args.patience.time()).await?;
    let shade = Shade {
        table: &held.folded.table,
        rules: &rules,
        reached: &held.reached,
    };
    let at = args.at.unwrap_or(EpochMs(SystemClock.now_ms()));
    let against = Against::of(&shade, &live, &live_rules, &references, at, args.limit);
    output.answer(&against, || against.to_string())
}

/// Refuses a log that is not the shadow's own.
pub(crate) fn same_log(terms: &Terms, log_id: Option<Uuid>) -> anyhow::Result<()> {
    let log_id = log_id.map(|id| id.to_string());
    if terms.log_id != log_id {
        bail!(
            "the shadow was folded from another log than this one: give the log it was made from, or take another name (--into)"
        );
    }
    Ok(())
}

pub(super) fn remove(args: &DropArgs, output: Output) -> anyhow::Result<()> {
    let shadow = existing(&args.kept.shadows().context(NOWHERE)?, &args.name)?;
    let folder = shadow.folder().to_owned();
    shadow.remove()?;
    let removed = serde_json::json!({ "dropped": args.name, "folder": folder });
    output.answer(&removed, || format!("dropped {}", folder.display()))
}
