//! The library's trees as those that serve.

use std::collections::VecDeque;

use foretide_models::{Leaf, Node, Split, Test, Tree, Trees};
use hessboost::{
    model::{BoostedModel, ImportanceType},
    tree::RegTree,
};

use super::train::refused;
use crate::FitError;

/// The sum of the same trees.
pub(super) fn trees(model: &BoostedModel, width: usize) -> Result<Trees, FitError> {
    let weighted = model.trees().iter().zip(model.tree_weights());
    let trees = weighted.map(|(tree, weight)| converted(tree, weight));
    let trees = trees.collect::<Result<Vec<_>, _>>()?;
    let built = Trees::build(width, f64::from(model.base_score()), trees);
    built.map_err(|refused| FitError::Refused(refused.to_string()))
}

/// The same tree, its nodes level by level, so that children come after their parents.
fn converted(tree: &RegTree, weight: f32) -> Result<Tree, FitError> {
    let mut nodes = Vec::new();
    let mut open = VecDeque::from([0]);
    let mut next = 1_u32;
    while let Some(place) = open.pop_front() {
        let node = tree.node(place);
        if node.is_leaf() {
            let value = f64::from(node.leaf_value) * f64::from(weight);
            nodes.push(Node::Leaf(Leaf {
                value,
                cover: node.sum_hess.max(0.0),
            }));
            continue;
        }
        for child in [node.left, node.right] {
            open.push_back(usize::try_from(child).map_err(refused)?);
        }
        nodes.push(Node::Split(Split {
            input: u16::try_from(node.split_feature).map_err(refused)?,
            test: Test::Below(node.split_cond),
            missing_left: node.default_left,
            left: next,
            right: next + 1,
        }));
        next += 2;
    }
    Ok(Tree { nodes })
}

/// By how much the splits on each input reduced the loss.
pub(super) fn gains(model: &BoostedModel, width: usize) -> Vec<f64> {
    let mut gains = vec![0.0; width];
    for (input, gain) in model.feature_importance(ImportanceType::TotalGain) {
        if let Some(place) = gains.get_mut(input) {
            *place = gain.max(0.0);
        }
    }
    gains
}
