//! What types, tolerances and the choice of a kernel must hold.

use super::card::{flash_attn, halves, on_card, reference};
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Gpu, Implementation},
        Outcome,
        cases::{matrix, row},
        compare::{refused, value},
        show::{inputs, remember, tensor},
        why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};
use proptest::collection::vec;

/// `half_dtype`.
pub type HalfDtype = dyn Fn(&[&Tensor]) -> Result<DType>;
/// `as_accurate`.
pub type AsAccurate = dyn Fn(&Tensor, &Tensor, &Tensor) -> Result<bool>;
/// `pick_kernel`.
pub type PickKernel = dyn Fn(Option<(usize, usize)>, DType, usize, bool) -> &'static str;

pub(super) fn zoo() -> Vec<Proof> {
    [half_dtype_laws().proofs(), as_accurate_laws().proofs(), pick_kernel_laws().proofs()]
        .into_iter()
        .flatten()
        .collect()
}

/// Checks the choice of a half-precision type.
pub fn half_dtype(answer: impl Fn(&[&Tensor]) -> Result<DType> + 'static) -> Verdict {
    half_dtype_laws().judge(&answer)
}

fn half_given(tensors: &[&Tensor]) -> String {
    let listed: Vec<String> = tensors.iter().map(|x| tensor(x)).collect();
    remember(if listed.is_empty() { "no tensors".to_owned() } else { listed.join("\n") })
}

fn half_law(f: &HalfDtype, tensors: &[&Tensor], expected: DType) -> Outcome {
    let given = half_given(tensors);
    let got = value(&given, f(tensors))?;
    match got == expected {
        true => Ok(()),
        false => Err(Breach::text(&given, expected.as_str(), got.as_str())),
    }
}

/// The law for one row of f32.
fn half_of(f: &HalfDtype, numbers: &[f32], expected: DType) -> Outcome {
    half_law(f, &[&row(numbers)?], expected)
}

