//! Reads the text of a `LightGBM` model into our trees.

use std::collections::HashMap;

use anyhow::{Context as _, bail, ensure};
use foretide_models::{Leaf, Node, Split, Test, Tree, Trees};

/// Bits of `decision_type`.
const CATEGORICAL: u8 = 1;
const DEFAULT_LEFT: u8 = 2;
/// What is taken for missing, in the bits above.
const MISSING_SHIFT: u8 = 2;
const MISSING_NONE: u8 = 0;
const MISSING_NAN: u8 = 2;

/// The trees in `text`, over rows of `width` inputs.
pub fn read(text: &str, width: usize) -> anyhow::Result<Trees> {
    let mut trees = Vec::new();
    for block in text.split("\nTree=").skip(1) {
        let fields: HashMap<&str, &str> = block
            .lines()
            .take_while(|line| *line != "end of trees")
            .filter_map(|line| line.split_once('='))
            .collect();
        trees.push(tree(&fields).with_context(|| format!("tree {}", trees.len()))?);
    }
    ensure!(!trees.is_empty(), "no trees");
    Ok(Trees::build(width, 0.0, trees)?)
}

fn numbers<T: std::str::FromStr>(
    fields: &HashMap<&str, &str>,
    name: &str,
) -> anyhow::Result<Vec<T>> {
    let text = fields
        .get(name)
        .with_context(|| format!("`{name}` is not there"))?;
    let number = |text: &str| {
        text.parse()
            .ok()
            .with_context(|| format!("`{name}`: {text}"))
    };
    text.split_whitespace().map(number).collect()
}

fn tree(fields: &HashMap<&str, &str>) -> anyhow::Result<Tree> {
    let values: Vec<f64> = numbers(fields, "leaf_value")?;
    if values.len() == 1 {
        let leaf = Leaf {
            value: values[0],
            cover: 0.0,
        };
        return Ok(Tree {
            nodes: vec![Node::Leaf(leaf)],
        });
    }
    let counts: Vec<f32> = numbers(fields, "leaf_count")?;
    let inputs: Vec<u16> = numbers(fields, "split_feature")?;
    let thresholds: Vec<f64> = numbers(fields, "threshold")?;
    let decisions: Vec<u8> = numbers(fields, "decision_type")?;
    let children = [
        numbers::<i32>(fields, "left_child")?,
        numbers::<i32>(fields, "right_child")?,
    ];
    let splits = inputs.len();
    let whole = [
        thresholds.len(),
        decisions.len(),
        children[0].len(),
        children[1].len(),
    ];
    ensure!(whole == [splits; 4], "splits in part");
    ensure!(
        values.len() == splits + 1 && counts.len() == splits + 1,
        "leaves in part"
    );
    // Splits keep their places; leaves, which `LightGBM` counts −1, −2, …, follow.
    let place = |child: i32| {
        u32::try_from(if child < 0 {
            splits as i32 - 1 - child
        } else {
            child
        })
    };
    let mut nodes = Vec::with_capacity(splits + values.len());
    for split in 0..splits {
        let below = below(thresholds[split]);
        nodes.push(Node::Split(Split {
            input: inputs[split],
            test: Test::Below(below),
            missing_left: missing_left(decisions[split], below)?,
            left: place(children[0][split])?,
            right: place(children[1][split])?,
        }));
    }
    let leaves = values.into_iter().zip(counts);
    nodes.extend(leaves.map(|(value, cover)| Node::Leaf(Leaf { value, cover })));
    Ok(Tree { nodes })
}

/// `LightGBM`'s `x ≤ threshold` as `x < …`, for `x` in single precision: the next number after the largest one that is not
/// above the threshold. A threshold that is too large for it, by which `LightGBM` asks for missing values, becomes infinite.
fn below(threshold: f64) -> f32 {
    let rounded = threshold as f32;
    if f64::from(rounded) > threshold {
        rounded
    } else {
        rounded.next_up()
    }
}

/// Where a row goes whose input is missing.
fn missing_left(decision: u8, below: f32) -> anyhow::Result<bool> {
    ensure!(
        decision & CATEGORICAL == 0,
        "a categorical split, which the data has no reason for"
    );
    match decision >> MISSING_SHIFT {
        MISSING_NAN => Ok(decision & DEFAULT_LEFT != 0),
        // Training saw none missing: it counts as zero.
        MISSING_NONE => Ok(0.0 < below),
        other => bail!("missing values of kind {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `LightGBM` 4.7 writes, in short.
    const TEXT: &str = "tree\nversion=v4\nnum_class=1\nmax_feature_idx=1\n\nTree=0\nnum_leaves=3\nnum_cat=0\nsplit_feature=0 1\n\
        threshold=0.10000000000000002 -2\ndecision_type=10 8\nleft_child=1 -1\nright_child=-2 -3\nleaf_value=0.5 -0.25 2\n\
        leaf_count=10 20 30\nshrinkage=1\n\n\nTree=1\nnum_leaves=1\nnum_cat=0\nleaf_value=0.125\n\nend of trees\n\nparameters:\n[seed: 7]\n";

    #[test]
    fn a_model_is_read_as_its_text_means_it() {
        let trees = read(TEXT, 2).unwrap();
        let nan = f64::NAN;
        for (row, margin) in [
            ([0.0, -2.0], 0.625),
            ([0.0, -1.9], 2.125),
            ([nan, -1.9], 2.125),
            ([nan, nan], 2.125),
            ([0.2, -9.0], -0.125),
        ] {
            assert!((trees.margin(&row) - margin).abs() < 1e-12, "{row:?}");
        }
    }

    #[test]
    fn a_threshold_stays_on_the_same_side_of_every_number() {
        for threshold in [0.1, -0.1, 0.5, 1e-35, -3.7, 16_777_217.0] {
            let below = below(threshold);
            assert!(f64::from(below) > threshold, "{threshold}");
            assert!(f64::from(below.next_down()) <= threshold, "{threshold}");
        }
    }
}
