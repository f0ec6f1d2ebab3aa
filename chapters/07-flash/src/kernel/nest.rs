//! The loop nest: blocks of queries on their way through the keys.

use super::buffer::Buffer;
use super::edits::Kept;
use super::pack;
use super::plan::{Item, Plan, Results};
use super::problem::Problem;
use super::real::Real;
use super::share::share;
use super::tile::{KEYS, LANES, Output, ROWS, Scores, State, Step, Tile};
use crate::shapes::Sizes;
use std::f64::consts::LN_2;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Panels that a thread packs at once.
const CHUNK: usize = 8;

/// The output `(batch, heads_q, seq_q, dim_v)` and each row's log-sum-exp `(batch, heads_q, seq_q)`; when sequences are
/// packed, `(total_q, heads_q, dim_v)` and `(total_q, heads_q)`.
pub(super) fn attend<T: Tile>(tile: T, problem: &Problem<T::Real>) -> (Vec<T::Real>, Vec<T::Real>) {
    let rows = problem.sizes.heads_q * problem.queries();
    let mut out = vec![T::Real::ZERO; rows * problem.sizes.dim_v];
    let mut lse = vec![T::Real::NEG_INFINITY; rows];
    if rows == 0 || problem.sizes.seq_k == 0 {
        return (out, lse);
    }
    let plan = Plan::new(problem);
    let keys = prepare(tile, problem, &plan);
    let (items, results) = plan.items(problem, &mut out, &mut lse);
    let scratch = || Scratch::new(&problem.sizes, &plan);
    share(items.len(), plan.threads, scratch, |scratch, at| {
        scratch.attend(tile, problem, (&plan, &keys), &items[at]);
        let results = results[items[at].results].lock();
        let mut results = results.unwrap_or_else(PoisonError::into_inner);
        tile.vectorised(
            #[inline(always)]
            || scratch.finish(problem, &items[at], &mut results),
        );
    });
    drop(results);
    (out, lse)
}

/// The keys as the blocks need them.
struct Keys<T> {
    /// Panels `(dim, KEYS)`: for each sequence that has them packed, and each key-value head.
    packed: Buffer<T>,
    /// For each sequence and key-value head, where keys may be hidden, whether all values are finite. Else tiles with
    /// nothing to see must not be left out, for 0 · NaN is NaN.
    finite: Vec<AtomicBool>,
}

/// Panels of a head, to be packed and looked at by one thread.
struct Piece<'a, T> {
    sequence: usize,
    head: usize,
    panels: Range<usize>,
    /// Empty when none are packed.
    to: &'a mut [T],
}

