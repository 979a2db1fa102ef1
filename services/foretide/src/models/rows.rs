//! From a table and flags to examples: which column is what.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context as _, bail};
use foretide_events::EpochMs;
use foretide_frame::{
    Cells, Table, Texts,
    table::{MISSING, instant},
};
use foretide_training::{Column, Examples, Frame, frame::Categories, report::Split};

use super::evaluate::EvaluateArgs;

/// Texts with more levels than this, most of which are of few rows, are ids.
const MANY_LEVELS: usize = 100;

/// Numbers of features lie within plus and minus this: scorers hold no larger ones.
const LARGEST: f64 = 1e30;

/// The share of rows that are learnt from where nothing is said.
const TRAIN_SHARE: f64 = 0.75;

/// What is fitted and judged.
pub(super) struct Rows {
    pub(super) examples: Examples,
    pub(super) split: Split,
    /// Whether times are instants, in milliseconds, and not plain numbers.
    pub(super) has_instants: bool,
    /// What became of rows and columns that are not used.
    pub(super) notes: Vec<String>,
}

/// The rows of `table` as `args` ask for them.
pub(super) fn of(args: &EvaluateArgs, table: Table) -> anyhow::Result<Rows> {
    let mut notes = Vec::new();
    check_names(args, &table)?;
    let (mut labels, mut groups, mut times) = (None, None, None);
    let mut features = Vec::new();
    for (name, cells) in table.columns {
        if name == args.label {
            labels = Some(labels_of(&name, &cells, args.positive.as_deref())?);
        } else if args.group.as_ref() == Some(&name) {
            groups = Some(groups_of(&cells));
        } else if args.time.as_ref() == Some(&name) {
            times = Some(Times::of(&name, cells)?);
        } else {
            match feature(cells) {
                Ok((column, beyond)) => {
                    if beyond > 0 {
                        notes.push(format!(
                            "{beyond} numbers of `{name}` lie beyond ±{LARGEST:e} and are taken for that"
                        ));
                    }
                    features.push((name, column));
                }
                Err(why) => notes.push(format!("`{name}` is left out: {why}")),
            }
        }
    }
    for name in table.passed_over {
        notes.push(format!(
            "`{name}` is passed over: it has no name of its own, is nested, or holds bytes that mean nothing here"
        ));
    }
    let labels = labels.context("the label is gone")?;
    let kept = kept(&labels, times.as_ref(), args, &mut notes);
    if kept.is_empty() {
        bail!(
            "no row has a label{}",
            if times.is_some() { " and a time" } else { "" }
        );
    }
    let frame = Frame::new(features)?.select(&kept);
    let taken = kept.iter().map(|row| labels[*row] == Some(true)).collect();
    if frame.columns().len() == 0 {
        return Err(foretide_training::FitError::NoInputs.into());
    }
    let mut examples = Examples::new(frame, taken)?;
    if let Some(groups) = groups {
        examples = examples.grouped(kept.iter().map(|row| groups[*row]).collect())?;
    }
    let has_instants = matches!(times, Some(Times::Instants(_)));
    let split = match times {
        None => Split::Folds {
            folds: usize::from(args.folds),
        },
        Some(times) => {
            let all: Vec<f64> = kept.iter().filter_map(|row| times.at(*row)).collect();
            let split = split(args, &all, &times)?;
            examples = examples.timed(all)?;
            split
        }
    };
    Ok(Rows {
        examples,
        split,
        has_instants,
        notes,
    })
}

fn check_names(args: &EvaluateArgs, table: &Table) -> anyhow::Result<()> {
    let unread = table.passed_over.iter().chain(&table.unwanted);
    let there: BTreeSet<&str> = table
        .columns
        .iter()
        .map(|(name, _)| name.as_str())
        .chain(unread.map(String::as_str))
        .collect();
    let named = [
        ("--label", Some(&args.label)),
        ("--group", args.group.as_ref()),
        ("--time", args.time.as_ref()),
    ];
    let unwanted = args.unwanted();
    let excluded = unwanted.iter().map(|name| ("--exclude", Some(name)));
    for (flag, name) in named.into_iter().chain(excluded) {
        if let Some(name) = name.filter(|name| !there.contains(name.as_str())) {
            let all: Vec<&str> = table
                .columns
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            bail!(
                "there is no column `{name}` ({flag}); there are: {}",
                all.join(", ")
            );
        }
    }
    Ok(())
}

