//! The loop nest: blocks of queries on their way through the keys.

use super::buffer::Buffer;
use super::edits::{Edits, Kept};
use super::pack;
use super::real::Real;
use super::rows::Rows4;
use super::share::{share, threads};
use super::spans::Spans;
use super::tile::{KEYS, LANES, Output, ROWS, Scores, State, Step, Tile};
use crate::shapes::Sizes;
use std::f64::consts::LN_2;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// An attention to compute.
pub(crate) struct Problem<'a, T> {
    pub(crate) sizes: Sizes,
    pub(crate) q: Rows4<'a, T>,
    pub(crate) k: Rows4<'a, T>,
    pub(crate) v: Rows4<'a, T>,
    /// What queries are multiplied by, from [`Edits::factor`].
    pub(crate) factor: T,
    pub(crate) edits: Edits<'a, T>,
    pub(crate) spans: Spans,
}

/// Queries that go through the keys together: 16 groups, whose output and queries stay in the caches.
const BLOCK: usize = 16 * ROWS;
/// Multiplications and additions below which a second thread costs more than it brings.
const ALONE: usize = 4_000_000;
/// Panels that a thread packs at once.
const CHUNK: usize = 8;

/// A block of queries of one head, and where its results go.
struct Item<'a, T> {
    head: usize,
    queries: Range<usize>,
    out: &'a mut [T],
    lse: &'a mut [T],
}

/// The output `(batch, heads_q, seq_q, dim_v)` and each row's log-sum-exp `(batch, heads_q, seq_q)`.
pub(super) fn attend<T: Tile>(tile: T, problem: &Problem<T::Real>) -> (Vec<T::Real>, Vec<T::Real>) {
    let Sizes { batch, heads_q, seq_q, seq_k, dim, dim_v, .. } = problem.sizes;
    let rows = batch * heads_q * seq_q;
    let (mut out, mut lse) = (vec![T::Real::ZERO; rows * dim_v], vec![T::Real::NEG_INFINITY; rows]);
    let work = 2 * rows * seq_k * (dim + dim_v);
    if rows == 0 || seq_k == 0 {
        return (out, lse);
    }
    let threads = if work < ALONE { 1 } else { threads() };
    let block = block(&problem.sizes, threads);
    let uses = problem.sizes.group() * seq_q.div_ceil(block);
    let keys = prepare(tile, problem, uses > 2, threads);
    let items = items(problem, block, &mut out, &mut lse);
    let scratch = || Scratch::new(&problem.sizes, block, keys.packed.is_none());
    share(items.len(), threads, scratch, |scratch, at| {
        let mut item = items[at].lock().unwrap_or_else(PoisonError::into_inner);
        scratch.attend(tile, problem, &keys, &mut item);
    });
    drop(items);
    (out, lse)
}

/// How many queries go together: [`BLOCK`], or fewer where that gives the threads more even shares.
fn block(sizes: &Sizes, threads: usize) -> usize {
    let heads = sizes.batch * sizes.heads_q;
    let mut blocks = sizes.seq_q.div_ceil(BLOCK);
    if threads > 1 && heads * blocks < 4 * threads {
        blocks = (4 * threads).div_ceil(heads).min(sizes.seq_q.div_ceil(2 * ROWS));
    }
    sizes.seq_q.div_ceil(blocks).next_multiple_of(ROWS)
}

/// All blocks of all heads, those with the most keys to see first: the last ones to be taken are then short, and no
/// thread waits long for another.
fn items<'a, T: Real>(
    problem: &Problem<T>,
    block: usize,
    mut out: &'a mut [T],
    mut lse: &'a mut [T],
) -> Vec<Mutex<Item<'a, T>>> {
    let Sizes { batch, heads_q, seq_q, dim_v, .. } = problem.sizes;
    let mut items = vec![];
    for head in 0..batch * heads_q {
        for start in (0..seq_q).step_by(block) {
            let queries = start..(start + block).min(seq_q);
            let (to, rest) = out.split_at_mut(queries.len() * dim_v);
            let (lse_to, lse_rest) = lse.split_at_mut(queries.len());
            (out, lse) = (rest, lse_rest);
            items.push(Item { head, queries, out: to, lse: lse_to });
        }
    }
    if problem.spans.hide() {
        let seen =
            |item: &Item<T>| problem.spans.any(item.queries.clone()).len() * item.queries.len();
        items.sort_by_key(|item| std::cmp::Reverse(seen(item)));
    }
    items.into_iter().map(Mutex::new).collect()
}

