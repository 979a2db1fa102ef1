//! Trees laid out to be walked fast, one row at a time.
//!
//! A walk from node to node waits for memory and guesses branches wrongly: that is what it costs. So
//!
//! * several trees are walked at once, a step of each in turn, so that their waits overlap;
//! * nothing branches on what a row holds: the children of a node lie side by side, and the answer to its question, as 0 or 1,
//!   is added to the place of the left one. A leaf leads to itself, and trees that are walked together take as many steps as
//!   the deepest of them; trees are sorted by depth, so that few steps are idle;
//! * the nodes of a tree lie level by level, so that the first levels, which all rows pass, share a cache line; a node is 8 bytes;
//! * a missing value costs nothing: each input has two slots, one in which missing is below every threshold and one in
//!   which it is above, and a split asks for the slot by which missing goes its way. A set of categories has a slot that is
//!   already its answer.

use std::collections::VecDeque;

use super::tree::{Node, Split, Test, Tree, single};
use crate::refused::Refused;

/// How many trees are walked at once.
const LANES: usize = 8;

/// A node. Where it splits, rows whose slot is at least `threshold` go right.
#[derive(Clone, Copy, Debug)]
struct Packed {
    /// NaN for a leaf: nothing is at least that, so its answer is always 0.
    threshold: f32,
    slot: u16,
    /// How far ahead the left child is, the right one follows it; 0 for a leaf.
    left: u16,
}

/// Where a step leads that changes nothing.
const STAY: Packed = Packed {
    threshold: f32::NAN,
    slot: 0,
    left: 0,
};

/// Trees that are walked at once.
#[derive(Clone, Copy, Debug)]
struct Group {
    roots: [u32; LANES],
    /// The depth of the deepest.
    steps: u32,
}

/// A set of categories that a split asks for.
#[derive(Clone, Debug)]
struct Set {
    input: u16,
    test: Test,
    missing_left: bool,
}

/// All trees of a model.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    width: usize,
    nodes: Vec<Packed>,
    /// Of each node what is expected of the rows that reach it: of a leaf its value.
    expected: Vec<f64>,
    groups: Vec<Group>,
    sets: Vec<Set>,
    /// What is expected of all trees before anything is known of a row.
    start: f64,
}

/// A set's slot is this where its answer is yes, and its opposite where it is no; the threshold between is 0.
const YES: f32 = -1.0;

impl Layout {
    /// Lays out checked `trees` over rows of `width` inputs.
    pub(super) fn of(width: usize, trees: &[Tree]) -> Result<Self, Refused> {
        let mut layout = Self {
            width,
            nodes: Vec::new(),
            expected: Vec::new(),
            groups: Vec::new(),
            sets: Vec::new(),
            start: 0.0,
        };
        let mut by_depth: Vec<_> = trees.iter().map(|tree| (depth(tree), tree)).collect();
        by_depth.sort_by_key(|(depth, _)| *depth);
        for together in by_depth.chunks(LANES) {
            let deepest = together.iter().map(|(depth, _)| *depth).max();
            let mut roots = [0; LANES];
            for (place, root) in roots.iter_mut().enumerate() {
                *root = match together.get(place) {
                    Some((_, tree)) => layout.add(tree)?,
                    None => layout.push(STAY, 0.0)?,
                };
            }
            layout.groups.push(Group {
                roots,
                steps: deepest.unwrap_or(0),
            });
        }
        Ok(layout)
    }

    fn push(&mut self, node: Packed, expected: f64) -> Result<u32, Refused> {
        let place = u32::try_from(self.nodes.len());
        self.nodes.push(node);
        self.expected.push(expected);
        place.map_err(|_| Refused::nonsense("trees", "have too many nodes"))
    }

    /// Puts a tree behind the others, level by level, and tells where its root is.
    fn add(&mut self, tree: &Tree) -> Result<u32, Refused> {
        let expected = expectations(tree);
        let root = self.push(STAY, expected[0])?;
        self.start += expected[0];
        let mut open = VecDeque::from([(0, root)]);
        while let Some((place, at)) = open.pop_front() {
            let Node::Split(split) = &tree.nodes[place] else {
                continue;
            };
            let [left, right] = [split.left as usize, split.right as usize];
            let left_at = self.push(STAY, expected[left])?;
            let right_at = self.push(STAY, expected[right])?;
            let ahead = u16::try_from(left_at - at)
                .map_err(|_| Refused::nonsense("tree.nodes", "are too many"))?;
            let (slot, threshold) = self.question(split)?;
            self.nodes[at as usize] = Packed {
                threshold,
                slot,
                left: ahead,
            };
            open.extend([(left, left_at), (right, right_at)]);
        }
        Ok(root)
    }