/// The rows that have what they need.
fn kept(
    labels: &[Option<bool>],
    times: Option<&Times>,
    args: &EvaluateArgs,
    notes: &mut Vec<String>,
) -> Vec<usize> {
    let labelled: Vec<usize> = (0..labels.len())
        .filter(|row| labels[*row].is_some())
        .collect();
    let has_time = |row: &usize| times.is_none_or(|times| times.at(*row).is_some());
    let kept: Vec<usize> = labelled.iter().copied().filter(has_time).collect();
    let mut leave_out = |count: usize, flag: &str, column: &str| {
        if count > 0 {
            notes.push(format!(
                "{count} rows without `{column}` ({flag}) are left out"
            ));
        }
    };
    leave_out(labels.len() - labelled.len(), "--label", &args.label);
    leave_out(
        labelled.len() - kept.len(),
        "--time",
        args.time.as_deref().unwrap_or_default(),
    );
    kept
}

/// What happened in each row; `None` where it is missing.
fn labels_of(
    name: &str,
    cells: &Cells,
    positive: Option<&str>,
) -> anyhow::Result<Vec<Option<bool>>> {
    // Each different value as text, and the place of each row's.
    let texts = texts_of(cells);
    let meaning: Vec<Option<bool>> = match positive {
        Some(positive) => {
            if !texts.levels.iter().any(|level| same(level, positive)) {
                bail!(
                    "the label `{name}` is never `{positive}` (--positive); it is {}",
                    listed(&texts.levels)
                );
            }
            texts
                .levels
                .iter()
                .map(|level| Some(same(level, positive)))
                .collect()
        }
        None => texts.levels.iter().map(|level| truth(level)).collect(),
    };
    if meaning.iter().any(Option::is_none) {
        bail!(
            "the label `{name}` must be 0 or 1, true or false, yes or no, but it is {}: name the value to predict as --positive VALUE",
            listed(&texts.levels)
        );
    }
    let row = |code: &u32| meaning.get(*code as usize).copied().flatten();
    Ok(texts.codes.iter().map(row).collect())
}

/// Whether a label's value is `positive`, as text or as number.
fn same(level: &str, positive: &str) -> bool {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let is_flag = matches!(level, "true" | "false") && level.eq_ignore_ascii_case(positive);
    level == positive
        || is_flag
        || number(level).is_some_and(|level| Some(level) == number(positive))
}

fn truth(level: &str) -> Option<bool> {
    match level.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" => Some(true),
        "0" | "false" | "no" => Some(false),
        _ => None,
    }
}

/// Some different values, for people.
fn listed(levels: &[String]) -> String {
    let some: Vec<String> = levels
        .iter()
        .take(5)
        .map(|level| format!("`{level}`"))
        .collect();
    let more = if levels.len() > 5 {
        format!(", … ({} different values)", levels.len())
    } else {
        String::new()
    };
    if some.is_empty() {
        "always missing".to_owned()
    } else {
        format!("{}{more}", some.join(", "))
    }
}

/// Any cells as texts.
fn texts_of(cells: &Cells) -> Texts {
    let texts = |cells: &mut dyn Iterator<Item = Option<String>>| {
        let (mut texts, mut places) = (Texts::default(), HashMap::new());
        for cell in cells {
            let code = cell.map_or(MISSING, |cell| {
                *places.entry(cell).or_insert_with_key(|cell| {
                    texts.levels.push(cell.clone());
                    u32::try_from(texts.levels.len() - 1).unwrap_or(MISSING)
                })
            });
            texts.codes.push(code);
        }
        texts
    };
    match cells {
        Cells::Text(texts) => texts.clone(),
        Cells::Flag(cells) => {
            texts(&mut cells.iter().map(|cell| cell.map(|cell| cell.to_string())))
        }
        Cells::Number(cells) => texts(
            &mut cells
                .iter()
                .map(|cell| (!cell.is_nan()).then(|| cell.to_string())),
        ),
        Cells::Instant(cells) => {
            texts(&mut cells.iter().map(|cell| cell.map(|cell| cell.to_string())))
        }
    }
}

/// A number for each different value; rows without one are each their own.
fn groups_of(cells: &Cells) -> Vec<u64> {
    let codes = texts_of(cells).codes;
    let alone = u64::from(MISSING);
    let group = |(row, code): (usize, &u32)| {
        if *code == MISSING {
            alone + row as u64
        } else {
            u64::from(*code)
        }
    };
    codes.iter().enumerate().map(group).collect()
}

