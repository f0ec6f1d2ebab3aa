//! The online softmax on a tile: a group of queries meets a panel of keys.

use crate::kernel::data::real::Real;
use crate::kernel::instructions::lanes::Lanes;
use crate::kernel::tile::product::{Left, product};
use crate::kernel::tile::shape::{Edit, KEYS, ROWS, Scores, WIDEST};
use crate::kernel::tile::sized::{each_row, sized};
use candle_core::WithDType;

/// How much a maximum may grow, in log2 units, before sums and output are brought down to the new one. Weights stay
/// below 2⁸: far from overflow, and hardly any tile after the first rescales.
const LAZY: f64 = 8.;

/// What the online softmax keeps of each query.
#[derive(Clone)]
#[repr(C, align(64))]
pub(super) struct State<T> {
    /// `l`, the sum of the weights so far, in parts.
    pub(super) sum: [[T; WIDEST]; ROWS],
    /// `m`, the maximum that the weights are relative to, times log2 e.
    pub(super) max: [T; ROWS],
}

impl<T: Real> State<T> {
    pub(super) fn new() -> Self {
        Self { sum: [[T::ZERO; WIDEST]; ROWS], max: [T::NEG_INFINITY; ROWS] }
    }
}

/// The output of a group of queries, not yet divided by the sum of weights: `(ROWS, stride)`.
pub(super) struct Output<'a, T> {
    /// From a cache line on.
    pub(super) numbers: &'a mut [T],
    /// A multiple of [`WIDEST`].
    pub(super) stride: usize,
}

/// A group of queries and a panel of keys.
pub(super) struct Step<'a, T> {
    /// Queries, 1 ..= [`ROWS`].
    pub(super) rows: usize,
    /// Keys, 1 ..= [`KEYS`].
    pub(super) keys: usize,
    /// Numbers of a query and of a key.
    pub(super) dim: usize,
    /// `(dim, ROWS)`
    pub(super) queries: &'a [T],
    /// `(dim, KEYS)`
    pub(super) panel: &'a [T],
}

impl<T: Real> Step<'_, T> {
    /// `scores` = 2^(Q·Kᵀ − m), with the scores changed by `edit` before and `state` brought up to date; where m grew, `out`
    /// is made smaller. Columns after the last key are left anyhow; the edit makes those of its last [`WIDEST`] −∞.
    pub(super) fn weights<L: Lanes<Number = T>>(
        &self,
        lanes: L,
        edit: Option<Edit<T>>,
        scores: &mut Scores<T>,
        (state, out): (&mut State<T>, &mut Output<T>),
    ) {
        let columns = self.keys.next_multiple_of(WIDEST);
        let vectors = (columns / L::WIDTH).min(L::VECTORS);
        sized!(lanes: L, R = self.rows, C = vectors => {
            match const { L::VECTORS * L::WIDTH == KEYS } {
                true => self.in_registers::<L, R, C>(lanes, edit, scores, (state, out)),
                false => self.in_parts::<L, R, C>(lanes, edit, scores, (state, out)),
            }
        });
    }

    /// All columns at once: scores stay in registers until they are weights.
    #[inline(always)]
    fn in_registers<L: Lanes<Number = T>, const R: usize, const C: usize>(
        &self,
        lanes: L,
        edit: Option<Edit<T>>,
        scores: &mut Scores<T>,
        (state, out): (&mut State<T>, &mut Output<T>),
    ) {
        let mut tile = self.scores::<L, R, C>(lanes, 0);
        if let Some(edit) = edit {
            scores.put(lanes, 0, &tile);
            edit(scores);
            tile = scores.get(lanes, 0);
        }
        soften(lanes, &mut tile, 0, state, out);
        scores.put(lanes, 0, &tile);
    }

    /// `C` vectors of columns at a time, and then row by row: scores go through L1.
    #[inline(always)]
    fn in_parts<L: Lanes<Number = T>, const R: usize, const C: usize>(
        &self,
        lanes: L,
        edit: Option<Edit<T>>,
        scores: &mut Scores<T>,
        (state, out): (&mut State<T>, &mut Output<T>),
    ) {
        for column in (0..self.keys).step_by(C * L::WIDTH) {
            scores.put(lanes, column, &self.scores::<L, R, C>(lanes, column));
        }
        if let Some(edit) = edit {
            edit(scores);
        }
        let vectors = self.keys.next_multiple_of(WIDEST) / L::WIDTH;
        for row in 0..R {
            let scores = &mut lanes.vectors(&mut scores.0[row])[..vectors];
            soften(lanes, &mut [scores], row, state, out);
        }
    }

    /// Q·Kᵀ for `R` queries and `C` vectors of keys from a column on.
    #[inline(always)]
    fn scores<L: Lanes<Number = T>, const R: usize, const C: usize>(
        &self,
        lanes: L,
        column: usize,
    ) -> [[L::Vector; C]; R] {
        let queries = Left { numbers: self.queries, row: 1, column: ROWS };
        product(lanes, queries, (self.panel, column), self.dim)
    }
}

