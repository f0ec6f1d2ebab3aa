//! What an ablation must hold.

use super::{heads, nested, zeros};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Implementation},
        compare::{exactly, refused, rounding, same},
        show::{inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{DType, Result, Tensor};

/// `ablate_head`: the heads' outputs, a head, and whether its mean stays.
pub type Ablate = dyn Fn(&Tensor, usize, bool) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    ablate_laws().proofs()
}

/// Checks a head switched off: `(batch, num_heads, seq, head_dim)` → the same shape.
pub fn ablate_head(answer: impl Fn(&Tensor, usize, bool) -> Result<Tensor> + 'static) -> Verdict {
    ablate_laws().judge(&answer)
}

fn given(heads: &Tensor, head: usize, keep_mean: bool) -> String {
    let named = inputs(&[("heads", heads)]);
    remember(format!("{named}\nhead: {head}\nkeep_mean: {keep_mean}"))
}

/// Number after number, in f64.
fn reference(heads: &Tensor, head: usize, keep_mean: bool) -> Result<Tensor> {
    let (batch, _, seq, head_dim) = heads.dims4()?;
    let mut numbers = nested(heads)?;
    for at in 0..head_dim {
        let column = numbers.iter().flat_map(|entry| entry[head].iter().map(|token| token[at]));
        let mean = column.sum::<f64>() / (batch * seq) as f64;
        for token in numbers.iter_mut().flat_map(|entry| entry[head].iter_mut()) {
            token[at] = if keep_mean { mean } else { 0. };
        }
    }
    let numbers: Vec<f64> = numbers.into_iter().flatten().flatten().flatten().collect();
    Tensor::from_vec(numbers, heads.shape(), heads.device())?.to_dtype(heads.dtype())
}

fn ablate_laws() -> Check<Ablate> {
    let law = |f: &Ablate, heads: &Tensor, head: usize, keep_mean: bool| {
        let expected = reference(heads, head, keep_mean)?;
        // A mean of at most 12 numbers; a zero, and the numbers of the other heads, are exact.
        let allowed = if keep_mean { rounding(16) } else { exactly() };
        same(&given(heads, head, keep_mean), f(heads, head, keep_mean), &expected, allowed)
    };
    Check::new("inside_heads::ablate_head", wrong::inside_heads::ablate_head())
        .law(Implementation, "head 0 of two becomes zeros, head 1 stays", move |f| {
            law(f, &heads(&[[[1., 2.]], [[3., 4.]]])?, 0, false)
        })
        .law(Implementation, "the last of three heads, with two tokens", move |f| {
            let x = heads(&[[[1., 2.], [3., 4.]], [[5., 6.], [7., 8.]], [[9., 1.], [2., 3.]]])?;
            law(f, &x, 2, false)
        })
        .law(
            Implementation,
            "with its mean: tokens (1, 2) and (3, 6) both become (2, 4)",
            move |f| law(f, &heads(&[[[1., 2.], [3., 6.]], [[5., 6.], [7., 8.]]])?, 0, true),
        )
        .law(Implementation, "the mean is taken over the batch, too", move |f| {
            // 1 and 3 in one sequence, 5 and 7 in the other: 4.
            let one = heads(&[[[0.], [1.]], [[1.], [3.]]])?;
            let two = heads(&[[[2.], [3.]], [[5.], [7.]]])?;
            law(f, &Tensor::cat(&[one, two], 0)?, 1, true)
        })
        .property(
            Implementation,
            "one head is replaced, the others stay, in any size",
            (1..4usize, 1..4usize, 1..5usize, 1..4usize, 0..3usize, 0..1000u64),
            move |f, (batch, heads, seq, head_dim, head, seed)| {
                let x = seeded::normal(seed, (batch, heads, seq, head_dim))?;
                law(f, &x, head % heads, false)?;
                law(f, &x, head % heads, true)
            },
        )
        .law(Edges(why::NOT_FINITE), "numbers that are infinite or NaN become 0 as well", |f| {
            let x = heads(&[[[1., f32::INFINITY], [f32::NAN, 2.]], [[3., 4.], [5., 6.]]])?;
            let expected = heads(&[[[0., 0.], [0., 0.]], [[3., 4.], [5., 6.]]])?;
            same(&given(&x, 0, false), f(&x, 0, false), &expected, exactly())
        })
        .law(Edges(why::DOUBLE), "f64 in, f64 out", move |f| {
            let x = seeded::normal(3, (2, 2, 3, 2))?.to_dtype(DType::F64)?;
            law(f, &x, 1, false)?;
            law(f, &x, 1, true)
        })
        .law(Edges(why::EMPTY), "no tokens or no batch stay empty, with the mean, too", |f| {
            for shape in [&[2, 2, 0, 3][..], &[0, 2, 3, 3]] {
                let x = zeros(shape)?;
                for keep_mean in [false, true] {
                    let given = given(&x, 1, keep_mean);
                    same(&given, f(&x, 1, keep_mean), &x, exactly())?;
                }
            }
            Ok(())
        })
        .law(Edges(why::REFUSED), "a head that is not there is an error", |f| {
            let x = heads(&[[[1., 2.]], [[3., 4.]]])?;
            for head in [2, 3, usize::MAX] {
                let why = "two heads are number 0 and 1";
                refused(&given(&x, head, false), why, f(&x, head, false))?;
            }
            Ok(())
        })
}