    /// Which slot a split asks for, and from which value on a row goes right.
    fn question(&mut self, split: &Split) -> Result<(u16, f32), Refused> {
        match &split.test {
            Test::Below(threshold) => {
                let slot = usize::from(split.input) * 2 + usize::from(!split.missing_left);
                Ok((slot_number(slot)?, *threshold))
            }
            Test::OneOf(_) => {
                let slot = slot_number(self.width * 2 + self.sets.len())?;
                self.sets.push(Set {
                    input: split.input,
                    test: split.test.clone(),
                    missing_left: split.missing_left,
                });
                Ok((slot, 0.0))
            }
        }
    }

    /// The slots of `row`.
    fn slots(&self, row: &[f64]) -> Vec<f32> {
        let mut slots = Vec::with_capacity(self.width * 2 + self.sets.len());
        let there = row.len().min(self.width);
        for value in &row[..there] {
            let value = single(*value);
            slots.push(if value.is_nan() {
                f32::NEG_INFINITY
            } else {
                value
            });
            slots.push(if value.is_nan() { f32::INFINITY } else { value });
        }
        for _ in there..self.width {
            slots.extend([f32::NEG_INFINITY, f32::INFINITY]);
        }
        for set in &self.sets {
            let value = row.get(usize::from(set.input)).copied();
            let value = single(value.unwrap_or(f64::NAN));
            let yes = if value.is_nan() {
                set.missing_left
            } else {
                set.test.holds(value)
            };
            slots.push(if yes { YES } else { -YES });
        }
        slots
    }

    /// The sum of the leaves that `row` reaches.
    pub(super) fn sum(&self, row: &[f64]) -> f64 {
        let slots = self.slots(row);
        let (nodes, slots) = (&self.nodes[..], &slots[..]);
        let mut sum = 0.0;
        for group in &self.groups {
            let mut at = group.roots.map(|root| root as usize);
            for _ in 0..group.steps {
                for at in &mut at {
                    *at += step(nodes[*at], slots);
                }
            }
            for at in at {
                sum += self.expected[at];
            }
        }
        sum
    }

    /// Adds what each input adds to the sum, and returns what that begins with.
    pub(super) fn explain(&self, row: &[f64], contributions: &mut [f64]) -> f64 {
        let slots = self.slots(row);
        // What goes through each slot; a step that stays adds nothing to the first.
        let mut moved = vec![0.0; slots.len()];
        for group in &self.groups {
            let mut at = group.roots.map(|root| root as usize);
            for _ in 0..group.steps {
                for at in &mut at {
                    let node = self.nodes[*at];
                    let next = *at + step(node, &slots);
                    moved[usize::from(node.slot)] += self.expected[next] - self.expected[*at];
                    *at = next;
                }
            }
        }
        let (of_inputs, of_sets) = moved.split_at(self.width * 2);
        for (contribution, moved) in contributions.iter_mut().zip(of_inputs.chunks(2)) {
            *contribution += moved.iter().sum::<f64>();
        }
        for (set, moved) in self.sets.iter().zip(of_sets) {
            if let Some(contribution) = contributions.get_mut(usize::from(set.input)) {
                *contribution += moved;
            }
        }
        self.start
    }
}

/// How far it is from `node` to the next.
#[inline]
fn step(node: Packed, slots: &[f32]) -> usize {
    let right = slots[usize::from(node.slot)] >= node.threshold;
    usize::from(node.left) + usize::from(right)
}

fn slot_number(slot: usize) -> Result<u16, Refused> {
    u16::try_from(slot).map_err(|_| Refused::nonsense("categories", "have too many splits"))
}

/// How many splits the longest path has.
fn depth(tree: &Tree) -> u32 {
    let mut depths = vec![0; tree.nodes.len()];
    let mut deepest = 0;
    // Parents come before their children.
    for (place, node) in tree.nodes.iter().enumerate() {
        if let Node::Split(split) = node {
            let depth = depths[place] + 1;
            deepest = deepest.max(depth);
            for child in [split.left, split.right] {
                depths[child as usize] = depth;
            }
        }
    }
    deepest
}

/// Of each node the mean of the leaves below it, weighted by their covers; where none has any, the plain mean of its children.
fn expectations(tree: &Tree) -> Vec<f64> {
    let mut expected = vec![(0.0, 0.0); tree.nodes.len()];
    for (place, node) in tree.nodes.iter().enumerate().rev() {
        expected[place] = match node {
            Node::Leaf(leaf) => (leaf.value, f64::from(leaf.cover)),
            Node::Split(split) => {
                let [(left, l), (right, r)] =
                    [split.left, split.right].map(|child| expected[child as usize]);
                let cover = l + r;
                let share = if cover > 0.0 { l / cover } else { 0.5 };
                (left * share + right * (1.0 - share), cover)
            }
        };
    }
    expected.into_iter().map(|(value, _)| value).collect()
}
