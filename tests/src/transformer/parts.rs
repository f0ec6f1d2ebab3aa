//! What the laws of week 5 have in common.

use crate::harness::fixtures::Fixtures;
use candle_core::{Error, Result, Tensor};
use std::{
    fmt::{self, Display},
    str::FromStr,
};

/// A part of a layer: a tensor goes in, one of the same shape comes out.
pub type Step<'a> = dyn Fn(&Tensor) -> Result<Tensor> + 'a;
/// Cross-attention, or a decoder: tokens and the encoder's memory go in.
pub type Cross<'a> = dyn Fn(&Tensor, &Tensor) -> Result<Tensor> + 'a;

/// Where the norm of a sublayer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormOrder {
    /// Before the sublayer, inside the residual branch.
    Pre,
    /// After the residual sum.
    Post,
}

impl NormOrder {
    pub(super) const BOTH: [Self; 2] = [Self::Pre, Self::Post];

    /// The chapter's own enum: the checks know no chapter.
    pub(super) fn parsed<O: FromStr<Err: Display>>(self) -> Result<O> {
        self.to_string().parse().map_err(|error: O::Err| Error::Msg(error.to_string()))
    }
}

impl fmt::Display for NormOrder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Pre => "pre",
            Self::Post => "post",
        })
    }
}

/// PyTorch's values.
pub(super) fn pytorch() -> Result<Fixtures> {
    Fixtures::read(include_bytes!("../../fixtures/transformer.safetensors"))
}

/// The angle by which pair `pair` of `dim` numbers is turned at `position`: position / 10000^(2·pair/dim).
pub(super) fn angle(position: usize, pair: usize, dim: usize) -> f64 {
    position as f64 * (-2. * pair as f64 / dim as f64 * 10_000f64.ln()).exp()
}
