//! Why examples cannot be learnt from.

/// Why a frame cannot be used, or a model not be fitted or evaluated. Each message names what is wrong and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// A column has another length than the rest.
    #[error("column `{column}` has {found} rows, the others {expected}")]
    Lengths {
        /// The column.
        column: String,
        /// Its rows.
        found: usize,
        /// The rows of the others.
        expected: usize,
    },
    /// Two columns have one name.
    #[error("there are two columns `{0}`: rename one of them")]
    Twice(String),
    /// A code of a column of categories stands for no level.
    #[error("column `{0}` has a cell that is none of its categories")]
    Level(String),
    /// A column that the model reads is not in the frame.
    #[error("the frame has no column `{0}`, which the model reads")]
    NoColumn(String),
    /// A column is of another kind than the one that was learnt from.
    #[error("column `{0}` holds numbers in one frame and categories in the other")]
    OtherKind(String),
    /// A weight is negative, infinite or not a number.
    #[error("the weight of row {0} is not a number of at least 0")]
    Weight(usize),
    /// A time is not a number.
    #[error("row {0} has no time")]
    Time(usize),
    /// There is nothing to learn from.
    #[error(
        "the frame has no column to learn from: every one is the label, a group, a time or left out"
    )]
    NoInputs,
    /// One of the classes is absent or too rare.
    #[error(
        "the {part} rows have {positives} positive and {negatives} negative examples; at least {least} of each are needed"
    )]
    Classes {
        /// Which rows: `training` or `test`.
        part: &'static str,
        /// How many of them are positive.
        positives: usize,
        /// How many are negative.
        negatives: usize,
        /// How many there must be of each.
        least: usize,
    },
    /// There are too few groups for folds.
    #[error(
        "{groups} groups are too few for {folds} folds: every fold needs both classes; ask for fewer folds"
    )]
    Folds {
        /// The groups there are.
        groups: usize,
        /// The folds that were asked for.
        folds: usize,
    },
    /// A setting has no meaning.
    #[error("{0}")]
    Setting(&'static str),
    /// The library of boosted trees refused.
    #[error("fitting boosted trees: {0}")]
    Boosting(String),
    /// A fitted model was refused by the checks that serving makes.
    #[error("the fitted model is refused: {0}")]
    Refused(String),
}
