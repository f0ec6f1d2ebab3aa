//! What the smoothed cross-entropy must hold.

use super::parts::pytorch;
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Gradients, Implementation, Masks},
        Outcome,
        cases::matrix,
        compare::{Rounding, finite, refused, rounding, same, value},
        gradient::gradients_agree,
        show::{self, inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{D, DType, Device, Result, Tensor, Var};
use candle_nn::ops::log_softmax;

/// `label_smoothing`: log-probabilities, targets, the smoothing, the padding's number.
pub type LabelSmoothing = dyn Fn(&Tensor, &Tensor, f64, u32) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    loss_laws().proofs()
}

/// Checks `label_smoothing`: `(…, vocab)` and `(…)` to the mean over the targets that are not padding.
pub fn label_smoothing(
    answer: impl Fn(&Tensor, &Tensor, f64, u32) -> Result<Tensor> + 'static,
) -> Verdict {
    loss_laws().judge(&answer)
}

fn given(log_probs: &Tensor, targets: &Tensor, smoothing: f64, padding: u32) -> String {
    let named = inputs(&[("log_probs", log_probs), ("targets", targets)]);
    remember(format!("{named}\nsmoothing: {smoothing}\npadding: {padding}"))
}

/// A call.
type Case<'a> = (&'a Tensor, &'a Tensor, f64, u32);

fn law(
    f: &LabelSmoothing,
    (log_probs, targets, smoothing, padding): Case,
    expected: &Tensor,
    allowed: Rounding,
) -> Outcome {
    let given = given(log_probs, targets, smoothing, padding);
    same(&given, f(log_probs, targets, smoothing, padding), expected, allowed)
}

fn refuse(
    f: &LabelSmoothing,
    (log_probs, targets, smoothing, padding): Case,
    why: &str,
) -> Outcome {
    let given = given(log_probs, targets, smoothing, padding);
    refused(&given, why, f(log_probs, targets, smoothing, padding))
}

fn targets(targets: &[u32]) -> Result<Tensor> {
    Tensor::new(targets, &Device::Cpu)
}

fn scalar(value: f32) -> Result<Tensor> {
    Tensor::new(value, &Device::Cpu)
}

/// Seeded log-probabilities `(…, vocab)`.
fn draw(seed: u64, shape: &[usize]) -> Result<Tensor> {
    log_softmax(&(seeded::normal(seed, shape)? * 2.)?, D::Minus1)
}

/// Token by token, in f64.
fn reference((log_probs, targets, smoothing, padding): Case) -> Result<Tensor> {
    let vocab = log_probs.dim(D::Minus1)?;
    let targets = targets.flatten_all()?.to_vec1::<u32>()?;
    let (mut total, mut count) = (0., 0.);
    for (row, &target) in show::values(log_probs)?.chunks(vocab).zip(&targets) {
        if target == padding {
            continue;
        }
        count += 1.;
        for (token, log_prob) in row.iter().enumerate() {
            let right = f64::from(token == target as usize);
            let wanted = (1. - smoothing) * right + smoothing / vocab as f64;
            total -= if wanted == 0. { 0. } else { wanted * log_prob };
        }
    }
    Tensor::new(total / count, &Device::Cpu)?.to_dtype(log_probs.dtype())
}

const LN_2: f32 = std::f32::consts::LN_2;
/// Fills up short sequences in most laws.
const PADDING: u32 = 0;

/// Log-probabilities of ½, ¼, ¼ for every token.
fn halves<const N: usize>() -> Result<Tensor> {
    matrix(&[[-LN_2, -2. * LN_2, -2. * LN_2]; N])
}

fn loss_laws() -> Check<LabelSmoothing> {
    edges(gradients(compared(padding(values(Check::new(
        "transformer::label_smoothing",
        wrong::transformer::label_smoothing(),
    ))))))
}

fn values(check: Check<LabelSmoothing>) -> Check<LabelSmoothing> {
    check
        .law(
            Implementation,
            "without smoothing it is −log p of the right token: ln 2 for a probability of ½",
            |f| law(f, (&halves::<1>()?, &targets(&[0])?, 0., 9), &scalar(LN_2)?, rounding(4)),
        )
        .law(
            Implementation,
            "with a smoothing of 0.3 and 3 tokens, the right one counts 0.7 + 0.1, the others 0.1 each",
            // 0.8 · ln 2 + 2 · 0.1 · ln 4
            |f| law(f, (&halves::<1>()?, &targets(&[0])?, 0.3, 9), &scalar(1.2 * LN_2)?, rounding(8)),
        )
        .law(Implementation, "the result is the mean over the tokens", |f| {
            // −log p is ln 2 for the first, ln 4 for the second.
            law(f, (&halves::<2>()?, &targets(&[0, 1])?, 0., 9), &scalar(1.5 * LN_2)?, rounding(8))
        })
}

