//! Every odd size with every other, all head dims, all options.

use super::reference::agrees;
use crate::options::{ALL, inputs, options};
use candle_core::{DType, Result};

const LENGTHS: [usize; 8] = [1, 3, 17, 63, 64, 65, 127, 200];
const DIMS: [usize; 8] = [8, 16, 32, 64, 80, 96, 128, 256];

fn lengths() -> impl Iterator<Item = (usize, usize, usize)> {
    let pairs = LENGTHS.into_iter().flat_map(|q| LENGTHS.into_iter().map(move |k| (q, k)));
    pairs.enumerate().map(|(at, (q, k))| (at, q, k))
}

fn case(at: usize, number: usize, [seq_q, seq_k, dim]: [usize; 3], dtype: DType) -> Result<()> {
    let (heads, heads_kv) = [(2, 2), (2, 1), (3, 1)][at % 3];
    let dim_v = [dim, dim, 24, 80, 1][(at + number) % 5];
    let sizes = [1, heads, heads_kv, seq_q, seq_k, dim, dim_v];
    let [q, k, v] = inputs((at * 31 + number) as u64, sizes, dtype)?;
    let options = options(number, heads, seq_q, seq_k)?;
    agrees(&format!("{sizes:?}, {dtype:?}, options {number}"), &q, &k, &v, &options)
}

#[test]
fn odd_lengths_and_all_head_dims() -> Result<()> {
    for (at, seq_q, seq_k) in lengths() {
        for (place, dim) in DIMS.into_iter().enumerate() {
            let number = at + 7 * place; // each pair of lengths meets eight options
            case(at, number % ALL, [seq_q, seq_k, dim], DType::F32)?;
        }
    }
    Ok(())
}

#[test]
fn odd_lengths_and_all_options() -> Result<()> {
    for (at, seq_q, seq_k) in lengths() {
        for number in 0..ALL {
            case(at, number, [seq_q, seq_k, DIMS[(at + number) % 4]], DType::F32)?;
        }
    }
    Ok(())
}

#[test]
fn other_types() -> Result<()> {
    for dtype in [DType::F64, DType::F16, DType::BF16] {
        for (at, seq_q, seq_k) in lengths() {
            for turn in 0..3 {
                case(at, (at + 5 * turn) % ALL, [seq_q, seq_k, DIMS[at % 6]], dtype)?;
            }
        }
    }
    Ok(())
}

#[test]
fn head_dims_that_are_no_multiple_of_anything() -> Result<()> {
    for (dim, dim_v) in [(1, 1), (3, 5), (7, 17), (33, 31), (100, 65), (5, 127), (19, 300)] {
        for number in 0..ALL {
            let [q, k, v] = inputs(7, [2, 2, 1, 20, 70, dim, dim_v], DType::F32)?;
            agrees(&format!("{dim}, {dim_v}"), &q, &k, &v, &options(number, 2, 20, 70)?)?;
        }
    }
    Ok(())
}
