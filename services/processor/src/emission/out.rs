//! What is emitted with a commit, and how much of what.

use foretide_ports::NewRecord;

/// Records to be committed, and how many of which kind they are.
#[derive(Debug, Default)]
pub(crate) struct Out {
    pub(crate) records: Vec<NewRecord>,
    pub(crate) emitted: Emitted,
}

/// How much was emitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Emitted {
    /// Points of abandonment.
    pub(crate) abandonment: u64,
    /// Points of drift.
    pub(crate) drift: u64,
    /// Points that are none any more.
    pub(crate) withdrawn: u64,
    /// Moves between cohorts by what shoppers did.
    pub(crate) behaviour: u64,
    /// Moves between cohorts because these formed anew.
    pub(crate) reforming: u64,
}

impl Emitted {
    /// Adds what `other` counts.
    pub(crate) fn add(&mut self, other: Self) {
        self.abandonment += other.abandonment;
        self.drift += other.drift;
        self.withdrawn += other.withdrawn;
        self.behaviour += other.behaviour;
        self.reforming += other.reforming;
    }
}
