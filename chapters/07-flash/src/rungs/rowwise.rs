//! The second rung: one query after the other, one key after the other, with an online softmax.

use super::heads::{Head, in_blocks};
use candle_core::{Result, Tensor};

/// Each query goes through all its keys by itself: no scores in memory, the queries shared among the threads.
pub fn rowwise(q: &Tensor, k: &Tensor, v: &Tensor, causal: bool) -> Result<Tensor> {
    in_blocks([q, k, v], causal, 1, |_, _| (), |head, (), query, o| row(head, query, o))
}

// ANCHOR: rowwise
/// One query's output, in `o`, which holds zeros.
fn row(head: &Head, query: usize, o: &mut [f32]) {
    let q = &head.q[query * head.d..][..head.d];
    let (mut m, mut l) = (f32::NEG_INFINITY, 0.); // maximum and sum so far
    let keys = head.k.chunks_exact(head.d).zip(head.v.chunks_exact(head.d_v));
    for (key, value) in keys.take(head.seen(query)) {
        let score = dot(q, key) * head.scale;
        if score > m {
            let down = (m - score).exp(); // brings the sums to the new maximum
            l *= down;
            o.iter_mut().for_each(|o| *o *= down);
            m = score;
        }
        let p = (score - m).exp();
        l += p;
        o.iter_mut().zip(value).for_each(|(o, value)| *o += p * value);
    }
    o.iter_mut().for_each(|o| *o /= l);
}
// ANCHOR_END: rowwise

/// The dot product, added up in order.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
