//! What unpadding and padding must hold.

use super::{ints, keep_of, packed, places, rows};
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Gradients, Implementation},
        Outcome,
        cases::matrix,
        compare::{exactly, refused, same, value},
        gradient::gradients_agree,
        show::{inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};
use proptest::collection::vec;

/// What `unpad` returns: tokens, indices and `cu_seqlens`; and `max_seqlen`.
pub type Parts = ([Tensor; 3], usize);
/// `unpad`: a padded batch and its mask to a packed one.
pub type Unpad = dyn Fn(&Tensor, &Tensor) -> Result<Parts>;
/// `pad`: tokens, their indices, batch and seq to a padded batch.
pub type Pad = dyn Fn(&Tensor, &Tensor, usize, usize) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    [unpad_laws().proofs(), pad_laws().proofs()].into_iter().flatten().collect()
}

/// Checks a padded batch without its padding: `(batch, seq, …)` and `(batch, seq)` → what turns into [`Parts`].
pub fn unpad<P: Into<Parts>>(answer: impl Fn(&Tensor, &Tensor) -> Result<P> + 'static) -> Verdict {
    let answer = move |x: &Tensor, keep: &Tensor| answer(x, keep).map(Into::into);
    unpad_laws().judge(&answer)
}

fn unpad_given(x: &Tensor, keep: &Tensor) -> String {
    inputs(&[("x", x), ("keep", keep)])
}

fn tokens_of(f: &Unpad, x: &Tensor, keep: &Tensor) -> Result<Tensor> {
    let ([tokens, _, _], _) = f(x, keep)?;
    Ok(tokens)
}

/// The law that all four parts are right.
fn unpad_law(f: &Unpad, x: &Tensor, keep: &Tensor) -> Outcome {
    let given = unpad_given(x, keep);
    let ([tokens, indices, cu_seqlens], max_seqlen) = value(&given, f(x, keep))?;
    let at = places(keep)?;
    let count = |row: Vec<u8>| row.iter().filter(|real| **real != 0).count();
    let lengths: Vec<usize> = keep.to_vec2()?.into_iter().map(count).collect();
    let part = |name: &str| format!("{given}\nlooked at: {name}");
    same(&part("tokens"), Ok(tokens), &packed(x, &at)?, exactly())?;
    same(&part("indices"), Ok(indices), &ints(&at)?, exactly())?;
    same(&part("cu_seqlens"), Ok(cu_seqlens), &super::ends(&lengths)?, exactly())?;
    let longest = lengths.into_iter().max().unwrap_or(0);
    match max_seqlen == longest {
        true => Ok(()),
        false => {
            let [expected, got] = [longest, max_seqlen].map(|length| length.to_string());
            Err(Breach::text(&part("max_seqlen"), &expected, &got))
        }
    }
}

/// Two sequences, of two tokens and of one; 99 is padding.
fn two_and_one() -> Result<[Tensor; 2]> {
    let x = matrix(&[[10., 11., 99.], [20., 99., 99.]])?.unsqueeze(2)?;
    Ok([x, rows(&[[1, 1, 0], [1, 0, 0]])?])
}

