//! Wrong losses.

use crate::{
    transformer::LabelSmoothing,
    wrong::{Wrong, wrong},
};
use candle_core::{D, DType, Result, Tensor, bail};

/// The right refusals: range, shapes, tokens.
fn valid(log_probs: &Tensor, targets: &Tensor, smoothing: f64) -> Result<()> {
    fits(log_probs, targets, smoothing)?;
    let vocab = log_probs.dim(D::Minus1)?;
    match targets.flatten_all()?.to_vec1::<u32>()?.iter().all(|&token| (token as usize) < vocab) {
        true => Ok(()),
        false => bail!("a target is not below the vocabulary"),
    }
}

/// The right refusals of range and shapes.
fn fits(log_probs: &Tensor, targets: &Tensor, smoothing: f64) -> Result<()> {
    let fits = log_probs.dims().split_last().is_some_and(|(_, dims)| dims == targets.dims());
    match fits && (0. ..=1.).contains(&smoothing) {
        true => Ok(()),
        false => bail!("targets or smoothing do not fit"),
    }
}

/// −log p of the right tokens: the shape of the targets.
fn right(log_probs: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let targets = targets.unsqueeze(D::Minus1)?.contiguous()?;
    log_probs.contiguous()?.gather(&targets, D::Minus1)?.squeeze(D::Minus1)?.neg()
}

/// `share` of the losses `other`; nothing at all at a share of 0, also where they are infinite.
fn plus(losses: Tensor, other: Result<Tensor>, share: f64) -> Result<Tensor> {
    if share == 0. { Ok(losses) } else { losses + (other? * share)? }
}

/// The right losses, one per target.
fn smoothed(log_probs: &Tensor, targets: &Tensor, smoothing: f64) -> Result<Tensor> {
    valid(log_probs, targets, smoothing)?;
    let losses = (right(log_probs, targets)? * (1. - smoothing))?;
    plus(losses, log_probs.mean(D::Minus1)?.neg(), smoothing)
}

/// Which targets count (u8), and how many do.
fn real(targets: &Tensor, padding: u32) -> Result<(Tensor, f64)> {
    let real = targets.ne(padding)?;
    let count = match real.elem_count() {
        0 => 0,
        _ => real.to_dtype(DType::U32)?.sum_all()?.to_scalar::<u32>()?,
    };
    match count {
        0 => bail!("nothing but padding"),
        count => Ok((real, f64::from(count))),
    }
}

/// The right sum.
fn total(losses: &Tensor, real: &Tensor) -> Result<Tensor> {
    real.where_cond(losses, &losses.zeros_like()?)?.sum_all()
}

/// The right mean.
fn mean(losses: Tensor, targets: &Tensor, padding: u32) -> Result<Tensor> {
    let (real, count) = real(targets, padding)?;
    total(&losses, &real)? / count
}

