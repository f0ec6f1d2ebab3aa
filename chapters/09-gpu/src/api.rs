//! candle-flash-attn's two functions, or what says that this build has none.

use candle_core::{Result, Tensor};

/// `flash_attn`: q, k, v `(batch, seq, heads, head_dim)`, f16 or bf16, scale, causal.
pub type Dense = fn(&Tensor, &Tensor, &Tensor, f32, bool) -> Result<Tensor>;
/// `flash_attn_varlen`: q, k, v `(total, heads, head_dim)`, `cu_seqlens` and `max_seqlen` of queries and keys, scale, causal.
#[rustfmt::skip]
pub type Varlen = fn(&Tensor, &Tensor, &Tensor, &Tensor, &Tensor, usize, usize, f32, bool) -> Result<Tensor>;

/// Functions with the conventions of candle-flash-attn: refusals are errors, but of a launch that fails nothing is said.
/// Its result is then memory that nobody has written to; see [`crate::Cuda::answers`].
#[derive(Clone, Copy, Debug)]
pub struct Api {
    /// On a batch of sequences of one length.
    pub dense: Dense,
    /// On a packed batch.
    pub varlen: Varlen,
}

/// The real ones.
#[cfg(feature = "cuda")]
pub const CANDLE_FLASH_ATTN: Api =
    Api { dense: candle_flash_attn::flash_attn, varlen: candle_flash_attn::flash_attn_varlen };

/// Without CUDA there are none, and they say so.
#[cfg(not(feature = "cuda"))]
pub const CANDLE_FLASH_ATTN: Api = Api {
    dense: |_, _, _, _, _| candle_core::bail!("{MISSING}"),
    varlen: |_, _, _, _, _, _, _, _, _| candle_core::bail!("{MISSING}"),
};

#[cfg(not(feature = "cuda"))]
const MISSING: &str = "this build has no candle-flash-attn: build it with `--features cuda`";
