//! Week 8: what packing and the six variants of attention must hold.

mod agree;
mod counts;
mod documents;
mod packing;
mod padded;
mod ragged;

pub use agree::{Six, six_variants_agree};
pub use counts::{CuSeqlens, MaxSeqlen, PaddingWaste, cu_seqlens, max_seqlen, padding_waste};
pub use documents::{DocumentMask, PositionIds, document_mask, position_ids};
pub use packing::{Pad, Parts, Unpad, pad, unpad};
pub use padded::{Padded, eager_bidirectional, eager_causal, sdpa_bidirectional, sdpa_causal};
pub use ragged::{Ragged, flash_bidirectional, flash_causal};

use crate::{
    Proof,
    harness::{
        Breach, Outcome,
        compare::{Rounding, refused, same, value},
        fixtures::Fixtures,
        show::inputs,
    },
};
use candle_core::{DType, Device, Result, Tensor};

/// Why bad `cu_seqlens` are errors.
const BAD_ENDS: &str = "plain lengths, a forgotten 0 or the previous batch's ends have the right type; unchecked, one text's tokens end up in another.";

/// The zoo of this week, in parts that are judged side by side.
pub(crate) const ZOO: &[fn() -> Vec<Proof>] =
    &[counts::zoo, packing::zoo, documents::zoo, padded::zoo, ragged::zoo, agree::zoo];

fn pytorch() -> Result<Fixtures> {
    Fixtures::read(include_bytes!("../fixtures/varlen.safetensors"))
}

/// Numbers of type u32, one after the other: lengths' ends, indices, positions.
fn ints(values: &[u32]) -> Result<Tensor> {
    Tensor::from_slice(values, values.len(), &Device::Cpu)
}

/// Where sequences of these lengths begin, and where the last one ends.
fn ends(lengths: &[usize]) -> Result<Tensor> {
    let mut ends = vec![0u32];
    for length in lengths {
        ends.push(ends[ends.len() - 1] + *length as u32);
    }
    ints(&ends)
}

/// A mask of one row per sequence, u8.
fn rows<const B: usize, const S: usize>(keep: &[[u8; S]; B]) -> Result<Tensor> {
    Tensor::new(keep, &Device::Cpu)
}

/// The mask `(batch, seq)` of sequences of these lengths: the padding stands behind, in front, or in between,
/// as `seed` will have it.
fn keep_of(lengths: &[usize], seq: usize, seed: u64) -> Result<Tensor> {
    let mut keep = vec![0u8; lengths.len() * seq];
    for (row, (real, &length)) in keep.chunks_mut(seq.max(1)).zip(lengths).enumerate() {
        match seed % 3 {
            0 => real[..length].fill(1),
            1 => real[seq - length..].fill(1),
            // Every second place, from the front or from the back, and then what is left.
            _ => {
                let places = (0..seq).step_by(2).chain((1..seq).step_by(2));
                let places = places.map(|at| if row % 2 == 0 { at } else { seq - 1 - at });
                places.take(length).for_each(|at| real[at] = 1);
            }
        }
    }
    Tensor::from_vec(keep, (lengths.len(), seq), &Device::Cpu)
}

/// Where the real tokens stand in a mask `(batch, seq)`: row · seq + position.
fn places(keep: &Tensor) -> Result<Vec<u32>> {
    let keep: Vec<u8> = keep.flatten_all()?.to_vec1()?;
    Ok((0..).zip(keep).filter(|(_, real)| *real != 0).map(|(at, _)| at).collect())
}

/// Rows `at` of the tokens of a padded batch: `(batch, seq, …)` → `(total, …)`.
fn packed(x: &Tensor, at: &[u32]) -> Result<Tensor> {
    match at.is_empty() {
        true => Tensor::zeros([&[0], &x.dims()[2..]].concat(), x.dtype(), x.device()),
        false => x.flatten(0, 1)?.index_select(&ints(at)?, 0),
    }
}

