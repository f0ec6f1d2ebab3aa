//! What options change in a tile of scores, between the product and the softmax.

use super::shape::{KEYS, Scores};
use crate::kernel::data::real::Real;
use crate::kernel::data::rows::{Heads, Rows};
use crate::kernel::data::spans::Spans;
use std::f64::consts::LOG2_E;
use std::ops::Range;

/// A mask, broadcast to the scores.
#[derive(Clone, Copy)]
pub(crate) enum Mask<'a, T> {
    Keep(Heads<'a, u8>),
    Bias(Heads<'a, T>),
}

/// Softcap and mask. The scores come and go multiplied by log2 e; with a softcap they come as 2 · log2 e · score / cap.
#[derive(Clone, Copy)]
pub(crate) struct Edits<'a, T> {
    /// The cap · log2 e.
    softcap: Option<T>,
    mask: Option<Mask<'a, T>>,
}

/// What a keep-mask does to a tile.
#[derive(PartialEq)]
pub(crate) enum Kept {
    Nothing,
    Some,
    All,
}

impl<'a, T: Real> Edits<'a, T> {
    pub(crate) fn new(softcap: Option<f64>, mask: Option<Mask<'a, T>>) -> Self {
        Self { softcap: softcap.map(|cap| T::from_f64(cap * LOG2_E)), mask }
    }

    /// What queries are multiplied by, so that the scores come out as needed here.
    pub(crate) fn factor(scale: f64, softcap: Option<f64>) -> T {
        T::from_f64(scale * LOG2_E * softcap.map_or(1., |cap| 2. / cap))
    }

    /// Whether every tile is changed.
    pub(crate) fn all_tiles(&self) -> bool {
        self.softcap.is_some() || matches!(self.mask, Some(Mask::Bias(_)))
    }

    /// Whether the mask may hide a key, so that a tile may have nothing to see.
    pub(crate) fn hide(&self) -> bool {
        matches!(self.mask, Some(Mask::Keep(_)))
    }

    /// The edits of one head of a sequence.
    pub(crate) fn of(&self, sequence: usize, head: usize) -> HeadEdits<'a, T> {
        let (mut keep, mut bias) = (None, None);
        match &self.mask {
            Some(Mask::Keep(rows)) => keep = Some(rows.head(sequence, head)),
            Some(Mask::Bias(rows)) => bias = Some(rows.head(sequence, head)),
            None => {}
        }
        HeadEdits { softcap: self.softcap, keep, bias }
    }
}

/// The edits of one head.
pub(crate) struct HeadEdits<'a, T> {
    softcap: Option<T>,
    keep: Option<Rows<'a, u8>>,
    bias: Option<Rows<'a, T>>,
}

impl<T: Real> HeadEdits<'_, T> {
    /// Whether scores are capped.
    pub(crate) fn cap(&self) -> bool {
        self.softcap.is_some()
    }

    /// What the keep-mask lets through of a tile.
    pub(crate) fn kept(&self, queries: Range<usize>, keys: &Range<usize>) -> Kept {
        let Some(keep) = &self.keep else { return Kept::All };
        let (mut any, mut all) = (false, true);
        for query in queries {
            let row = keep.row(query, keys.start, keys.len());
            any |= row.iter().any(|keep| *keep != 0);
            all &= row.iter().all(|keep| *keep != 0);
        }
        match (any, all) {
            (false, _) => Kept::Nothing,
            (_, true) => Kept::All,
            _ => Kept::Some,
        }
    }

    /// Changes the scores of `queries` with `keys`; the columns after the last key become −∞.
    #[inline(always)]
    pub(crate) fn apply(
        &self,
        scores: &mut Scores<T>,
        queries: Range<usize>,
        keys: &Range<usize>,
        spans: &Spans,
    ) {
        if let Some(cap) = self.softcap {
            scores.0.iter_mut().flatten().for_each(|score| *score = score.tanh_folded() * cap);
        }
        self.hide(scores, queries, keys, spans);
    }

    /// As [`apply`](Self::apply); `slopes` become what a capped score grows by when the score does: 1 − tanh², 1 without a
    /// softcap.
    #[inline(always)]
    pub(crate) fn apply_with_slopes(
        &self,
        (scores, slopes): (&mut Scores<T>, &mut Scores<T>),
        queries: Range<usize>,
        keys: &Range<usize>,
        spans: &Spans,
    ) {
        let one = T::from_f64(1.);
        let all = scores.0.iter_mut().flatten().zip(slopes.0.iter_mut().flatten());
        match self.softcap {
            None => all.for_each(|(_, slope)| *slope = one),
            Some(cap) => all.for_each(|(score, slope)| {
                let tanh = score.tanh_folded();
                (*score, *slope) = (tanh * cap, one - tanh * tanh);
            }),
        }
        self.hide(scores, queries, keys, spans);
    }

    /// Adds the bias, and makes −∞ what may not be seen.
    #[inline(always)]
    fn hide(
        &self,
        scores: &mut Scores<T>,
        queries: Range<usize>,
        keys: &Range<usize>,
        spans: &Spans,
    ) {
        let log2_e = T::from_f64(LOG2_E);
        for (scores, query) in scores.0.iter_mut().zip(queries) {
            if let Some(bias) = &self.bias {
                match bias.row(query, keys.start, keys.len()) {
                    [one] => scores.iter_mut().for_each(|score| *score += *one * log2_e),
                    row => scores.iter_mut().zip(row).for_each(|(score, b)| *score += *b * log2_e),
                }
            }
            if let Some(keep) = &self.keep {
                match keep.row(query, keys.start, keys.len()) {
                    [0] => scores.fill(T::NEG_INFINITY),
                    [_] => {}
                    row => {
                        for (score, keep) in scores.iter_mut().zip(row) {
                            *score = if *keep == 0 { T::NEG_INFINITY } else { *score };
                        }
                    }
                }
            }
            let span = spans.of(query);
            let start = span.start.saturating_sub(keys.start).min(KEYS);
            let end = span.end.min(keys.end).saturating_sub(keys.start).clamp(start, KEYS);
            scores[..start].fill(T::NEG_INFINITY);
            scores[end..].fill(T::NEG_INFINITY);
        }
    }
}
