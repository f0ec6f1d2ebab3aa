//! Where a layer's norms stand, and the types of the parts that a model is wired from.

use candle_core::{Result, Tensor, backprop::GradStore};
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
        out.pad(match self {
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
            other => {
                Err(format!("norm order: expected `pre` or `post`; got `{other}`"))
            }
        }
    }
}

/// One tensor in, one out: a norm, a sublayer, an embedding.
pub type Step<'a> = dyn Fn(&Tensor) -> Result<Tensor> + 'a;

/// Two in, one out: tokens and memory, or a layer and its mask.
pub type Cross<'a> = dyn Fn(&Tensor, &Tensor) -> Result<Tensor> + 'a;

/// A layer of the decoder: tokens, memory, causal mask, padding mask.
pub type DecoderStep<'a> =
    dyn Fn(&Tensor, &Tensor, &Tensor, &Tensor) -> Result<Tensor> + 'a;

/// Takes the gradients of a loss, and moves the variables.
pub type Update<'a> = dyn FnMut(GradStore) -> Result<()> + 'a;