/// How hidden numbers are shared out: `num_heads` heads of `head_dim`.
#[derive(Clone, Copy, Debug)]
struct Heads {
    num: usize,
    dim: usize,
}

impl Heads {
    fn hidden(self) -> usize {
        self.num * self.dim
    }

    /// Seeded queries, keys and values `(leading…, hidden)`, f32.
    fn drawn(self, seed: u64, leading: &[usize]) -> Result<[Tensor; 3]> {
        let x = |at| seeded::normal(3 * seed + at, [leading, &[self.hidden()]].concat());
        Ok([x(0)?, x(1)?, x(2)?])
    }
}

/// Attention number by number in f64: `sees` says whether token i may attend to token j; a token that sees nothing gets
/// zeros. q, k and v `(…, hidden)`, tokens counted through all dimensions but the last.
fn attend(
    [q, k, v]: &[Tensor; 3],
    heads: Heads,
    sees: impl Fn(usize, usize) -> bool,
) -> Result<Tensor> {
    let numbers = |x: &Tensor| x.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    let (hidden, dim) = (heads.hidden(), heads.dim);
    let tokens = q.elem_count() / hidden;
    let mut out = vec![0.; q.elem_count()];
    let shape = q.shape();
    let (q, k, v) = (numbers(q)?, numbers(k)?, numbers(v)?);
    for (token, head) in (0..tokens).flat_map(|token| (0..heads.num).map(move |head| (token, head)))
    {
        let slice = |token: usize| token * hidden + head * dim..token * hidden + (head + 1) * dim;
        let keys: Vec<usize> = (0..tokens).filter(|&key| sees(token, key)).collect();
        let score = |key: usize| {
            let products = q[slice(token)].iter().zip(&k[slice(key)]).map(|(a, b)| a * b);
            products.sum::<f64>() / (dim as f64).sqrt()
        };
        let top = keys.iter().map(|&key| score(key)).fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = keys.iter().map(|&key| (score(key) - top).exp()).collect();
        let sum: f64 = weights.iter().sum();
        for (&key, weight) in keys.iter().zip(weights) {
            for (out, value) in out[slice(token)].iter_mut().zip(&v[slice(key)]) {
                *out += weight / sum * value;
            }
        }
    }
    Tensor::from_vec(out, shape, &Device::Cpu)
}

/// As `same` for an answer in f64; one that is right in f32 only is told so, whatever its last digits are.
fn same_in_f64(
    given: &str,
    answer: Result<Tensor>,
    expected: &Tensor,
    rounding: Rounding,
) -> Outcome {
    let got = value(given, answer)?;
    let outcome = same(given, Ok(got.clone()), expected, rounding);
    let in_f32 =
        || same(given, got.to_dtype(DType::F32), &expected.to_dtype(DType::F32)?, rounding);
    match outcome.is_err() && got.dtype() == DType::F64 && in_f32().is_ok() {
        true => Err(Breach::text(
            given,
            "f64 to its last digits, about 16 of them",
            "about 7 right digits, as many as an f32 has",
        )),
        false => outcome,
    }
}

/// The law that `cu_seqlens` which begin above 0, fall, or are no row of u32 get an error.
fn bad_ends_refused<T: 'static>(answer: impl Fn(&Tensor) -> Result<T>) -> Outcome {
    for (bad, why) in [
        (ints(&[1, 3])?, "the first sequence begins at 0"),
        (ints(&[0, 3, 2])?, "no sequence ends before it begins"),
        (ints(&[0, 2, 3])?.to_dtype(DType::I64)?, "cu_seqlens is u32"),
        (ints(&[0, 2, 3])?.unsqueeze(0)?, "cu_seqlens has one dimension"),
        (ints(&[])?, "without any sequence there is still the 0"),
    ] {
        refused(&inputs(&[("cu_seqlens", &bad)]), why, answer(&bad))?;
    }
    Ok(())
}
