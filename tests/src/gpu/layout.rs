//! What the kernel's layouts must hold.

use super::card::{agrees, flash_attn, flash_attn_varlen, halves, on_card, reference};
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Gpu, Gradients, Implementation},
        Outcome,
        cases::{matrix, row},
        compare::{exactly, refused, rounding, same, value},
        gradient::gradients_agree,
        show::{inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{D, DType, Device, Result, Tensor};
use proptest::collection::vec;

/// `flash_layout`.
pub type FlashLayout = dyn Fn(&Tensor) -> Result<Tensor>;
/// `split_qkv`.
pub type SplitQkv = dyn Fn(&Tensor, usize, usize) -> Result<[Tensor; 3]>;
/// `pad_head_dim`.
pub type PadHeadDim = dyn Fn(&Tensor) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    [flash_layout_laws().proofs(), split_qkv_laws().proofs(), pad_head_dim_laws().proofs()]
        .into_iter()
        .flatten()
        .collect()
}

/// The law that `out` reads the memory of `x`: nothing was copied.
fn same_memory(given: &str, x: &Tensor, out: &Tensor) -> Outcome {
    let address = |x: &Tensor| std::ptr::from_ref(&*x.storage_and_layout().0).addr();
    match address(x) == address(out) {
        true => Ok(()),
        false => Err(Breach::text(given, "a view of the same memory", "a copy of the numbers")),
    }
}

/// What is given, with how far apart neighbours of each dimension lie in memory.
fn with_strides(x: &Tensor) -> String {
    let named = inputs(&[("x", x)]);
    remember(format!("{named}\nstrides of x: {:?}", x.stride()))
}

/// `x` `(batch, heads, seq, head_dim)` with heads and seq swapped, number by number.
fn swapped(x: &Tensor) -> Result<Tensor> {
    let (batch, heads, seq, head_dim) = x.dims4()?;
    let from: Vec<u32> = (0..batch)
        .flat_map(|b| (0..seq).map(move |s| (b, s)))
        .flat_map(|(b, s)| (0..heads).map(move |h| (b * heads + h) * seq + s))
        .map(|row| row as u32)
        .collect();
    let rows = x.contiguous()?.reshape((batch * heads * seq, head_dim))?;
    let index = Tensor::new(from, &Device::Cpu)?;
    rows.index_select(&index, 0)?.reshape((batch, seq, heads, head_dim))
}

/// Checks the kernel's layout: `(batch, heads, seq, head_dim)` → `(batch, seq, heads, head_dim)`.
pub fn flash_layout(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    flash_layout_laws().judge(&answer)
}

fn layout_law(f: &FlashLayout, x: &Tensor) -> Outcome {
    same(&inputs(&[("x", x)]), f(x), &swapped(x)?, exactly())
}

/// The law that nothing is copied.
fn layout_view(f: &FlashLayout, x: &Tensor) -> Outcome {
    let given = with_strides(x);
    same_memory(&given, x, &value(&given, f(x))?)
}

