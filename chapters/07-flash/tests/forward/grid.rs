//! Every odd size with every other, all head dims, all options.

use crate::reference::{agrees, inputs};
use candle_core::{DType, Device, Result, Tensor};
use flash::{Causal, SdpaOptions};

const LENGTHS: [usize; 8] = [1, 3, 17, 63, 64, 65, 127, 200];
const DIMS: [usize; 8] = [8, 16, 32, 64, 80, 96, 128, 256];

/// How many options there are.
pub const ALL: usize = 15;

/// The options by number, for scores of these sizes.
pub fn options(number: usize, heads: usize, seq_q: usize, seq_k: usize) -> Result<SdpaOptions> {
    let plain = SdpaOptions::default();
    let (top_left, bottom_right) = (Causal::TopLeft, Causal::BottomRight);
    let keep = |shape: (usize, usize, usize, usize)| seeded::uniform(99, shape)?.ge(0.4);
    let bias = || -> Result<Tensor> {
        let bias = seeded::normal(98, (1, heads, seq_q, seq_k))?;
        let hidden = (bias.ones_like()? * f64::NEG_INFINITY)?;
        bias.gt(1.)?.where_cond(&hidden, &bias)
    };
    let padding = || {
        let keep: Vec<u8> = (0..seq_k).map(|key| u8::from(key * 3 < seq_k * 2)).collect();
        Tensor::from_vec(keep, (1, 1, 1, seq_k), &Device::Cpu)
    };
    Ok(match number % ALL {
        0 => plain,
        1 => plain.causal(top_left),
        2 => plain.causal(bottom_right),
        3 => plain.window(5, 0),
        4 => plain.window(None, 3),
        5 => plain.window(70, 7).causal(bottom_right),
        6 => plain.keep(keep((1, heads, seq_q, seq_k))?),
        7 => plain.keep(padding()?),
        8 => plain.bias(bias()?),
        9 => plain.softcap(2.),
        10 => plain.softcap(30.).scale(0.7).bias(bias()?).causal(bottom_right).window(40, None),
        11 => plain.keep(keep((1, 1, seq_q, seq_k))?).causal(top_left).softcap(5.).scale(-0.3),
        12 => plain.window(3, 9).causal(top_left),
        13 => plain.bias(seeded::normal(97, (1, heads, seq_q, 1))?),
        _ => plain.keep(keep((1, heads, seq_q, 1))?),
    })
}

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
