//! The third rung: a block of B_r queries meets a block of B_c keys, as in FlashAttention-2's algorithm 1, in plain loops.

use super::heads::{Head, in_blocks};
use super::rowwise::dot;
use candle_core::{Result, Tensor};

/// Queries of a tile.
pub(super) const B_R: usize = 64;
/// Keys of a tile.
pub(super) const B_C: usize = 64;

/// A key and its value come from memory once for `B_R` queries; the tile of scores stays in the cache.
pub fn tiled(q: &Tensor, k: &Tensor, v: &Tensor, causal: bool) -> Result<Tensor> {
    in_blocks([q, k, v], causal, B_R, |_, _| (), |head, (), first, o| block(head, first, o))
}

// ANCHOR: tiled
/// The outputs of the queries from `first` on, in `o`, which holds zeros.
fn block(head: &Head, first: usize, o: &mut [f32]) {
    let queries = first..first + o.len() / head.d_v;
    let mut s = [0.; B_C]; // a row of the tile: scores, then weights
    let (mut m, mut l) = ([f32::NEG_INFINITY; B_R], [0.; B_R]); // so far
    // Keys that not even the last query sees come in no tile.
    for start in (0..head.seen(queries.end - 1)).step_by(B_C) {
        for (i, query) in queries.clone().enumerate() {
            let o = &mut o[i * head.d_v..][..head.d_v];
            let end = head.seen(query).min(start + B_C);
            let s = &mut s[..end.saturating_sub(start)];
            scores(head, query, start, s);
            let m_new = s.iter().copied().fold(m[i], f32::max);
            let down = (m[i] - m_new).exp(); // 0 in the first tile
            s.iter_mut().for_each(|s| *s = (*s - m_new).exp());
            l[i] = l[i] * down + s.iter().sum::<f32>();
            m[i] = m_new;
            o.iter_mut().for_each(|o| *o *= down);
            add_values(head, start, s, o);
        }
    }
    for (o, l) in o.chunks_exact_mut(head.d_v).zip(l) {
        o.iter_mut().for_each(|o| *o /= l);
    }
}

/// S = Q·Kᵀ/√d: a query's scores for the keys from `start` on.
fn scores(head: &Head, query: usize, start: usize, s: &mut [f32]) {
    let q = &head.q[query * head.d..][..head.d];
    for (s, key) in s.iter_mut().zip(head.k[start * head.d..].chunks_exact(head.d)) {
        *s = dot(q, key) * head.scale;
    }
}

/// O += P·V: a query's weights `p` for the values from `start` on.
fn add_values(head: &Head, start: usize, p: &[f32], o: &mut [f32]) {
    for (p, value) in p.iter().zip(head.v[start * head.d_v..].chunks_exact(head.d_v)) {
        o.iter_mut().zip(value).for_each(|(o, value)| *o += p * value);
    }
}
// ANCHOR_END: tiled