fn flash_layout_laws() -> Check<FlashLayout> {
    Check::new("gpu::flash_layout", wrong::gpu::flash_layout())
        .law(
            Implementation,
            "two heads of three tokens become three tokens of two heads: 10, 20, then 11, 21, then 12, 22",
            |f| {
                let x = matrix(&[[10., 11., 12.], [20., 21., 22.]])?.reshape((1, 2, 3, 1))?;
                let out = matrix(&[[10., 20.], [11., 21.], [12., 22.]])?.reshape((1, 3, 2, 1))?;
                same(&inputs(&[("x", &x)]), f(&x), &out, exactly())
            },
        )
        .law(Implementation, "the numbers of a head stay together, in their order", |f| {
            let x = matrix(&[[1., 2.], [3., 4.], [5., 6.], [7., 8.]])?.reshape((1, 2, 2, 2))?;
            let out = matrix(&[[1., 2.], [5., 6.], [3., 4.], [7., 8.]])?.reshape((1, 2, 2, 2))?;
            same(&inputs(&[("x", &x)]), f(&x), &out, exactly())
        })
        .property(
            Implementation,
            "(batch, heads, seq, head_dim) becomes (batch, seq, heads, head_dim), for any sizes",
            (1..4usize, 1..5usize, 1..6usize, 1..5usize, 0..1000u64),
            |f, (batch, heads, seq, head_dim, seed)| {
                layout_law(f, &seeded::normal(seed, (batch, heads, seq, head_dim))?)
            },
        )
        .property(
            Implementation,
            "applied twice, it gives x again: it is its own inverse",
            (1..4usize, 1..5usize, 1..6usize, 1..5usize),
            |f, (batch, heads, seq, head_dim)| {
                let x = seeded::normal(1, (batch, heads, seq, head_dim))?;
                let given = inputs(&[("x", &x)]);
                same(&given, f(&x).and_then(|once| f(&once)), &x, exactly())
            },
        )
        .law(Implementation, "nothing is copied: the result is a view of x's memory", |f| {
            layout_view(f, &seeded::normal(2, (2, 3, 4, 8))?)
        })
        .law(
            Implementation,
            "nothing is copied either when x is a view itself, as long as a head's numbers lie side by side",
            |f| {
                // As split_heads leaves it, and cut out of a longer cache.
                layout_view(f, &seeded::normal(3, (2, 4, 3, 8))?.transpose(1, 2)?)?;
                layout_view(f, &seeded::normal(4, (2, 3, 6, 8))?.narrow(2, 1, 4)?)
            },
        )
        .law(
            Implementation,
            "when a head's numbers don't lie side by side in memory, they do in the result: its last stride is 1",
            |f| {
                let x = seeded::normal(5, (2, 3, 8, 4))?.transpose(2, 3)?; // (2, 3, 4, 8)
                let given = with_strides(&x);
                let out = value(&given, f(&x))?;
                same(&given, Ok(out.clone()), &swapped(&x)?, exactly())?;
                match out.stride().last() {
                    Some(1) => Ok(()),
                    _ => {
                        let got = format!("strides {:?}", out.stride());
                        Err(Breach::text(&given, "a result whose last stride is 1", &got))
                    }
                }
            },
        )
        .law(Gradients, "the gradient reaches every number of x", |f| {
            gradients_agree(&[("x", &seeded::normal(7, (1, 2, 3, 2))?)], |inputs| f(&inputs[0]))?;
            // And through the copy.
            let x = seeded::normal(8, (1, 2, 2, 3))?;
            gradients_agree(&[("x", &x)], |inputs| f(&inputs[0].transpose(2, 3)?))
        })
        .law(Edges(why::HALF), "the type stays: f16, bf16, f64, u32", |f| {
            for dtype in [DType::F16, DType::BF16, DType::F64, DType::U32] {
                let x = Tensor::arange(0u32, 12, &Device::Cpu)?.reshape((1, 2, 3, 2))?;
                layout_law(f, &x.to_dtype(dtype)?)?;
            }
            Ok(())
        })
        .law(Edges(why::EMPTY), "without sequences, heads, tokens or numbers, the result still has its shape", |f| {
            for dims in [(0, 2, 3, 4), (2, 0, 3, 4), (2, 3, 0, 4), (2, 3, 4, 0)] {
                let x = Tensor::zeros(dims, DType::F32, &Device::Cpu)?;
                let (batch, heads, seq, head_dim) = dims;
                let out = x.reshape((batch, seq, heads, head_dim))?;
                same(&inputs(&[("x", &x)]), f(&x), &out, exactly())?;
            }
            Ok(())
        })
        .law(Edges("three and five dimensions have two to swap as well, and the kernel would read something else."), "x of another rank is an error", |f| {
            for shape in [&[6][..], &[2, 3], &[1, 2, 3], &[1, 1, 1, 2, 3]] {
                let x = seeded::normal(6, shape)?;
                refused(&inputs(&[("x", &x)]), "x has four dimensions", f(&x))?;
            }
            Ok(())
        })
        .law(Gpu, "candle-flash-attn computes the right attention from this layout", |f| {
            on_card(|card| {
                let shape = [2, 4, 5, 16];
                // The keys come with the numbers of a head far apart.
                let k = halves(12, &[2, 4, 16, 5])?.transpose(2, 3)?;
                let (q, v) = (halves(11, &shape)?, halves(13, &shape)?);
                let given = inputs(&[("q", &q), ("k", &k), ("v", &v)]);
                let there = |x: &Tensor| value(&given, f(&x.to_device(card)?));
                let (a, b, c) = (there(&q)?, there(&k)?, there(&v)?);
                let out = flash_attn(&a, &b, &c, 0.25, true).and_then(|out| f(&out));
                agrees(&given, out, &reference([&q, &k, &v], 0.25, true)?)
            })
        })
}

