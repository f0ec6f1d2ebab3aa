//! What an ablation must hold.

use super::{heads, nested, zeros};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation},
        cases::row,
        compare::{exactly, refused, same},
        show::{inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{DType, Result, Tensor, Var};

/// `ablate_head`: the heads' outputs, a head, and what it puts out instead.
pub type Ablate = dyn Fn(&Tensor, usize, Option<&Tensor>) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    ablate_laws().proofs()
}

/// Checks a head switched off: `(batch, num_heads, seq, head_dim)` → the same shape.
pub fn ablate_head(
    answer: impl Fn(&Tensor, usize, Option<&Tensor>) -> Result<Tensor> + 'static,
) -> Verdict {
    ablate_laws().judge(&answer)
}

fn given(heads: &Tensor, head: usize, instead: Option<&Tensor>) -> String {
    let mut named = vec![("heads", heads)];
    named.extend(instead.map(|numbers| ("instead", numbers)));
    let none = if instead.is_none() { "\ninstead: None" } else { "" };
    let named = inputs(&named);
    remember(format!("{named}{none}\nhead: {head}"))
}

/// Number after number.
fn reference(heads: &Tensor, head: usize, instead: Option<&Tensor>) -> Result<Tensor> {
    let mut numbers = nested(heads)?;
    let instead = match instead {
        Some(numbers) => numbers.to_dtype(DType::F64)?.to_vec1::<f64>()?,
        None => vec![0.; heads.dim(3)?],
    };
    for token in numbers.iter_mut().flat_map(|entry| entry[head].iter_mut()) {
        token.clone_from(&instead);
    }
    let numbers: Vec<f64> = numbers.into_iter().flatten().flatten().flatten().collect();
    Tensor::from_vec(numbers, heads.shape(), heads.device())?.to_dtype(heads.dtype())
}

fn ablate_laws() -> Check<Ablate> {
    // Numbers are moved, and none is computed.
    let law = |f: &Ablate, heads: &Tensor, head: usize, instead: Option<&Tensor>| {
        let expected = reference(heads, head, instead)?;
        same(&given(heads, head, instead), f(heads, head, instead), &expected, exactly())
    };
    Check::new("inside_heads::ablate_head", wrong::inside_heads::ablate_head())
        .law(Implementation, "head 0 of three becomes zeros, the others stay", move |f| {
            law(f, &heads(&[[[1., 2.]], [[3., 4.]], [[5., 6.]]])?, 0, None)
        })
        .law(Implementation, "the last of three heads, with two tokens", move |f| {
            let x = heads(&[[[1., 2.], [3., 4.]], [[5., 6.], [7., 8.]], [[9., 1.], [2., 3.]]])?;
            law(f, &x, 2, None)
        })
        .law(Implementation, "given (7, 8), both tokens of the head become (7, 8)", move |f| {
            let x = heads(&[[[1., 2.], [3., 6.]], [[5., 6.], [9., 8.]]])?;
            law(f, &x, 0, Some(&row(&[7., 8.])?))
        })
        .law(Implementation, "given (7, 8), so do the tokens of every sequence", move |f| {
            let one = heads(&[[[0., 4.], [1., 5.]], [[1., 6.], [3., 2.]]])?;
            let two = heads(&[[[2., 3.], [3., 9.]], [[5., 1.], [4., 2.]]])?;
            law(f, &Tensor::cat(&[one, two], 0)?, 1, Some(&row(&[7., 8.])?))
        })
        .property(
            Implementation,
            "one head is replaced, the others stay, in any size",
            (1..4usize, 1..4usize, 1..5usize, 1..4usize, 0..3usize, 0..1000u64),
            move |f, (batch, heads, seq, head_dim, head, seed)| {
                let x = seeded::normal(seed, (batch, heads, seq, head_dim))?;
                law(f, &x, head % heads, None)?;
                law(f, &x, head % heads, Some(&seeded::normal(seed + 1, head_dim)?))
            },
        )
        .law(
            Gradients,
            "the gradient reaches the other heads as before, and none the one that is off",
            |f| {
                let x = Var::from_tensor(&seeded::normal(5, (1, 2, 2, 2))?)?;
                let out = f(&x, 0, None)?;
                let expected = heads(&[[[0., 0.], [0., 0.]], [[1., 1.], [1., 1.]]])?;
                let grads = out.sum_all()?.backward()?;
                let got = grads.get(&x).cloned().map_or_else(|| x.zeros_like(), Ok);
                same(&given(&x, 0, None), got, &expected, exactly())
            },
        )
        .law(Edges(why::NOT_FINITE), "numbers that are infinite or NaN become 0 as well", |f| {
            let x = heads(&[[[1., f32::INFINITY], [f32::NAN, 2.]], [[3., 4.], [5., 6.]]])?;
            let expected = heads(&[[[0., 0.], [0., 0.]], [[3., 4.], [5., 6.]]])?;
            same(&given(&x, 0, None), f(&x, 0, None), &expected, exactly())
        })
        .law(Edges(why::DOUBLE), "f64 in, f64 out", move |f| {
            let x = seeded::normal(3, (2, 2, 3, 2))?.to_dtype(DType::F64)?;
            law(f, &x, 1, None)?;
            law(f, &x, 1, Some(&seeded::normal(4, 2)?.to_dtype(DType::F64)?))
        })
        .law(Edges(why::EMPTY), "no tokens or no batch stay empty, with an `instead`, too", |f| {
            for shape in [&[2, 2, 0, 3][..], &[0, 2, 3, 3]] {
                let x = zeros(shape)?;
                let numbers = row(&[1., 2., 3.])?;
                for instead in [None, Some(&numbers)] {
                    same(&given(&x, 1, instead), f(&x, 1, instead), &x, exactly())?;
                }
            }
            Ok(())
        })
        .law(Edges(why::REFUSED), "a head that is not there is an error", |f| {
            let x = heads(&[[[1., 2.]], [[3., 4.]]])?;
            for head in [2, 3, usize::MAX] {
                let why = "two heads are number 0 and 1";
                refused(&given(&x, head, None), why, f(&x, head, None))?;
            }
            Ok(())
        })
        .law(
            Edges(why::REFUSED),
            "an `instead` without exactly head_dim numbers is an error",
            |f| {
                let x = heads(&[[[1., 2.]], [[3., 4.]]])?;
                for instead in [row(&[1.])?, row(&[1., 2., 3.])?, row(&[1., 2.])?.unsqueeze(0)?] {
                    let why = "a head puts out two numbers per token, and a single one would be stretched";
                    refused(&given(&x, 0, Some(&instead)), why, f(&x, 0, Some(&instead)))?;
                }
                Ok(())
            },
        )
}
