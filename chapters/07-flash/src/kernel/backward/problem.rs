//! What to go back through, and what comes of it.

use crate::kernel::data::rows::Heads;
use crate::kernel::work::problem::Problem;

/// An attention to go back through.
pub(crate) struct Backward<'a, T> {
    pub(crate) problem: &'a Problem<'a, T>,
    /// What it gave.
    pub(crate) out: Heads<'a, T>,
    /// The gradient of that.
    pub(crate) grad: Heads<'a, T>,
    /// Each row's log-sum-exp, `(batch, heads_q, seq_q)`, packed `(heads_q, total_q)`.
    pub(crate) lse: &'a [T],
    /// What the scores were multiplied by.
    pub(crate) scale: T,
}

/// Gradients in the order `(batch, heads, seq, dim)`, packed `(heads, total, dim)`.
pub(crate) struct Gradients<T> {
    pub(crate) q: Vec<T>,
    pub(crate) k: Vec<T>,
    pub(crate) v: Vec<T>,
}
