//! Right answers in other styles than the solution's: the checks let them pass.

use candle_core::{D, Device, Result, Tensor, bail};
use checks::{State, Verdict, scaling as check};
use dot_products::solution::{scores, weighted_average};
use scaling::solution::{self, at_least_one};

fn passes(verdict: Verdict) {
    assert_eq!(verdict.state(), State::Passed, "{verdict}");
}

#[test]
fn dot_product_variance() {
    // Shifted by the first product instead of the mean, then corrected.
    passes(check::dot_product_variance(|query, key| {
        let products = (query * key)?.sum(D::Minus1)?;
        let moved = products.broadcast_sub(&products.get(0)?)?;
        moved.sqr()?.mean_all()? - moved.mean_all()?.sqr()?
    }));
    // A loop over plain numbers.
    passes(check::dot_product_variance(|query, key| {
        let products = (query * key)?.sum(D::Minus1)?.to_dtype(candle_core::DType::F64)?;
        let products = products.to_vec1::<f64>()?;
        let n = products.len() as f64;
        let mean = products.iter().sum::<f64>() / n;
        let variance = products.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        Tensor::new(variance, &Device::Cpu)?.to_dtype(query.dtype())
    }));
}

#[test]
fn log_sum_exp() {
    // From the softmax: x − ln softmax(x), at the largest logit.
    passes(check::log_sum_exp(|logits| {
        at_least_one(logits)?;
        if logits.elem_count() == 0 {
            return logits.sum_keepdim(D::Minus1);
        }
        let max = logits.max_keepdim(D::Minus1)?;
        let largest = solution::softmax(logits)?.max_keepdim(D::Minus1)?;
        max - largest.log()?
    }));
    // With the maximum's gradient on both sides, where it cancels.
    passes(check::log_sum_exp(|logits| {
        at_least_one(logits)?;
        if logits.elem_count() == 0 {
            return logits.sum_keepdim(D::Minus1);
        }
        let max = logits.max_keepdim(D::Minus1)?;
        let sum = logits.broadcast_sub(&max)?.exp()?.sum_keepdim(D::Minus1)?;
        sum.log()? + max
    }));
    // Logit by logit, each time from the larger of two numbers.
    passes(check::log_sum_exp(|logits| {
        at_least_one(logits)?;
        let mut sum = logits.narrow(D::Minus1, 0, 1)?;
        for at in 1..logits.dim(D::Minus1)? {
            let next = logits.narrow(D::Minus1, at, 1)?;
            let max = sum.maximum(&next)?.detach();
            sum = (&max + ((sum - &max)?.exp()? + (next - &max)?.exp()?)?.log()?)?;
        }
        Ok(sum)
    }));
}

#[test]
fn softmax() {
    // exp(x − ln Σ exp), as FlashAttention's backward pass has it.
    passes(check::softmax(|logits| logits.broadcast_sub(&solution::log_sum_exp(logits)?)?.exp()));
    // One over the sum of the differences' exponentials: what overflows is 1 / ∞ = 0.
    passes(check::softmax(|logits| {
        at_least_one(logits)?;
        if logits.elem_count() == 0 {
            return Ok(logits.clone());
        }
        let max = logits.max_keepdim(D::Minus1)?;
        let rows: Vec<Tensor> = (0..logits.dim(D::Minus1)?)
            .map(|at| logits.narrow(D::Minus1, at, 1)?.broadcast_sub(&max)?.exp())
            .collect::<Result<_>>()?;
        let exp = Tensor::cat(&rows, logits.rank() - 1)?;
        exp.broadcast_mul(&exp.sum_keepdim(D::Minus1)?.recip()?)
    }));
}

#[test]
fn softmax_with_temperature() {
    let checked = |temperature: f64| match temperature.is_finite() && temperature > 0. {
        true => Ok(()),
        false => bail!("temperature: {temperature}"),
    };
    // Times one over the temperature.
    passes(check::softmax_with_temperature(move |logits, temperature| {
        checked(temperature)?;
        solution::softmax(&(logits * (1. / temperature))?)
    }));
    // The maximum goes before the division.
    passes(check::softmax_with_temperature(move |logits, temperature| {
        checked(temperature)?;
        let below = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?;
        let exp = (below / temperature)?.exp()?;
        exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
    }));
}

#[test]
fn entropy() {
    // Weights of 0 become 1 on both sides: 1 · ln 1 adds nothing.
    passes(check::entropy(|weights| {
        let nonzero = weights.gt(0.)?.where_cond(weights, &weights.ones_like()?)?;
        (&nonzero * nonzero.log()?)?.neg()?.sum(D::Minus1)
    }));
    // By `eq` instead of `gt`.
    passes(check::entropy(|weights| {
        let zero = weights.eq(&weights.zeros_like()?)?;
        let safe = zero.where_cond(&weights.ones_like()?, weights)?;
        (weights * safe.log()?)?.neg()?.sum(D::Minus1)
    }));
    // Weight by weight.
    passes(check::entropy(|weights| {
        let mut sum = weights.zeros_like()?.sum(D::Minus1)?;
        if weights.elem_count() == 0 {
            return Ok(sum); // candle panics at a view that begins behind an empty tensor's end
        }
        for at in 0..weights.dim(D::Minus1)? {
            let w = weights.narrow(D::Minus1, at, 1)?.squeeze(D::Minus1)?;
            let positive = w.gt(0.)?.where_cond(&w, &w.ones_like()?)?;
            sum = (sum - (w * positive.log()?)?)?;
        }
        Ok(sum)
    }));
}

#[test]
fn softmax_backward() {
    // Multiplied out: w ∘ g − w Σ w g.
    passes(check::softmax_backward(|weights, grad| {
        let product = (weights * grad)?;
        &product - weights.broadcast_mul(&product.sum_keepdim(D::Minus1)?)?
    }));
    // With the whole matrix wⱼ (δᵢⱼ − wᵢ) of each row, by one sum for each column.
    passes(check::softmax_backward(|weights, grad| {
        let product = (weights * grad)?;
        let mut mean = product.zeros_like()?.sum_keepdim(D::Minus1)?;
        for at in 0..product.dim(D::Minus1)? {
            mean = (mean + product.narrow(D::Minus1, at, 1)?)?;
        }
        weights * grad.broadcast_sub(&mean)?
    }));
}

#[test]
fn scaled_dot_product_attention() {
    // Queries and keys scaled by the fourth root of d_k each, as PyTorch's plain path does.
    passes(check::scaled_dot_product_attention(|query, key, value| {
        let root = (query.dim(D::Minus1)? as f64).sqrt().sqrt();
        let weights = solution::softmax(&scores(&(query / root)?, &(key / root)?)?)?;
        Ok((weighted_average(&weights, value)?, weights))
    }));
    // The queries scaled before the product.
    passes(check::scaled_dot_product_attention(|query, key, value| {
        let root = (query.dim(D::Minus1)? as f64).sqrt();
        let weights = solution::softmax(&scores(&(query / root)?, key)?)?;
        Ok((weighted_average(&weights, value)?, weights))
    }));
    // A temperature, and the weights as exp(x − ln Σ exp).
    passes(check::scaled_dot_product_attention(|query, key, value| {
        let logits = (scores(query, key)? * (query.dim(D::Minus1)? as f64).powf(-0.5))?;
        let weights = logits.broadcast_sub(&solution::log_sum_exp(&logits)?)?.exp()?;
        Ok((weighted_average(&weights, value)?, weights))
    }));
}
