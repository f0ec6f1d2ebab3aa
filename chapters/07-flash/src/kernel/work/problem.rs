//! An attention to compute: one sequence after the other, all of one length or each of its own.

use crate::kernel::data::real::Real;
use crate::kernel::data::rows::Heads;
use crate::kernel::data::spans::{Hiding, Spans};
use crate::kernel::tile::edits::Edits;
use crate::lengths::Ragged;
use crate::shapes::Sizes;

/// An attention to compute: `sizes.batch` sequences.
pub(crate) struct Problem<'a, T> {
    pub(crate) sizes: Sizes,
    /// The sequences, when they are packed one after the other; without, all have the lengths in `sizes`.
    pub(crate) ragged: Option<&'a Ragged>,
    pub(crate) q: Heads<'a, T>,
    pub(crate) k: Heads<'a, T>,
    pub(crate) v: Heads<'a, T>,
    /// What queries are multiplied by, from [`Edits::factor`].
    pub(crate) factor: T,
    pub(crate) edits: Edits<'a, T>,
    pub(crate) hiding: Hiding,
}

impl<T: Real> Problem<'_, T> {
    /// The queries and keys of a sequence.
    pub(crate) fn lens(&self, sequence: usize) -> (usize, usize) {
        match self.ragged {
            Some(ragged) => ragged.lens(sequence),
            None => (self.sizes.seq_q, self.sizes.seq_k),
        }
    }

    /// Which keys the queries of a sequence see.
    pub(crate) fn spans(&self, sequence: usize) -> Spans {
        let (seq_q, seq_k) = self.lens(sequence);
        self.hiding.spans(seq_q, seq_k)
    }

    /// The queries of all sequences.
    pub(crate) fn queries(&self) -> usize {
        match self.ragged {
            Some(ragged) => ragged.totals().0,
            None => self.sizes.batch * self.sizes.seq_q,
        }
    }

    /// Whether there may be tiles with nothing to see.
    pub(crate) fn may_skip(&self) -> bool {
        self.hiding.hides() || self.edits.hide()
    }

    /// The keys of all sequences.
    pub(crate) fn keys(&self) -> usize {
        match self.ragged {
            Some(ragged) => ragged.totals().1,
            None => self.sizes.batch * self.sizes.seq_k,
        }
    }

    /// Where the queries of a sequence and head begin in what is `(batch, heads_q, seq_q)`, packed `(heads_q, total_q)`.
    pub(crate) fn first_row(&self, sequence: usize, head: usize) -> usize {
        match self.ragged {
            Some(ragged) => head * ragged.totals().0 + ragged.starts().0[sequence],
            None => (sequence * self.sizes.heads_q + head) * self.sizes.seq_q,
        }
    }

    /// How many heads the output has side by side: `(batch, heads_q, seq_q, dim_v)` one, `(total_q, heads_q, dim_v)` all.
    pub(crate) fn heads_beside(&self) -> usize {
        if self.ragged.is_some() { self.sizes.heads_q } else { 1 }
    }
}
