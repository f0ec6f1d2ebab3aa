//! What a masked softmax must hold.

use super::masks::{HIDDEN, additive, random_keep, row_sums, showing};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Masks, Weights},
        Outcome,
        cases::matrix,
        compare::{exactly, refused, rounding, same, value},
        gradient::gradients_agree,
        show::inputs,
        why,
    },
    masking::mask,
    wrong,
};
use candle_core::{D, DType, Device, Result, Tensor};

/// `masked_softmax`: scores and a mask to weights.
pub type MaskedSoftmax = dyn Fn(&Tensor, Option<&Tensor>) -> Result<Tensor>;

/// Why the lowest number is not −∞.
const LOWEST: &str = "libraries fill masks with the lowest number of the type; taken for −∞ it silently turns an average over the row into zeros, or the other way round.";

pub(super) fn zoo() -> Vec<Proof> {
    softmax_laws().proofs()
}

/// Checks `masked_softmax`: scores `(…, seq_q, seq_k)` and a mask that broadcasts to them.
pub fn masked_softmax(
    answer: impl Fn(&Tensor, Option<&Tensor>) -> Result<Tensor> + 'static,
) -> Verdict {
    softmax_laws().judge(&answer)
}

fn softmax_given(scores: &Tensor, mask: &Tensor) -> String {
    inputs(&[("scores", scores), ("mask", mask)])
}

fn softmax_law(
    f: &MaskedSoftmax,
    scores: &Tensor,
    mask: &Tensor,
    expected: &Tensor,
    units: usize,
) -> Outcome {
    same(&softmax_given(scores, mask), f(scores, Some(mask)), expected, rounding(units))
}

