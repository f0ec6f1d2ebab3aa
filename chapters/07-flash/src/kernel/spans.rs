//! Which keys causal and window let a query see: always a span, and one that only moves right.

use crate::shapes::Sizes;
use crate::{Causal, SdpaOptions};
use std::ops::Range;

/// The spans of keys that queries see. Query i sees `i + from ≤ key < i + to`, and keys that exist.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spans {
    from: Option<isize>,
    to: Option<isize>,
    keys: usize,
}

impl Spans {
    pub(crate) fn new(sizes: &Sizes, options: &SdpaOptions) -> Self {
        let bottom_right = sizes.seq_k as isize - sizes.seq_q as isize;
        let causal = options.causal.map(|causal| match causal {
            Causal::TopLeft => 1,
            Causal::BottomRight => bottom_right + 1,
        });
        let (left, right) = options.window.unwrap_or_default();
        // A window of more than all keys is one of all keys; this keeps the sums small.
        let reach = |keys: usize| keys.min(sizes.seq_q + sizes.seq_k) as isize;
        let from = left.map(|left| bottom_right - reach(left));
        let right = right.map(|right| bottom_right + reach(right) + 1);
        let to = match (causal, right) {
            (Some(causal), Some(right)) => Some(causal.min(right)),
            (causal, right) => causal.or(right),
        };
        Self { from, to, keys: sizes.seq_k }
    }

    /// Whether some key may be hidden.
    pub(super) fn hide(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }

    /// The keys that this query sees; `start == end` when there are none.
    #[inline(always)]
    pub(super) fn of(&self, query: usize) -> Range<usize> {
        let at = |shift: isize| (query as isize + shift).clamp(0, self.keys as isize) as usize;
        let to = self.to.map_or(self.keys, at);
        self.from.map_or(0, at).min(to)..to
    }

    /// The keys that at least one of these queries sees, and perhaps some between that none sees.
    pub(super) fn any(&self, queries: Range<usize>) -> Range<usize> {
        self.of(queries.start).start..self.of(queries.end - 1).end
    }

    /// The keys that all of these queries see.
    pub(super) fn all(&self, queries: Range<usize>) -> Range<usize> {
        self.of(queries.end - 1).start..self.of(queries.start).end
    }
}