fn padding(check: Check<LabelSmoothing>) -> Check<LabelSmoothing> {
    check
        .law(Masks, "padding counts neither in the sum nor among the tokens", |f| {
            let log_probs = matrix(&[[-LN_2, -2. * LN_2, -2. * LN_2], [-9., -0.1, -3.]])?;
            law(f, (&log_probs, &targets(&[0, 2])?, 0., 2), &scalar(LN_2)?, rounding(4))?;
            law(f, (&log_probs, &targets(&[0, 2])?, 0.3, 2), &scalar(1.2 * LN_2)?, rounding(8))
        })
        .law(
            Masks,
            "every token that is not padding counts the same, in short sequences too",
            |f| {
                // Two tokens of ln 2 in the first sequence, one of ln 4 in the second.
                let log_probs = halves::<4>()?.reshape((2, 2, 3))?;
                let targets = targets(&[0, 0, 1, 2])?.reshape((2, 2))?;
                law(f, (&log_probs, &targets, 0., 2), &scalar(4. / 3. * LN_2)?, rounding(8))
            },
        )
        .law(Masks, "300 tokens are counted: a u8 ends at 255", |f| {
            let case = (&halves::<300>()?, &targets(&[0; 300])?, 0., 9);
            law(f, case, &scalar(LN_2)?, rounding(304))
        })
        .law(Masks, "a log-probability of −∞ where the target is padding does no harm", |f| {
            let log_probs = matrix(&[[-LN_2, -2. * LN_2, -2. * LN_2], [f32::NEG_INFINITY; 3]])?;
            law(f, (&log_probs, &targets(&[0, 2])?, 0.3, 2), &scalar(1.2 * LN_2)?, rounding(8))
        })
        .law(Masks, "nothing but padding, and no targets at all, are an error", |f| {
            let why = "a mean over no tokens does not exist";
            refuse(f, (&halves::<2>()?, &targets(&[2, 2])?, 0.1, 2), why)?;
            let none = Tensor::zeros((0, 3, 5), DType::F32, &Device::Cpu)?;
            refuse(f, (&none, &Tensor::zeros((0, 3), DType::U32, &Device::Cpu)?, 0.1, 2), why)
        })
}

fn compared(check: Check<LabelSmoothing>) -> Check<LabelSmoothing> {
    check
        .law(
            Implementation,
            "equals torch.nn.functional.cross_entropy with label_smoothing and ignore_index, for smoothings 0, 0.1 and 1",
            |f| {
                let fixtures = pytorch()?;
                let log_probs = log_softmax(&fixtures.get("loss.logits")?, D::Minus1)?;
                let targets = fixtures.get("loss.targets")?;
                for smoothing in [0., 0.1, 1.] {
                    let expected = fixtures.get(&format!("loss.{smoothing:.1}"))?;
                    // Log-softmax and a mean over 7 tokens of the vocabulary, a mean over 6 targets; numbers up to 8.
                    law(f, (&log_probs, &targets, smoothing, PADDING), &expected, rounding(64))?;
                }
                Ok(())
            },
        )
        .property(
            Implementation,
            "every batch, length and vocabulary, any smoothing and padding",
            (1..4usize, 1..5usize, 2..7usize, 0.0..1f64, 0..1000u64),
            |f, (batch, seq, vocab, smoothing, seed)| {
                let log_probs = draw(seed, &[batch, seq, vocab])?;
                let targets = seeded::uniform(seed + 1, (batch, seq))?;
                let targets = (targets * vocab as f64)?.to_dtype(DType::U32)?;
                // One of them is not padding.
                let padding = (targets.flatten_all()?.get(0)?.to_scalar::<u32>()? + 1) % vocab as u32;
                let case = (&log_probs, &targets, smoothing, padding);
                // Sums over the vocabulary and the tokens; numbers up to four times the result.
                law(f, case, &reference(case)?, rounding(4 * (vocab + batch * seq) + 16))
            },
        )
        .law(Implementation, "f64 in, f64 out, with the precision of f64 (gradients are compared in f64)", |f| {
            let log_probs = draw(2, &[2, 3, 5])?.to_dtype(DType::F64)?;
            let targets = targets(&[1, 2, 3, 4, 1, 0])?.reshape((2, 3))?;
            let case = (&log_probs, &targets, 0.2, PADDING);
            law(f, case, &reference(case)?, rounding(64))
        })
}

