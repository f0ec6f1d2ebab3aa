//! Which keys causal and window let a query see: always a span, and one that only moves right.

use crate::options::{Causal, SdpaOptions};
use std::ops::Range;

/// What causal and window say of any sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hiding {
    causal: Option<Causal>,
    /// Keys left and right of a query.
    window: (Option<usize>, Option<usize>),
}

impl Hiding {
    pub(crate) fn of(options: &SdpaOptions) -> Self {
        Self { causal: options.causal, window: options.window.unwrap_or_default() }
    }

    /// Whether some key may be hidden.
    pub(crate) fn hides(&self) -> bool {
        self.causal.is_some() || self.window != (None, None)
    }

    /// The spans of a sequence of `seq_q` queries and `seq_k` keys.
    pub(crate) fn spans(&self, seq_q: usize, seq_k: usize) -> Spans {
        let bottom_right = seq_k as isize - seq_q as isize;
        let causal = self.causal.map(|causal| match causal {
            Causal::TopLeft => 1,
            Causal::BottomRight => bottom_right + 1,
        });
        let (left, right) = self.window;
        // A window of more than all keys is one of all keys; this keeps the sums small.
        let reach = |keys: usize| keys.min(seq_q + seq_k) as isize;
        let from = left.map(|left| bottom_right - reach(left));
        let right = right.map(|right| bottom_right + reach(right) + 1);
        let to = match (causal, right) {
            (Some(causal), Some(right)) => Some(causal.min(right)),
            (causal, right) => causal.or(right),
        };
        Spans { from, to, keys: seq_k }
    }
}

/// The spans of keys that queries see. Query i sees `i + from ≤ key < i + to`, and keys that exist.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spans {
    from: Option<isize>,
    to: Option<isize>,
    keys: usize,
}

impl Spans {
    /// The keys that this query sees; `start == end` when there are none.
    #[inline(always)]
    pub(crate) fn of(&self, query: usize) -> Range<usize> {
        let at = |shift: isize| (query as isize + shift).clamp(0, self.keys as isize) as usize;
        let to = self.to.map_or(self.keys, at);
        self.from.map_or(0, at).min(to)..to
    }

    /// The keys that at least one of these queries sees, and perhaps some between that none sees.
    pub(crate) fn any(&self, queries: Range<usize>) -> Range<usize> {
        self.of(queries.start).start..self.of(queries.end - 1).end
    }

    /// The keys that all of these queries see.
    pub(crate) fn all(&self, queries: Range<usize>) -> Range<usize> {
        self.of(queries.end - 1).start..self.of(queries.start).end
    }
}
