use proptest::prelude::*;

use super::{
    samples::{tree, value},
    *,
};

const WIDTH: u16 = 5;

fn leaf(value: f64, cover: f32) -> Node {
    Node::Leaf(Leaf { value, cover })
}

fn split(input: u16, test: Test, missing_left: bool, left: u32, right: u32) -> Node {
    Node::Split(Split {
        input,
        test,
        missing_left,
        left,
        right,
    })
}

/// Below 1.5 or missing: −1; else of the category 2 or 4: 2, else or missing: 5.
fn example() -> Tree {
    Tree {
        nodes: vec![
            split(0, Test::Below(1.5), true, 1, 2),
            leaf(-1.0, 30.0),
            split(1, Test::OneOf(vec![2, 4]), false, 3, 4),
            leaf(2.0, 5.0),
            leaf(5.0, 5.0),
        ],
    }
}

#[test]
fn a_row_goes_its_way() {
    let trees = Trees::build(2, 0.5, vec![example()]).unwrap();
    let nan = f64::NAN;
    for (row, margin) in [
        ([1.4, 2.0], -0.5),
        ([nan, 2.0], -0.5),
        ([f64::NEG_INFINITY, 0.0], -0.5),
        ([1.5, 2.0], 2.5),
        ([f64::INFINITY, 4.0], 2.5),
        ([1e300, 4.0], 2.5),
        ([9.0, 3.0], 5.5),
        ([9.0, 2.5], 5.5),
        ([9.0, -2.0], 5.5),
        ([9.0, 1e9], 5.5),
        ([9.0, nan], 5.5),
    ] {
        assert_eq!(trees.margin(&row), margin, "{row:?}");
    }
    assert_eq!(trees.margin(&[]), -0.5, "missing");
    assert_eq!(trees.margin(&[9.0]), 5.5, "the second is missing");
    assert_eq!(trees.margin(&[9.0, 2.0, 7.0]), 2.5, "one too many");
}

#[test]
fn an_input_gets_what_its_splits_changed_in_expectation() {
    let trees = Trees::build(2, 0.5, vec![example()]).unwrap();
    let mut contributions = [0.0; 2];
    let base = trees.explain(&[9.0, 2.0], &mut contributions);
    // The root: 30 of −1 and 10 of 3.5; after the first split 3.5, after the second 2.
    assert_eq!(base, 0.5 + 0.125);
    assert_eq!(contributions, [3.5 - 0.125, 2.0 - 3.5]);
}

#[test]
fn a_split_may_ask_whether_an_input_is_missing() {
    for (missing_left, margin) in [(false, -0.5), (true, 0.5)] {
        let nodes = vec![
            split(0, Test::Below(f32::INFINITY), missing_left, 1, 2),
            leaf(0.5, 1.0),
            leaf(-0.5, 1.0),
        ];
        let trees = Trees::build(1, 0.0, vec![Tree { nodes }]).unwrap();
        assert_eq!(trees.margin(&[f64::NAN]), margin);
        assert_eq!(trees.margin(&[1e30]), 0.5);
    }
}

#[test]
fn no_trees_and_trees_of_one_leaf_say_the_same_of_all_rows() {
    assert_eq!(
        Trees::build(1, 0.25, Vec::new()).unwrap().margin(&[7.0]),
        0.25
    );
    let one = Tree {
        nodes: vec![leaf(0.5, 0.0)],
    };
    let trees = Trees::build(1, 0.25, vec![one; 3]).unwrap();
    assert_eq!(trees.margin(&[7.0]), 1.75);
    assert_eq!(trees.explain(&[7.0], &mut [0.0]), 1.75);
}

#[test]
fn what_is_no_tree_is_refused() {
    let stump = |test, left, right| {
        vec![
            split(0, test, true, left, right),
            leaf(1.0, 1.0),
            leaf(2.0, 1.0),
        ]
    };
    let below = |left, right| stump(Test::Below(0.0), left, right);
    let mut wrong_input = below(1, 2);
    wrong_input[0] = split(2, Test::Below(0.0), true, 1, 2);
    let mut nan_leaf = below(1, 2);
    nan_leaf[1] = leaf(f64::NAN, 1.0);
    let mut negative_cover = below(1, 2);
    negative_cover[1] = leaf(1.0, -1.0);
    let mut unreached = below(1, 2);
    unreached.push(leaf(1.0, 1.0));
    for (why, nodes) in [
        ("no nodes", Vec::new()),
        ("an input that the row does not have", wrong_input),
        ("a leaf that is not a number", nan_leaf),
        ("a negative cover", negative_cover),
        ("a node that is not reached", unreached),
        ("a cycle", below(0, 2)),
        ("one child twice", below(1, 1)),
        ("a child that is not there", below(1, 3)),
        ("a child far away", below(1, u32::MAX)),
        (
            "a threshold that is not a number",
            stump(Test::Below(f32::NAN), 1, 2),
        ),
        (
            "a threshold that nothing is below",
            stump(Test::Below(f32::NEG_INFINITY), 1, 2),
        ),
        ("no categories", stump(Test::OneOf(Vec::new()), 1, 2)),
        (
            "categories in disorder",
            stump(Test::OneOf(vec![2, 1]), 1, 2),
        ),
        (
            "a category over the limit",
            stump(Test::OneOf(vec![5000]), 1, 2),
        ),
    ] {
        assert!(Trees::build(2, 0.0, vec![Tree { nodes }]).is_err(), "{why}");
    }
    let good = || Tree { nodes: below(1, 2) };
    assert!(Trees::build(2, 0.0, vec![good()]).is_ok());
    assert!(Trees::build(2, f64::NAN, vec![good()]).is_err());
    assert!(Trees::build(0, 0.0, Vec::new()).is_err());
}

#[test]
fn a_chain_of_splits_is_walked_to_its_end() {
    let depth = 3000;
    let mut nodes = Vec::new();
    for step in 0..depth {
        let threshold = -(step as f32);
        let next = 2 * step + 1;
        nodes.push(split(0, Test::Below(threshold), false, next + 1, next));
        nodes.push(leaf(f64::from(step), 1.0));
    }
    nodes.push(leaf(-1.0, 1.0));
    let trees = Trees::build(1, 0.0, vec![Tree { nodes }]).unwrap();
    assert_eq!(trees.margin(&[-41.5]), 42.0);
    assert_eq!(trees.margin(&[f64::NEG_INFINITY]), -1.0);
}

fn row() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(value(), usize::from(WIDTH))
}

proptest! {
    #[test]
    fn any_trees_score_as_a_plain_walk_through_each(
        trees in prop::collection::vec(tree(WIDTH), 0..30), rows in prop::collection::vec(row(), 1..8),
    ) {
        let built = Trees::build(usize::from(WIDTH), 0.125, trees.clone()).unwrap();
        for row in rows {
            let plain: f64 = trees.iter().map(|tree| tree.walk(|input| row[usize::from(input)]).value).sum();
            prop_assert!((built.margin(&row) - 0.125 - plain).abs() < 1e-9);
        }
    }

    #[test]
    fn contributions_add_up_to_the_margin(
        trees in prop::collection::vec(tree(WIDTH), 0..30), row in row(),
    ) {
        let built = Trees::build(usize::from(WIDTH), 0.125, trees).unwrap();
        let mut contributions = vec![0.0; usize::from(WIDTH)];
        let base = built.explain(&row, &mut contributions);
        prop_assert!((base + contributions.iter().sum::<f64>() - built.margin(&row)).abs() < 1e-9);
    }
}