fn unpad_laws() -> Check<Unpad> {
    Check::new("varlen::unpad", wrong::varlen::unpad())
        .law(
            Implementation,
            "the tokens: those of the first sequence, then those of the second, no padding",
            |f| {
                let [x, keep] = two_and_one()?;
                let expected = matrix(&[[10.], [11.], [20.]])?;
                same(&unpad_given(&x, &keep), tokens_of(f, &x, &keep), &expected, exactly())
            },
        )
        .law(
            Implementation,
            "the indices: where each token stood, sequence · seq + position, so 0, 1 and 3",
            |f| {
                let [x, keep] = two_and_one()?;
                let given = unpad_given(&x, &keep);
                let ([_, indices, _], _) = value(&given, f(&x, &keep))?;
                same(&given, Ok(indices), &ints(&[0, 1, 3])?, exactly())
            },
        )
        .law(Implementation, "cu_seqlens: 0, 2, 3", |f| {
            let [x, keep] = two_and_one()?;
            let given = unpad_given(&x, &keep);
            let ([_, _, cu_seqlens], _) = value(&given, f(&x, &keep))?;
            same(&given, Ok(cu_seqlens), &ints(&[0, 2, 3])?, exactly())
        })
        .law(Implementation, "max_seqlen: the longest sequence has 2 tokens", |f| {
            let [x, keep] = two_and_one()?;
            let given = unpad_given(&x, &keep);
            let (_, max_seqlen) = value(&given, f(&x, &keep))?;
            match max_seqlen {
                2 => Ok(()),
                other => Err(Breach::text(&given, "2", &other.to_string())),
            }
        })
        .law(Implementation, "a shorter sequence may come first: the order is kept", |f| {
            let x = matrix(&[[10., 99.], [20., 21.]])?.unsqueeze(2)?;
            unpad_law(f, &x, &rows(&[[1, 0], [1, 1]])?)
        })
        .law(Implementation, "padding may be at the start or in the middle", |f| {
            let x = matrix(&[[99., 10., 11.], [20., 99., 21.]])?.unsqueeze(2)?;
            unpad_law(f, &x, &rows(&[[0, 1, 1], [1, 0, 1]])?)
        })
        .law(Implementation, "every number but 0 says that a token is real", |f| {
            let [x, _] = two_and_one()?;
            unpad_law(f, &x, &rows(&[[1, 255, 0], [2, 0, 0]])?)
        })
        .property(
            Implementation,
            "all four parts, for any lengths, with padding at the end, at the start or in the middle",
            (vec(0..5usize, 1..5), 0..3usize, 1..4usize, 0..1000u64),
            |f, (lengths, wider, hidden, seed)| {
                let seq = lengths.iter().max().map_or(1, |longest| longest + wider).max(1);
                let x = seeded::normal(seed, (lengths.len(), seq, hidden))?;
                unpad_law(f, &x, &keep_of(&lengths, seq, seed)?)
            },
        )
        .law(Gradients, "the gradient reaches the real tokens of x, and is 0 in the padding", |f| {
            let keep = rows(&[[0, 1], [1, 1], [0, 0]])?;
            gradients_agree(&[("x", &seeded::normal(7, (3, 2, 2))?)], |inputs| {
                tokens_of(f, &inputs[0], &keep)
            })
        })
        .law(
            Edges("token ids have no dimension of their own, heads have two: a model packs both with the same function."),
            "a token may be one number or several dimensions of them: (batch, seq, …)",
            |f| {
                let keep = rows(&[[1, 1, 0], [0, 1, 0]])?;
                let ids = Tensor::arange(0u32, 6, &Device::Cpu)?.reshape((2, 3))?;
                unpad_law(f, &ids, &keep)?;
                unpad_law(f, &seeded::normal(1, (2, 3, 2, 2))?, &keep)?;
                unpad_law(f, &seeded::normal(2, (2, 3, 2))?.to_dtype(DType::F64)?, &keep)
            },
        )
        .law(
            Edges(why::VIEW),
            "a view is read by its strides, not in memory order",
            |f| {
                let x = seeded::normal(3, (3, 2, 2))?.transpose(0, 1)?; // (2, 3, 2)
                let keep = rows(&[[1, 1], [1, 0], [0, 0]])?.t()?; // (2, 3)
                unpad_law(f, &x, &keep)
            },
        )
        .law(Edges(why::NOT_FINITE), "whatever is in the padding is dropped, NaN included", |f| {
            let x = matrix(&[[10., 11.], [20., f32::NAN]])?.unsqueeze(2)?;
            unpad_law(f, &x, &rows(&[[1, 1], [1, 0]])?)
        })
        .law(
            Edges(why::EMPTY),
            "all padding, no sequences, no positions: no tokens, but a cu_seqlens",
            |f| {
                unpad_law(f, &seeded::normal(4, (2, 3, 2))?, &rows(&[[0; 3]; 2])?)?;
                for (batch, seq) in [(0, 3), (2, 0)] {
                    let x = Tensor::zeros((batch, seq, 2), DType::F32, &Device::Cpu)?;
                    let keep = Tensor::zeros((batch, seq), DType::U8, &Device::Cpu)?;
                    unpad_law(f, &x, &keep)?;
                }
                Ok(())
            },
        )
        .law(Edges(why::COUNT), "a sequence of 300 tokens, more than a u8 can count", |f| {
            let ids = Tensor::arange(0u32, 2 * 300, &Device::Cpu)?.reshape((2, 300))?;
            unpad_law(f, &ids, &keep_of(&[300, 2], 300, 0)?)
        })
        .law(
            Edges(why::REFUSED),
            "a mask of another shape is an error, even if it has as many numbers",
            |f| {
                let x = seeded::normal(5, (2, 3, 2))?;
                for shape in [&[3, 2][..], &[2, 2], &[1, 3], &[6], &[2, 3, 1]] {
                    let keep = Tensor::ones(shape, DType::U8, &Device::Cpu)?;
                    refused(
                        &unpad_given(&x, &keep),
                        "keep is (batch, seq), as x is",
                        f(&x, &keep),
                    )?;
                }
                let (flat, keep) = (seeded::normal(6, 6)?, rows(&[[1; 3]; 2])?);
                refused(&unpad_given(&flat, &keep), "x begins with (batch, seq)", f(&flat, &keep))
            },
        )
}

