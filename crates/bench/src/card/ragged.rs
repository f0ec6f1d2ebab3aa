//! The ways to attend within sequences of different lengths, on a card.

use super::judge::{Expected, Part, judge};
use super::{OnCard, scale, way};
use crate::place::Judge;
use crate::ragged::{self, lengths, parts, sequence};
use crate::rows::Row;
use crate::way::{Way, most};
use candle_core::{DType, Result, Tensor};
use gpu::{Attend, solution::gpu_seqlens};
use std::str::FromStr;
use std::sync::Arc;

/// Packed, through week 9's functions and bare; one sequence after the other; and padded, where that needs no mask: the
/// kernel takes none, and only causal attention hides what stands behind a sequence from it.
pub fn ways(card: &OnCard, row: &Row) -> Result<(Vec<Way>, Judge)> {
    let dtype = DType::from_str(row.dtype).map_err(candle_core::Error::wrap)?;
    let on_card = |[q, k, v]: [Tensor; 3]| {
        let move_it = |x: Tensor| x.to_dtype(dtype)?.to_device(&card.device);
        Ok([move_it(q)?, move_it(k)?, move_it(v)?])
    };
    let parts: Vec<[Tensor; 3]> = parts(row)?.into_iter().map(on_card).collect::<Result<_>>()?;
    let (scale, causal) = (scale(row), row.case.causal());
    let mut judged: Vec<(Expected, Part)> = vec![];
    for at in ragged::judged(&parts) {
        let (expected, lengths) =
            (Expected::of(parts[at].each_ref(), scale, causal)?, lengths(row)?);
        judged.push((expected, Box::new(move |results| sequence(results, &lengths, at))));
    }
    let judge = judge(judged);
    let mut ways = if causal { vec![padded(card, row, &parts)?] } else { vec![] };
    ways.push(one_by_one(card, row, parts.clone()));
    ways.extend(packed(card, row, &parts)?);
    Ok((ways, judge))
}

/// All of them as long as the longest: `(batch, heads, longest, head_dim)`.
fn padded(card: &OnCard, row: &Row, parts: &[[Tensor; 3]]) -> Result<Way> {
    let ([q, k, v], scale) = (ragged::pad(parts, row.keys)?, scale(row));
    let attend = card.attend.clone();
    Ok(way("flash-padded", move || attend.dense(&q, &k, &v, scale, true)))
}

fn one_by_one(card: &OnCard, row: &Row, parts: Vec<[Tensor; 3]>) -> Way {
    let (attend, scale, causal) = (card.attend.clone(), scale(row), row.case.causal());
    most("flash-one-by-one", &[1], move || {
        parts.iter().map(|[q, k, v]| attend.dense(q, k, v, scale, causal)).collect()
    })
}

/// All tokens in one row, and where each sequence ends.
fn packed(card: &OnCard, row: &Row, parts: &[[Tensor; 3]]) -> Result<[Way; 2]> {
    let (inputs, scale) = (Arc::new(ragged::pack(parts)?), scale(row));
    let lengths = lengths(row)?;
    // Ours checks the ends on the CPU and copies them to the card at each call; the bare kernel finds them there.
    let (ends, longest) = gpu_seqlens(&lengths, &candle_core::Device::Cpu)?;
    let (there, causal) = (ends.to_device(&card.device)?, row.case.causal());
    let (attend, bare, same) = (card.attend.clone(), card.api.varlen, inputs.clone());
    Ok([
        way("flash", move || {
            let ([q, k, v], e, n) = (&*inputs, &ends, longest);
            attend.varlen(q, k, v, e, e, n, n, scale, causal)
        }),
        way("flash-bare", move || {
            let ([q, k, v], e, n) = (&*same, &there, longest);
            bare(q, k, v, e, e, n, n, scale, causal)
        }),
    ])
}
