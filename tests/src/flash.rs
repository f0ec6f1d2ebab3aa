//! Week 7: what the online softmax, tiles that are merged, the count of their traffic and the backward pass must hold.

mod backward;
mod count;
mod forward;
mod online;
mod reference;
mod state;
mod tile;

pub use backward::{Delta, TileBackward, delta, tile_backward};
pub use count::{Traffic, Visit, tiled_traffic, tiles_to_visit};
pub use forward::{Flash, flash_attention};
pub use online::{Lse, OnlineSoftmax, lse, online_softmax};
pub use state::{Finish, Merge, finish, merge};
pub use tile::{TileAttention, tile_attention};

use crate::{
    Proof,
    harness::{
        Breach, Outcome,
        compare::{Rounding, exactly, same, value},
        fixtures::Fixtures,
    },
};
use candle_core::{DType, Device, Result, Tensor};

/// What attention over some keys leaves of each query: m and l, both `(rows, 1)`, and acc `(rows, d_v)`.
pub(crate) type Parts = [Tensor; 3];

/// The zoo of this week, in parts that are judged side by side.
pub(crate) const ZOO: &[fn() -> Vec<Proof>] =
    &[online::zoo, tile::zoo, state::zoo, count::zoo, forward::zoo, backward::zoo];

/// Why these edges matter, where none of [`crate::harness::why`] says it.
const SHORT: &str =
    "a prompt that is shorter than one tile is the usual case when a model starts to answer.";
const NO_KEYS: &str = "a cache is empty before the first token; an attention that stops there stops the whole request.";
const RANGE: &str = "a range that was cut wrongly gives a plausible number of tiles; an error shows up where the mistake was made.";
const ZERO: &str =
    "a loop over blocks of 0 never ends, or panics; an error says which argument is wrong.";

fn pytorch() -> Result<Fixtures> {
    Fixtures::read(include_bytes!("../fixtures/flash.safetensors"))
}

/// A keep-mask `(rows, columns)`, u8.
fn keep_where(rows: usize, columns: usize, keep: impl Fn(usize, usize) -> bool) -> Result<Tensor> {
    let keep = &keep;
    let row = |row| (0..columns).map(move |column| u8::from(keep(row, column)));
    Tensor::from_iter((0..rows).flat_map(row), &Device::Cpu)?.reshape((rows, columns))
}

/// A causal keep-mask, bottom-right.
fn causal_keep(seq_q: usize, seq_k: usize) -> Result<Tensor> {
    keep_where(seq_q, seq_k, |query, key| key + seq_q <= query + seq_k)
}

/// A keep-mask of random bits: about one in three 0, and one in four rows all 0.
fn drawn_keep(seed: u64, rows: usize, columns: usize) -> Result<Tensor> {
    let draws: Vec<f32> = seeded::uniform(seed, rows * (columns + 1))?.to_vec1()?;
    keep_where(rows, columns, |row, column| {
        draws[row] > 0.25 && draws[rows + row * columns + column] > 0.33
    })
}

/// The mask as a line of the inputs, or that there is none.
fn shown(keep: Option<&Tensor>) -> String {
    keep.map_or("none".into(), crate::harness::show::tensor)
}

/// One outcome for several results of a call: those that are not as expected, by name.
fn together(given: &str, results: &[(&str, Outcome)]) -> Outcome {
    let mut all = Breach::text(given, "", "");
    for (name, outcome) in results {
        if let Err(breach) = outcome {
            let gap = if all.got.is_empty() { "" } else { "\n" };
            all.expected += &format!("{gap}{name}: {}", breach.expected);
            all.got += &format!("{gap}{name}: {}", breach.got);
        }
    }
    if all.got.is_empty() { Ok(()) } else { Err(all) }
}

/// The law that `[m, l, acc]` are as expected, m to `scores`, the others to `sums`.
fn same_parts(
    given: &str,
    answer: Result<Parts>,
    [m, l, acc]: &Parts,
    [scores, sums]: [Rounding; 2],
) -> Outcome {
    let [our_m, our_l, our_acc] = value(given, answer)?;
    let results = [
        ("m", same("", Ok(our_m), m, scores)),
        ("l", same("", Ok(our_l), l, sums)),
        ("acc", same("", Ok(our_acc), acc, sums)),
    ];
    together(given, &results)
}

/// The law that an output and its log-sum-exp are as expected.
fn same_output(
    given: &str,
    answer: Result<(Tensor, Tensor)>,
    (out, lse): &(Tensor, Tensor),
    rounding: Rounding,
) -> Outcome {
    let (our_out, our_lse) = value(given, answer)?;
    let results = [
        ("output", same("", Ok(our_out), out, rounding)),
        ("log-sum-exp", same("", Ok(our_lse), lse, rounding)),
    ];
    together(given, &results)
}

/// What is left before the first key.
fn nothing(rows: usize, dim_v: usize) -> Result<Parts> {
    let l = Tensor::zeros((rows, 1), DType::F32, &Device::Cpu)?;
    Ok([(&l + f64::NEG_INFINITY)?, l, Tensor::zeros((rows, dim_v), DType::F32, &Device::Cpu)?])
}

/// `[m, l, acc]` with m as it is: merging takes one of two maxima and computes none.
fn merged(sums: Rounding) -> [Rounding; 2] {
    [exactly(), sums]
}
