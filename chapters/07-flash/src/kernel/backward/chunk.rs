//! A chunk of queries and a chunk of keys, tile by tile.

use super::plan::{Item, Plan};
use super::problem::Backward;
use super::slopes::Step;
use crate::kernel::data::buffer::Buffer;
use crate::kernel::data::real::Real;
use crate::kernel::data::rows::Rows;
use crate::kernel::data::spans::Spans;
use crate::kernel::instructions::lanes::Lanes;
use crate::kernel::tile::edits::{HeadEdits, Kept};
use crate::kernel::tile::pack;
use crate::kernel::tile::product::{Left, Sum};
use crate::kernel::tile::shape::{KEYS, ROWS, Scores, WIDEST};
use crate::shapes::Sizes;
use std::f64::consts::LOG2_E;
use std::ops::Range;

/// Queries whose weights are kept until dK and dV take them: 8 groups, so that weights and slopes leave half of an L1 of 48 KB
/// free, a quarter of one of 32 KB.
const BLOCK: usize = 8 * ROWS;

/// What meets what: queries of all heads that share a key-value head, and keys of that.
pub(super) struct Chunk<'a, T> {
    sizes: Sizes,
    factor: T,
    scale: T,
    all_tiles: bool,
    spans: Spans,
    keys: Rows<'a, T>,
    values: Rows<'a, T>,
    heads: Vec<Head<'a, T>>,
    of_queries: Range<usize>,
    of_keys: Range<usize>,
}

/// A query head.
struct Head<'a, T> {
    queries: Rows<'a, T>,
    grads: Rows<'a, T>,
    edits: HeadEdits<'a, T>,
    lse: &'a [T],
    delta: &'a [T],
}

impl<'a, T: Real> Chunk<'a, T> {
    pub(super) fn new(
        backward: &Backward<'a, T>,
        delta: &'a [T],
        plan: &Plan,
        item: &Item,
    ) -> Self {
        let (problem, sequence) = (backward.problem, item.sequence);
        let group = problem.sizes.group();
        let (cut, rows) = (&plan.cuts[sequence], |head| problem.first_row(sequence, head));
        let head = |head| Head {
            queries: problem.q.head(sequence, head),
            grads: backward.grad.head(sequence, head),
            edits: problem.edits.of(sequence, head),
            lse: &backward.lse[rows(head)..],
            delta: &delta[rows(head)..],
        };
        Self {
            sizes: problem.sizes,
            factor: problem.factor,
            scale: backward.scale,
            all_tiles: problem.edits.all_tiles(),
            spans: problem.spans(sequence),
            keys: problem.k.head(sequence, item.kv_head),
            values: problem.v.head(sequence, item.kv_head),
            heads: (item.kv_head * group..(item.kv_head + 1) * group).map(head).collect(),
            of_queries: cut.queries(item.chunk_q),
            of_keys: cut.keys(item.chunk_k),
        }
    }

    /// Whether one of the queries may see one of the keys.
    fn sees(&self, queries: Range<usize>, keys: &Range<usize>) -> bool {
        let any = self.spans.any(queries);
        any.start.max(keys.start) < any.end.min(keys.end)
    }
}

/// A thread's own memory.
pub(super) struct Scratch<T> {
    /// Panels `(dim, KEYS)` and `(dim_v, KEYS)`.
    keys: Buffer<T>,
    values: Buffer<T>,
    /// P and dS of a block's groups.
    weights: Vec<Scores<T>>,
    slopes: Vec<Scores<T>>,
    /// Slopes of the softcap.
    caps: Scores<T>,
}

impl<T: Real> Scratch<T> {
    pub(super) fn new(sizes: &Sizes) -> Self {
        let tile = |_| Scores::new();
        Self {
            keys: Buffer::new(sizes.dim * KEYS),
            values: Buffer::new(sizes.dim_v * KEYS),
            weights: (0..BLOCK / ROWS).map(tile).collect(),
            slopes: (0..BLOCK / ROWS).map(tile).collect(),
            caps: tile(0),
        }
    }

    /// Adds what a chunk brings to the gradients: `dq`, one a head, and `dk` and `dv` begin with its first row.
    pub(super) fn chunk(
        &mut self,
        lanes: impl Lanes<Number = T>,
        chunk: &Chunk<T>,
        dq: &mut [&mut [T]],
        dk: &mut [T],
        dv: &mut [T],
    ) {
        let Sizes { dim, dim_v, .. } = chunk.sizes;
        let (queries, all) = (&chunk.of_queries, &chunk.of_keys);
        for start in all.clone().step_by(KEYS) {
            let keys = start..(start + KEYS).min(all.end);
            if !chunk.sees(queries.clone(), &keys) {
                continue;
            }
            pack::keys(lanes, chunk.keys, keys.clone(), dim, self.keys.get_mut());
            pack::keys(lanes, chunk.values, keys.clone(), dim_v, self.values.get_mut());
            let (dk, dv) =
                (&mut dk[(start - all.start) * dim..], &mut dv[(start - all.start) * dim_v..]);
            for (head, dq) in chunk.heads.iter().zip(dq.iter_mut()) {
                for first in queries.clone().step_by(BLOCK) {
                    let block = first..(first + BLOCK).min(queries.end);
                    if chunk.sees(block.clone(), &keys) {
                        let dq = &mut dq[(first - queries.start) * dim..];
                        let Some(seen) = self.block(lanes, chunk, head, (block, &keys), dq) else {
                            continue;
                        };
                        seen.add_to(lanes, chunk, head, (&self.weights, &self.slopes), (dk, dv));
                    }
                }
            }
        }
    }

