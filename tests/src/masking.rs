//! Week 3: what masks, their conversions, masked attention and a test for leaks must hold.

mod attend;
mod convert;
mod leak;
mod masks;

pub use attend::{MaskedAttention, MaskedSoftmax, masked_attention, masked_softmax};
pub use convert::{
    Convention, Convert, ToAdditive, ToKeep, additive_to_keep, from_keep, keep_to_additive, to_keep,
};
pub use leak::{LeakTest, leaks_future};
pub use masks::{
    Align, CausalMask, Combine, PaddingLengths, PaddingMask, causal_mask, combine_masks,
    padding_lengths, padding_mask,
};

use crate::{Proof, harness::fixtures::Fixtures};
use candle_core::{D, Device, Result, Tensor, bail};
use std::{fmt::Display, str::FromStr};

/// The zoo of this week, in parts that are judged side by side.
pub(crate) const ZOO: &[fn() -> Vec<Proof>] = &[masks::zoo, convert::zoo, attend::zoo, leak::zoo];

fn pytorch() -> Result<Fixtures> {
    Fixtures::read(include_bytes!("../fixtures/masking.safetensors"))
}

/// The chapter's own enum from its name: the checks know no chapter.
fn named<T: FromStr<Err: Display>>(name: impl Display) -> Result<T> {
    match name.to_string().parse() {
        Ok(value) => Ok(value),
        Err(error) => bail!("{error}"),
    }
}

/// A keep-mask `(rows, columns)` from its rule.
fn keep_where(rows: usize, columns: usize, keep: impl Fn(usize, usize) -> bool) -> Result<Tensor> {
    let values: Vec<u8> =
        (0..rows * columns).map(|at| u8::from(keep(at / columns, at % columns))).collect();
    Tensor::from_vec(values, (rows, columns), &Device::Cpu)
}

/// A keep-mask, row by row.
fn mask<const M: usize, const N: usize>(rows: &[[u8; N]; M]) -> Result<Tensor> {
    Tensor::new(rows, &Device::Cpu)
}

/// softmax(QKᵀ/√d_k)V over `(seq, dim)` under a keep-mask whose rows all see something.
fn plain_attention(query: &Tensor, key: &Tensor, value: &Tensor, keep: &Tensor) -> Result<Tensor> {
    let scores = (query.matmul(&key.t()?)? / (query.dim(D::Minus1)? as f64).sqrt())?;
    let hidden = (scores.ones_like()? * f64::NEG_INFINITY)?;
    candle_nn::ops::softmax(&keep.where_cond(&scores, &hidden)?, D::Minus1)?.matmul(value)
}