/// Checks queries, keys and values out of one tensor.
pub fn split_qkv(
    answer: impl Fn(&Tensor, usize, usize) -> Result<[Tensor; 3]> + 'static,
) -> Verdict {
    split_qkv_laws().judge(&answer)
}

fn split_given(qkv: &Tensor, heads_q: usize, heads_kv: usize) -> String {
    let named = inputs(&[("qkv", qkv)]);
    remember(format!("{named}\nheads_q: {heads_q}\nheads_kv: {heads_kv}"))
}

/// The heads `from .. from + count` of `(total, heads, head_dim)`, number by number.
fn heads_of(qkv: &Tensor, from: usize, count: usize) -> Result<Tensor> {
    let (total, _, head_dim) = qkv.dims3()?;
    let tokens: Vec<Vec<Vec<f64>>> = qkv.to_dtype(DType::F64)?.to_vec3()?;
    let heads = tokens.iter().flat_map(|heads| heads[from..from + count].concat());
    let numbers = Tensor::from_iter(heads, &Device::Cpu)?;
    numbers.reshape((total, count, head_dim))?.to_dtype(qkv.dtype())
}

/// The law that all three parts are right.
fn split_law(f: &SplitQkv, qkv: &Tensor, heads_q: usize, heads_kv: usize) -> Outcome {
    let given = split_given(qkv, heads_q, heads_kv);
    let parts = value(&given, f(qkv, heads_q, heads_kv))?;
    let begins = [(0, heads_q), (heads_q, heads_kv), (heads_q + heads_kv, heads_kv)];
    for ((name, part), (from, count)) in ["q", "k", "v"].into_iter().zip(parts).zip(begins) {
        let expected = heads_of(qkv, from, count)?;
        same(&format!("{given}\nlooked at: {name}"), Ok(part), &expected, exactly())?;
    }
    Ok(())
}