/// Checks packed tokens put back in their places: `(total, …)` and `(total)` → `(batch, seq, …)`.
pub fn pad(answer: impl Fn(&Tensor, &Tensor, usize, usize) -> Result<Tensor> + 'static) -> Verdict {
    pad_laws().judge(&answer)
}

fn pad_given(tokens: &Tensor, indices: &Tensor, batch: usize, seq: usize) -> String {
    let named = inputs(&[("tokens", tokens), ("indices", indices)]);
    remember(format!("{named}\nbatch: {batch}\nseq: {seq}"))
}

fn pad_law(
    f: &Pad,
    tokens: &Tensor,
    indices: &[u32],
    (batch, seq): (usize, usize),
    expected: &Tensor,
) -> Outcome {
    let indices = ints(indices)?;
    let given = pad_given(tokens, &indices, batch, seq);
    same(&given, f(tokens, &indices, batch, seq), expected, exactly())
}

/// `x` `(batch, seq, …)` with zeros where `keep` is 0.
fn zeroed(x: &Tensor, keep: &Tensor) -> Result<Tensor> {
    let rest = vec![1; x.rank() - 2];
    let keep = keep.reshape([keep.dims(), &rest].concat())?.broadcast_as(x.shape())?;
    keep.where_cond(x, &x.zeros_like()?)
}

