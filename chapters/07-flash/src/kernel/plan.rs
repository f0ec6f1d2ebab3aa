//! How the work is cut: sequences into blocks of queries, and all blocks of all sequences and heads into one queue.

use super::problem::Problem;
use super::real::Real;
use super::share::threads;
use super::tile::{KEYS, ROWS};
use crate::shapes::Sizes;
use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Mutex;

/// Queries that go through the keys together: 16 groups, whose output and queries stay in the caches.
const BLOCK: usize = 16 * ROWS;
/// Multiplications and additions below which a second thread costs more than it brings.
pub(super) const ALONE: usize = 4_000_000;

/// What is decided before the work begins.
pub(super) struct Plan {
    pub(super) threads: usize,
    /// One a sequence.
    pub(super) cuts: Vec<Cut>,
    /// Blocks of all sequences and heads.
    items: usize,
    /// The most queries of a block.
    pub(super) block: usize,
    /// Panels to be packed, of all sequences and key-value heads.
    pub(super) panels: usize,
}

/// How a sequence is gone through.
pub(super) struct Cut {
    /// Queries that go together.
    block: usize,
    /// The first of its packed panels, those of its first head; `None` when each block packs its own.
    pub(super) panels: Option<usize>,
}

/// A block of queries of one head.
pub(super) struct Item {
    pub(super) sequence: usize,
    pub(super) head: usize,
    pub(super) queries: Range<usize>,
    /// Where its results go.
    pub(super) results: usize,
}

/// The results of a block of queries: of one head, or of all when they lie side by side.
pub(super) struct Results<'a, T> {
    /// `(queries, heads, dim_v)`
    pub(super) out: &'a mut [T],
    /// `(queries, heads)`
    pub(super) lse: &'a mut [T],
}

impl Plan {
    pub(super) fn new<T: Real>(problem: &Problem<T>) -> Self {
        let Sizes { batch, heads_q, heads_kv, dim, dim_v, .. } = problem.sizes;
        let lens = || (0..batch).map(|sequence| problem.lens(sequence));
        let scores: usize = lens().map(|(seq_q, seq_k)| seq_q * seq_k).sum();
        let work = 2 * heads_q * scores * (dim + dim_v);
        let threads = if work < ALONE { 1 } else { threads() };
        let most = most(heads_q, threads, || lens().map(|(seq_q, _)| seq_q));
        let (mut items, mut panels, mut cuts) = (0, 0, Vec::with_capacity(batch));
        for (seq_q, seq_k) in lens() {
            let blocks = seq_q.div_ceil(most).max(1);
            let block = seq_q.div_ceil(blocks).next_multiple_of(ROWS).max(ROWS);
            items += heads_q * seq_q.div_ceil(block);
            let uses = problem.sizes.group() * seq_q.div_ceil(block);
            cuts.push(Cut { block, panels: (uses > 2).then_some(panels) });
            panels += if uses > 2 { heads_kv * seq_k.div_ceil(KEYS) } else { 0 };
        }
        let block = cuts.iter().map(|cut| cut.block).max().unwrap_or(ROWS);
        Self { threads, cuts, items, block, panels }
    }

    /// All blocks of all sequences and heads, and where their results go. Where some have more to do than others they
    /// come first: the last ones to be taken are then short, and no thread waits long for another.
    pub(super) fn items<'a, T: Real>(
        &self,
        problem: &Problem<T>,
        mut out: &'a mut [T],
        mut lse: &'a mut [T],
    ) -> (Vec<Item>, Vec<Mutex<Results<'a, T>>>) {
        let Sizes { heads_q, dim_v, .. } = problem.sizes;
        let beside = problem.heads_beside();
        let (mut items, mut results) =
            (Vec::with_capacity(self.items), Vec::with_capacity(self.items / beside));
        for (sequence, cut) in self.cuts.iter().enumerate() {
            let (seq_q, first) = (problem.lens(sequence).0, results.len());
            for head in 0..heads_q {
                for (at, start) in (0..seq_q).step_by(cut.block).enumerate() {
                    let queries = start..(start + cut.block).min(seq_q);
                    if beside == 1 || head == 0 {
                        let rows = queries.len() * beside;
                        let (to, rest) = out.split_at_mut(rows * dim_v);
                        let (lse_to, lse_rest) = lse.split_at_mut(rows);
                        (out, lse) = (rest, lse_rest);
                        results.push(Mutex::new(Results { out: to, lse: lse_to }));
                    }
                    let results = if beside == 1 { results.len() - 1 } else { first + at };
                    items.push(Item { sequence, head, queries, results });
                }
            }
        }
        if problem.hiding.hides() || problem.ragged.is_some() {
            items.sort_by_cached_key(|item| Reverse(scores(problem, item)));
        }
        (items, results)
    }
}

/// How many queries a block may have: [`BLOCK`], or fewer where that gives the threads more even shares.
fn most<I: Iterator<Item = usize>>(heads: usize, threads: usize, lens: impl Fn() -> I) -> usize {
    let blocks = heads * lens().map(|len| len.div_ceil(BLOCK)).sum::<usize>();
    match threads > 1 && blocks < 4 * threads {
        true => (heads * lens().sum::<usize>()).div_ceil(4 * threads).clamp(2 * ROWS, BLOCK),
        false => BLOCK,
    }
}

/// The scores that a block computes.
fn scores<T: Real>(problem: &Problem<T>, item: &Item) -> usize {
    problem.spans(item.sequence).any(item.queries.clone()).len() * item.queries.len()
}
