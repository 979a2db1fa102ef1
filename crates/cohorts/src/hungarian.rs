//! The cheapest way to give each row a column of its own (Kuhn 1955, Munkres 1957; by shortest augmenting paths, O(n³)).

/// For each row of a square table of finite costs, the column that it gets so that the sum is least.
pub(crate) fn assign(costs: &[Vec<f64>]) -> Vec<usize> {
    let size = costs.len();
    // Counted from 1; 0 is no row and no column.
    let mut row_price = vec![0.0; size + 1];
    let mut column_price = vec![0.0; size + 1];
    let mut row_of = vec![0; size + 1];
    for row in 1..=size {
        let mut way = vec![0; size + 1];
        let mut least = vec![f64::INFINITY; size + 1];
        let mut used = vec![false; size + 1];
        row_of[0] = row;
        let mut column = 0;
        while row_of[column] != 0 {
            used[column] = true;
            let current = row_of[column];
            let mut step = f64::INFINITY;
            let mut next = 0;
            for other in (1..=size).filter(|other| !used[*other]).collect::<Vec<_>>() {
                let reduced =
                    costs[current - 1][other - 1] - row_price[current] - column_price[other];
                if reduced < least[other] {
                    least[other] = reduced;
                    way[other] = column;
                }
                if least[other] < step {
                    step = least[other];
                    next = other;
                }
            }
            for other in 0..=size {
                if used[other] {
                    row_price[row_of[other]] += step;
                    column_price[other] -= step;
                } else {
                    least[other] -= step;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[way[column]];
            column = way[column];
        }
    }
    let mut columns = vec![0; size];
    for (column, row) in row_of.iter().enumerate().skip(1) {
        columns[row - 1] = column - 1;
    }
    columns
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cost(costs: &[Vec<f64>], columns: &[usize]) -> f64 {
        costs
            .iter()
            .zip(columns)
            .map(|(row, column)| row[*column])
            .sum()
    }

    /// The least cost by trying all.
    fn least(costs: &[Vec<f64>], taken: &mut Vec<usize>) -> f64 {
        let row = taken.len();
        if row == costs.len() {
            return cost(costs, taken);
        }
        let mut best = f64::INFINITY;
        for column in 0..costs.len() {
            if !taken.contains(&column) {
                taken.push(column);
                best = best.min(least(costs, taken));
                taken.pop();
            }
        }
        best
    }

    #[test]
    fn nothing_is_assigned_to_nothing() {
        assert_eq!(assign(&[]), [0_usize; 0]);
    }

    proptest! {
        #[test]
        fn the_sum_is_the_least_and_every_column_is_given_once(
            costs in (1_usize..6).prop_flat_map(|size| prop::collection::vec(prop::collection::vec(0.0..9.0_f64, size), size)),
        ) {
            let columns = assign(&costs);
            let mut sorted = columns.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..costs.len()).collect::<Vec<_>>());
            prop_assert!((cost(&costs, &columns) - least(&costs, &mut Vec::new())).abs() < 1e-9);
        }
    }
}
