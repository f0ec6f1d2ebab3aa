//! What `MultiHeadAttention` must hold.

mod dropout;
mod edges;
mod gradients;
mod layer;
mod masks;
mod pytorch;
mod values;

pub use layer::{Build, Forward};

use super::{MultiHeadSpec, Sizes};
use crate::{Proof, Verdict, harness::Check, wrong};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use std::rc::Rc;

/// Checks a multi-head attention: `multi_head_attention(MultiHeadAttention::new, MultiHeadAttention::forward)`.
pub fn multi_head_attention<C, Layer, Fwd>(
    new: impl Fn(&C, VarBuilder) -> Result<Layer> + 'static,
    forward: Fwd,
) -> Verdict
where
    C: From<Sizes>,
    Layer: 'static,
    Fwd: Fn(
            &Layer,
            &Tensor,
            &Tensor,
            &Tensor,
            Option<&Tensor>,
            bool,
            bool,
        ) -> Result<(Tensor, Option<Tensor>)>
        + 'static,
{
    let forward = Rc::new(forward);
    let build = move |spec: MultiHeadSpec, vb: VarBuilder| {
        let layer = new(&spec.config(), vb)?;
        let forward = forward.clone();
        let boxed: Box<Forward> = Box::new(move |query, key, value, mask, weights, train| {
            forward(&layer, query, key, value, mask, weights, train)
        });
        Ok(boxed)
    };
    attention_laws().judge(&build)
}

pub(super) fn zoo() -> Vec<Proof> {
    attention_laws().proofs()
}

fn attention_laws() -> Check<Build> {
    let check =
        Check::new("multi_head::MultiHeadAttention", wrong::multi_head::multi_head_attention());
    edges::laws(gradients::laws(dropout::laws(masks::laws(values::laws(check)))))
}
