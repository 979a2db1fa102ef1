//! Why something is no model.

/// Why a model, or a part of one, is refused. The last good one keeps serving.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The bytes do not begin as those of a model do, end too early, go on too long, or do not have the sum they name.
    #[error("not the bytes of a model: {0}")]
    Damaged(&'static str),
    /// They are of a format that is not known here.
    #[error("a model of format {0}, which is not known here")]
    Format(u16),
    /// It was trained on features of another catalogue, which may mean other things by the same names.
    #[error("a model of the catalogue {found}, where {known} is served")]
    Schema {
        /// The catalogue that it names.
        found: String,
        /// The catalogue of this program.
        known: String,
    },
    /// It rests on an input that the catalogue does not have.
    #[error("a model that rests on `{0}`, which is no feature of the catalogue")]
    UnknownInput(String),
    /// A part of it makes no sense.
    #[error("`{field}` {fault}")]
    Nonsense {
        /// Which part.
        field: &'static str,
        /// What is wrong with it.
        fault: &'static str,
    },
}

impl Refused {
    pub(crate) fn nonsense(field: &'static str, fault: &'static str) -> Self {
        Self::Nonsense { field, fault }
    }
}

/// No log-odds, weight or leaf of a sensible model is further from zero.
pub(crate) const LARGEST: f64 = 1e6;

/// Refuses numbers that are not finite or absurdly large.
pub(crate) fn sensible(field: &'static str, value: f64) -> Result<(), Refused> {
    if !value.is_finite() {
        return Err(Refused::nonsense(field, "must be finite"));
    }
    if value.abs() > LARGEST {
        return Err(Refused::nonsense(
            field,
            "must lie between minus and plus one million",
        ));
    }
    Ok(())
}