fn split_qkv_laws() -> Check<SplitQkv> {
    Check::new("gpu::split_qkv", wrong::gpu::split_qkv())
        .law(
            Implementation,
            "a token of three heads, one for each: 1, 2 is its query, 3, 4 its key, 5, 6 its value",
            |f| split_law(f, &matrix(&[[1., 2.], [3., 4.], [5., 6.]])?.unsqueeze(0)?, 1, 1),
        )
        .law(
            Implementation,
            "two heads each: first both of the queries, then both of the keys, then both of the values",
            |f| split_law(f, &row(&[1., 2., 3., 4., 5., 6.])?.reshape((1, 6, 1))?, 2, 2),
        )
        .law(Implementation, "keys and values may have fewer heads: 3 for queries, 1 and 1", |f| {
            let tokens = matrix(&[[1., 2., 3., 4., 5.], [10., 20., 30., 40., 50.]])?;
            split_law(f, &tokens.unsqueeze(2)?, 3, 1)
        })
        .property(
            Implementation,
            "heads_q, heads_kv and heads_kv heads of each token, for any sizes",
            (1..5usize, 1..4usize, 1..4usize, 1..5usize, 0..1000u64),
            |f, (total, heads_kv, group, head_dim, seed)| {
                let heads_q = heads_kv * group;
                let qkv = seeded::normal(seed, (total, heads_q + 2 * heads_kv, head_dim))?;
                split_law(f, &qkv, heads_q, heads_kv)
            },
        )
        .law(Implementation, "nothing is copied: all three are views of qkv's memory", |f| {
            let qkv = seeded::normal(1, (3, 8, 4))?;
            let given = split_given(&qkv, 4, 2);
            let parts = value(&given, f(&qkv, 4, 2))?;
            ["q", "k", "v"].into_iter().zip(&parts).try_for_each(|(name, part)| {
                same_memory(&format!("{given}\nlooked at: {name}"), &qkv, part)
            })
        })
        .law(Gradients, "the gradients of queries, keys and values reach qkv", |f| {
            gradients_agree(&[("qkv", &seeded::normal(5, (2, 4, 2))?)], |inputs| {
                Tensor::cat(&f(&inputs[0], 2, 1)?, 1)
            })
        })
        .law(Edges(why::HALF), "the type stays: f16, bf16, f64", |f| {
            for dtype in [DType::F16, DType::BF16, DType::F64] {
                split_law(f, &seeded::normal(2, (2, 4, 2))?.to_dtype(dtype)?, 2, 1)?;
            }
            Ok(())
        })
        .law(Edges(why::VIEW), "a view is read by its strides, not in memory order", |f| {
            split_law(f, &seeded::normal(3, (4, 3, 2))?.transpose(0, 1)?, 2, 1)
        })
        .law(Edges(why::EMPTY), "no tokens: three parts without tokens", |f| {
            let qkv = Tensor::zeros((0, 4, 2), DType::F32, &Device::Cpu)?;
            let given = split_given(&qkv, 2, 1);
            let parts = value(&given, f(&qkv, 2, 1))?;
            // Shapes alone: candle panics when it reads a view of nothing that begins behind the first number.
            let shapes = parts.each_ref().map(Tensor::dims);
            if shapes != [[0, 2, 2], [0, 1, 2], [0, 1, 2]] {
                let expected = "q [0, 2, 2], k [0, 1, 2], v [0, 1, 2]";
                let [q, k, v] = shapes;
                let got = format!("q {q:?}, k {k:?}, v {v:?}");
                return Err(Breach::text(&given, expected, &got));
            }
            Ok(())
        })
        .law(Edges("heads that are left over belong to nobody; the numbers of another model look just like that."), "too few heads, and too many, are an error", |f| {
            for heads in [3, 5, 6] {
                let qkv = seeded::normal(4, (1, heads, 2))?;
                let why = "heads_q + 2 · heads_kv are 4";
                refused(&split_given(&qkv, 2, 1), why, f(&qkv, 2, 1))?;
            }
            Ok(())
        })
        .law(Edges("with a batch in front, the second dimension is no longer the heads."), "qkv of another rank is an error", |f| {
            for shape in [&[4][..], &[4, 4], &[1, 2, 4, 2]] {
                let qkv = seeded::normal(4, shape)?;
                let why = "qkv has three dimensions";
                refused(&split_given(&qkv, 2, 1), why, f(&qkv, 2, 1))?;
            }
            Ok(())
        })
        .law(Gpu, "candle-flash-attn takes the views as they are, and computes the right attention", |f| {
            on_card(|card| {
                let (total, heads_q, heads_kv) = (7, 4, 2);
                let qkv = halves(6, &[total, heads_q + 2 * heads_kv, 16])?;
                split_law(f, &qkv, heads_q, heads_kv)?; // before a kernel trusts it
                let given = split_given(&qkv, heads_q, heads_kv);
                let [q, k, v] = value(&given, f(&qkv.to_device(card)?, heads_q, heads_kv))?;
                let ends = Tensor::new(&[0u32, total as u32], card)?;
                let out = flash_attn_varlen(&q, &k, &v, &ends, &ends, total, total, 0.25, true);
                let heads_first = |x: Tensor| x.transpose(0, 1);
                let [q, k, v] = [heads_first(q)?, heads_first(k)?, heads_first(v)?];
                let expected = heads_first(reference([&q, &k, &v], 0.25, true)?)?;
                agrees(&given, out, &expected)
            })
        })
}

/// Checks zeros up to a head dim that is a multiple of 8.
pub fn pad_head_dim(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    pad_head_dim_laws().judge(&answer)
}

/// `x` with zeros behind the last dimension, number by number.
fn padded(x: &Tensor) -> Result<Tensor> {
    let (dims, head_dim) = (x.dims(), x.dim(D::Minus1)?);
    let wide = head_dim.div_ceil(8) * 8;
    let numbers: Vec<f64> = x.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?;
    let mut out = vec![0.; x.elem_count() / head_dim.max(1) * wide];
    for (out, head) in out.chunks_mut(wide.max(1)).zip(numbers.chunks(head_dim.max(1))) {
        out[..head_dim].copy_from_slice(head);
    }
    let shape = [&dims[..dims.len() - 1], &[wide]].concat();
    Tensor::from_vec(out, shape, &Device::Cpu)?.to_dtype(x.dtype())
}

fn pad_law(f: &PadHeadDim, x: &Tensor) -> Outcome {
    same(&inputs(&[("x", x)]), f(x), &padded(x)?, exactly())
}

