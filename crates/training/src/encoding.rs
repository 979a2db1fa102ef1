//! From columns to inputs: what becomes of categories.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    Column, Examples, FitError, Frame, Kind, Matrix,
    frame::{Categories, MISSING},
    seeded::mixed,
};

/// A level is one of the frequent ones if at least so many training rows have it.
const FREQUENT: usize = 20;

/// The most levels of a column that get an input of their own.
const MOST_LEVELS: usize = 20;

/// A level's rate is that of its rows and of so many more with the rate of all rows: a level seen once says little.
const SMOOTHING: f64 = 10.0;

/// Into so many parts the training rows are split, by group, for rates that no row has had a part in.
const PARTS: u64 = 5;

/// How the columns of a frame become numbers, learnt from training rows alone.
///
/// * A column of numbers is an input as it is; missing stays missing (NaN).
/// * A column of categories becomes one input for each of its most frequent levels (1 or 0; at most 20 levels of at least 20 rows), one
///   that says whether it is missing, if it ever was, and, if it has more than two levels, one with the *rate* of its level: the
///   log-odds of a positive among the training rows of that level, drawn towards that of all rows as if ten more had it. A
///   logistic model needs no rate where every level has an input of its own: two ways to say one thing add noise. A training
///   row's own rate is taken from rows of other groups (out of fold), so that a rare level does not give its own label away. A
///   level that training never saw has the rate of all rows. What two levels say, one input says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Encoding {
    inputs: Vec<Input>,
}

/// One input of a scorer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// The column it is read from.
    pub column: String,
    /// What it says of the column.
    pub reads: Reads,
}

/// What an input says of its column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reads {
    /// The number.
    Number,
    /// 1 where the category is this one, 0 elsewhere.
    Is(String),
    /// 1 where the category is missing, 0 elsewhere.
    Absent,
    /// The rate of the category, in log-odds.
    Rate(Rates),
}

/// Log-odds of a positive, by category.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// By level.
    pub levels: BTreeMap<String, f64>,
    /// Where it is missing.
    pub missing: f64,
    /// Of a level that training never saw: of all rows.
    pub other: f64,
}

impl Input {
    /// What it is called: the column's name for a number, `column=level`, `column missing` or `column rate` for a category.
    pub fn name(&self) -> String {
        match &self.reads {
            Reads::Number => self.column.clone(),
            Reads::Is(level) => format!("{}={level}", self.column),
            Reads::Absent => format!("{} missing", self.column),
            Reads::Rate(_) => format!("{} rate", self.column),
        }
    }

    fn values(&self, column: &Column) -> Result<Vec<f64>, FitError> {
        match (&self.reads, column) {
            (Reads::Number, Column::Numbers(numbers)) => Ok(numbers.clone()),
            (Reads::Is(level), Column::Categories(categories)) => {
                Ok(by_level(categories, 0.0, |name| {
                    f64::from(u8::from(name == level))
                }))
            }
            (Reads::Absent, Column::Categories(categories)) => {
                Ok(by_level(categories, 1.0, |_| 0.0))
            }
            (Reads::Rate(rates), Column::Categories(categories)) => {
                let rate = |name: &str| rates.levels.get(name).copied().unwrap_or(rates.other);
                Ok(by_level(categories, rates.missing, rate))
            }
            _ => Err(FitError::OtherKind(self.column.clone())),
        }
    }
}

/// A number for each row, by the name of its level.
fn by_level(categories: &Categories, missing: f64, of: impl Fn(&str) -> f64) -> Vec<f64> {
    let numbers: Vec<f64> = categories.levels.iter().map(|level| of(level)).collect();
    let at = |code: &u32| *numbers.get(*code as usize).unwrap_or(&missing);
    categories.codes.iter().map(at).collect()
}

impl Encoding {
    /// Learns how to encode `examples` for a model of `kind`, and encodes them, their rates out of fold.
    pub fn fit(examples: &Examples, kind: Kind, seed: u64) -> Result<(Self, Matrix), FitError> {
        let (mut inputs, mut columns) = (Vec::new(), Vec::new());
        for (name, column) in examples.frame.columns() {
            let mut add = |reads, values| {
                inputs.push(Input {
                    column: name.to_owned(),
                    reads,
                });
                columns.push(values);
            };
            match column {
                Column::Numbers(numbers) => add(Reads::Number, numbers.clone()),
                Column::Categories(categories) => {
                    encode(categories, examples, kind, seed, &mut add);
                }
            }
        }
        if inputs.is_empty() {
            return Err(FitError::NoInputs);
        }
        Ok((Self { inputs }, Matrix::of(columns, examples.rows())))
    }

    /// The inputs of `frame`, which has every column that was learnt from; it may have more.
    pub fn apply(&self, frame: &Frame) -> Result<Matrix, FitError> {
        let column = |input: &Input| {
            let column = frame.column(&input.column);
            input.values(column.ok_or_else(|| FitError::NoColumn(input.column.clone()))?)
        };
        let columns = self.inputs.iter().map(column).collect::<Result<_, _>>()?;
        Ok(Matrix::of(columns, frame.rows()))
    }