    /// Weights and slopes of a block of queries, and what they bring to its `dq`. The queries with something to see, and
    /// how many of the keys they see; groups between that see nothing have zeros.
    fn block(
        &mut self,
        lanes: impl Lanes<Number = T>,
        chunk: &Chunk<T>,
        head: &Head<T>,
        (block, keys): (Range<usize>, &Range<usize>),
        dq: &mut [T],
    ) -> Option<Seen> {
        let Sizes { dim, dim_v, .. } = chunk.sizes;
        let mut seen: Option<Seen> = None;
        for (group, first) in block.clone().step_by(ROWS).enumerate() {
            let queries = first..(first + ROWS).min(block.end);
            let (weights, slopes) = (&mut self.weights[group], &mut self.slopes[group]);
            let keys = keys.start..keys.end.min(chunk.spans.any(queries.clone()).end);
            let kept = match chunk.sees(queries.clone(), &keys) {
                true => head.edits.kept(queries.clone(), &keys),
                false => Kept::Nothing,
            };
            if kept == Kept::Nothing {
                *weights = Scores::new();
                *slopes = Scores::new();
                continue;
            }
            let all = chunk.spans.all(queries.clone());
            let plain = kept == Kept::All
                && !chunk.all_tiles
                && keys.len().is_multiple_of(WIDEST)
                && all.start <= keys.start
                && keys.end <= all.end;
            let row = |at: usize| (first + at).min(queries.end - 1);
            let step = Step {
                rows: queries.len(),
                keys: keys.len(),
                queries: head.queries.from(first),
                grads: head.grads.from(first),
                keys_panel: self.keys.get(),
                values_panel: self.values.get(),
                dim,
                dim_v,
                factor: chunk.factor,
                scale: chunk.scale,
                lse: std::array::from_fn(|at| log2(head.lse[row(at)])),
                delta: std::array::from_fn(|at| head.delta[row(at)] * chunk.scale),
            };
            let (caps, columns) = (&mut self.caps, step.columns());
            let mut edit = |scores: &mut Scores<T>| {
                lanes.vectorised(
                    #[inline(always)]
                    || match head.edits.cap() {
                        true => head.edits.apply_with_slopes(
                            (scores, &mut *caps),
                            queries.clone(),
                            &keys,
                            &chunk.spans,
                        ),
                        false => head.edits.apply(scores, queries.clone(), &keys, &chunk.spans),
                    },
                )
            };
            let edit = (!plain).then_some(&mut edit as _);
            step.slopes(lanes, edit, weights, slopes);
            if head.edits.cap() {
                for (slopes, caps) in slopes.0.iter_mut().zip(&self.caps.0) {
                    let slopes = slopes[..columns].iter_mut();
                    slopes.zip(caps).for_each(|(slope, cap)| *slope *= *cap);
                }
            }
            let dq = &mut Sum {
                left: Left::weights(std::slice::from_ref(&self.slopes[group])),
                rows: queries.len(),
                inner: keys.len(),
                right: chunk.keys.from(keys.start),
                columns: dim,
                out: &mut dq[(first - block.start) * dim..],
                out_row: dim,
            };
            dq.add(lanes);
            let before = seen.take();
            seen = Some(Seen {
                first: before.as_ref().map_or(first, |seen| seen.first),
                groups: before.as_ref().map_or(group, |seen| seen.groups.start)..group + 1,
                queries: queries.end,
                keys: keys.len().max(before.map_or(0, |seen| seen.keys)),
            });
        }
        seen
    }
}

/// The part of a block's weights that is not all zeros.
struct Seen {
    groups: Range<usize>,
    /// The first query and the end of the queries.
    first: usize,
    queries: usize,
    keys: usize,
}

impl Seen {
    /// `dv` += Pᵀ·dO and `dk` += dSᵀ·Q.
    fn add_to<T: Real>(
        &self,
        lanes: impl Lanes<Number = T>,
        chunk: &Chunk<T>,
        head: &Head<T>,
        (weights, slopes): (&[Scores<T>], &[Scores<T>]),
        (dk, dv): (&mut [T], &mut [T]),
    ) {
        let Sizes { dim, dim_v, .. } = chunk.sizes;
        let (groups, sizes) = (self.groups.clone(), (self.queries - self.first, self.keys));
        let (grads, queries) = (head.grads.from(self.first), head.queries.from(self.first));
        add_turned(lanes, &weights[groups.clone()], sizes, (grads, dim_v), dv);
        add_turned(lanes, &slopes[groups], sizes, (queries, dim), dk);
    }
}

/// `out` `(keys, columns)` += Wᵀ·right, for weights of so many queries and keys.
fn add_turned<L: Lanes>(
    lanes: L,
    weights: &[Scores<L::Number>],
    (queries, keys): (usize, usize),
    (right, columns): (Rows<L::Number>, usize),
    out: &mut [L::Number],
) {
    for key in (0..keys).step_by(ROWS) {
        let sum = &mut Sum {
            left: Left::turned(weights, key),
            rows: (keys - key).min(ROWS),
            inner: queries,
            right,
            columns,
            out: &mut out[key * columns..],
            out_row: columns,
        };
        sum.add(lanes);
    }
}

/// A log-sum-exp in log2 units; +∞ for −∞, a query with nothing to see: its weights are then 2^−∞.
fn log2<T: Real>(lse: T) -> T {
    let lse = if lse == T::NEG_INFINITY { T::ZERO - lse } else { lse };
    lse * T::from_f64(LOG2_E)
}