/// The keys as the blocks need them.
struct Keys<T> {
    /// For each key-value head its panels; `None` when each block packs its own.
    packed: Option<Buffer<T>>,
    /// Whether tiles with nothing to see are left out: not when a value is NaN or infinite, for 0 · NaN is NaN.
    skip: bool,
}

/// Packs the keys, when `pack` says so, and looks for values that are not finite, where it matters.
fn prepare<T: Real>(
    tile: impl Tile<Real = T>,
    problem: &Problem<T>,
    pack: bool,
    threads: usize,
) -> Keys<T> {
    let Sizes { batch, heads_kv, seq_k, dim, dim_v, .. } = problem.sizes;
    let may_skip = problem.spans.hide() || problem.edits.hide();
    let (panel, heads) = (dim * KEYS, batch * heads_kv);
    let per_head = seq_k.div_ceil(KEYS);
    let mut packed = pack.then(|| Buffer::new(heads * per_head * panel));
    let finite = AtomicBool::new(true);
    if !pack && !may_skip {
        return Keys { packed, skip: true };
    }
    let mut pieces = vec![];
    let mut rest = packed.as_mut().map_or(&mut [][..], Buffer::get_mut);
    for head in 0..heads {
        for panels in (0..per_head).step_by(CHUNK).map(|at| at..(at + CHUNK).min(per_head)) {
            let len = if pack { panels.len() * panel } else { 0 };
            let (piece, others) = rest.split_at_mut(len);
            rest = others;
            pieces.push(Mutex::new((head, panels, piece)));
        }
    }
    let work = |_: &mut (), at: usize| {
        let mut piece = pieces[at].lock().unwrap_or_else(PoisonError::into_inner);
        let (head, panels, to) = &mut *piece;
        let (batch, head) = (*head / heads_kv, *head % heads_kv);
        if pack {
            let keys = problem.k.head(batch, head);
            for (to, at) in to.chunks_exact_mut(panel.max(1)).zip(panels.clone()) {
                pack::keys(tile, keys, at * KEYS..((at + 1) * KEYS).min(seq_k), dim, to);
            }
        }
        if may_skip {
            let values = problem.v.head(batch, head);
            let mut rows = panels.start * KEYS..(panels.end * KEYS).min(seq_k);
            if !rows.all(|row| is_finite(values.row(row, 0, dim_v))) {
                finite.store(false, Ordering::Relaxed);
            }
        }
    };
    share(pieces.len(), threads, || (), work);
    drop(pieces);
    Keys { packed, skip: finite.into_inner() }
}

/// Whether no number is NaN or infinite: 0 · x is 0 for the others.
fn is_finite<T: Real>(numbers: &[T]) -> bool {
    let (lanes, rest) = numbers.as_chunks::<LANES>();
    let mut sums = [T::ZERO; LANES];
    for lane in lanes {
        sums.iter_mut().zip(lane).for_each(|(sum, x)| *sum += *x * T::ZERO);
    }
    sums.into_iter().chain(rest.iter().map(|x| *x * T::ZERO)).all(|x| x == T::ZERO)
}

/// A thread's own memory.
struct Scratch<T> {
    /// Groups of queries `(dim, ROWS)`.
    queries: Buffer<T>,
    /// Groups of outputs `(ROWS, stride)`.
    out: Buffer<T>,
    /// One a group.
    states: Vec<State<T>>,
    scores: Scores<T>,
    /// A panel, when none are packed.
    panel: Buffer<T>,
}

impl<T: Real> Scratch<T> {
    fn new(sizes: &Sizes, block: usize, panel: bool) -> Self {
        Self {
            queries: Buffer::new(block * sizes.dim),
            out: Buffer::new(block * sizes.dim_v.next_multiple_of(LANES)),
            states: vec![State::new(); block / ROWS],
            scores: Scores([[T::ZERO; KEYS]; ROWS]),
            panel: Buffer::new(if panel { sizes.dim * KEYS } else { 0 }),
        }
    }

