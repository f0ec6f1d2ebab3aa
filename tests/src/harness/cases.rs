//! Inputs for laws: tiny ones written by hand, larger ones drawn with a seed.

use candle_core::{DType, Device, Result, Tensor};

/// The types that models run in.
pub const HALF: [DType; 2] = [DType::F16, DType::BF16];

/// A vector, f32.
pub fn row(values: &[f32]) -> Result<Tensor> {
    Tensor::new(values, &Device::Cpu)
}

/// A matrix, f32, row by row.
pub fn matrix<const M: usize, const N: usize>(rows: &[[f32; N]; M]) -> Result<Tensor> {
    Tensor::new(rows, &Device::Cpu)
}

/// Seeded query, key and value: `(batch…, seq_q, head_dim)`, `(batch…, seq_k, head_dim)`, `(batch…, seq_k, value_dim)`.
pub fn attention_inputs(
    seed: u64,
    batch: &[usize],
    [seq_q, seq_k, head_dim, value_dim]: [usize; 4],
) -> Result<[Tensor; 3]> {
    let shape = |rows: usize, columns: usize| [batch, &[rows, columns]].concat();
    Ok([
        seeded::normal(seed, shape(seq_q, head_dim))?,
        seeded::normal(seed + 1, shape(seq_k, head_dim))?,
        seeded::normal(seed + 2, shape(seq_k, value_dim))?,
    ])
}
