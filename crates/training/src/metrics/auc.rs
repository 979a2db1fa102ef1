//! The area under the ROC curve.

use super::Scored;

/// The places of `rows` by fold and probability.
pub(super) fn order(rows: &[Scored]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&rows[*a], &rows[*b]);
        a.fold
            .cmp(&b.fold)
            .then(a.probability.total_cmp(&b.probability))
    });
    order
}

/// Whether two rows have exactly one probability.
#[expect(
    clippy::float_cmp,
    reason = "only what is equal to the last bit is a tie"
)]
pub(super) fn are_tied(a: &Scored, b: &Scored) -> bool {
    a.probability == b.probability
}

/// The area of rows in their [`order`], each counting as `weight` says by its place; `None` if no fold has both classes.
///
/// By the sum of ranks (Hanley and `McNeil` 1982) with weights, ties counting half, over pairs of one fold.
pub(super) fn area(rows: &[Scored], order: &[usize], weight: impl Fn(usize) -> f64) -> Option<f64> {
    let (mut above, mut pairs) = (0.0, 0.0);
    for fold in order.chunk_by(|a, b| rows[*a].fold == rows[*b].fold) {
        let (mut positives, mut negatives) = (0.0, 0.0);
        for tied in fold.chunk_by(|a, b| are_tied(&rows[*a], &rows[*b])) {
            let (mut positive, mut negative) = (0.0, 0.0);
            for place in tied {
                let counts = weight(*place);
                *(if rows[*place].label {
                    &mut positive
                } else {
                    &mut negative
                }) += counts;
            }
            above += positive * (negatives + negative / 2.0);
            positives += positive;
            negatives += negative;
        }
        pairs += positives * negatives;
    }
    (pairs > 0.0).then(|| above / pairs)
}