fn pad_laws() -> Check<Pad> {
    Check::new("varlen::pad", wrong::varlen::pad())
        .law(
            Implementation,
            "the tokens of two sequences in their places, a zero in the remaining place",
            |f| {
                let expected = matrix(&[[10., 11.], [20., 0.]])?.unsqueeze(2)?;
                pad_law(f, &matrix(&[[10.], [11.], [20.]])?, &[0, 1, 2], (2, 2), &expected)
            },
        )
        .law(
            Implementation,
            "indices count through the batch: with seq 3, index 3 begins row 1",
            |f| {
                let expected = matrix(&[[10., 11., 0.], [20., 0., 0.]])?.unsqueeze(2)?;
                pad_law(f, &matrix(&[[10.], [11.], [20.]])?, &[0, 1, 3], (2, 3), &expected)
            },
        )
        .law(Implementation, "padding may be at the start or in the middle", |f| {
            let expected = matrix(&[[0., 10., 11.], [20., 0., 21.]])?.unsqueeze(2)?;
            let tokens = matrix(&[[10.], [11.], [20.], [21.]])?;
            pad_law(f, &tokens, &[1, 2, 3, 5], (2, 3), &expected)
        })
        .law(
            Implementation,
            "each token goes where its index says, in whatever order they come",
            |f| {
                let expected = matrix(&[[0., 11., 12.]])?.unsqueeze(2)?;
                pad_law(f, &matrix(&[[12.], [11.]])?, &[2, 1], (1, 3), &expected)
            },
        )
        .property(
            Implementation,
            "unpadded and padded again, a batch is what it was, with zeros for its padding",
            (vec(0..5usize, 1..5), 1..4usize, 0..1000u64),
            |f, (lengths, hidden, seed)| {
                let seq = lengths.iter().fold(1, |max, &n| n.max(max));
                let x = seeded::normal(seed, (lengths.len(), seq, hidden))?;
                let keep = keep_of(&lengths, seq, seed)?;
                let at = places(&keep)?;
                let tokens = packed(&x, &at)?;
                pad_law(f, &tokens, &at, (lengths.len(), seq), &zeroed(&x, &keep)?)
            },
        )
        .property(
            Implementation,
            "padded and unpadded again, tokens are what they were",
            (vec(1..5usize, 1..5), 1..4usize, 0..1000u64),
            |f, (lengths, hidden, seed)| {
                let (batch, seq) = (lengths.len(), lengths.iter().fold(1, |max, &n| n.max(max)));
                let at = places(&keep_of(&lengths, seq, seed)?)?;
                let tokens = seeded::normal(seed, (at.len(), hidden))?;
                let indices = ints(&at)?;
                let given = pad_given(&tokens, &indices, batch, seq);
                let again = f(&tokens, &indices, batch, seq).and_then(|x| packed(&x, &at));
                same(
                    &format!("{given}\nlooked at: the places in `indices`"),
                    again,
                    &tokens,
                    exactly(),
                )
            },
        )
        .law(Implementation, "the result has the tokens' type: f64 stays f64", |f| {
            let expected = matrix(&[[10., 11.], [20., 0.]])?.unsqueeze(2)?.to_dtype(DType::F64)?;
            let tokens = matrix(&[[10.], [11.], [20.]])?.to_dtype(DType::F64)?;
            pad_law(f, &tokens, &[0, 1, 2], (2, 2), &expected)
        })
        .law(Gradients, "the gradient reaches the tokens and is right", |f| {
            let indices = ints(&[1, 2, 4])?;
            gradients_agree(&[("tokens", &seeded::normal(2, (3, 2))?)], |inputs| {
                f(&inputs[0], &indices, 2, 3)
            })
        })
        .law(
            Edges("ids, masks and activations of any type go back the same way; a token of heads has two dimensions."),
            "tokens of several dimensions, and whole numbers keep shape and type",
            |f| {
                let keep = rows(&[[1, 1, 0], [0, 1, 0]])?;
                let ids = Tensor::arange(1u32, 7, &Device::Cpu)?.reshape((2, 3))?;
                for x in [ids, seeded::normal(1, (2, 3, 2, 2))?.to_dtype(DType::F64)?] {
                    let at = places(&keep)?;
                    pad_law(f, &packed(&x, &at)?, &at, (2, 3), &zeroed(&x, &keep)?)?;
                }
                Ok(())
            },
        )
        .law(Edges(why::VIEW), "a view is read by its strides, not in memory order", |f| {
            let tokens = matrix(&[[1., 2., 3.], [4., 5., 6.]])?.t()?; // (3, 2)
            let expected = matrix(&[[1., 4.], [0., 0.], [2., 5.], [3., 6.]])?.reshape((2, 2, 2))?;
            pad_law(f, &tokens, &[0, 2, 3], (2, 2), &expected)
        })
        .law(Edges(why::EMPTY), "no tokens, no sequences, no positions: nothing but padding", |f| {
            let none = Tensor::zeros((0, 2), DType::F32, &Device::Cpu)?;
            for (batch, seq) in [(2, 3), (0, 3), (2, 0)] {
                let zeros = Tensor::zeros((batch, seq, 2), DType::F32, &Device::Cpu)?;
                pad_law(f, &none, &[], (batch, seq), &zeros)?;
            }
            Ok(())
        })
        .law(
            Edges("an index outside the batch, or one too few, is the sign of another batch's indices: unchecked, tokens go to strangers."),
            "too few indices, too many, or one outside the batch (u32::MAX too) are an error",
            |f| {
                let tokens = matrix(&[[10.], [11.]])?;
                for (indices, why) in [
                    (&[0][..], "there are two tokens, but one index"),
                    (&[0, 1, 2], "there are two tokens, but three indices"),
                    (&[0, 4], "2 · 2 places are numbered 0 to 3"),
                    (&[0, u32::MAX], "2 · 2 places are numbered 0 to 3; candle's own gather takes u32::MAX for 'none'"),
                ] {
                    let indices = ints(indices)?;
                    let given = pad_given(&tokens, &indices, 2, 2);
                    refused(&given, why, f(&tokens, &indices, 2, 2))?;
                }
                Ok(())
            },
        )
}
