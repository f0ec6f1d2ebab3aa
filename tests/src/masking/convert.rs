//! What conversions between the conventions must hold.

use super::{keep_where, mask, named, pytorch};
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Implementation, Masks},
        Outcome,
        cases::{matrix, row},
        compare::{exactly, refused, same},
        show::{self, inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};
use std::{fmt, str::FromStr};

/// What the numbers of a mask mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// 1 = may attend.
    OneAttends,
    /// 1 = hidden.
    OneHides,
    /// 0 = may attend, −∞ = hidden.
    Additive,
}

impl fmt::Display for Convention {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::OneAttends => "one-attends",
            Self::OneHides => "one-hides",
            Self::Additive => "additive",
        })
    }
}

/// `keep_to_additive`: a keep-mask and a type to an additive mask.
pub type ToAdditive = dyn Fn(&Tensor, DType) -> Result<Tensor>;
/// `additive_to_keep`: an additive mask to a keep-mask.
pub type ToKeep = dyn Fn(&Tensor) -> Result<Tensor>;
/// `to_keep` and `from_keep`: a mask and the convention that it has, or is to have.
pub type Convert = dyn Fn(&Tensor, Convention) -> Result<Tensor>;

const HIDDEN: f32 = f32::NEG_INFINITY;
/// Why −0 matters.
const MINUS_ZERO: &str = "a mask that was computed as a product holds −0 where 0 met a negative number; comparisons take it for 0, comparisons of bits don't.";