fn half_dtype_laws() -> Check<HalfDtype> {
    use DType::{BF16, F16, F32, F64};
    Check::new("gpu::half_dtype", wrong::gpu::half_dtype())
        .law(Implementation, "numbers of an ordinary size go into f16, which has more digits", |f| {
            half_of(f, &[0.5, -2.], F16)
        })
        .law(Implementation, "70,000 does not fit into f16, so it is bf16", |f| {
            half_of(f, &[0.5, 70_000.], BF16)
        })
        .law(Implementation, "−70,000 doesn't fit either: it is the size that counts", |f| {
            half_of(f, &[0.5, -70_000.], BF16)
        })
        .law(
            Implementation,
            "all tensors get the same type: one number that is too large, in any of them, decides",
            |f| {
                let (small, large) = (row(&[1., 2.])?, row(&[1., 70_000.])?);
                half_law(f, &[&large, &small, &small], BF16)?;
                half_law(f, &[&small, &large, &small], BF16)?;
                half_law(f, &[&small, &small, &large], BF16)
            },
        )
        .law(Implementation, "65,504 still fits, on both sides of 0; 65,536 does not", |f| {
            half_of(f, &[65_504., -65_504.], F16)?;
            half_of(f, &[65_536.], BF16)?;
            half_of(f, &[-65_536.], BF16)
        })
        .law(Implementation, "65,504 is the largest that fits: 65,505 is larger", |f| {
            half_of(f, &[65_505.], BF16)?;
            half_of(f, &[-65_505.], BF16)
        })
        .law(Implementation, "numbers are judged one by one, not by their sum or mean: only the largest counts", |f| {
            half_of(f, &[40_000., 40_000., -40_000.], F16)?;
            half_of(f, &[70_000., 0., 0., 0.], BF16)
        })
        .law(Implementation, "what is all f16 stays f16, what is all bf16 stays bf16", |f| {
            for dtype in [F16, BF16] {
                let x = row(&[1., 2.])?.to_dtype(dtype)?;
                half_law(f, &[&x, &x, &x], dtype)?;
            }
            let large = row(&[1e6])?.to_dtype(BF16)?;
            half_law(f, &[&large], BF16)
        })
        .law(
            Implementation,
            "a mixture of types goes by its numbers: f16 when all fit, whatever types they came in",
            |f| {
                let half = row(&[1., 2.])?.to_dtype(F16)?;
                let brain = row(&[1., 2.])?.to_dtype(BF16)?;
                let (small, large) = (row(&[3.])?, row(&[1e6])?);
                half_law(f, &[&half, &brain], F16)?;
                half_law(f, &[&brain, &half], F16)?;
                half_law(f, &[&brain, &small], F16)?;
                half_law(f, &[&half, &large], BF16)?;
                half_law(f, &[&half, &large.to_dtype(BF16)?], BF16)
            },
        )
        .property(
            Implementation,
            "f16 exactly when no number is larger than 65,504",
            vec(vec(-80_000f32..80_000., 1..4), 1..4),
            |f, tensors| {
                let fits = tensors.iter().flatten().all(|x| x.abs() <= 65_504.);
                let tensors = tensors.iter().map(|x| row(x)).collect::<Result<Vec<_>>>()?;
                let tensors: Vec<&Tensor> = tensors.iter().collect();
                half_law(f, &tensors, if fits { F16 } else { BF16 })
            },
        )
        .law(Edges("an infinity is the largest number there is: it comes from an overflow, and f16 would overflow first."), "infinities do not fit", |f| {
            half_of(f, &[1., f32::INFINITY], BF16)?;
            half_of(f, &[f32::NEG_INFINITY], BF16)
        })
        .law(Edges("weights that were computed in f64 go to the same kernel."), "f64 is checked like f32, and any shape is: 10³⁹ is too large", |f| {
            let wide = matrix(&[[1., -2.], [3., 4.]])?.to_dtype(F64)?;
            half_law(f, &[&wide], F16)?;
            half_law(f, &[&(&wide * 1e39)?], BF16)?;
            half_law(f, &[&wide, &matrix(&[[1e5f32]])?], BF16)
        })
        .law(Edges("a NaN is there because something went wrong: it must not hide the large number beside it, nor choose the type."), "NaN is NaN in both: it decides nothing, and hides nothing", |f| {
            half_of(f, &[f32::NAN, 1.], F16)?;
            half_of(f, &[f32::NAN, 70_000.], BF16)?;
            half_of(f, &[70_000., f32::NAN], BF16)
        })
        .law(Edges(why::EMPTY), "where there is no number, all fit: an empty tensor, or no tensor", |f| {
            let empty = Tensor::zeros((0, 8), F32, &Device::Cpu)?;
            half_law(f, &[&empty], F16)?;
            half_law(f, &[&empty, &row(&[70_000.])?], BF16)?;
            half_law(f, &[], F16)
        })
        .law(Edges("token ids in a half type lose their last digits silently: 2,049 becomes 2,048."), "a type that is not a float is an error, wherever it stands", |f| {
            let (small, large) = (row(&[1.])?, row(&[70_000.])?);
            for dtype in [DType::U8, DType::U32, DType::I64] {
                let ids = small.to_dtype(dtype)?;
                for tensors in [&[&ids][..], &[&ids, &small], &[&small, &ids], &[&large, &ids]] {
                    refused(&half_given(tensors), "floats are expected", f(tensors))?;
                }
            }
            Ok(())
        })
}

/// Checks whether a result is as good as its type allows.
pub fn as_accurate(
    answer: impl Fn(&Tensor, &Tensor, &Tensor) -> Result<bool> + 'static,
) -> Verdict {
    as_accurate_laws().judge(&answer)
}

fn accurate_given(out: &Tensor, naive: &Tensor, reference: &Tensor) -> String {
    inputs(&[("out", out), ("naive", naive), ("reference", reference)])
}

fn accurate_law(f: &AsAccurate, tensors: [&Tensor; 3], expected: bool) -> Outcome {
    let [out, naive, reference] = tensors;
    let given = accurate_given(out, naive, reference);
    match value(&given, f(out, naive, reference))? {
        got if got == expected => Ok(()),
        got => Err(Breach::text(&given, &expected.to_string(), &got.to_string())),
    }
}

/// The law for a row each, `out` and `naive` in f32.
fn accurate<const N: usize>(
    f: &AsAccurate,
    out: [f32; N],
    naive: [f32; N],
    reference: [f64; N],
    expected: bool,
) -> Outcome {
    let reference = Tensor::new(&reference, &Device::Cpu)?;
    accurate_law(f, [&row(&out)?, &row(&naive)?, &reference], expected)
}

