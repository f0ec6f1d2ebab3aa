//! Every odd size with every other, all head dims, all options: each pair of sizes meets some of the options.

use super::reference::agrees;
use crate::options::{ALL, inputs, options};
use candle_core::{DType, Result};

const LENGTHS: [usize; 8] = [1, 3, 17, 63, 64, 65, 127, 200];
const DIMS: [usize; 8] = [8, 16, 32, 64, 80, 96, 128, 256];

fn case(at: usize, number: usize, [seq_q, seq_k, dim]: [usize; 3], dtype: DType) -> Result<()> {
    let (heads, heads_kv) = [(2, 2), (2, 1), (3, 1)][at % 3];
    let dim_v = [dim, dim, 24, 80, 1][(at + number) % 5];
    let sizes = [1, heads, heads_kv, seq_q, seq_k, dim, dim_v];
    let inputs = inputs((at * 31 + number) as u64, sizes, dtype)?;
    let options = options(number, heads, seq_q, seq_k)?;
    agrees(&format!("{sizes:?}, {dtype:?}, options {number}"), &inputs, &options)
}

fn lengths() -> impl Iterator<Item = (usize, usize, usize)> {
    let pairs = LENGTHS.into_iter().flat_map(|q| LENGTHS.into_iter().map(move |k| (q, k)));
    pairs.enumerate().map(|(at, (q, k))| (at, q, k))
}

#[test]
fn odd_lengths_and_all_options() -> Result<()> {
    for (at, seq_q, seq_k) in lengths() {
        for number in (0..3).map(|turn| (at + 5 * turn) % ALL) {
            case(at, number, [seq_q, seq_k, DIMS[(at + number) % 8]], DType::F32)?;
        }
    }
    Ok(())
}

#[test]
fn other_types() -> Result<()> {
    for dtype in [DType::F64, DType::F16, DType::BF16] {
        for (at, seq_q, seq_k) in lengths() {
            case(at, at % ALL, [seq_q, seq_k, DIMS[at % 6]], dtype)?;
        }
    }
    Ok(())
}

#[test]
fn head_dims_that_are_no_multiple_of_anything() -> Result<()> {
    for (dim, dim_v) in [(1, 1), (3, 5), (7, 17), (33, 31), (100, 65), (5, 127), (19, 300)] {
        for number in 0..ALL {
            let inputs = inputs(7, [2, 2, 1, 20, 70, dim, dim_v], DType::F32)?;
            agrees(&format!("{dim}, {dim_v}"), &inputs, &options(number, 2, 20, 70)?)?;
        }
    }
    Ok(())
}

#[test]
fn several_chunks() -> Result<()> {
    for (at, (seq_q, seq_k)) in
        [(700, 500), (300, 900), (10, 1000), (1000, 10)].into_iter().enumerate()
    {
        for number in (at..ALL).step_by(4) {
            let inputs = inputs(8, [1, 2, 1, seq_q, seq_k, 16, 8], DType::F32)?;
            let case = format!("{seq_q}, {seq_k}, options {number}");
            agrees(&case, &inputs, &options(number, 2, seq_q, seq_k)?)?;
        }
    }
    Ok(())
}
