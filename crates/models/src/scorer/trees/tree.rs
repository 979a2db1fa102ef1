//! One regression tree, as it is built and stored.

use serde::{Deserialize, Serialize};

use crate::refused::{Refused, sensible};

/// The most nodes of a tree: its layout reaches a child in 16 bits.
const NODE_LIMIT: usize = 1 << 15;

/// Categories are codes below this.
const CATEGORY_LIMIT: u16 = 4096;

/// A binary tree. Node 0 is the root, and children come after their parent; each node but the root has one parent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    /// Its nodes.
    pub nodes: Vec<Node>,
}

/// A node of a tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Node {
    /// Asks for an input.
    Split(Split),
    /// Ends a path.
    Leaf(Leaf),
}

/// Sends a row to the left or to the right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// Which input of the row.
    pub input: u16,
    /// What is asked.
    pub test: Test,
    /// Whether a row goes left whose input is missing.
    pub missing_left: bool,
    /// The node to the left: where the answer is yes.
    pub left: u32,
    /// The node to the right.
    pub right: u32,
}

/// What a split asks of an input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Test {
    /// Whether it is below a threshold, both in single precision. `x ≤ t` is `Below(t.next_up())`. Below infinity
    /// is everything that is there: such a split asks whether the input is missing.
    Below(f32),
    /// Whether it is one of these codes of categories, which are whole numbers from 0 to 4095, ascending. Every other number is
    /// not.
    OneOf(Vec<u16>),
}

/// The end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leaf {
    /// What it adds to the margin, in log-odds; any learning rate is applied already.
    pub value: f64,
    /// How many examples of training ended here, or their weight or Hessian: explanations weigh by it. At least 0.
    pub cover: f32,
}

impl Test {
    /// The answer for a value that is not missing.
    pub(super) fn holds(&self, value: f32) -> bool {
        match self {
            Self::Below(threshold) => value < *threshold,
            Self::OneOf(categories) => code(value).is_some_and(|code| categories.contains(&code)),
        }
    }

    fn check(&self) -> Result<(), Refused> {
        match self {
            Self::Below(threshold) if *threshold > f32::NEG_INFINITY => Ok(()),
            Self::Below(_) => Err(Refused::nonsense(
                "threshold",
                "must be a number above minus infinity",
            )),
            Self::OneOf(categories) => {
                let ascending = categories.is_sorted_by(|a, b| a < b);
                let last = categories.last().is_some_and(|last| *last < CATEGORY_LIMIT);
                if ascending && last {
                    Ok(())
                } else {
                    let fault = "must be at least one, ascending and below 4096";
                    Err(Refused::nonsense("categories", fault))
                }
            }
        }
    }
}

/// The category that `value` is the code of.
fn code(value: f32) -> Option<u16> {
    let within = (0.0..f32::from(CATEGORY_LIMIT)).contains(&value) && value.fract() == 0.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number within"
    )]
    within.then_some(value as u16)
}

/// An input as splits see it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounded to the closest, beyond its range to infinity"
)]
pub(super) fn single(value: f64) -> f32 {
    value as f32
}

impl Leaf {
    fn check(self) -> Result<(), Refused> {
        sensible("leaf.value", self.value)?;
        if self.cover.is_finite() && self.cover >= 0.0 {
            Ok(())
        } else {
            Err(Refused::nonsense(
                "leaf.cover",
                "must be finite and at least 0",
            ))
        }
    }
}

impl Tree {
    /// Refuses what is no tree over `width` inputs.
    pub(super) fn check(&self, width: usize) -> Result<(), Refused> {
        if self.nodes.is_empty() || self.nodes.len() > NODE_LIMIT {
            return Err(Refused::nonsense("tree.nodes", "must be 1 to 32,768"));
        }
        let mut has_parent = vec![false; self.nodes.len()];
        for (place, node) in self.nodes.iter().enumerate() {
            match node {
                Node::Leaf(leaf) => leaf.check()?,
                Node::Split(split) => {
                    if usize::from(split.input) >= width {
                        return Err(Refused::nonsense("split.input", "must be one of the row"));
                    }
                    split.test.check()?;
                    for child in [split.left, split.right] {
                        let child = child as usize;
                        let new = child > place
                            && has_parent
                                .get_mut(child)
                                .is_some_and(|has| !std::mem::replace(has, true));
                        if !new {
                            let fault = "must lead to later nodes, each to its own";
                            return Err(Refused::nonsense("split.children", fault));
                        }
                    }
                }
            }
        }
        if has_parent.iter().skip(1).all(|has| *has) {
            Ok(())
        } else {
            Err(Refused::nonsense("tree.nodes", "must all be reached"))
        }
    }

    /// The leaf that a row reaches whose inputs `get` gives, NaN where they are missing. Slow and plain.
    #[cfg(test)]
    pub(super) fn walk(&self, get: impl Fn(u16) -> f64) -> Leaf {
        let mut place = 0;
        loop {
            match &self.nodes[place] {
                Node::Leaf(leaf) => return *leaf,
                Node::Split(split) => {
                    let value = get(split.input);
                    let left = if value.is_nan() {
                        split.missing_left
                    } else {
                        split.test.holds(single(value))
                    };
                    place = if left { split.left } else { split.right } as usize;
                }
            }
        }
    }
}
