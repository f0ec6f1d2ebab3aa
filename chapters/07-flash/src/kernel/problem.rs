//! An attention to compute: one sequence after the other, all of one length or each of its own.

use super::edits::Edits;
use super::real::Real;
use super::rows::Heads;
use super::spans::{Hiding, Spans};
use crate::ragged::Ragged;
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
    pub(super) fn lens(&self, sequence: usize) -> (usize, usize) {
        match self.ragged {
            Some(ragged) => ragged.lens(sequence),
            None => (self.sizes.seq_q, self.sizes.seq_k),
        }
    }

    /// Which keys the queries of a sequence see.
    pub(super) fn spans(&self, sequence: usize) -> Spans {
        let (seq_q, seq_k) = self.lens(sequence);
        self.hiding.spans(seq_q, seq_k)
    }

    /// The queries of all sequences.
    pub(super) fn queries(&self) -> usize {
        match self.ragged {
            Some(ragged) => ragged.totals().0,
            None => self.sizes.batch * self.sizes.seq_q,
        }
    }

    /// The keys of all sequences.
    pub(super) fn keys(&self) -> usize {
        match self.ragged {
            Some(ragged) => ragged.totals().1,
            None => self.sizes.batch * self.sizes.seq_k,
        }
    }

    /// Where the queries of a sequence and head begin in what is `(batch, heads_q, seq_q)`, packed `(heads_q, total_q)`.
    pub(super) fn first_row(&self, sequence: usize, head: usize) -> usize {
        match self.ragged {
            Some(ragged) => head * ragged.totals().0 + ragged.starts().0[sequence],
            None => (sequence * self.sizes.heads_q + head) * self.sizes.seq_q,
        }
    }

    /// How many heads the output has side by side: `(batch, heads_q, seq_q, dim_v)` one, `(total_q, heads_q, dim_v)` all.
    pub(super) fn heads_beside(&self) -> usize {
        if self.ragged.is_some() { self.sizes.heads_q } else { 1 }
    }
}
