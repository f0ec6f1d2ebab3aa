//! What is done with keys and values before any query meets them.

use crate::kernel::data::buffer::Buffer;
use crate::kernel::data::real::Real;
use crate::kernel::data::rows::Rows;
use crate::kernel::instructions::lanes::Lanes;
use crate::kernel::tile::pack;
use crate::kernel::tile::shape::{KEYS, WIDEST};
use crate::kernel::work::plan::Plan;
use crate::kernel::work::problem::Problem;
use crate::kernel::work::share::share;
use crate::shapes::Sizes;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Panels that a thread packs at once.
const CHUNK: usize = 8;

/// Keys and values as the blocks need them.
pub(super) struct Prepared<T> {
    /// Panels `(dim, KEYS)`: for each sequence of a wave that has them packed, and each key-value head.
    keys: Buffer<T>,
    /// Of each panel the values `(KEYS, stride)`, where they are packed too: see [`Plan::apart`].
    values: Buffer<T>,
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
    keys: &'a mut [T],
    /// Empty when none are packed.
    values: &'a mut [T],
}

impl<T: Real> Prepared<T> {
    /// Nothing prepared yet.
    pub(super) fn new(problem: &Problem<T>, plan: &Plan) -> Self {
        let Sizes { batch, heads_kv, dim, .. } = problem.sizes;
        let looked_at = if problem.may_skip() { batch * heads_kv } else { 0 };
        Self {
            keys: Buffer::new(plan.panels * dim * KEYS),
            values: Buffer::new(if plan.apart { plan.panels * stride(problem) * KEYS } else { 0 }),
            finite: (0..looked_at).map(|_| AtomicBool::new(true)).collect(),
        }
    }

    /// Packs the keys of these sequences, as planned, and looks for values that are not finite, where it matters.
    pub(super) fn prepare(
        &mut self,
        lanes: impl Lanes<Number = T>,
        problem: &Problem<T>,
        plan: &Plan,
        sequences: &Range<usize>,
    ) {
        let Sizes { heads_kv, dim, dim_v, .. } = problem.sizes;
        let (finite, stride) = (&self.finite, stride(problem));
        let (panel, panel_v) = (dim * KEYS, if plan.apart { stride * KEYS } else { 0 });
        let (mut keys_left, mut values_left) = (self.keys.get_mut(), self.values.get_mut());
        let mut pieces = vec![];
        for sequence in sequences.clone() {
            let pack = plan.cuts[sequence].panels.is_some();
            if !pack && finite.is_empty() {
                continue;
            }
            let all = problem.lens(sequence).1.div_ceil(KEYS);
            for head in 0..heads_kv {
                for panels in (0..all).step_by(CHUNK).map(|at| at..(at + CHUNK).min(all)) {
                    let packed = if pack { panels.len() } else { 0 };
                    let keys = keys_left.split_off_mut(..packed * panel).unwrap_or_default();
                    let values = values_left.split_off_mut(..packed * panel_v).unwrap_or_default();
                    pieces.push(Mutex::new(Piece { sequence, head, panels, keys, values }));
                }
            }
        }
        let work = |_: &mut (), at: usize| {
            let mut piece = pieces[at].lock().unwrap_or_else(PoisonError::into_inner);
            let Piece { sequence, head, panels, keys, values } = &mut *piece;
            let seq_k = problem.lens(*sequence).1;
            let (k, v) = (problem.k.head(*sequence, *head), problem.v.head(*sequence, *head));
            let of = |at: usize| at * KEYS..((at + 1) * KEYS).min(seq_k);
            for (to, at) in keys.chunks_exact_mut(panel.max(1)).zip(panels.clone()) {
                pack::keys(lanes, k, of(at), dim, to);
            }
            for (to, at) in values.chunks_exact_mut(panel_v.max(1)).zip(panels.clone()) {
                pack::values(v, of(at), (dim_v, stride), to);
            }
            if let Some(finite) = finite.get(*sequence * heads_kv + *head) {
                let mut rows = panels.start * KEYS..(panels.end * KEYS).min(seq_k);
                if !rows.all(|row| is_finite(v.row(row, 0, dim_v))) {
                    finite.store(false, Ordering::Relaxed);
                }
            }
        };
        share(pieces.len(), plan.threads, || (), work);
    }

    /// The panels of a key-value head of a sequence, and its values, and what follows both; `None` where they are to be
    /// taken as they lie.
    pub(super) fn of(
        &self,
        problem: &Problem<T>,
        plan: &Plan,
        (sequence, head): (usize, usize),
    ) -> (Option<&[T]>, Option<Rows<'_, T>>) {
        let panels = problem.lens(sequence).1.div_ceil(KEYS);
        let first = plan.cuts[sequence].panels.map(|first| (first + head * panels) * KEYS);
        let keys = first.map(|first| &self.keys.get()[first * problem.sizes.dim..]);
        let first_v = first.filter(|_| plan.apart);
        let stride = stride(problem);
        let values = |first| Rows::new(&self.values.get()[first * stride..], stride);
        (keys, first_v.map(values))
    }

    /// Whether the values of a key-value head of a sequence are finite, or all are seen anyhow.
    pub(super) fn finite(&self, problem: &Problem<T>, (sequence, head): (usize, usize)) -> bool {
        let finite = self.finite.get(sequence * problem.sizes.heads_kv + head);
        finite.is_none_or(|finite| finite.load(Ordering::Relaxed))
    }
}

/// From a packed row of values to the next: each starts at a cache line.
fn stride<T>(problem: &Problem<T>) -> usize {
    problem.sizes.dim_v.next_multiple_of(WIDEST)
}

/// Whether no number is NaN or infinite: 0 · x is 0 for the others.
fn is_finite<T: Real>(numbers: &[T]) -> bool {
    let (lanes, rest) = numbers.as_chunks::<WIDEST>();
    let mut sums = [T::ZERO; WIDEST];
    for lane in lanes {
        sums.iter_mut().zip(lane).for_each(|(sum, x)| *sum += *x * T::ZERO);
    }
    sums.into_iter().chain(rest.iter().map(|x| *x * T::ZERO)).all(|x| x == T::ZERO)
}