fn gradients(check: Check<LabelSmoothing>) -> Check<LabelSmoothing> {
    check
        .law(Gradients, "the gradient reaches log_probs and agrees with finite differences", |f| {
            let (log_probs, targets) = (draw(1, &[3, 4])?, targets(&[1, 0, 3])?);
            gradients_agree(&[("log_probs", &log_probs)], |inputs| {
                f(&inputs[0], &targets, 0.1, PADDING)
            })
        })
        .law(Gradients, "gradients of the logits are PyTorch's", |f| {
            let fixtures = pytorch()?;
            let targets = fixtures.get("loss.targets")?;
            for smoothing in [0., 0.1, 1.] {
                let logits = Var::from_tensor(&fixtures.get("loss.logits")?)?;
                let given = format!(
                    "looked at: the gradient of the logits, log_probs = log_softmax(logits)\n{}",
                    given(logits.as_tensor(), &targets, smoothing, PADDING)
                );
                let log_probs = log_softmax(logits.as_tensor(), D::Minus1)?;
                let loss = value(&given, f(&log_probs, &targets, smoothing, PADDING))?;
                let grads = loss.backward()?;
                let Some(grad) = grads.get(&logits) else {
                    return Err(Breach::text(
                        &given,
                        "a gradient",
                        "none: backward() finds no way to it",
                    ));
                };
                let expected = fixtures.get(&format!("loss.{smoothing:.1}.grad"))?;
                same(&given, Ok(grad.clone()), &expected, rounding(16))?;
            }
            Ok(())
        })
        .law(
            Gradients,
            "where the target is padding the gradient is 0, also for log-probabilities of −∞",
            |f| {
                let rows = [[-LN_2, -2. * LN_2, -2. * LN_2], [f32::NEG_INFINITY; 3]];
                let log_probs = Var::from_tensor(&matrix(&rows)?)?;
                let targets = targets(&[0, 2])?;
                let given = given(log_probs.as_tensor(), &targets, 0.3, 2);
                let loss = value(&given, f(log_probs.as_tensor(), &targets, 0.3, 2))?;
                let grads = loss.backward()?;
                let Some(grad) = grads.get(&log_probs) else {
                    return Err(Breach::text(
                        &given,
                        "a gradient",
                        "none: backward() finds no way to it",
                    ));
                };
                let expected = matrix(&[[-0.8, -0.1, -0.1], [0.; 3]])?;
                same(
                    &format!("looked at: the gradient of log_probs\n{given}"),
                    Ok(grad.clone()),
                    &expected,
                    rounding(4),
                )
            },
        )
}

fn edges(check: Check<LabelSmoothing>) -> Check<LabelSmoothing> {
    check
        .law(
            Edges(why::NOT_FINITE),
            "without smoothing only the right token's log-probability counts: others may be −∞",
            |f| {
                let log_probs = matrix(&[[-LN_2, f32::NEG_INFINITY, -LN_2]])?;
                let case = (&log_probs, &targets(&[0])?, 0., 9);
                finite(&given(case.0, case.1, 0., 9), f(case.0, case.1, 0., 9))?;
                law(f, case, &scalar(LN_2)?, rounding(4))
            },
        )
        .law(
            Edges(why::VIEW),
            "views are read as their copies are: targets are often all tokens but the first of each row",
            |f| {
                let tokens = Tensor::new(&[[1u32, 3, 2], [1, 4, 0]], &Device::Cpu)?;
                let targets = tokens.narrow(1, 1, 2)?;
                let log_probs = draw(3, &[2, 2, 5])?.transpose(0, 1)?;
                let copy = log_probs.contiguous()?;
                let expected = reference((&copy, &targets, 0.1, PADDING))?;
                law(f, (&log_probs, &targets, 0.1, PADDING), &expected, rounding(64))
            },
        )
        .law(Edges(why::REFUSED), "a smoothing outside [0, 1] is an error", |f| {
            let (log_probs, targets) = (halves::<1>()?, targets(&[0])?);
            [-0.1, 1.1, f64::NAN].into_iter().try_for_each(|smoothing| {
                refuse(f, (&log_probs, &targets, smoothing, 9), "the smoothing is a share")
            })
        })
        .law(Edges(why::REFUSED), "targets that do not fit the log-probabilities are an error", |f| {
            let log_probs = draw(4, &[2, 3, 4])?;
            let cases = [
                (targets(&[1, 2])?.reshape((2, 1))?, "1 target per sequence for 3 tokens"),
                (targets(&[1, 2, 3])?.reshape((1, 3))?, "one sequence of targets for two"),
                (targets(&[1, 2, 3, 1, 2, 3])?, "(6) for (2, 3)"),
                (targets(&[1, 2, 3, 1, 2, 4])?.reshape((2, 3))?, "no token 4 in a vocabulary of 4"),
            ];
            for smoothing in [0., 0.1] {
                for (targets, why) in &cases {
                    refuse(f, (&log_probs, targets, smoothing, PADDING), why)?;
                }
            }
            Ok(())
        })
        .law(
            Edges("a target that is no token comes from a tokenizer that does not belong to the model; a loss without it looks fine."),
            "the largest u32 is no token either: an error, not a loss of 0",
            |f| {
                let case = (&halves::<2>()?, &targets(&[0, u32::MAX])?, 0., PADDING + 9);
                refuse(f, case, "no token 4294967295 in a vocabulary of 3")
            },
        )
}
