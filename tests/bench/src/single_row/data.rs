//! Made rows: counts and times with heavy tails, symmetric numbers, flags, and values that are missing.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Inputs of a row: as many as the real frames have.
pub const WIDTH: usize = 36;

/// Rows with labels.
pub struct Rows {
    values: Vec<f64>,
    labels: Vec<f32>,
}

impl Rows {
    /// Makes `count` rows from `seed`.
    pub fn made(count: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut made = Self {
            values: Vec::with_capacity(count * WIDTH),
            labels: Vec::with_capacity(count),
        };
        for _ in 0..count {
            let row: Vec<f64> = (0..WIDTH).map(|input| value(&mut rng, input)).collect();
            let p = 1.0 / (1.0 + (-log_odds(&row)).exp());
            made.labels
                .push(f32::from(u8::from(rng.random::<f64>() < p)));
            made.values.extend(row);
        }
        made
    }

    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(WIDTH)
    }

    /// All values, row by row.
    pub fn value_bytes(&self) -> Vec<u8> {
        self.values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }

    /// The label of each row, 0 or 1.
    pub fn label_bytes(&self) -> Vec<u8> {
        self.labels
            .iter()
            .flat_map(|label| label.to_le_bytes())
            .collect()
    }
}

/// A value of `input`, which is exact in single precision; NaN where it is missing.
fn value(rng: &mut ChaCha8Rng, input: usize) -> f64 {
    // The sum of a few is close enough to a bell.
    let bell = (0..4).map(|_| rng.random::<f64>() - 0.5).sum::<f64>() * 1.7;
    let missing = rng.random::<f64>();
    if input % 3 == 1 && missing < 0.15 {
        return f64::NAN;
    }
    let value = match input % 4 {
        0 => (2.0 * bell).exp(),
        1 => bell,
        2 => (1.5 * bell + 1.0).exp().floor(),
        _ => f64::from(u8::from(bell > 0.5)) + f64::from(u8::from(bell > -0.5)),
    };
    f64::from(value as f32)
}

/// What decides: a few effects, bent, and together.
fn log_odds(row: &[f64]) -> f64 {
    let at = |input: usize| {
        if row[input].is_nan() {
            -0.5
        } else {
            row[input]
        }
    };
    let bent = |input: usize| at(input).abs().ln_1p();
    let mut sum = -1.0 + 0.8 * bent(0) - 0.6 * at(1) * bent(2) + 0.5 * (3.0 * at(5)).sin();
    sum += if at(3) > 1.0 && at(9) > 0.0 {
        0.9
    } else {
        -0.2
    };
    for input in (4..WIDTH).step_by(2) {
        sum += 0.15 * bent(input) * if at(input + 1) > 0.3 { 1.0 } else { -0.4 };
    }
    sum
}