// ANCHOR: soften
/// One step of the online softmax for `R` queries: their rows of scores become weights.
#[inline(always)]
fn soften<L: Lanes, const R: usize>(
    lanes: L,
    rows: &mut [impl AsMut<[L::Vector]>; R],
    first: usize,
    state: &mut State<L::Number>,
    out: &mut Output<L::Number>,
) {
    let (zero, never) = (L::Number::ZERO, L::Number::NEG_INFINITY);
    let lazy = L::Number::from_f64(LAZY);
    // A row's maximum stays spread over the lanes of a vector: these become one
    // number only where one of them has grown.
    let (mut tops, mut grown) = ([lanes.splat(never); R], false);
    each_row!(R, row, {
        let scores = rows[row].as_mut();
        tops[row] = scores[0];
        for lane in &scores[1..] {
            tops[row] = lanes.max(*lane, tops[row]);
        }
        grown |= lanes.exceeds(tops[row], lanes.splat(state.max[first + row] + lazy));
    });
    if grown {
        for (row, top) in tops.into_iter().enumerate() {
            grow(lanes, lanes.largest(top), first + row, state, out);
        }
    }
    each_row!(R, row, {
        // −∞ − −∞ would be NaN; −∞ − 0 gives weights of 0.
        let m = state.max[first + row];
        let base = lanes.splat(if m == never { zero } else { m });
        let kept = lanes.vectors(&mut state.sum[first + row]);
        let mut sums = [lanes.splat(zero); 4]; // in registers: one to four of them
        sums.iter_mut().zip(&*kept).for_each(|(sum, kept)| *sum = *kept);
        for scores in rows[row].as_mut().chunks_exact_mut(WIDEST / L::WIDTH) {
            for (score, sum) in scores.iter_mut().zip(&mut sums) {
                *score = lanes.exp2(lanes.sub(*score, base));
                *sum = lanes.add(*sum, *score);
            }
        }
        kept.iter_mut().zip(sums).for_each(|(kept, sum)| *kept = sum);
    });
}

/// Brings a row's sums and output down when its maximum has grown to `top`.
#[cold]
fn grow<L: Lanes>(
    lanes: L,
    top: L::Number,
    row: usize,
    state: &mut State<L::Number>,
    out: &mut Output<L::Number>,
) {
    let m = state.max[row];
    if top > m + L::Number::from_f64(LAZY) {
        state.max[row] = top;
        lanes.vectorised(
            #[inline(always)]
            || {
                let down = lanes.exp2(lanes.splat(m - top)); // 0 the first time
                let out = &mut out.numbers[row * out.stride..][..out.stride];
                let sums = lanes.vectors(&mut state.sum[row]);
                for numbers in sums.iter_mut().chain(lanes.vectors(out)) {
                    *numbers = lanes.mul(*numbers, down);
                }
            },
        );
    }
}
// ANCHOR_END: soften