    /// The inputs, in the order of a row.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }
}

fn encode(
    categories: &Categories,
    examples: &Examples,
    kind: Kind,
    seed: u64,
    add: &mut impl FnMut(Reads, Vec<f64>),
) {
    let mut counts = vec![0_usize; categories.levels.len()];
    let mut missing = 0;
    for code in &categories.codes {
        match counts.get_mut(*code as usize) {
            Some(count) => *count += 1,
            None => missing += 1,
        }
    }
    let mut there: Vec<usize> = (0..counts.len()).filter(|code| counts[*code] > 0).collect();
    // Ties are broken by name, so that the order of the levels does not matter.
    there.sort_by(|a, b| {
        let by_name = || categories.levels[*a].cmp(&categories.levels[*b]);
        counts[*b].cmp(&counts[*a]).then_with(by_name)
    });
    let has_several = there.len() > 2;
    if there.len() == 2 && missing == 0 {
        there.remove(0);
    }
    let is_frequent = |code: &&usize| counts[**code] >= FREQUENT.min(examples.rows() / 10);
    let frequent: Vec<&usize> = there.iter().filter(is_frequent).take(MOST_LEVELS).collect();
    let has_rate = has_several && (kind == Kind::Boosted || frequent.len() < there.len());
    for code in frequent {
        let level = &categories.levels[*code];
        let is = by_level(categories, 0.0, |name| f64::from(u8::from(name == level)));
        add(Reads::Is(level.clone()), is);
    }
    if missing > 0 {
        add(Reads::Absent, by_level(categories, 1.0, |_| 0.0));
    }
    if has_rate {
        let (rates, out_of_fold) = rates(categories, examples, seed);
        add(Reads::Rate(rates), out_of_fold);
    }
}

/// Weights of positives and of all rows.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    positive: f64,
    all: f64,
}

impl Tally {
    fn add(&mut self, label: bool, weight: f64) {
        self.all += weight;
        self.positive += if label { weight } else { 0.0 };
    }

    fn without(self, other: Self) -> Self {
        Self {
            positive: self.positive - other.positive,
            all: self.all - other.all,
        }
    }

    /// Log-odds of a positive, as if [`SMOOTHING`] more rows were there with the rate `of_all`.
    fn rate(self, of_all: f64) -> f64 {
        let positive = self.positive.max(0.0) + SMOOTHING * of_all;
        let negative = (self.all - self.positive).max(0.0) + SMOOTHING * (1.0 - of_all);
        libm::log(positive / negative)
    }
}

