//! A layer norm in one operation.

use super::lanes::{sum, vectorised};
use super::numbers::{Numbers, all_fast, gradient_of, slice};
use crate::solution;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

// ANCHOR: layer_norm
/// As [`solution::layer_norm`].
pub fn layer_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    let fit = match (x.dims(), weight.dims(), bias.dims()) {
        ([.., dim], &[weights], &[biases]) => {
            *dim > 0 && [weights, biases] == [*dim; 2]
        }
        _ => false,
    };
    if !fit || !all_fast(&[x, weight, bias]) {
        return solution::layer_norm(x, weight, bias, eps);
    }
    let (weight, bias) = (weight.contiguous()?, bias.contiguous()?);
    x.contiguous()?.apply_op3(&weight, &bias, LayerNorm { eps: eps as f32 })
}
// ANCHOR_END: layer_norm

struct LayerNorm {
    eps: f32,
}

impl LayerNorm {
    /// The mean of a row, and 1 over its standard deviation.
    #[inline(always)]
    fn moments(&self, row: &[f32]) -> [f32; 2] {
        let dim = row.len() as f32;
        let mean = sum(row, row, |x, _| x) / dim;
        let variance = sum(row, row, |x, _| (x - mean) * (x - mean)) / dim;
        [mean, 1. / (variance + self.eps).sqrt()]
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "fused-layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = slice(x, x_layout)?;
        let (weight, bias) = (slice(weight, weight_layout)?, slice(bias, bias_layout)?);
        let mut out = vec![0.; x.len()];
        vectorised(
            #[inline(always)]
            || {
                for (row, out) in
                    x.chunks_exact(weight.len()).zip(out.chunks_exact_mut(weight.len()))
                {
                    let [mean, inverse] = self.moments(row);
                    for (((out, x), weight), bias) in
                        out.iter_mut().zip(row).zip(weight).zip(bias)
                    {
                        *out = (x - mean) * inverse * weight + bias;
                    }
                }
            },
        );
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _result: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let [x_grad, weight_grad, bias_grad] = self.backward(
            &Numbers::of(x)?,
            &Numbers::of(weight)?,
            &Numbers::of(&grad)?,
        );
        Ok((
            gradient_of(x, x_grad)?,
            gradient_of(weight, weight_grad)?,
            gradient_of(bias, bias_grad)?,
        ))
    }
}

impl LayerNorm {
    /// The gradients with respect to x, weight and bias. With n the normalised row and h = grad ∘ weight, a row of the first is
    /// (h − mean(h) − n · mean(h ∘ n)) / deviation.
    fn backward(&self, x: &[f32], weight: &[f32], grad: &[f32]) -> [Vec<f32>; 3] {
        let dim = weight.len();
        let mut x_grad = vec![0.; x.len()];
        let [mut weight_grad, mut bias_grad, mut normal] =
            [(); 3].map(|()| vec![0.; dim]);
        vectorised(
            #[inline(always)]
            || {
                let rows = x.chunks_exact(dim).zip(grad.chunks_exact(dim));
                for ((x, grad), x_grad) in rows.zip(x_grad.chunks_exact_mut(dim)) {
                    let [mean, inverse] = self.moments(x);
                    for (normal, x) in normal.iter_mut().zip(x) {
                        *normal = (x - mean) * inverse;
                    }
                    for ((sum, grad), normal) in
                        weight_grad.iter_mut().zip(grad).zip(&normal)
                    {
                        *sum += grad * normal;
                    }
                    for (sum, grad) in bias_grad.iter_mut().zip(grad) {
                        *sum += grad;
                    }
                    for ((x_grad, grad), weight) in
                        x_grad.iter_mut().zip(grad).zip(weight)
                    {
                        *x_grad = grad * weight;
                    }
                    let mean = sum(x_grad, x_grad, |grad, _| grad) / dim as f32;
                    let slope =
                        sum(x_grad, &normal, |grad, normal| grad * normal) / dim as f32;
                    for (x_grad, normal) in x_grad.iter_mut().zip(&normal) {
                        *x_grad = (*x_grad - mean - normal * slope) * inverse;
                    }
                }
            },
        );
        [x_grad, weight_grad, bias_grad]
    }
}