/// The law for out, naive and reference that lie a little above 1, in f64.
fn near_one(f: &AsAccurate, above: [f64; 3], expected: bool) -> Outcome {
    let [out, naive, reference] = above;
    let given = remember(format!(
        "out: 1 + {out:e}\nnaive: 1 + {naive:e}\nreference: 1 + {reference:e}\n(all f64)"
    ));
    let x = |above: f64| Tensor::new(&[1. + above], &Device::Cpu);
    match value(&given, f(&x(out)?, &x(naive)?, &x(reference)?))? {
        got if got == expected => Ok(()),
        got => Err(Breach::text(&given, &expected.to_string(), &got.to_string())),
    }
}

fn as_accurate_laws() -> Check<AsAccurate> {
    const NAN: f32 = f32::NAN;
    Check::new("gpu::as_accurate", wrong::gpu::as_accurate())
        .law(Implementation, "off by 1 where naive attention is off by 1: that is as good", |f| {
            accurate(f, [1.], [1.], [0.], true)
        })
        .law(Implementation, "off by twice as much is still good; by 2.5 times as much it is not", |f| {
            accurate(f, [2.], [1.], [0.], true)?;
            accurate(f, [2.5], [1.], [0.], false)
        })
        .law(Implementation, "both exact is good; when only naive is exact, it is not", |f| {
            accurate(f, [3., 4.], [3., 4.], [3., 4.], true)?;
            accurate(f, [3., 4.], [3.5, 4.], [3., 4.], true)?;
            accurate(f, [3.5, 4.], [3., 4.], [3., 4.], false)
        })
        .law(Implementation, "errors count by their size: −3 is worse than −1", |f| {
            accurate(f, [-3.], [1.], [0.], false)?;
            accurate(f, [2.], [-1.], [0.], true)
        })
        .law(Implementation, "errors are those from the reference, not those between out and naive", |f| {
            accurate(f, [8.], [11.], [10.], true)?;
            accurate(f, [13.], [11.], [10.], false)
        })
        .law(
            Implementation,
            "the largest error counts, wherever it is: neither the mean, nor the sum, nor place by place",
            |f| {
                accurate(f, [3., 0., 0., 0.], [1., 1., 1., 1.], [0.; 4], false)?;
                accurate(f, [2., 2., 2., 2.], [0., 0., 1., 0.], [0.; 4], true)?;
                accurate(f, [0., 0., 0., 3.], [1., 0., 0., 0.], [0.; 4], false)
            },
        )
        .law(Implementation, "errors are absolute, not relative to the reference's numbers", |f| {
            accurate(f, [100., 2.5], [101., 1.], [100., 1.], true)?;
            accurate(f, [103., 1.], [100., 2.], [100., 1.], false)
        })
        .law(Implementation, "no fixed number is added: small errors are compared like large ones", |f| {
            accurate(f, [3e-12], [1e-12], [0.], false)?;
accurate(f, [3e-6], [1e-6], [0.], false)?;
            accurate(f, [150.], [100.], [0.], true)
        })
        .property(
            Implementation,
            "good exactly when the largest error of out is at most twice that of naive",
            (vec((-4i8..5, -2i8..3, -3i8..4), 1..7), 0..2usize),
            |f, (numbers, rank)| {
                let error = |of: fn(&(i8, i8, i8)) -> i8| {
                    numbers.iter().map(|n| of(n).unsigned_abs()).fold(0, u8::max)
                };
                // Whole numbers: no rounding decides.
                let column = |of: fn(&(i8, i8, i8)) -> i8| -> Result<Tensor> {
                    let numbers = numbers.iter().map(|n| f32::from(n.2 + of(n)));
                    let x = Tensor::from_iter(numbers, &Device::Cpu)?;
                    if rank == 0 { Ok(x) } else { x.reshape((1, (), 1)) }
                };
                let good = error(|n| n.0) <= 2 * error(|n| n.1);
                let reference = column(|_| 0)?.to_dtype(DType::F64)?;
                accurate_law(f, [&column(|n| n.0)?, &column(|n| n.1)?, &reference], good)
            },
        )
        .law(Implementation, "errors are measured in f64: f16 and f32 would round them away", |f| {
            let half = |x: f32| row(&[x])?.to_dtype(DType::F16);
            let wide = |x: f64| Tensor::new(&[x], &Device::Cpu);
            // 1 and its neighbour in f16, 0.00098 above it: between them lies the reference.
            accurate_law(f, [&half(1.0009766)?, &half(1.)?, &wide(1.0004)?], true)?;
            accurate_law(f, [&half(1.0009766)?, &half(1.)?, &wide(1.0003)?], false)?;
            near_one(f, [5e-12, 1e-12, 0.], false)
        })
        .law(
            Implementation,
            "the reference keeps its f64 digits: out, naive and reference 1.9, 1.1 and 1.0 · 10⁻⁹ above 1 mean 9 times the naive error",
            |f| near_one(f, [1.9e-9, 1.1e-9, 1e-9], false),
        )
        .law(Implementation, "a NaN in out is not good, whatever is beside it", |f| {
            accurate(f, [NAN, 3.], [1., 1.], [0.; 2], false)?;
            accurate(f, [NAN, 1.], [1., 1.], [0.; 2], false)?;
            accurate(f, [1., NAN], [1., 1.], [0.; 2], false)
        })
        .law(Implementation, "a NaN in naive is not good: then there is no measure", |f| {
            accurate(f, [1., 1.], [NAN, 1.], [0.; 2], false)?;
            accurate(f, [1., 1.], [1., NAN], [0.; 2], false)
        })
        .law(Implementation, "a NaN in both is not good, nor is one in the reference", |f| {
            accurate(f, [NAN, 1.], [NAN, 1.], [0.; 2], false)?;
            accurate(f, [1., 1.], [1., 1.], [f64::NAN, 0.], false)?;
            accurate(f, [NAN, 1.], [NAN, 1.], [f64::NAN, 0.], false)
        })
        .law(Edges(why::NOT_FINITE), "an infinity where the reference has a number is not good", |f| {
            accurate(f, [f32::INFINITY, 1.], [1., 1.], [0.; 2], false)
        })
        .law(Edges(why::REFUSED), "shapes that differ are an error, also those that broadcast", |f| {
            let (wide, row_of, one) = (seeded::normal(1, (2, 3))?, seeded::normal(2, 3)?, row(&[1.])?);
            for [out, naive, reference] in [
                [&wide, &wide, &row_of],
                [&row_of, &wide, &wide],
                [&wide, &row_of, &wide],
                [&row_of, &row_of, &one],
                [&one, &row_of, &row_of],
                [&wide, &wide, &wide.t()?],
            ] {
                let reference = &reference.to_dtype(DType::F64)?;
                let given = accurate_given(out, naive, reference);
                refused(&given, "out, naive and reference have one shape", f(out, naive, reference))?;
            }
            Ok(())
        })
        .law(Edges(why::EMPTY), "where there is nothing to compare, nothing is wrong", |f| {
            for shape in [&[0][..], &[0, 3], &[2, 0]] {
                let x = Tensor::zeros(shape, DType::F32, &Device::Cpu)?;
                accurate_law(f, [&x, &x, &x.to_dtype(DType::F64)?], true)?;
            }
            Ok(())
        })
        .law(Gpu, "candle-flash-attn is as accurate as candle's operations in f16", |f| {
            on_card(|card| {
                let shape = [2, 4, 64, 32]; // (batch, heads, seq, head_dim)
                let [q, k, v] = [halves(1, &shape)?, halves(2, &shape)?, halves(3, &shape)?];
                let scale = 1. / 32f64.sqrt();
                let there = |x: &Tensor| x.to_device(card);
                let (a, b, c) = (there(&q)?, there(&k)?, there(&v)?);
                let scores = (a.matmul(&b.t()?.contiguous()?)? * scale)?.to_dtype(DType::F32)?;
                let weights = candle_nn::ops::softmax_last_dim(&scores)?.to_dtype(DType::F16)?;
                let naive = weights.matmul(&c)?.to_device(&Device::Cpu)?;
                let swap = |x: &Tensor| x.transpose(1, 2);
                let out = flash_attn(&swap(&a)?, &swap(&b)?, &swap(&c)?, scale as f32, false)?;
                let out = swap(&out)?.to_device(&Device::Cpu)?;
                accurate_law(f, [&out, &naive, &reference([&q, &k, &v], scale, false)?], true)
            })
        })
}

