//! Trees for tests: any that are sound.

use proptest::prelude::*;

use super::{Leaf, Node, Split, Test, Tree};

/// A tree before its nodes have places.
#[derive(Clone, Debug)]
enum Grown {
    Leaf(Leaf),
    Split(u16, Test, bool, Box<Grown>, Box<Grown>),
}

/// Numbers that meet each other often.
fn threshold() -> impl Strategy<Value = f32> {
    prop_oneof![
        9 => -3.0_f32..3.0,
        9 => (-3_i8..3).prop_map(f32::from),
        1 => Just(f32::INFINITY),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    let categories = prop::collection::btree_set(0_u16..6, 1..4);
    prop_oneof![
        4 => threshold().prop_map(Test::Below),
        1 => categories.prop_map(|categories| Test::OneOf(categories.into_iter().collect())),
    ]
}

/// Any tree over `width` inputs, of up to 64 leaves.
pub(crate) fn tree(width: u16) -> impl Strategy<Value = Tree> {
    let cover = prop_oneof![1 => Just(0.0_f32), 9 => 0.0_f32..100.0];
    let leaf = (-2.0..2.0, cover).prop_map(|(value, cover)| Grown::Leaf(Leaf { value, cover }));
    let grown = leaf.prop_recursive(6, 64, 2, move |inner| {
        (0..width, test(), any::<bool>(), inner.clone(), inner).prop_map(
            |(input, test, missing_left, left, right)| {
                Grown::Split(input, test, missing_left, left.into(), right.into())
            },
        )
    });
    grown.prop_map(|grown| {
        let mut nodes = Vec::new();
        put(grown, &mut nodes);
        Tree { nodes }
    })
}

fn put(grown: Grown, nodes: &mut Vec<Node>) -> u32 {
    let place = u32::try_from(nodes.len()).unwrap();
    match grown {
        Grown::Leaf(leaf) => nodes.push(Node::Leaf(leaf)),
        Grown::Split(input, test, missing_left, left, right) => {
            nodes.push(Node::Leaf(Leaf {
                value: 0.0,
                cover: 0.0,
            }));
            let (left, right) = (put(*left, nodes), put(*right, nodes));
            nodes[place as usize] = Node::Split(Split {
                input,
                test,
                missing_left,
                left,
                right,
            });
        }
    }
    place
}

/// A value of an input: often at a threshold or the code of a category, sometimes missing or out of all bounds.
pub(crate) fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -3.0..3.0,
        4 => (-3_i8..7).prop_map(f64::from),
        2 => Just(f64::NAN),
        1 => any::<f64>(),
    ]
}
