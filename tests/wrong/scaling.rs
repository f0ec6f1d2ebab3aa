//! Week 2's wrong answers.

mod attention;
mod backward;
mod entropy;
mod softmax;
mod variance;

pub use attention::scaled_dot_product_attention;
pub use backward::softmax_backward;
pub use entropy::entropy;
pub use softmax::{log_sum_exp, softmax, softmax_with_temperature};
pub use variance::dot_product_variance;

use candle_core::{D, DType, Result, Tensor, bail, shape::Dim};

/// What a function of one tensor computes in f32, in the type that came.
fn through_f32(x: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    f(&x.to_dtype(DType::F32)?)?.to_dtype(x.dtype())
}

/// A right softmax over `dim`, for wrong answers whose fault lies elsewhere.
fn softmax_over(logits: &Tensor, dim: impl Dim + Copy) -> Result<Tensor> {
    if logits.elem_count() == 0 {
        return if logits.dim(D::Minus1)? > 0 { Ok(logits.clone()) } else { bail!("no logits") };
    }
    let exp = logits.broadcast_sub(&logits.max_keepdim(dim)?)?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(dim)?)
}

fn softmax_right(logits: &Tensor) -> Result<Tensor> {
    softmax_over(logits, D::Minus1)
}