/// Checks which attention is taken.
pub fn pick_kernel<K: Into<&'static str>>(
    answer: impl Fn(Option<(usize, usize)>, DType, usize, bool) -> K + 'static,
) -> Verdict {
    let named = move |capability: Option<(usize, usize)>,
                      dtype: DType,
                      head_dim: usize,
                      needs_gradient: bool|
          -> &'static str {
        answer(capability, dtype, head_dim, needs_gradient).into()
    };
    pick_kernel_laws().judge(&named)
}

/// A card as the course's kernels want it at least.
const AMPERE: Option<(usize, usize)> = Some((8, 0));

fn pick_law(
    f: &PickKernel,
    (capability, dtype, head_dim, needs_gradient): (Option<(usize, usize)>, DType, usize, bool),
    expected: &str,
) -> Outcome {
    let card = match capability {
        Some((major, minor)) => format!("Some(({major}, {minor}))"),
        None => "None, there is no card".to_owned(),
    };
    let dtype_name = dtype.as_str();
    let given = remember(format!(
        "capability: {card}\ndtype: {dtype_name}\nhead_dim: {head_dim}\nneeds_gradient: {needs_gradient}"
    ));
    match f(capability, dtype, head_dim, needs_gradient) {
        got if got == expected => Ok(()),
        got => Err(Breach::text(&given, expected, got)),
    }
}

