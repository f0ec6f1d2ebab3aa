//! Where a layer's norms stand, and what a layer is wired from.

use candle_core::{Result, Tensor};
use std::{fmt, str::FromStr};

/// Where the norm of a sublayer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormOrder {
    /// Before the sublayer, inside the residual branch: `x + f(norm(x))`. Most models since 2019.
    Pre,
    /// After the residual sum: `norm(x + f(x))`. The paper's.
    Post,
}

impl fmt::Display for NormOrder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Pre => "pre",
            Self::Post => "post",
        })
    }
}

impl FromStr for NormOrder {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        match name {
            "pre" => Ok(Self::Pre),
            "post" => Ok(Self::Post),
            other => Err(format!("norm order: expected `pre` or `post`; got `{other}`")),
        }
    }
}

// ANCHOR: step
/// A part of a layer: a tensor goes in, one of the same shape comes out.
pub type Step<'a> = dyn Fn(&Tensor) -> Result<Tensor> + 'a;

/// Cross-attention: the decoder's tokens and the encoder's memory go in, the shape of the tokens comes out.
pub type Cross<'a> = dyn Fn(&Tensor, &Tensor) -> Result<Tensor> + 'a;
// ANCHOR_END: step
