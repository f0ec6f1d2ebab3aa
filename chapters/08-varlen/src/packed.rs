//! Given: a padded batch without its padding.

use candle_core::Tensor;

// ANCHOR: packed
/// The real tokens of a batch, one sequence after the other.
#[derive(Clone, Debug)]
pub struct Packed {
    /// `(total, …)`
    pub tokens: Tensor,
    /// Where each token stood in the padded batch, as sequence · seq + position:
    /// `(total)`, u32.
    pub indices: Tensor,
    /// Where sequences begin, and where the last one ends: `(batch + 1)`, u32.
    pub cu_seqlens: Tensor,
    /// The length of the longest sequence.
    pub max_seqlen: usize,
}
// ANCHOR_END: packed

// The checks know no chapter: they take this as its parts.
impl From<Packed> for ([Tensor; 3], usize) {
    fn from(Packed { tokens, indices, cu_seqlens, max_seqlen }: Packed) -> Self {
        ([tokens, indices, cu_seqlens], max_seqlen)
    }
}