pub(super) fn zoo() -> Vec<Proof> {
    [
        to_additive_laws().proofs(),
        additive_laws().proofs(),
        to_keep_laws().proofs(),
        from_keep_laws().proofs(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The law that `answer` is an error; if it is not, what came is shown.
fn refuse(given: &str, why: &str, answer: Result<Tensor>) -> Outcome {
    let got = |mask: Tensor| Breach::text(given, &format!("an error: {why}"), &show::tensor(&mask));
    answer.map_or(Ok(()), |mask| Err(got(mask)))
}

/// A keep-mask of 2 × 3 and the additive mask (f32) that says the same, both from the bits of a number.
fn pair(bits: u8) -> Result<(Tensor, Tensor)> {
    let keep = keep_where(2, 3, |row, column| bits >> (3 * row + column) & 1 == 1)?;
    let values = (0..6).map(|bit| if bits >> bit & 1 == 1 { 0. } else { HIDDEN });
    Ok((keep, Tensor::from_vec(values.collect(), (2, 3), &Device::Cpu)?))
}

/// Checks `keep_to_additive`: u8, any shape, to 0 and −∞ of the wanted type.
pub fn keep_to_additive(answer: impl Fn(&Tensor, DType) -> Result<Tensor> + 'static) -> Verdict {
    to_additive_laws().judge(&answer)
}

fn to_additive_laws() -> Check<ToAdditive> {
    fn law(f: &ToAdditive, keep: &Tensor, dtype: DType, expected: &Tensor) -> Outcome {
        let given = remember(format!("{}\ndtype: {dtype:?}", inputs(&[("keep", keep)])));
        same(&given, f(keep, dtype), expected, exactly())
    }
    Check::new("masking::keep_to_additive", wrong::masking::keep_to_additive())
        .law(Masks, "1 becomes 0, which changes no score; 0 becomes −∞", |f| {
            law(f, &mask(&[[1, 0]])?, DType::F32, &matrix(&[[0., HIDDEN]])?)
        })
        .law(Masks, "the result has the type that is asked for: that of the scores", |f| {
            let (keep, additive) = pair(0b011_101)?;
            law(f, &keep, DType::F64, &additive.to_dtype(DType::F64)?)
        })
        .property(Masks, "every mask keeps its shape and its meaning", 0..64u8, |f, bits| {
            let (keep, additive) = pair(bits)?;
            let shape = (2, 1, 1, 3);
            law(f, &keep.reshape(shape)?, DType::F32, &additive.reshape(shape)?)
        })
        .law(Edges(why::HALF), "f16 and bf16 have 0 and −∞ too", |f| {
            let (keep, additive) = pair(0b011_101)?;
            [DType::F16, DType::BF16]
                .into_iter()
                .try_for_each(|dtype| law(f, &keep, dtype, &additive.to_dtype(dtype)?))
        })
        .law(Edges(why::VIEW), "a broadcast mask is converted as its copy is", |f| {
            let wide = mask(&[[1, 0]])?.broadcast_as((2, 2))?;
            law(f, &wide, DType::F32, &matrix(&[[0., HIDDEN], [0., HIDDEN]])?)
        })
        .law(Edges(why::EMPTY), "a mask of no keys stays empty", |f| {
            let empty = Tensor::zeros((2, 0), DType::U8, &Device::Cpu)?;
            law(f, &empty, DType::F32, &Tensor::zeros((2, 0), DType::F32, &Device::Cpu)?)
        })
        .law(
            Edges(why::REFUSED),
            "a mask that is not u8, and a type that has no −∞, are an error",
            |f| {
                let additive = row(&[0., HIDDEN])?;
                refused(
                    &inputs(&[("keep", &additive)]),
                    "this is not a keep-mask (u8)",
                    f(&additive, DType::F32),
                )?;
                let keep = mask(&[[1, 0]])?;
                let given = remember(format!("{}\ndtype: U32", inputs(&[("keep", &keep)])));
                refused(&given, "u32 has no −∞", f(&keep, DType::U32))
            },
        )
}

/// Checks `additive_to_keep`: 0 to 1, −1000 and less to 0, anything else an error.
pub fn additive_to_keep(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    additive_laws().judge(&answer)
}

fn additive_laws() -> Check<ToKeep> {
    fn law(f: &ToKeep, additive: &Tensor, expected: &Tensor) -> Outcome {
        same(&inputs(&[("additive", additive)]), f(additive), expected, exactly())
    }
    fn refuse_mask(f: &ToKeep, mask: &Tensor, why: &str) -> Outcome {
        refuse(&inputs(&[("additive", mask)]), why, f(mask))
    }
    Check::new("masking::additive_to_keep", wrong::masking::additive_to_keep())
        .law(Masks, "0 lets through, −∞ hides", |f| {
            law(f, &matrix(&[[0., HIDDEN]])?, &mask(&[[1, 0]])?)
        })
        .law(Masks, "large negative numbers hide as well: −1e4, −1e9, the lowest f32", |f| {
            law(f, &matrix(&[[0., -1e4], [-1e9, f32::MIN]])?, &mask(&[[1, 0], [0, 0]])?)
        })
        .law(
            Masks,
            "a bias is an error: −0.5, and every other number between −1000 and 0, neither lets through nor hides",
            |f| {
                [-0.5f32, -2., -100., -999., -1e-6].into_iter().try_for_each(|bias| {
                    let why = format!("{bias} does not fit into a keep-mask");
                    refuse_mask(f, &row(&[0., bias, HIDDEN])?, &why)
                })
            },
        )
        .property(Masks, "every mask keeps its shape and its meaning", 0..64u8, |f, bits| {
            let (keep, additive) = pair(bits)?;
            law(f, &additive, &keep)
        })
        .law(Edges(why::LIMIT), "−1000 itself hides: `HIDES` or less", |f| {
            law(f, &matrix(&[[0., -1000.]])?, &mask(&[[1, 0]])?)
        })
        .law(Edges(why::HALF), "f16, bf16 and f64 masks are read as f32 masks are", |f| {
            let (keep, additive) = pair(0b011_101)?;
            let low = matrix(&[[0., -1000., -1e4]])?;
            [DType::F16, DType::BF16, DType::F64].into_iter().try_for_each(|dtype| {
                law(f, &additive.to_dtype(dtype)?, &keep)?;
                law(f, &low.to_dtype(dtype)?, &mask(&[[1, 0, 0]])?)
            })
        })
        .law(Edges(MINUS_ZERO), "−0 is 0: it lets through", |f| {
            law(f, &matrix(&[[-0., 0.]])?, &mask(&[[1, 1]])?)
        })
        .law(Edges(why::EMPTY), "a mask of no keys stays empty", |f| {
            let empty = Tensor::zeros((2, 0), DType::F32, &Device::Cpu)?;
            law(f, &empty, &Tensor::zeros((2, 0), DType::U8, &Device::Cpu)?)
        })
        .law(Edges(why::REFUSED), "numbers above 0 are an error", |f| {
            [1., f32::INFINITY].into_iter().try_for_each(|odd| {
                refuse_mask(f, &row(&[0., odd])?, "this is not an additive mask")
            })
        })
        .law(Edges(why::NOT_FINITE), "NaN is an error: it neither lets through nor hides", |f| {
            refuse_mask(f, &row(&[0., f32::NAN])?, "NaN means nothing in a mask")
        })
        .law(Edges(why::REFUSED), "a keep-mask (u8) is an error: it is not an additive mask", |f| {
            let keep = mask(&[[0, 0]])?;
            refuse_mask(f, &keep, "expected a float type")
        })
}

/// Checks `to_keep`: any convention to u8, 1 = may attend. `C` is the chapter's own `Convention`.
pub fn to_keep<C: FromStr<Err: fmt::Display>>(
    answer: impl Fn(&Tensor, C) -> Result<Tensor> + 'static,
) -> Verdict {
    to_keep_laws()
        .judge(&move |mask: &Tensor, convention: Convention| answer(mask, named(convention)?))
}

fn given(name: &str, mask: &Tensor, convention: Convention) -> String {
    remember(format!("{}\nconvention: {convention}", inputs(&[(name, mask)])))
}

fn to_keep_laws() -> Check<Convert> {
    use Convention::{Additive, OneAttends, OneHides};
    fn law(f: &Convert, mask: &Tensor, convention: Convention, expected: &Tensor) -> Outcome {
        same(&given("mask", mask, convention), f(mask, convention), expected, exactly())
    }
    fn any_type(f: &Convert, dtypes: &[DType]) -> Outcome {
        let (triangle, inverted) = (mask(&[[1, 0], [1, 1]])?, mask(&[[0, 1], [0, 0]])?);
        dtypes.iter().try_for_each(|&dtype| {
            law(f, &triangle.to_dtype(dtype)?, OneAttends, &triangle)?;
            law(f, &triangle.to_dtype(dtype)?, OneHides, &inverted)
        })
    }
    Check::new("masking::to_keep", wrong::masking::to_keep())
        .law(Masks, "one-attends is a keep-mask already", |f| {
            law(f, &mask(&[[1, 0]])?, OneAttends, &mask(&[[1, 0]])?)
        })
        .law(Masks, "one-hides is inverted", |f| {
            law(f, &mask(&[[1, 0]])?, OneHides, &mask(&[[0, 1]])?)
        })
        .law(Masks, "additive: 0 lets through, −∞ and large negative numbers hide", |f| {
            law(f, &matrix(&[[0., HIDDEN, -1e9]])?, Additive, &mask(&[[1, 0, 0]])?)
        })
        .law(Masks, "0 and 1 may come as floats or integers, the result is u8", |f| {
            any_type(f, &[DType::F32, DType::I64, DType::U32])
        })
        .law(
            Implementation,
            "1 is where PyTorch's attention has a weight: MultiheadAttention's `key_padding_mask` is one-hides, \
             scaled_dot_product_attention's boolean mask one-attends",
            |f| {
                let fixtures = pytorch()?;
                for (mask, weights, convention) in
                    [("padding.hide", "padding.weights", OneHides), ("bool.mask", "bool.weights", OneAttends)]
                {
                    let (mask, weights) = (fixtures.get(mask)?, fixtures.get(weights)?);
                    let dims: &[usize] = if mask.rank() == 2 { &[2, 1, 4] } else { mask.dims() };
                    let has_weight = weights.narrow(1, 0, 1)?.gt(0.)?.reshape(dims)?; // any query, any head
                    law(f, &mask.reshape(dims)?, convention, &has_weight)?;
                }
                Ok(())
            },
        )
        .law(Edges(why::HALF), "0 and 1 may come as f16, bf16 or f64 too", |f| {
            any_type(f, &[DType::F16, DType::BF16, DType::F64])
        })
        .law(Edges(MINUS_ZERO), "−0 is 0 in every convention", |f| {
            let signed = matrix(&[[-0., 1.]])?;
            law(f, &signed, OneAttends, &mask(&[[0, 1]])?)?;
            law(f, &signed, OneHides, &mask(&[[1, 0]])?)?;
            law(f, &matrix(&[[-0., HIDDEN]])?, Additive, &mask(&[[1, 0]])?)
        })
        .law(
            Edges(why::REFUSED),
            "a number that means nothing in the convention is an error: it is the wrong convention",
            |f| {
                let additive = matrix(&[[0., HIDDEN]])?;
                let (zero_one, two) = (matrix(&[[0., 1.]])?, mask(&[[0, 2]])?);
                let (half, bias) = (matrix(&[[1., 0.5]])?, matrix(&[[0., -0.5]])?);
                let wide = Tensor::new(&[[0i64, 256]], &Device::Cpu)?; // 0 in u8
                let cases = [
                    (&additive, OneAttends),
                    (&additive, OneHides),
                    (&zero_one, Additive),
                    (&two, OneAttends),
                    (&two, OneHides),
                    (&half, OneAttends),
                    (&half, OneHides),
                    (&bias, Additive),
                    (&wide, OneAttends),
                ];
                cases.into_iter().try_for_each(|(mask, convention)| {
                    let why = "these numbers belong to another convention";
                    refuse(&given("mask", mask, convention), why, f(mask, convention))
                })
            },
        )
        .law(Edges(why::NOT_FINITE), "NaN is an error in every convention", |f| {
            let (one, zero) = (matrix(&[[1., f32::NAN]])?, matrix(&[[0., f32::NAN]])?);
            [(&one, OneAttends), (&one, OneHides), (&zero, Additive)].into_iter().try_for_each(
                |(mask, convention)| {
                    let why = "NaN means nothing in a mask";
                    refuse(&given("mask", mask, convention), why, f(mask, convention))
                },
            )
        })
        .law(Edges(why::EMPTY), "a mask of no keys stays empty", |f| {
            let empty = Tensor::zeros((2, 0), DType::U8, &Device::Cpu)?;
            law(f, &empty, OneHides, &empty)
        })
}

/// Checks `from_keep`: u8, 1 = may attend, to any convention. `C` is the chapter's own `Convention`.
pub fn from_keep<C: FromStr<Err: fmt::Display>>(
    answer: impl Fn(&Tensor, C) -> Result<Tensor> + 'static,
) -> Verdict {
    from_keep_laws()
        .judge(&move |keep: &Tensor, convention: Convention| answer(keep, named(convention)?))
}

fn from_keep_laws() -> Check<Convert> {
    use Convention::{Additive, OneAttends, OneHides};
    fn law(f: &Convert, keep: &Tensor, convention: Convention, expected: &Tensor) -> Outcome {
        same(&given("keep", keep, convention), f(keep, convention), expected, exactly())
    }
    Check::new("masking::from_keep", wrong::masking::from_keep())
        .law(Masks, "one-attends is the keep-mask itself", |f| {
            law(f, &mask(&[[1, 0]])?, OneAttends, &mask(&[[1, 0]])?)
        })
        .law(Masks, "one-hides has 1 where the keep-mask has 0", |f| {
            law(f, &mask(&[[1, 0]])?, OneHides, &mask(&[[0, 1]])?)
        })
        .law(Masks, "additive has 0 for 1 and −∞ for 0, in f32", |f| {
            law(f, &mask(&[[1, 0]])?, Additive, &matrix(&[[0., HIDDEN]])?)
        })
        .property(Masks, "every mask keeps its shape and its meaning", 0..64u8, |f, bits| {
            let (keep, additive) = pair(bits)?;
            law(f, &keep, OneHides, &pair(!bits & 63)?.0)?;
            law(f, &keep, Additive, &additive)
        })
        .law(Edges(why::REFUSED), "a mask that is not u8 is an error in all three", |f| {
            let additive = row(&[0., HIDDEN])?;
            [OneAttends, OneHides, Additive].into_iter().try_for_each(|convention| {
                let why = "this is not a keep-mask (u8)";
                refused(&given("keep", &additive, convention), why, f(&additive, convention))
            })
        })
        .law(Edges(why::EMPTY), "a mask of no keys stays empty", |f| {
            let empty = Tensor::zeros((2, 0), DType::U8, &Device::Cpu)?;
            law(f, &empty, OneHides, &empty)?;
            law(f, &empty, Additive, &empty.to_dtype(DType::F32)?)
        })
}