fn pick_kernel_laws() -> Check<PickKernel> {
    use DType::{BF16, F16, F32, F64};
    Check::new("gpu::pick_kernel", wrong::gpu::pick_kernel())
        .law(
            Implementation,
            "f16, 64 numbers per head, no gradient, a card of capability 8.0: flash",
            |f| pick_law(f, (AMPERE, F16, 64, false), "flash"),
        )
        .law(Implementation, "bf16 is as good as f16", |f| {
            pick_law(f, (AMPERE, BF16, 64, false), "flash")
        })
        .law(Implementation, "no card: the CPU's, for f32", |f| {
            pick_law(f, (None, F32, 64, false), "cpu")
        })
        .law(
            Implementation,
            "no card: the CPU's, for f16 and bf16, with a gradient, for any head dim",
            |f| {
                for dtype in [F16, BF16, F32, F64] {
                    for (head_dim, gradient) in [(64, false), (64, true), (7, false), (513, false)]
                    {
                        pick_law(f, (None, dtype, head_dim, gradient), "cpu")?;
                    }
                }
                Ok(())
            },
        )
        .law(
            Implementation,
            "the flash kernel does not take f32 or f64: the naive one, on the card",
            |f| {
                pick_law(f, (AMPERE, F64, 64, false), "naive")?;
                pick_law(f, (AMPERE, F32, 64, false), "naive")
            },
        )
        .law(Implementation, "a card older than 8.0: the naive one, on the card", |f| {
            for old in [(7, 0), (6, 1), (7, 5)] {
                pick_law(f, (Some(old), F16, 64, false), "naive")?;
            }
            Ok(())
        })
        .law(Implementation, "a newer generation of cards, 9.0, 10.0, 12.0: flash", |f| {
            for new in [(9, 0), (10, 0), (12, 0)] {
                pick_law(f, (Some(new), F16, 64, false), "flash")?;
            }
            Ok(())
        })
        .law(Implementation, "a newer card of the same generation, 8.6 or 8.9: flash", |f| {
            pick_law(f, (Some((8, 6)), F16, 64, false), "flash")?;
            pick_law(f, (Some((8, 9)), F16, 64, false), "flash")
        })
        .law(
            Implementation,
            "a gradient is needed, and the flash kernel has none: the naive one",
            |f| {
                pick_law(f, (AMPERE, F16, 64, true), "naive")?;
                pick_law(f, (AMPERE, BF16, 64, true), "naive")
            },
        )
        .law(
            Implementation,
            "up to 512 numbers per head: flash, also when they must be padded first",
            |f| {
                for head_dim in [1, 7, 8, 72, 100, 128, 256, 257, 511, 512] {
                    pick_law(f, (AMPERE, F16, head_dim, false), "flash")?;
                }
                Ok(())
            },
        )
        .law(Implementation, "more than 512 numbers per head: the naive one", |f| {
            for head_dim in [1024, 520, 513] {
                pick_law(f, (AMPERE, F16, head_dim, false), "naive")?;
            }
            Ok(())
        })
        .law(
            Implementation,
            "on a card, flash exactly when all four conditions hold, else naive",
            |f| {
                for card in [(7, 5), (8, 0), (9, 0)] {
                    for dtype in [F16, BF16, F32, F64] {
                        for head_dim in [64, 512, 513] {
                            for gradient in [false, true] {
                                let fits = card.0 >= 8 && dtype.size_in_bytes() == 2;
                                let flash = fits && head_dim <= 512 && !gradient;
                                let expected = if flash { "flash" } else { "naive" };
                                pick_law(f, (Some(card), dtype, head_dim, gradient), expected)?;
                            }
                        }
                    }
                }
                Ok(())
            },
        )
}