/// The rates of all rows, and for each row the rate of its level among the rows of other parts.
pub(crate) fn rates(categories: &Categories, examples: &Examples, seed: u64) -> (Rates, Vec<f64>) {
    let levels = categories.levels.len();
    let parts = usize::try_from(PARTS).unwrap_or(1);
    // Missing is a level of its own: the last.
    let place = |code: u32| {
        if code == MISSING {
            levels
        } else {
            code as usize
        }
    };
    let part_of = |group: u64| usize::try_from(mixed(group ^ mixed(seed)) % PARTS).unwrap_or(0);
    let mut by_part = vec![vec![Tally::default(); levels + 1]; parts];
    let mut by_level = vec![Tally::default(); levels + 1];
    let mut all = Tally::default();
    for row in 0..examples.rows() {
        let (label, weight) = (examples.labels[row], examples.weights[row]);
        let level = place(categories.codes[row]);
        by_part[part_of(examples.groups[row])][level].add(label, weight);
        by_level[level].add(label, weight);
        all.add(label, weight);
    }
    // Both classes count, so this lies between 0 and 1.
    let of_all = (all.positive / all.all).clamp(1e-9, 1.0 - 1e-9);
    let out_of_fold = (0..examples.rows()).map(|row| {
        let level = place(categories.codes[row]);
        let own = by_part[part_of(examples.groups[row])][level];
        by_level[level].without(own).rate(of_all)
    });
    let out_of_fold = out_of_fold.collect();
    let there: BTreeSet<usize> = categories.codes.iter().map(|code| place(*code)).collect();
    let known = there
        .iter()
        .filter_map(|level| Some((categories.levels.get(*level)?, level)));
    let learnt = Rates {
        levels: known
            .map(|(name, level)| (name.clone(), by_level[*level].rate(of_all)))
            .collect(),
        missing: by_level[levels].rate(of_all),
        other: libm::log(of_all / (1.0 - of_all)),
    };
    (learnt, out_of_fold)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    fn shops(names: &[&str]) -> Categories {
        let levels: BTreeSet<&str> = names
            .iter()
            .copied()
            .filter(|name| !name.is_empty())
            .collect();
        let levels: Vec<String> = levels.into_iter().map(str::to_owned).collect();
        let code = |name: &&str| levels.iter().position(|level| level == name);
        let codes = names
            .iter()
            .map(|name| code(name).map_or(MISSING, |code| u32::try_from(code).unwrap()));
        Categories {
            codes: codes.collect(),
            levels,
        }
    }

    fn examples(categories: Categories, labels: &[bool]) -> Examples {
        let frame = Frame::new(vec![("shop".to_owned(), Column::Categories(categories))]).unwrap();
        Examples::new(frame, labels.to_vec()).unwrap()
    }

    fn names(encoding: &Encoding) -> Vec<String> {
        encoding.inputs().iter().map(Input::name).collect()
    }

    #[test]
    fn numbers_stay_as_they_are_and_in_their_order() {
        let column = |first| Column::Numbers(vec![first, f64::NAN]);
        let frame = Frame::new(vec![
            ("b".to_owned(), column(1.0)),
            ("a".to_owned(), column(2.0)),
        ]);
        let examples = Examples::new(frame.unwrap(), vec![true, false]).unwrap();
        let (encoding, matrix) = Encoding::fit(&examples, Kind::Boosted, 0).unwrap();
        assert_eq!(names(&encoding), ["b", "a"]);
        assert_eq!(matrix.columns()[0][0], 1.0);
        assert!(matrix.columns()[0][1].is_nan());
    }

    #[test]
    fn categories_become_levels_a_mark_where_missing_and_a_rate() {
        let shops = shops(&["x", "y", "z", "x", "", "y"].repeat(20));
        let labels = [true, false, true, true, false, false].repeat(20);
        let examples = examples(shops, &labels);
        let (encoding, matrix) = Encoding::fit(&examples, Kind::Boosted, 0).unwrap();
        assert_eq!(
            names(&encoding),
            ["shop=x", "shop=y", "shop=z", "shop missing", "shop rate"]
        );
        assert_eq!(matrix.columns()[0][..6], [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(matrix.columns()[3][..6], [0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        assert!(matrix.columns()[4][0] > 1.0 && matrix.columns()[4][1] < -1.0);
    }

    #[test]
    fn a_logistic_model_reads_a_rate_only_where_a_level_has_no_input_of_its_own() {
        let few = ["x", "y", "z"].repeat(40);
        let labels = [true, false, true].repeat(40);
        let fitted = |values: &[&str]| {
            let examples = examples(shops(values), &labels);
            Encoding::fit(&examples, Kind::Logistic, 0).unwrap().0
        };
        assert_eq!(names(&fitted(&few)), ["shop=x", "shop=y", "shop=z"]);
        let mut with_a_rare_one = few;
        with_a_rare_one[0] = "rare";
        assert_eq!(
            names(&fitted(&with_a_rare_one)),
            ["shop=y", "shop=z", "shop=x", "shop rate"]
        );
    }

    #[test]
    fn two_levels_are_one_input() {
        let shops = shops(&["x", "x", "y"].repeat(20));
        let examples = examples(shops, &[true, false, true].repeat(20));
        let (encoding, _) = Encoding::fit(&examples, Kind::Boosted, 0).unwrap();
        assert_eq!(names(&encoding), ["shop=y"]);
    }

    #[test]
    fn a_level_seen_once_does_not_give_its_label_away() {
        let own: Vec<String> = (0..100).map(|row| format!("shop {row}")).collect();
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let labels: Vec<bool> = (0..100).map(|row| row % 3 == 0).collect();
        let examples = examples(shops(&own), &labels);
        let (encoding, matrix) = Encoding::fit(&examples, Kind::Boosted, 7).unwrap();
        let rate = encoding
            .inputs()
            .iter()
            .position(|input| input.name() == "shop rate")
            .unwrap();
        let rates = &matrix.columns()[rate];
        assert!(rates.iter().all(|rate| rate == &rates[0]), "{rates:?}");
    }

    #[test]
    fn levels_that_training_never_saw_have_the_rate_of_all() {
        let training = examples(
            shops(&["x", "y", "z"].repeat(20)),
            &[true, false, true].repeat(20),
        );
        let (encoding, _) = Encoding::fit(&training, Kind::Boosted, 0).unwrap();
        let frame = examples(shops(&["new", "x"]), &[true, true]).frame;
        let matrix = encoding.apply(&frame).unwrap();
        let rates = matrix.columns().last().unwrap();
        assert!(
            (rates[0] - std::f64::consts::LN_2).abs() < 1e-12,
            "{rates:?}"
        );
        assert!(rates[1] > rates[0]);
        assert!(matrix.columns()[..3].iter().all(|is| is[0] == 0.0));
    }

    #[test]
    fn a_frame_without_the_column_or_with_another_kind_is_refused_by_name() {
        let training = examples(
            shops(&["x", "y", "z"].repeat(20)),
            &[true, false, true].repeat(20),
        );
        let (encoding, _) = Encoding::fit(&training, Kind::Boosted, 0).unwrap();
        let other = Frame::new(vec![("other".to_owned(), Column::Numbers(vec![1.0]))]).unwrap();
        assert_eq!(
            encoding.apply(&other),
            Err(FitError::NoColumn("shop".to_owned()))
        );
        let numbers = Frame::new(vec![("shop".to_owned(), Column::Numbers(vec![1.0]))]).unwrap();
        assert_eq!(
            encoding.apply(&numbers),
            Err(FitError::OtherKind("shop".to_owned()))
        );
    }
}
