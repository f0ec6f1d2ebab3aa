//! How the work is cut: sequences into blocks of queries, and all blocks of all sequences and heads into one queue.

use super::problem::Problem;
use super::share::threads;
use crate::kernel::data::real::Real;
use crate::kernel::tile::shape::{KEYS, ROWS};
use crate::shapes::Sizes;
use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Mutex;

/// Queries that go through the keys together: 16 groups, whose output and queries stay in the caches.
const BLOCK: usize = 16 * ROWS;
/// Bytes of packed keys and values for each thread, above which sequences are gone through in several waves: fresh
/// memory costs more than a few threads that wait for the last block of a wave.
const WAVE: usize = 4 << 20;
/// Multiplications and additions below which a second thread costs more than it brings.
pub(crate) const ALONE: usize = 4_000_000;

/// What is decided before the work begins.
pub(crate) struct Plan {
    pub(crate) threads: usize,
    /// One a sequence.
    pub(crate) cuts: Vec<Cut>,
    /// Sequences whose keys are packed together, before their queries meet them.
    pub(crate) waves: Vec<Range<usize>>,
    /// Whether values are packed too, because they lie far apart, with other heads between them: so they would drive
    /// each other out of the caches.
    pub(crate) apart: bool,
    /// The most queries of a block.
    pub(crate) block: usize,
    /// The most packed panels of a wave.
    pub(crate) panels: usize,
}

/// How a sequence is gone through.
pub(crate) struct Cut {
    /// Queries that go together.
    block: usize,
    /// The first of its packed panels, those of its first head, among those of its wave; `None` when each block packs
    /// its own.
    pub(crate) panels: Option<usize>,
}

/// A block of queries of one head.
pub(crate) struct Item {
    pub(crate) sequence: usize,
    pub(crate) head: usize,
    pub(crate) queries: Range<usize>,
    /// Where its results go.
    pub(crate) results: usize,
}

/// The results of a block of queries: of one head, or of all when they lie side by side.
pub(crate) struct Results<'a, T> {
    /// `(queries, heads, dim_v)`
    pub(crate) out: &'a mut [T],
    /// `(queries, heads)`
    pub(crate) lse: &'a mut [T],
}

impl Plan {
    pub(crate) fn new<T: Real>(problem: &Problem<T>) -> Self {
        let Sizes { batch, heads_q, heads_kv, dim, dim_v, .. } = problem.sizes;
        let lens = || (0..batch).map(|sequence| problem.lens(sequence));
        let scores: usize = lens().map(|(seq_q, seq_k)| seq_q * seq_k).sum();
        let work = 2 * heads_q * scores * (dim + dim_v);
        let threads = if work < ALONE { 1 } else { threads() };
        let most = most(heads_q, threads, || lens().map(|(seq_q, _)| seq_q));
        let apart = problem.v.row() > dim_v;
        let numbers = (dim + if apart { dim_v } else { 0 }) * KEYS;
        let room = threads * WAVE / (numbers * size_of::<T>()).max(1);
        let (mut cuts, mut waves) = (Vec::with_capacity(batch), Vec::with_capacity(1));
        let (mut first, mut panels, mut most_panels) = (0, 0, 0);
        for (sequence, (seq_q, seq_k)) in lens().enumerate() {
            let blocks = seq_q.div_ceil(most).max(1);
            let block = seq_q.div_ceil(blocks).next_multiple_of(ROWS).max(ROWS);
            let pack = problem.sizes.group() * seq_q.div_ceil(block) > 2;
            let more = if pack { heads_kv * seq_k.div_ceil(KEYS) } else { 0 };
            if panels > 0 && panels + more > room {
                waves.push(first..sequence);
                (first, panels) = (sequence, 0);
            }
            cuts.push(Cut { block, panels: pack.then_some(panels) });
            panels += more;
            most_panels = most_panels.max(panels);
        }
        waves.push(first..batch);
        let block = cuts.iter().map(|cut| cut.block).max().unwrap_or(ROWS);
        Self { threads, cuts, waves, apart, block, panels: most_panels }
    }

    /// All blocks of all heads of these sequences, and where their results go: what is next of output and
    /// log-sum-exp. Where some blocks have more to do than others they come first: the last ones to be taken are then
    /// short, and no thread waits long for another.
    pub(crate) fn items<'a, T: Real>(
        &self,
        problem: &Problem<T>,
        sequences: &Range<usize>,
        [out, lse]: [&mut &'a mut [T]; 2],
    ) -> (Vec<Item>, Vec<Mutex<Results<'a, T>>>) {
        let Sizes { heads_q, dim_v, .. } = problem.sizes;
        let beside = problem.heads_beside();
        let blocks = |at| problem.lens(at).0.div_ceil(self.cuts[at].block);
        let all = heads_q * sequences.clone().map(blocks).sum::<usize>();
        let (mut items, mut results) = (Vec::with_capacity(all), Vec::with_capacity(all / beside));
        for sequence in sequences.clone() {
            let (seq_q, block) = (problem.lens(sequence).0, self.cuts[sequence].block);
            let first = results.len();
            for head in 0..heads_q {
                for (at, start) in (0..seq_q).step_by(block).enumerate() {
                    let queries = start..(start + block).min(seq_q);
                    if beside == 1 || head == 0 {
                        let rows = queries.len() * beside;
                        let out = out.split_off_mut(..rows * dim_v).unwrap_or_default();
                        let lse = lse.split_off_mut(..rows).unwrap_or_default();
                        results.push(Mutex::new(Results { out, lse }));
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