/// Packs the keys, as planned, and looks for values that are not finite, where it matters.
fn prepare<T: Real>(tile: impl Tile<Real = T>, problem: &Problem<T>, plan: &Plan) -> Keys<T> {
    let Sizes { batch, heads_kv, dim, dim_v, .. } = problem.sizes;
    let (may_skip, panel) = (problem.hiding.hides() || problem.edits.hide(), dim * KEYS);
    let looked_at = if may_skip { batch * heads_kv } else { 0 };
    let finite: Vec<_> = (0..looked_at).map(|_| AtomicBool::new(true)).collect();
    let mut packed = Buffer::new(plan.panels * panel);
    let (mut pieces, mut rest) = (vec![], packed.get_mut());
    for (sequence, cut) in plan.cuts.iter().enumerate() {
        let pack = cut.panels.is_some();
        if !pack && !may_skip {
            continue;
        }
        let all = problem.lens(sequence).1.div_ceil(KEYS);
        for head in 0..heads_kv {
            for panels in (0..all).step_by(CHUNK).map(|at| at..(at + CHUNK).min(all)) {
                let to;
                (to, rest) = rest.split_at_mut(if pack { panels.len() * panel } else { 0 });
                pieces.push(Mutex::new(Piece { sequence, head, panels, to }));
            }
        }
    }
    let work = |_: &mut (), at: usize| {
        let mut piece = pieces[at].lock().unwrap_or_else(PoisonError::into_inner);
        let Piece { sequence, head, panels, to } = &mut *piece;
        let seq_k = problem.lens(*sequence).1;
        let keys = problem.k.head(*sequence, *head);
        for (to, at) in to.chunks_exact_mut(panel.max(1)).zip(panels.clone()) {
            pack::keys(tile, keys, at * KEYS..((at + 1) * KEYS).min(seq_k), dim, to);
        }
        if may_skip {
            let values = problem.v.head(*sequence, *head);
            let mut rows = panels.start * KEYS..(panels.end * KEYS).min(seq_k);
            if !rows.all(|row| is_finite(values.row(row, 0, dim_v))) {
                finite[*sequence * heads_kv + *head].store(false, Ordering::Relaxed);
            }
        }
    };
    share(pieces.len(), plan.threads, || (), work);
    drop(pieces);
    Keys { packed, finite }
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
    fn new(sizes: &Sizes, plan: &Plan) -> Self {
        let panel = plan.cuts.iter().any(|cut| cut.panels.is_none());
        Self {
            queries: Buffer::new(plan.block * sizes.dim),
            out: Buffer::new(plan.block * sizes.dim_v.next_multiple_of(LANES)),
            states: vec![State::new(); plan.block / ROWS],
            scores: Scores([[T::ZERO; KEYS]; ROWS]),
            panel: Buffer::new(if panel { sizes.dim * KEYS } else { 0 }),
        }
    }

    /// One block: all its groups meet the first panel of keys, then the second, and so on.
    fn attend(
        &mut self,
        tile: impl Tile<Real = T>,
        problem: &Problem<T>,
        (plan, keys): (&Plan, &Keys<T>),
        item: &Item,
    ) {
        let Sizes { heads_kv, dim, dim_v, .. } = problem.sizes;
        let (sequence, head, seq_k) = (item.sequence, item.head, problem.lens(item.sequence).1);
        let kv_head = head / problem.sizes.group();
        let (edits, spans) = (problem.edits.of(sequence, head), problem.spans(sequence));
        let (k, v) = (problem.k.head(sequence, kv_head), problem.v.head(sequence, kv_head));
        let q = problem.q.head(sequence, head);
        pack::queries(q, item.queries.clone(), (dim, problem.factor), self.queries.get_mut());
        self.out.get_mut().fill(T::ZERO);
        self.states.fill(State::new());

        let stride = dim_v.next_multiple_of(LANES);
        let finite = keys.finite.get(sequence * heads_kv + kv_head);
        let skip = finite.is_none_or(|finite| finite.load(Ordering::Relaxed));
        let any = |queries| if skip { spans.any(queries) } else { 0..seq_k };
        // The panels of this head, when they are packed.
        let packed = plan.cuts[sequence].panels.map(|first| {
            let first = first + kv_head * seq_k.div_ceil(KEYS);
            &keys.packed.get()[first * dim * KEYS..]
        });
        let seen = any(item.queries.clone());
        for panel in seen.start / KEYS..seen.end.div_ceil(KEYS) {
            let start = panel * KEYS;
            let numbers = match packed {
                Some(packed) => &packed[panel * dim * KEYS..][..dim * KEYS],
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
                if kept == Kept::Nothing && skip {
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
                let all = spans.all(queries.clone());
                let plain = kept == Kept::All
                    && !problem.edits.all_tiles()
                    && step.keys.is_multiple_of(LANES)
                    && all.start <= start
                    && end <= all.end;
                let mut edit = |scores: &mut Scores<T>| {
                    tile.vectorised(
                        #[inline(always)]
                        || edits.apply(scores, queries.clone(), &(start..end), &spans),
                    )
                };
                let edit = (!plain).then_some(&mut edit as _);
                tile.weights(&step, edit, &mut self.scores, state, &mut out);
                tile.add_values(&step, &self.scores, &mut out);
            }
        }
    }

    /// Divides by the sums and writes the results, which are zeros and −∞ until then.
    #[inline(always)]
    fn finish(&self, problem: &Problem<T>, item: &Item, results: &mut Results<T>) {
        let (dim_v, beside) = (problem.sizes.dim_v, problem.heads_beside());
        let stride = dim_v.next_multiple_of(LANES);
        for row in 0..item.queries.len() {
            let state = &self.states[row / ROWS];
            let sum = state.sum[row % ROWS].iter().fold(T::ZERO, |sum, part| sum + *part);
            if sum == T::ZERO {
                continue; // nothing to see
            }
            let at = row * beside + item.head % beside; // heads that are not beside others are alone
            let from = &self.out.get()[row * stride..][..dim_v];
            let to = &mut results.out[at * dim_v..][..dim_v];
            to.iter_mut().zip(from).for_each(|(to, from)| *to = *from / sum);
            let max = state.max[row % ROWS].to_f64();
            results.lse[at] = T::from_f64((max + sum.to_f64().log2()) * LN_2);
        }
    }
}