    /// One block: all its groups meet the first panel of keys, then the second, and so on.
    fn attend(
        &mut self,
        tile: impl Tile<Real = T>,
        problem: &Problem<T>,
        keys: &Keys<T>,
        item: &mut Item<T>,
    ) {
        let Sizes { heads_q, heads_kv, seq_k, dim, dim_v, .. } = problem.sizes;
        let (batch, head) = (item.head / heads_q, item.head % heads_q);
        let kv_head = head / problem.sizes.group();
        let edits = problem.edits.of(batch, head);
        let (k, v) = (problem.k.head(batch, kv_head), problem.v.head(batch, kv_head));
        let q = problem.q.head(batch, head);
        pack::queries(q, item.queries.clone(), (dim, problem.factor), self.queries.get_mut());
        self.out.get_mut().fill(T::ZERO);
        self.states.fill(State::new());

        let stride = dim_v.next_multiple_of(LANES);
        let any = |queries| if keys.skip { problem.spans.any(queries) } else { 0..seq_k };
        let seen = any(item.queries.clone());
        for panel in seen.start / KEYS..seen.end.div_ceil(KEYS) {
            let start = panel * KEYS;
            let numbers = match &keys.packed {
                Some(packed) => {
                    let panels = (batch * heads_kv + kv_head) * seq_k.div_ceil(KEYS);
                    &packed.get()[(panels + panel) * dim * KEYS..][..dim * KEYS]
                }
                None => {
                    let keys = start..(start + KEYS).min(seq_k);
                    pack::keys(tile, k, keys, dim, self.panel.get_mut());
                    self.panel.get()
                }
            };
            let values = v.from(start);
            for (group, first) in item.queries.clone().step_by(ROWS).enumerate() {
                let queries = first..(first + ROWS).min(item.queries.end);
                let any = any(queries.clone());
                let end = (start + KEYS).min(any.end);
                let kept = match any.start < start + KEYS && start < end {
                    true => edits.kept(queries.clone(), &(start..end)),
                    false => Kept::Nothing,
                };
                if kept == Kept::Nothing && keys.skip {
                    continue;
                }
                let step = Step {
                    rows: queries.len(),
                    keys: end - start,
                    dim,
                    queries: &self.queries.get()[group * dim * ROWS..][..dim * ROWS],
                    panel: numbers,
                    values,
                    dim_v,
                };
                let out = &mut self.out.get_mut()[group * ROWS * stride..][..ROWS * stride];
                let (mut out, state) = (Output { numbers: out, stride }, &mut self.states[group]);
                let all = problem.spans.all(queries.clone());
                let plain = kept == Kept::All
                    && !problem.edits.all_tiles()
                    && step.keys.is_multiple_of(LANES)
                    && all.start <= start
                    && end <= all.end;
                let mut edit = |scores: &mut Scores<T>| {
                    tile.vectorised(
                        #[inline(always)]
                        || edits.apply(scores, queries.clone(), &(start..end), &problem.spans),
                    )
                };
                let edit = (!plain).then_some(&mut edit as _);
                tile.weights(&step, edit, &mut self.scores, state, &mut out);
                tile.add_values(&step, &self.scores, &mut out);
            }
        }
        tile.vectorised(
            #[inline(always)]
            || self.finish(stride, dim_v, item),
        );
    }

    /// Divides by the sums and writes the results, which are zeros and −∞ until then.
    #[inline(always)]
    fn finish(&self, stride: usize, dim_v: usize, item: &mut Item<T>) {
        for (row, lse) in item.lse.iter_mut().enumerate() {
            let state = &self.states[row / ROWS];
            let sum = state.sum[row % ROWS].iter().fold(T::ZERO, |sum, part| sum + *part);
            if sum == T::ZERO {
                continue; // nothing to see
            }
            let from = &self.out.get()[row * stride..][..dim_v];
            let to = &mut item.out[row * dim_v..][..dim_v];
            to.iter_mut().zip(from).for_each(|(to, from)| *to = *from / sum);
            let max = state.max[row % ROWS].to_f64();
            *lse = T::from_f64((max + sum.to_f64().log2()) * LN_2);
        }
    }
}
