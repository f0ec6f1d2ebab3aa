//! A stand-in for the card's kernels, on the processor: the way from the options to the pages' tables can be walked
//! without a card. Its times say nothing.

use crate::report::{Card, Run};
use candle_core::{DType, Result, Tensor};
use gpu::{Attend, Naive, api::Api};

/// candle-flash-attn's functions by candle's operations, in f32 inside as the kernels are.
pub const STAND_IN: Api = Api {
    dense: |q, k, v, scale, causal| {
        let swapped = |x: &Tensor| wide(x)?.transpose(1, 2);
        let out = Naive.dense(&swapped(q)?, &swapped(k)?, &swapped(v)?, scale, causal)?;
        out.transpose(1, 2)?.to_dtype(q.dtype())
    },
    varlen: |q, k, v, ends_q, ends_k, max_q, max_k, scale, causal| {
        let [a, b, c] = [wide(q)?, wide(k)?, wide(v)?];
        Naive.varlen(&a, &b, &c, ends_q, ends_k, max_q, max_k, scale, causal)?.to_dtype(q.dtype())
    },
};

fn wide(x: &Tensor) -> Result<Tensor> {
    x.to_dtype(DType::F32)
}

const NAME: &str = "rehearsal on the CPU, no card";

/// Whether a run had no card.
pub fn is_rehearsal(run: &Run) -> bool {
    run.card.as_ref().is_some_and(|card| card.name == NAME)
}

/// What stands where a card would be named.
pub fn card() -> Card {
    Card {
        name: NAME.to_owned(),
        capability: "none".to_owned(),
        memory: 0,
        driver: None,
        cuda: None,
    }
}
