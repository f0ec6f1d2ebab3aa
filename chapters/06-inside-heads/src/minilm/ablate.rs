//! The encoder with one head switched off, by its weights.
//!
//! What a head puts out reaches the rest of the model through its own columns of the layer's output projection, and
//! nowhere else. So to cut those columns is to replace its output by zeros; to add to the bias what they made of its
//! mean output is to replace it by that mean.

use super::{BertConfig, MiniLm, bert};
use candle_core::{DType, Result, Tensor, bail};
use candle_nn::Linear;
use dot_products::solution::weighted_average;
use multi_head::{projection::project, solution::split_heads};
use std::sync::Arc;

impl MiniLm {
    /// The same encoder with head `head` of layer `layer`, both counted from 0, switched off: whatever it sees, it puts
    /// out its mean over the tokens of the sentences `reference`. Errors when there is no such head or no sentence.
    pub fn without(
        &self,
        (layer, head): (usize, usize),
        reference: &[&str],
    ) -> Result<Self> {
        let BertConfig { layers, heads, dim, .. } = *self.config();
        if layer >= layers || head >= heads {
            bail!(
                "head: expected a layer below {layers} and a head below {heads}; got {layer}.{head}"
            );
        }
        let mean = self.mean_output((layer, head), reference)?; // (head_dim)
        let out = format!("encoder.layer.{layer}.attention.output.dense");
        let (weight, bias) = (format!("{out}.weight"), format!("{out}.bias"));
        let (own, head_dim) = (&self.weights[&weight], dim / heads);
        let columns = own.narrow(1, head * head_dim, head_dim)?; // (dim, head_dim)
        let before = own.narrow(1, 0, head * head_dim)?;
        let after =
            own.narrow(1, (head + 1) * head_dim, dim - (head + 1) * head_dim)?;
        let mut weights = self.weights.clone();
        let always = columns.matmul(&mean.unsqueeze(1)?)?.squeeze(1)?; // (dim)
        weights.insert(bias.clone(), (&self.weights[&bias] + always)?);
        weights
            .insert(weight, Tensor::cat(&[before, columns.zeros_like()?, after], 1)?);
        let bert = Arc::new(bert(self.config(), &weights)?);
        Ok(Self { tokens: self.tokens.clone(), weights, bert })
    }

    /// What a head puts out on average, over the real tokens of these sentences: `(head_dim)`.
    fn mean_output(
        &self,
        (layer, head): (usize, usize),
        sentences: &[&str],
    ) -> Result<Tensor> {
        let (ids, mask) = self.batch(&self.tokens.split(sentences)?)?;
        // An encoder cut off below the layer gives the layer's input, one cut off above it its map.
        let cut =
            |layers| bert(&BertConfig { layers, ..*self.config() }, &self.weights);
        let (x, _) = cut(layer)?.forward(&ids, &mask)?;
        let (_, maps) = cut(layer + 1)?.forward(&ids, &mask)?;
        let of = |what: &str| {
            &self.weights[&format!("encoder.layer.{layer}.attention.self.value.{what}")]
        };
        let value = Linear::new(of("weight").clone(), Some(of("bias").clone()));
        let values = split_heads(&project(&value, &x)?, self.config().heads)?;
        let out =
            weighted_average(&maps[layer], &values)?.narrow(1, head, 1)?.squeeze(1)?;
        let real = mask.to_dtype(DType::F32)?.unsqueeze(2)?; // (batch, seq, 1)
        let sum = out.broadcast_mul(&real)?.sum((0, 1))?;
        sum.broadcast_div(&real.sum_all()?)
    }
}
