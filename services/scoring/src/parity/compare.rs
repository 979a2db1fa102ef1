//! Holding a served vector against the recomputed profile.

use foretide_features::{FoldRules, Profile};

use super::{Skipped, Vector};

/// What came of comparing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same, bit for bit.
    Same,
    /// These differ.
    Different(Vec<&'static str>),
    /// It could not be compared.
    Skipped(Skipped),
}

/// What differs where the profile that was served has applied something that the log does not hold.
const POSITION: &str = "(its position)";
/// What differs where the instant is no longer told apart, though it was when it was served.
const MEMORY: &str = "(what it remembers)";

/// Compares `vector` with what `profile` comes to, which was folded from all of the log up to the vector's position.
/// `is_whole` says that the log has let go of nothing.
pub(super) fn compare(
    vector: &Vector,
    profile: &Profile,
    is_whole: bool,
    rules: &FoldRules,
) -> Verdict {
    let state = match vector.asked_at {
        None => Some(std::borrow::Cow::Borrowed(profile.state())),
        Some(at) => profile.state_at(at, rules),
    };
    let rests_on_the_same = state.as_ref().is_some_and(|state| {
        state.first_seen() == vector.first_seen && state.actions() == vector.actions
    });
    if !is_whole && (!rests_on_the_same || profile.next_offset() != vector.next_offset) {
        return Verdict::Skipped(Skipped::LogBeginsLater);
    }
    let Some(state) = state else {
        return Verdict::Different(vec![MEMORY]);
    };
    let recomputed = state.features(vector.at, rules, &vector.reference);
    let pairs = vector.values.iter().zip(recomputed.iter());
    let differs = |a: Option<f64>, b: Option<f64>| a.map(f64::to_bits) != b.map(f64::to_bits);
    let mut different: Vec<_> = pairs
        .filter(|((_, served), (_, own))| differs(*served, *own))
        .map(|((spec, _), _)| spec.name)
        .collect();
    if profile.next_offset() != vector.next_offset {
        different.push(POSITION);
    }
    if different.is_empty() {
        Verdict::Same
    } else {
        Verdict::Different(different)
    }
}