fn pad_head_dim_laws() -> Check<PadHeadDim> {
    Check::new("gpu::pad_head_dim", wrong::gpu::pad_head_dim())
        .law(Implementation, "1, 2, 3 becomes 1, 2, 3, 0, 0, 0, 0, 0: eight numbers", |f| {
            let expected = row(&[1., 2., 3., 0., 0., 0., 0., 0.])?;
            let x = row(&[1., 2., 3.])?;
            same(&inputs(&[("x", &x)]), f(&x), &expected, exactly())
        })
        .law(Implementation, "each of two heads gets its zeros: (2, 6) becomes (2, 8)", |f| {
            pad_law(f, &seeded::normal(1, (2, 6))?)
        })
        .law(Implementation, "9 numbers become 16, and 17 become 24: the next multiple of 8", |f| {
            pad_law(f, &seeded::normal(2, 9)?)?;
            pad_law(f, &seeded::normal(3, 17)?)
        })
        .law(Implementation, "8, 24 and 64 numbers are enough already: nothing is added", |f| {
            [8, 24, 64].into_iter().try_for_each(|n| pad_law(f, &seeded::normal(4, (2, n))?))
        })
        .law(Implementation, "when nothing is missing, nothing is copied", |f| {
            let x = seeded::normal(5, (2, 16))?;
            let given = inputs(&[("x", &x)]);
            same_memory(&given, &x, &value(&given, f(&x))?)
        })
        .property(
            Implementation,
            "only the last dimension grows, whatever is before it: (head_dim) to (batch, heads, seq, head_dim)",
            (vec(1..4usize, 0..4), 1..40usize, 0..1000u64),
            |f, (before, head_dim, seed)| {
                pad_law(f, &seeded::normal(seed, [&before[..], &[head_dim]].concat())?)
            },
        )
        .property(
            Implementation,
            "padded queries and keys have the same scores: zeros add nothing to q · k",
            1..40usize,
            |f, head_dim| {
                let (q, k) = (seeded::normal(1, (2, head_dim))?, seeded::normal(2, (3, head_dim))?);
                let given = inputs(&[("q", &q), ("k", &k)]);
                let scores = f(&q).and_then(|q| q.matmul(&f(&k)?.t()?));
                same(&given, scores, &q.matmul(&k.t()?)?, rounding(2 * head_dim))
            },
        )
        .law(Gradients, "the gradient reaches every number of x, padded or not", |f| {
            gradients_agree(&[("x", &seeded::normal(9, (2, 3))?)], |inputs| f(&inputs[0]))?;
            gradients_agree(&[("x", &seeded::normal(10, (1, 8))?)], |inputs| f(&inputs[0]))
        })
        .law(Edges(why::HALF), "the type stays: f16, bf16, f64", |f| {
            for dtype in [DType::F16, DType::BF16, DType::F64] {
                pad_law(f, &seeded::normal(6, (2, 3))?.to_dtype(dtype)?)?;
            }
            Ok(())
        })
        .law(Edges(why::VIEW), "a view is read by its strides, not in memory order", |f| {
            pad_law(f, &seeded::normal(7, (3, 4, 2))?.transpose(0, 2)?)?;
            pad_law(f, &seeded::normal(8, (2, 3, 5))?.transpose(0, 1)?)
        })
        .law(Edges(why::EMPTY), "no tokens: (0, 3) becomes (0, 8); and 0 is a multiple of 8: (3, 0) stays", |f| {
            pad_law(f, &Tensor::zeros((0, 3), DType::F32, &Device::Cpu)?)?;
            pad_law(f, &Tensor::zeros((3, 0), DType::F32, &Device::Cpu)?)
        })
        .law(Edges("`dims()[rank - 1]` of a scalar is a panic; an error can be handed on."), "a lone number has no last dimension: that is an error", |f| {
            let x = Tensor::new(1f32, &Device::Cpu)?;
            refused(&inputs(&[("x", &x)]), "x has at least one dimension", f(&x))
        })
        .law(
            Gpu,
            "candle-flash-attn, which refuses a head dim of 12, computes the right attention once it is padded",
            |f| {
                on_card(|card| {
                    let shape = [2, 5, 4, 12]; // (batch, seq, heads, head_dim)
                    let [q, k, v] = [halves(1, &shape)?, halves(2, &shape)?, halves(3, &shape)?];
                    let given = inputs(&[("q", &q), ("k", &k), ("v", &v)]);
                    let there = |x: &Tensor| value(&given, f(&x.to_device(card)?));
                    let (a, b, c) = (there(&q)?, there(&k)?, there(&v)?);
                    let scale = 1. / 12f64.sqrt(); // of the head dim as it was
                    let out = flash_attn(&a, &b, &c, scale as f32, true);
                    let real = out.and_then(|out| out.narrow(D::Minus1, 0, 12));
                    let [q, k, v] = [q, k, v].map(|x| x.transpose(1, 2));
                    let expected = reference([&q?, &k?, &v?], scale, true)?.transpose(1, 2)?;
                    agrees(&given, real, &expected)
                })
            },
        )
}