fn softmax_laws() -> Check<MaskedSoftmax> {
    let ln3 = 3f32.ln();
    Check::new("masking::masked_softmax", wrong::masking::masked_softmax())
        .law(
            Weights,
            "hidden keys (0 in a u8 mask) get weight 0, the others share 1 by their scores",
            move |f| {
                softmax_law(f, &matrix(&[[0., ln3, 1.]])?, &mask(&[[1, 1, 0]])?, &matrix(&[[0.25, 0.75, 0.]])?, 8)
            },
        )
        .law(Weights, "an additive mask is added to the scores: −∞ hides, other numbers shift", move |f| {
            let scores = matrix(&[[0., ln3, 1.]])?;
            softmax_law(f, &scores, &matrix(&[[0., 0., HIDDEN]])?, &matrix(&[[0.25, 0.75, 0.]])?, 8)?;
            softmax_law(f, &scores, &matrix(&[[ln3, 0., HIDDEN]])?, &matrix(&[[0.5, 0.5, 0.]])?, 8)?;
            // Low, but added like any other number: only −∞ leaves a row with nothing to see. A logarithm of the sum
            // near −2000 is rounded by up to 2000 · ε / 2, and so is its distance to the score.
            softmax_law(f, &matrix(&[[2., 2.]])?, &matrix(&[[-2000., -2000.]])?, &matrix(&[[0.5, 0.5]])?, 2000)
        })
        .law(Weights, "a row with nothing to see gets zeros, and the other rows stay as they are", move |f| {
            let scores = matrix(&[[1., 2., 3.], [0., ln3, 1.]])?;
            let keep = mask(&[[0, 0, 0], [1, 1, 0]])?;
            let expected = matrix(&[[0., 0., 0.], [0.25, 0.75, 0.]])?;
            softmax_law(f, &scores, &keep, &expected, 8)?;
            softmax_law(f, &scores, &additive(&keep)?, &expected, 8)
        })
        .law(Weights, "no mask is the plain softmax", move |f| {
            let scores = matrix(&[[0., ln3], [2., 2.]])?;
            let expected = matrix(&[[0.25, 0.75], [0.5, 0.5]])?;
            same(&inputs(&[("scores", &scores)]), f(&scores, None), &expected, rounding(8))
        })
        .law(
            Masks,
            "a mask broadcasts over the dimensions it lacks: (seq_q, seq_k) and (batch, 1, 1, seq_k)",
            |f| {
                let scores = Tensor::zeros((2, 2, 2, 2), DType::F32, &Device::Cpu)?;
                let (half, first) = ([0.5f32, 0.5], [1f32, 0.]);
                let causal = Tensor::new(&[first, half], &Device::Cpu)?.broadcast_as((2, 2, 2, 2))?;
                softmax_law(f, &scores, &mask(&[[1, 0], [1, 1]])?, &causal, 4)?;
                let padding = mask(&[[1, 0], [1, 1]])?.reshape((2, 1, 1, 2))?;
                let expected = Tensor::new(&[first, half], &Device::Cpu)?.reshape((2, 1, 1, 2))?;
                let expected = expected.broadcast_as((2, 2, 2, 2))?;
                softmax_law(f, &scores, &padding, &expected, 4)?;
                softmax_law(f, &scores, &additive(&padding)?, &expected, 4)
            },
        )
        .law(
            Masks,
            "a mask of one row, (1, seq_k) or (seq_k), holds for every query; one of one column, (seq_q, 1), for every key",
            |f| {
                let scores = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
                let rows = matrix(&[[0.5, 0.5, 0.], [0.5, 0.5, 0.]])?;
                let third = 1f32 / 3.;
                let columns = matrix(&[[third, third, third], [0., 0., 0.]])?;
                for (keep, expected) in [
                    (mask(&[[1, 1, 0]])?, &rows),
                    (mask(&[[1, 1, 0]])?.squeeze(0)?, &rows),
                    (mask(&[[1], [0]])?, &columns),
                ] {
                    softmax_law(f, &scores, &keep, expected, 4)?;
                    softmax_law(f, &scores, &additive(&keep)?, expected, 4)?;
                }
                Ok(())
            },
        )
        .law(Weights, "a hidden score of 200 takes nothing: the mask comes before the softmax", |f| {
            let scores = matrix(&[[200., 0., 0.]])?;
            softmax_law(f, &scores, &mask(&[[0, 1, 1]])?, &matrix(&[[0., 0.5, 0.5]])?, 4)
        })
        .property(
            Weights,
            "each row sums to 1, or to 0 when it sees nothing",
            (1..4usize, 1..6usize, 0..1000u64),
            |f, (rows, columns, seed)| {
                let scores = (seeded::normal(seed, (rows, columns))? * 3.)?;
                let keep = random_keep(seed + 1, rows, columns)?;
                // Written as exp(score − ln Σ), a weight carries the roundings of both, each of up to size · ε / 2.
                let largest = scores.abs()?.max_all()?.to_scalar::<f32>()?.ceil() as usize;
                for mask in [keep.clone(), additive(&keep)?] {
                    let given = format!("{}\nlooked at: the sum of each row", softmax_given(&scores, &mask));
                    let sums = f(&scores, Some(&mask)).and_then(|weights| weights.sum(D::Minus1));
                    same(&given, sums, &row_sums(&keep)?, rounding(columns + 2 + largest))?;
                }
                Ok(())
            },
        )
        .property(
            Masks,
            "hidden scores do not matter: changing them changes no weight",
            (1..4usize, 2..6usize, 0..1000u64),
            |f, (rows, columns, seed)| {
                let scores = seeded::normal(seed, (rows, columns))?;
                let keep = random_keep(seed + 1, rows, columns)?;
                let changed = keep.where_cond(&scores, &(seeded::normal(seed + 2, (rows, columns))? * 100.)?)?;
                let expected = value(&softmax_given(&scores, &keep), f(&scores, Some(&keep)))?;
                let given = format!(
                    "{}\nexpected: the weights of these scores\n{}",
                    softmax_given(&changed, &keep),
                    inputs(&[("scores", &scores)])
                );
                same(&given, f(&changed, Some(&keep)), &expected, exactly())
            },
        )
        .law(Gradients, "f64 scores give f64 weights, without a detour through f32; gradients are compared in f64", |f| {
            let ln3 = Tensor::new(&[[0., 3f64.ln(), 1.]], &Device::Cpu)?;
            let expected = Tensor::new(&[[0.25, 0.75, 0.]], &Device::Cpu)?;
            let keep = mask(&[[1, 1, 0]])?;
            softmax_law(f, &ln3, &keep, &expected, 8)?;
            softmax_law(f, &ln3, &additive(&keep)?.to_dtype(DType::F64)?, &expected, 8)
        })
        .law(
            Gradients,
            "the gradient reaches the scores and is right; it is 0, not NaN, where nothing is seen",
            |f| {
                let scores = seeded::normal(30, (2, 3))?.to_dtype(DType::F64)?;
                let keep = mask(&[[1, 0, 1], [0, 0, 0]])?;
                let additive = additive(&keep)?.to_dtype(DType::F64)?;
                [keep, additive].iter().try_for_each(|mask| {
                    let scores = [("scores", &scores)];
                    showing(mask, gradients_agree(&scores, |inputs| f(&inputs[0], Some(mask))))
                })
            },
        )
        .law(Gradients, "the gradient reaches an additive mask too: a bias may be learned", |f| {
            let (scores, bias) = (seeded::normal(31, (2, 2, 3))?, seeded::normal(32, (2, 3))?);
            let (scores, bias) = (scores.to_dtype(DType::F64)?, bias.to_dtype(DType::F64)?);
            gradients_agree(&[("scores", &scores), ("mask", &bias)], |inputs| f(&inputs[0], Some(&inputs[1])))
        })
        .law(Edges(why::HUGE), "a hidden score takes nothing, however large, and however low the others are", |f| {
            let scores = matrix(&[[10_000., 0., 0.]])?;
            softmax_law(f, &scores, &mask(&[[0, 1, 1]])?, &matrix(&[[0., 0.5, 0.5]])?, 4)?;
            for low in [-20_000f32, -1e10] {
                let scores = matrix(&[[low, 0.]])?;
                softmax_law(f, &scores, &mask(&[[1, 0]])?, &matrix(&[[1., 0.]])?, 1)?;
            }
            Ok(())
        })
        .law(Edges(LOWEST), "only −∞ hides: the lowest f32 over a whole row gives equal weights", |f| {
            let scores = matrix(&[[1., 2.]])?; // both vanish beside a number whose neighbours are 2·10³¹ away
            softmax_law(f, &scores, &matrix(&[[f32::MIN, f32::MIN]])?, &matrix(&[[0.5, 0.5]])?, 4)
        })
        .law(Edges(why::HALF), "f16 and bf16 scores give weights of their own type", |f| {
            let scores = matrix(&[[0., 0., 9.], [1., 2., 3.]])?;
            let keep = mask(&[[1, 1, 0], [0, 0, 0]])?;
            let expected = matrix(&[[0.5, 0.5, 0.], [0., 0., 0.]])?;
            for dtype in [DType::F16, DType::BF16] {
                let (scores, expected) = (scores.to_dtype(dtype)?, expected.to_dtype(dtype)?);
                softmax_law(f, &scores, &keep, &expected, 2)?;
                softmax_law(f, &scores, &additive(&keep)?.to_dtype(dtype)?, &expected, 2)?;
            }
            Ok(())
        })
        .law(Edges(why::EMPTY), "no keys and no queries give empty weights", |f| {
            for shape in [(2, 0), (0, 2)] {
                let scores = Tensor::zeros(shape, DType::F32, &Device::Cpu)?;
                softmax_law(f, &scores, &Tensor::zeros(shape, DType::U8, &Device::Cpu)?, &scores, 0)?;
                same(&inputs(&[("scores", &scores)]), f(&scores, None), &scores, exactly())?;
            }
            Ok(())
        })
        .law(Edges(why::NOT_FINITE), "a score of −∞ is hidden already: a row of nothing else gets zeros, without a mask too", |f| {
            let expected = matrix(&[[0., 0.], [0., 1.]])?;
            let scores = matrix(&[[HIDDEN, HIDDEN], [HIDDEN, 0.]])?;
            same(&inputs(&[("scores", &scores)]), f(&scores, None), &expected, rounding(1))?;
            let scores = matrix(&[[HIDDEN, 5.], [HIDDEN, 0.]])?;
            softmax_law(f, &scores, &mask(&[[1, 0], [1, 1]])?, &expected, 1)
        })
        .law(Edges(why::REFUSED), "a mask of another type is an error", |f| {
            let scores = matrix(&[[1., 2.], [3., 4.]])?;
            let refuse = |why: &str, dtype| {
                let mask = Tensor::zeros((2, 2), dtype, &Device::Cpu)?;
                refused(&softmax_given(&scores, &mask), why, f(&scores, Some(&mask)))
            };
            refuse("u32 is neither a keep-mask nor of the scores' type", DType::U32)?;
            refuse("an additive mask has the scores' type", DType::F64)
        })
        .law(Edges(why::STRETCHED), "a mask that does not broadcast to the scores is an error", |f| {
            let scores = matrix(&[[1., 2.], [3., 4.]])?;
            let refuse = |why: &str, mask: &Tensor| refused(&softmax_given(&scores, mask), why, f(&scores, Some(mask)));
            let zeros = |shape: &[usize], dtype| Tensor::zeros(shape, dtype, &Device::Cpu);
            refuse("the mask has 3 keys, the scores have 2", &zeros(&[2, 3], DType::U8)?)?;
            refuse("the mask has more dimensions than the scores", &zeros(&[2, 2, 2], DType::F32)?)?;
            refuse("the mask has more dimensions than the scores", &zeros(&[2, 2, 2], DType::U8)?)
        })
        .law(Edges(why::STRETCHED), "scores are not stretched to the mask: one row of scores and a mask of two are an error", |f| {
            let scores = matrix(&[[1., 2.]])?;
            [DType::U8, DType::F32].into_iter().try_for_each(|dtype| {
                let wide = Tensor::ones((2, 2), dtype, &Device::Cpu)?;
                refused(&softmax_given(&scores, &wide), "the mask has more rows than the scores", f(&scores, Some(&wide)))
            })
        })
}
