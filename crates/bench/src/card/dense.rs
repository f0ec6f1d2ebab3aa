//! The ways to attend within sequences of one length, on a card.

use super::judge::{Expected, judge};
use super::{OnCard, scale, way};
use crate::place::Judge;
use crate::rows::Row;
use crate::way::Way;
use crate::ways::inputs;
use candle_core::{DType, Result, Tensor};
use gpu::{Attend, Naive};
use std::str::FromStr;

/// The longest sequences for which candle's operations hold all scores.
const NAIVE: usize = 4096;

/// Naive where it fits, the kernel through week 9's functions, and the kernel bare, with inputs in its own layout.
pub fn ways(card: &OnCard, row: &Row) -> Result<(Vec<Way>, Judge)> {
    let dtype = DType::from_str(row.dtype).map_err(candle_core::Error::wrap)?;
    // Rounded first: the reference has the same numbers.
    let [q, k, v] = inputs(row)?.map(|x| x.to_dtype(dtype)?.to_device(&card.device));
    let ([q, k, v], scale, causal) = ([q?, k?, v?], scale(row), row.case.causal());
    let expected = Expected::of([&q, &k, &v], scale, causal)?;
    let mut ways = vec![];
    if row.keys <= NAIVE && scores(row) <= card.room {
        let [q, k, v] = [q.clone(), k.clone(), v.clone()];
        ways.push(way("naive", move || Naive.dense(&q, &k, &v, scale, causal)));
    }
    let swapped = |x: &Tensor| x.transpose(1, 2)?.contiguous(); // (batch, seq, heads, dim)
    let (a, b, c) = (swapped(&q)?, swapped(&k)?, swapped(&v)?);
    let (attend, bare) = (card.attend.clone(), card.api.dense);
    ways.push(way("flash", move || attend.dense(&q, &k, &v, scale, causal)));
    // A view of the result in the inputs' layout costs the card nothing.
    ways.push(way("flash-bare", move || bare(&a, &b, &c, scale, causal)?.transpose(1, 2)));
    let judge = judge(vec![(expected, Box::new(|results: &[Tensor]| Ok(results[0].clone())))]);
    Ok((ways, judge))
}

/// Bytes that candle's operations hold at once: scores in half precision and in f32, the mask, and what softmax makes.
fn scores(row: &Row) -> u64 {
    (6 * 4 * row.batch * row.heads * row.queries * row.keys) as u64
}