pub fn label_smoothing() -> Vec<Wrong<LabelSmoothing>> {
    vec![
        wrong!(
            "shared among the wrong tokens",
            "the smoothing is shared out over the wrong tokens only: here, as in PyTorch, it goes to all tokens of the vocabulary, the right one included.",
            |log_probs, targets, smoothing, padding| {
                valid(log_probs, targets, smoothing)?;
                real(targets, padding)?;
                let others = (log_probs.dim(D::Minus1)? - 1) as f64;
                let right = right(log_probs, targets)?;
                let rest = log_probs.sum(D::Minus1)?.neg().and_then(|all| all - &right);
                let losses = plus((&right * (1. - smoothing))?, rest, smoothing / others)?;
                mean(losses, targets, padding)
            }
        ),
        wrong!(
            "the right token's own share left out",
            "the shares do not sum to 1: the right token has 1 − smoothing and, as every other, a share of the smoothing.",
            |log_probs, targets, smoothing, padding| {
                valid(log_probs, targets, smoothing)?;
                real(targets, padding)?;
                let right = right(log_probs, targets)?;
                let rest = log_probs.sum(D::Minus1)?.neg().and_then(|all| all - &right);
                let share = smoothing / log_probs.dim(D::Minus1)? as f64;
                mean(plus((&right * (1. - smoothing))?, rest, share)?, targets, padding)
            }
        ),
        wrong!(
            "nothing taken from the right token",
            "the right token still has 1: what the smoothing shares out is taken from it.",
            |log_probs, targets, smoothing, padding| {
                valid(log_probs, targets, smoothing)?;
                real(targets, padding)?;
                let all = log_probs.mean(D::Minus1)?.neg();
                mean(plus(right(log_probs, targets)?, all, smoothing)?, targets, padding)
            }
        ),
        wrong!(
            "smoothing added to the right token",
            "the right token has 1 + smoothing: what the smoothing shares out is taken from it, 1 − smoothing.",
            |log_probs, targets, smoothing, padding| {
                valid(log_probs, targets, smoothing)?;
                real(targets, padding)?;
                let losses = (right(log_probs, targets)? * (1. + smoothing))?;
                let all = log_probs.mean(D::Minus1)?.neg();
                mean(plus(losses, all, smoothing)?, targets, padding)
            }
        ),
        wrong!(
            "smoothing not divided",
            "every token gets the whole smoothing: it is to be shared out, so divide by the size of the vocabulary (a mean, not a sum).",
            |log_probs, targets, smoothing, padding| {
                valid(log_probs, targets, smoothing)?;
                real(targets, padding)?;
                let losses = (right(log_probs, targets)? * (1. - smoothing))?;
                let all = log_probs.sum(D::Minus1)?.neg();
                mean(plus(losses, all, smoothing)?, targets, padding)
            }
        ),
        wrong!(
            "the two shares exchanged",
            "the right token has `smoothing`, and the rest is shared out: it is the other way round.",
            |log_probs, targets, smoothing, padding| {
                real(targets, padding)?;
                mean(smoothed(log_probs, targets, 1. - smoothing)?, targets, padding)
            }
        ),
        wrong!(
            "smoothing ignored",
            "`smoothing` is not used: this is plain cross-entropy.",
            |log_probs, targets, smoothing, padding| {
                valid(log_probs, targets, smoothing)?;
                real(targets, padding)?;
                mean(right(log_probs, targets)?, targets, padding)
            }
        ),
        wrong!(
            "minus forgotten",
            "the loss is negative: log-probabilities are below 0, and the loss is minus their weighted sum. Training would make the right tokens improbable.",
            |log_probs, targets, smoothing, padding| {
                real(targets, padding)?;
                mean(smoothed(log_probs, targets, smoothing)?.neg()?, targets, padding)
            }
        ),
        wrong!(
            "minus before the smoothing's part only",
            "the right token's part has the wrong sign: both parts are minus a log-probability.",
            |log_probs, targets, smoothing, padding| {
                valid(log_probs, targets, smoothing)?;
                real(targets, padding)?;
                let losses = (right(log_probs, targets)? * (smoothing - 1.))?;
                let all = log_probs.mean(D::Minus1)?.neg();
                mean(plus(losses, all, smoothing)?, targets, padding)
            }
        ),
        wrong!(
            "minus before one part only",
            "the smoothing's part has the wrong sign: both parts are minus a log-probability.",
            |log_probs, targets, smoothing, padding| {
                valid(log_probs, targets, smoothing)?;
                real(targets, padding)?;
                let losses = (right(log_probs, targets)? * (1. - smoothing))?;
                mean(plus(losses, log_probs.mean(D::Minus1), smoothing)?, targets, padding)
            }
        ),
        wrong!(
            "a sum instead of a mean",
            "the losses are added up: divide by the number of targets that are not padding, or long batches take longer steps than short ones.",
            |log_probs, targets, smoothing, padding| {
                let (real, _) = real(targets, padding)?;
                total(&smoothed(log_probs, targets, smoothing)?, &real)
            }
        ),
        wrong!(
            "padding counted",
            "padding counts like any other token, so the model is taught to write it. Leave it out of the sum and of the count.",
            |log_probs, targets, smoothing, padding| {
                real(targets, padding)?;
                smoothed(log_probs, targets, smoothing)?.mean_all()
            }
        ),
        wrong!(
            "padding in the count",
            "the padding is left out of the sum, but not of the count: the loss shrinks the more padding there is. Divide by the number of the other targets.",
            |log_probs, targets, smoothing, padding| {
                let (real, _) = real(targets, padding)?;
                let losses = smoothed(log_probs, targets, smoothing)?;
                total(&losses, &real)? / targets.elem_count() as f64
            }
        ),
        wrong!(
            "padding in the sum",
            "the padding is left out of the count, but not of the sum: its losses must be 0 there.",
            |log_probs, targets, smoothing, padding| {
                let (_, count) = real(targets, padding)?;
                smoothed(log_probs, targets, smoothing)?.sum_all()? / count
            }
        ),
        wrong!(
            "padding's number fixed",
            "padding is taken to be 0: its number is an argument.",
            |log_probs, targets, smoothing, _| {
                let losses = smoothed(log_probs, targets, smoothing)?;
                mean(losses, targets, 0)
            }
        ),
        wrong!(
            "a mean of the sequences' means",
            "each sequence has its own mean, and then those are averaged: the tokens of short sequences count more. Take one mean over all tokens.",
            |log_probs, targets, smoothing, padding| {
                real(targets, padding)?;
                let losses = smoothed(log_probs, targets, smoothing)?;
                if targets.rank() < 2 {
                    return mean(losses, targets, padding);
                }
                let kept = targets.ne(padding)?;
                let sums = kept.where_cond(&losses, &losses.zeros_like()?)?.sum(D::Minus1)?;
                let counts = kept.to_dtype(DType::U32)?.sum(D::Minus1)?;
                let some = counts.ne(0u32)?;
                let counts = counts.clamp(1u32, u32::MAX)?.to_dtype(losses.dtype())?;
                let sequences = some.to_dtype(DType::F64)?.sum_all()?.to_scalar::<f64>()?;
                (sums / counts)?.sum_all()? / sequences
            }
        ),
        wrong!(
            "multiplied by 0",
            "the losses of padding are multiplied by 0, and 0 · ∞ is NaN: one log-probability of −∞ under padding makes the whole loss NaN. Choose with `where_cond` instead.",
            |log_probs, targets, smoothing, padding| {
                let (real, count) = real(targets, padding)?;
                let losses = smoothed(log_probs, targets, smoothing)?;
                (&losses * real.to_dtype(losses.dtype())?)?.sum_all()? / count
            }
        ),
        wrong!(
            "smoothing of 0 multiplied",
            "at a smoothing of 0 the other tokens are multiplied by 0, and 0 · ∞ is NaN: leave them out then.",
            |log_probs, targets, smoothing, padding| {
                valid(log_probs, targets, smoothing)?;
                real(targets, padding)?;
                let losses = (right(log_probs, targets)? * (1. - smoothing))?;
                let all = (log_probs.mean(D::Minus1)? * -smoothing)?;
                mean((losses + all)?, targets, padding)
            }
        ),
        wrong!(
            "counted in u8",
            "the targets are counted in the type of the comparison, u8, which ends at 255: turn the mask into u32 or f32 before you sum it.",
            |log_probs, targets, smoothing, padding| {
                let (real, count) = real(targets, padding)?;
                total(&smoothed(log_probs, targets, smoothing)?, &real)? / (count % 256.)
            }
        ),
        wrong!(
            "nothing but padding accepted",
            "with nothing but padding the result is 0 / 0: look at the count first, and return an error.",
            |log_probs, targets, smoothing, padding| match real(targets, padding) {
                Ok(_) => mean(smoothed(log_probs, targets, smoothing)?, targets, padding),
                Err(_) => Tensor::new(f32::NAN, log_probs.device()),
            }
        ),
        wrong!(
            "any smoothing accepted",
            "a smoothing outside [0, 1] was accepted: it is a share. Check for that first, and return an error.",
            |log_probs, targets, smoothing, padding| {
                valid(log_probs, targets, 0.)?;
                real(targets, padding)?;
                let losses = (right(log_probs, targets)? * (1. - smoothing))?;
                let losses = plus(losses, log_probs.mean(D::Minus1)?.neg(), smoothing)?;
                mean(losses, targets, padding)
            }
        ),
        wrong!(
            "views refused",
            "`gather` wants contiguous tensors, and a view, such as all tokens but the first of each row, is not contiguous: call `contiguous()` on both.",
            |log_probs, targets, smoothing, padding| {
                valid(log_probs, targets, smoothing)?;
                real(targets, padding)?;
                log_probs.gather(&targets.unsqueeze(D::Minus1)?, D::Minus1)?;
                mean(smoothed(log_probs, targets, smoothing)?, targets, padding)
            }
        ),
        wrong!(
            "smoothing 1 refused",
            "a smoothing of 1 is refused: it is a share in [0, 1], both ends included. Then the right token counts no more than any other.",
            |log_probs, targets, smoothing, padding| {
                if smoothing == 1. {
                    bail!("smoothing");
                }
                mean(smoothed(log_probs, targets, smoothing)?, targets, padding)
            }
        ),
        wrong!(
            "through f32",
            "f64 is computed in f32: half of the digits are gone, whatever type the result has. Keep the log-probabilities in the type they arrive in.",
            |log_probs, targets, smoothing, padding| {
                let single = log_probs.to_dtype(DType::F32)?;
                mean(smoothed(&single, targets, smoothing)?, targets, padding)?
                    .to_dtype(log_probs.dtype())
            }
        ),
        wrong!(
            "largest token of all let through",
            "a target that is no token goes through without an error: candle's `gather` refuses most of them, but takes u32::MAX to mean 'none' and gives 0. Compare the largest target with the vocabulary.",
            |log_probs, targets, smoothing, padding| {
                fits(log_probs, targets, smoothing)?;
                let losses = (right(log_probs, targets)? * (1. - smoothing))?;
                let losses = plus(losses, log_probs.mean(D::Minus1)?.neg(), smoothing)?;
                mean(losses, targets, padding)
            }
        ),
    ]
}