/// A column as a feature, with how many of its numbers were too large; or why it cannot be one.
fn feature(cells: Cells) -> Result<(Column, usize), &'static str> {
    let whole = |column| Ok((column, 0));
    match cells {
        Cells::Number(mut numbers) => {
            let mut beyond = 0;
            for number in &mut numbers {
                beyond += usize::from(number.abs() > LARGEST);
                *number = number.clamp(-LARGEST, LARGEST);
            }
            Ok((Column::Numbers(numbers), beyond))
        }
        Cells::Flag(flags) => {
            let number =
                |flag: Option<bool>| flag.map_or(f64::NAN, |flag| f64::from(u8::from(flag)));
            whole(Column::Numbers(flags.into_iter().map(number).collect()))
        }
        Cells::Instant(_) => {
            Err("times mean nothing later on; what may be learnt from is how long ago they were")
        }
        Cells::Text(texts) => {
            let there = texts.codes.iter().filter(|code| **code != MISSING).count();
            if texts.levels.len() > MANY_LEVELS && texts.levels.len() * 2 > there {
                return Err(
                    "nearly every row has a text of its own, so nothing can be learnt from it",
                );
            }
            whole(Column::Categories(Categories {
                levels: texts.levels,
                codes: texts.codes,
            }))
        }
    }
}

/// When each row was known.
enum Times {
    Numbers(Vec<f64>),
    Instants(Vec<Option<EpochMs>>),
}

impl Times {
    fn of(name: &str, cells: Cells) -> anyhow::Result<Self> {
        match cells {
            Cells::Number(numbers) => Ok(Self::Numbers(numbers)),
            Cells::Instant(instants) => Ok(Self::Instants(instants)),
            Cells::Text(texts) => {
                let wrong = texts.levels.iter().find(|level| instant(level).is_none());
                if let Some(wrong) = wrong {
                    bail!(
                        "`{wrong}` of the column `{name}` (--time) is no time: write numbers, dates such as 2026-11-22, or RFC 3339"
                    );
                }
                let at = |code: &u32| instant(texts.levels.get(*code as usize)?);
                Ok(Self::Instants(texts.codes.iter().map(at).collect()))
            }
            Cells::Flag(_) => bail!("the column `{name}` (--time) holds true and false, no times"),
        }
    }

    fn at(&self, row: usize) -> Option<f64> {
        match self {
            Self::Numbers(numbers) => numbers
                .get(row)
                .copied()
                .filter(|number| number.is_finite()),
            #[expect(
                clippy::cast_precision_loss,
                reason = "milliseconds of these millennia are exact"
            )]
            Self::Instants(instants) => instants.get(row).copied().flatten().map(|at| at.0 as f64),
        }
    }

    /// A time of the command line, as those of the column are.
    fn parse(&self, flag: &str, text: &str) -> anyhow::Result<f64> {
        match self {
            Self::Numbers(_) => {
                let number = text.parse().ok().filter(|number: &f64| number.is_finite());
                number.with_context(|| {
                    format!(
                        "{flag} must be a number, as the times of the frame are, but it is `{text}`"
                    )
                })
            }
            #[expect(
                clippy::cast_precision_loss,
                reason = "milliseconds of these millennia are exact"
            )]
            Self::Instants(_) => {
                let at = instant(text).map(|at| at.0 as f64);
                at.with_context(|| format!("{flag} must be a date such as 2026-11-22 or an RFC 3339 time, but it is `{text}`"))
            }
        }
    }
}

fn split(args: &EvaluateArgs, all: &[f64], times: &Times) -> anyhow::Result<Split> {
    let parsed = |flag: &str, given: &Option<String>| {
        given
            .as_ref()
            .map(|text| times.parse(flag, text))
            .transpose()
    };
    let train_until = parsed("--train-until", &args.train_until)?;
    let test_after = parsed("--test-after", &args.test_after)?;
    let train_until = train_until.or(test_after).unwrap_or_else(|| {
        let mut sorted = all.to_vec();
        sorted.sort_by(f64::total_cmp);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of rows"
        )]
        let place = (sorted.len() as f64 * TRAIN_SHARE) as usize;
        let until = sorted[place.min(sorted.len() - 1)];
        // Something must be left to judge.
        let last = sorted[sorted.len() - 1];
        let earlier = sorted.iter().rev().find(|time| **time < last);
        if until < last {
            until
        } else {
            *earlier.unwrap_or(&last)
        }
    });
    let test_after = test_after.unwrap_or(train_until);
    if test_after < train_until {
        bail!("--test-after must not be before --train-until");
    }
    Ok(Split::Time {
        train_until,
        test_after,
    })
}
