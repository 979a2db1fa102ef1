//! Sums of regression trees, as gradient boosting makes them.

mod layout;
#[cfg(test)]
pub(crate) mod samples;
mod tree;

pub use tree::{Leaf, Node, Split, Test, Tree};

use layout::Layout;

use super::INPUT_LIMIT;
use crate::refused::{Refused, sensible};

/// The most nodes of all trees together: several thousand trees of a usual size.
const NODE_LIMIT: usize = 1 << 20;

/// Regression trees whose leaves are summed. They are kept twice: as they were built, and laid out to be walked fast.
///
/// A row is brought to single precision first, as training does: a number that is too large for it counts as infinite, which is
/// above every threshold.
#[derive(Clone, Debug)]
pub struct Trees {
    width: usize,
    base: f64,
    built: Vec<Tree>,
    layout: Layout,
}

impl PartialEq for Trees {
    /// The layout follows from the rest.
    fn eq(&self, other: &Self) -> bool {
        (self.width, self.base, &self.built) == (other.width, other.base, &other.built)
    }
}

impl Trees {
    /// Sums `trees` over rows of `width` inputs, beginning at `base` log-odds. Refuses what is no tree, splits on inputs that
    /// there are not, and numbers that make no sense.
    pub fn build(width: usize, base: f64, trees: Vec<Tree>) -> Result<Self, Refused> {
        sensible("base", base)?;
        if width == 0 || width > INPUT_LIMIT {
            return Err(Refused::nonsense("width", "must be 1 to 4096"));
        }
        let nodes: usize = trees.iter().map(|tree| tree.nodes.len()).sum();
        if nodes > NODE_LIMIT {
            return Err(Refused::nonsense("trees", "have more than 2^20 nodes"));
        }
        trees.iter().try_for_each(|tree| tree.check(width))?;
        let layout = Layout::of(width, &trees)?;
        Ok(Self {
            width,
            base,
            built: trees,
            layout,
        })
    }

    /// How many inputs a row has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// What it begins with, in log-odds.
    pub fn base(&self) -> f64 {
        self.base
    }

    /// The trees as they were built.
    pub fn trees(&self) -> &[Tree] {
        &self.built
    }

    /// The margin of `row`: `base` and the leaf of each tree that the row reaches.
    pub fn margin(&self, row: &[f64]) -> f64 {
        self.base + self.layout.sum(row)
    }

    /// As [`Scorer::explain`](super::Scorer::explain), by *path attribution*: on its way from the root to a leaf the row passes
    /// nodes, each of which has an expectation, the mean of the leaves below it weighted by how many examples each had. The
    /// input that a split asks for gets the difference between the expectations after and before it. What every row begins with
    /// is `base` and the expectations of the roots.
    ///
    /// Palczewska et al., "Interpreting random forest models using a feature contribution method" (IEEE IRI 2013); A. Saabas'
    /// treeinterpreter (2014). It costs little more than a score, where exact Shapley values (Lundberg et al., "From local
    /// explanations to global understanding with explainable AI for trees", 2020) cost a hundred times as much; unlike them it
    /// favours inputs asked for close to the leaves, and of two inputs that only matter together the one asked for last.
    pub fn explain(&self, row: &[f64], contributions: &mut [f64]) -> f64 {
        self.base + self.layout.explain(row, contributions)
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests;
