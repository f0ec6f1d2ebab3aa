//! How the work is cut: each sequence into chunks of queries and as many of keys, and each pair of chunks into a round.
//!
//! In round r, chunk j of the keys meets chunk j + r of the queries, counted around. So within a round each gradient is
//! written by one item only, and all sums over rounds have one order, whatever the number of threads.

use crate::kernel::data::real::Real;
use crate::kernel::tile::shape::{KEYS, ROWS};
use crate::kernel::work::plan::ALONE;
use crate::kernel::work::problem::Problem;
use crate::kernel::work::share::threads;
use crate::shapes::Sizes;
use std::cmp::Reverse;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Items that a round should have, where the sequences are long enough: work for many threads.
const ITEMS: usize = 32;
/// Queries and keys below which chunks are not cut further.
const SHORT: usize = 128;

/// What is decided before the work begins.
pub(super) struct Plan {
    pub(super) threads: usize,
    pub(super) rounds: usize,
    /// One a sequence.
    pub(super) cuts: Vec<Cut>,
}

/// How a sequence is cut.
pub(super) struct Cut {
    /// Chunks of queries, and of keys; the last may be empty.
    chunks: usize,
    /// Queries of a chunk.
    pub(super) queries: usize,
    /// Keys of a chunk.
    pub(super) keys: usize,
    seq_q: usize,
    seq_k: usize,
}

/// A chunk of queries and one of keys, of one sequence and key-value head.
pub(super) struct Item {
    pub(super) sequence: usize,
    pub(super) kv_head: usize,
    pub(super) chunk_q: usize,
    pub(super) chunk_k: usize,
}

impl Cut {
    fn new((seq_q, seq_k): (usize, usize), chunks: usize) -> Self {
        let chunks = chunks.min(seq_q.max(seq_k) / SHORT).max(1);
        let queries = seq_q.div_ceil(chunks).next_multiple_of(ROWS).max(ROWS);
        let keys = seq_k.div_ceil(chunks).next_multiple_of(KEYS).max(KEYS);
        Self { chunks, queries, keys, seq_q, seq_k }
    }

    pub(super) fn queries(&self, chunk: usize) -> Range<usize> {
        (chunk * self.queries).min(self.seq_q)..((chunk + 1) * self.queries).min(self.seq_q)
    }

    pub(super) fn keys(&self, chunk: usize) -> Range<usize> {
        (chunk * self.keys).min(self.seq_k)..((chunk + 1) * self.keys).min(self.seq_k)
    }
}

impl Plan {
    pub(super) fn new<T: Real>(problem: &Problem<T>) -> Self {
        let Sizes { batch, heads_q, heads_kv, dim, dim_v, .. } = problem.sizes;
        let lens = || (0..batch).map(|sequence| problem.lens(sequence));
        let scores: usize = lens().map(|(seq_q, seq_k)| seq_q * seq_k).sum();
        let threads = if 5 * heads_q * scores * dim.max(dim_v) < ALONE { 1 } else { threads() };
        let chunks = ITEMS.div_ceil(batch * heads_kv);
        let cuts: Vec<Cut> = lens().map(|lens| Cut::new(lens, chunks)).collect();
        let rounds = cuts.iter().map(|cut| cut.chunks).max().unwrap_or(0);
        Self { threads, rounds, cuts }
    }

    /// The items of a round that have something to see; those with the most to do come first.
    pub(super) fn items<T: Real>(&self, problem: &Problem<T>, round: usize) -> Vec<Item> {
        let mut items = vec![];
        for (sequence, cut) in self.cuts.iter().enumerate().filter(|(_, cut)| round < cut.chunks) {
            let spans = problem.spans(sequence);
            for chunk_k in 0..cut.chunks {
                let chunk_q = (chunk_k + round) % cut.chunks;
                let (queries, keys) = (cut.queries(chunk_q), cut.keys(chunk_k));
                if queries.is_empty() || keys.is_empty() {
                    continue;
                }
                let seen = queries.clone().map(|query| {
                    let seen = spans.of(query);
                    seen.end.min(keys.end).saturating_sub(seen.start.max(keys.start))
                });
                let seen: usize = seen.sum();
                if seen > 0 {
                    let item = |kv_head| (seen, Item { sequence, kv_head, chunk_q, chunk_k });
                    items.extend((0..problem.sizes.heads_kv).map(item));
                }
            }
        }
        items.sort_by_key(|(seen, _)| Reverse(*seen));
        items.into_iter().map(|(_, item)| item).collect()
    }

    /// All chunks of queries: sequence, head, chunk.
    pub(super) fn chunks_of_queries(&self, heads: usize) -> Vec<(usize, usize, usize)> {
        let mut all = vec![];
        for (sequence, cut) in self.cuts.iter().enumerate() {
            let chunks = cut.seq_q.div_ceil(cut.queries);
            all.extend((0..heads).flat_map(|head| (0..chunks).map(move |at| (sequence, head, at))));
        }
        all
    }
}

/// Rows for all sequences and heads, `(batch, heads, seq, dim)` or packed `(heads, total, dim)`, in chunks that threads
/// may write to.
pub(super) struct Parts<'a, T> {
    /// For each sequence and head its chunks, in the order in which they lie.
    chunks: Vec<Vec<Mutex<&'a mut [T]>>>,
    /// How far a sequence and a head lie from the next.
    strides: (usize, usize),
}

impl<'a, T: Real> Parts<'a, T> {
    /// `numbers` for the queries of so many heads, or for the keys.
    pub(super) fn new(
        problem: &Problem<T>,
        plan: &Plan,
        numbers: &'a mut [T],
        heads: usize,
        dim: usize,
        queries: bool,
    ) -> Self {
        let (batch, mut rest) = (problem.sizes.batch, numbers);
        let mut split = |sequence: usize| {
            let cut: &Cut = &plan.cuts[sequence];
            let part = |chunk| {
                let rows = if queries { cut.queries(chunk) } else { cut.keys(chunk) };
                let (part, others) = std::mem::take(&mut rest).split_at_mut(rows.len() * dim);
                rest = others;
                Mutex::new(part)
            };
            (0..cut.chunks).map(part).collect()
        };
        match problem.ragged {
            None => {
                let chunks = (0..batch * heads).map(|at| split(at / heads)).collect();
                Self { chunks, strides: (heads, 1) }
            }
            Some(_) => {
                let chunks = (0..heads * batch).map(|at| split(at % batch)).collect();
                Self { chunks, strides: (1, batch) }
            }
        }
    }

    /// A chunk, to write to.
    pub(super) fn lock(
        &self,
        sequence: usize,
        head: usize,
        chunk: usize,
    ) -> MutexGuard<'_, &'a mut [T]> {
        let at = sequence * self.strides.0 + head * self.strides.1;
        self.chunks[at][chunk].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
