//! One interface to attention, whatever computes it.

use candle_core::{Result, Tensor};

/// What computes an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// candle-flash-attn, on an NVIDIA card.
    Flash,
    /// candle's operations, all scores in memory, on any device.
    Naive,
    /// The kernels of weeks 7 and 8, on the processor.
    Cpu,
}

// The checks know no chapter: they take the name.
impl From<Kernel> for &'static str {
    fn from(kernel: Kernel) -> Self {
        match kernel {
            Kernel::Flash => "flash",
            Kernel::Naive => "naive",
            Kernel::Cpu => "cpu",
        }
    }
}

// ANCHOR: attend
/// softmax(Q·Kᵀ · scale)·V, dense and packed, with one meaning on every device.
///
/// `causal` is aligned bottom-right: the last query sees all keys. A query that sees
/// nothing gets zeros. Several query heads may share a key-value head. Any strides.
/// The result has q's type and is on q's device. Errors, naming the argument, when
/// shapes, types, devices or lengths do not fit.
pub trait Attend {
    /// q `(batch, heads_q, seq_q, head_dim)`, k and v `(batch, heads_kv, seq_k,
    /// head_dim)` → as q.
    fn dense(&self, q: &Tensor, k: &Tensor, v: &Tensor, scale: f32, causal: bool)
    -> Result<Tensor>;

    /// q `(total_q, heads_q, head_dim)`, k and v `(total_k, heads_kv, head_dim)` →
    /// as q, within each sequence. `cu_seqlens_q` and `cu_seqlens_k`: `(batch + 1)`,
    /// u32, at least one sequence, none longer than its `max_seqlen`.
    #[expect(clippy::too_many_arguments, reason = "the arguments of candle-flash-attn")]
    fn varlen(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        cu_seqlens_q: &Tensor,
        cu_seqlens_k: &Tensor,
        max_seqlen_q: usize,
        max_seqlen_k: usize,
        scale: f32,
        causal: bool,
    ) -> Result<Tensor>;
}
// ANCHOR_END: attend
