//! A linear layer with its bias and ReLU in one operation.

use super::numbers::{Numbers, all_fast};
use super::{lanes::vectorised, numbers::slice};
use crate::model::linear;
use candle_core::{
    CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, backend::BackendStorage, bail,
};

/// `x·Wᵀ + b`, with a ReLU after it when asked for: x `(batch, seq, in)`, weight `(out, in)`, bias `(out)` →
/// `(batch, seq, out)`. Errors when the shapes do not fit.
pub fn linear(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    relu: bool,
) -> Result<Tensor> {
    let fit = match (x.dims(), weight.dims(), bias.dims()) {
        (&[_, _, dim], &[out, columns], &[biases]) => {
            dim == columns && out == biases && dim * out > 0
        }
        _ => false,
    };
    if !fit || !all_fast(&[x, weight, bias]) {
        return linear::linear(x, weight, bias, relu);
    }
    let (weight, bias) = (weight.contiguous()?, bias.contiguous()?);
    x.contiguous()?.apply_op3(&weight, &bias, Linear { relu })
}

struct Linear {
    relu: bool,
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "fused-linear"
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
        let ((batch, seq, _), (out, dim)) =
            (x_layout.shape().dims3()?, weight_layout.shape().dims2()?);
        let rows = batch * seq;
        let tokens =
            Layout::contiguous_with_offset((rows, dim), x_layout.start_offset());
        let transposed = weight_layout.transpose(0, 1)?;
        let mut result = x.matmul(weight, (1, rows, out, dim), &tokens, &transposed)?;
        let (CpuStorage::F32(values), bias) = (&mut result, slice(bias, bias_layout)?)
        else {
            bail!("{}: expected f32", self.name())
        };
        let least = if self.relu { 0. } else { f32::NEG_INFINITY };
        vectorised(
            #[inline(always)]
            || {
                for row in values.chunks_exact_mut(out) {
                    for (value, bias) in row.iter_mut().zip(bias) {
                        let sum = *value + bias;
                        *value = if sum < least { least } else { sum }; // NaN stays NaN
                    }
                }
            },
        );
        Ok((result, (batch, seq, out).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        result: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (out, dim) = weight.dims2()?;
        let grad = grad.contiguous()?;
        let mut sums = vec![0.; out]; // over the tokens
        let grad = match self.relu {
            true => {
                let (result, grad) = (Numbers::of(result)?, Numbers::of(&grad)?);
                Tensor::from_vec(
                    through_relu(&result, &grad, &mut sums),
                    (result.len() / out, out),
                    x.device(),
                )?
            }
            false => {
                column_sums(&Numbers::of(&grad)?, &mut sums);
                grad.reshape(((), out))?
            }
        };
        let (tokens, matrix) =
            (x.detach().reshape((grad.dim(0)?, dim))?, weight.detach());
        let x_grad = || grad.matmul(&matrix)?.reshape(x.shape());
        let weight_grad = || grad.t()?.matmul(&tokens);
        Ok((
            x.track_op().then(x_grad).transpose()?,
            weight.track_op().then(weight_grad).transpose()?,
            bias.track_op()
                .then(|| Tensor::from_vec(sums, out, x.device()))
                .transpose()?,
        ))
    }
}

/// Adds the rows of `grad` up in `sums`.
fn column_sums(grad: &[f32], sums: &mut [f32]) {
    vectorised(
        #[inline(always)]
        || {
            for row in grad.chunks_exact(sums.len()) {
                for (sum, grad) in sums.iter_mut().zip(row) {
                    *sum += grad;
                }
            }
        },
    );
}

/// `grad` where the ReLU let its input through, 0 elsewhere; its rows are added up in `sums`.
fn through_relu(result: &[f32], grad: &[f32], sums: &mut [f32]) -> Vec<f32> {
    let width = sums.len();
    let mut passed = vec![0.; grad.len()];
    vectorised(
        #[inline(always)]
        || {
            let rows = result.chunks_exact(width).zip(grad.chunks_exact(width));
            for (passed, (result, grad)) in passed.chunks_exact_mut(width).zip(rows) {
                for (((passed, result), grad), sum) in
                    passed.iter_mut().zip(result).zip(grad).zip(&mut *sums)
                {
                    *passed = if *result > 0. { *grad } else { 0. };
                    *sum += *passed;
                }
            }
        },
    );
    passed
}
