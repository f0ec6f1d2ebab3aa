//! What rotary positions must hold.

use super::parts::{angle, pytorch};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation},
        Outcome,
        compare::{Rounding, refused, rounding, same, value},
        gradient::gradients_agree,
        show::{self, inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{D, DType, Device, Result, Tensor};

/// `rope`: `x` and the position of its first token.
pub type Rope = dyn Fn(&Tensor, usize) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    rope_laws().proofs()
}

/// Checks `rope`: `(batch, heads, seq, head_dim)`, each pair of numbers turned by its position.
pub fn rope(answer: impl Fn(&Tensor, usize) -> Result<Tensor> + 'static) -> Verdict {
    rope_laws().judge(&answer)
}

fn given(x: &Tensor, offset: usize) -> String {
    remember(format!("{}\noffset: {offset}", inputs(&[("x", x)])))
}

fn law(f: &Rope, x: &Tensor, offset: usize, expected: &Tensor, allowed: Rounding) -> Outcome {
    same(&given(x, offset), f(x, offset), expected, allowed)
}

/// Pair by pair, in f64.
fn reference(x: &Tensor, offset: usize) -> Result<Tensor> {
    let (_, _, seq, dim) = x.dims4()?;
    let mut turned = Vec::with_capacity(x.elem_count());
    for (at, numbers) in show::values(x)?.chunks(2).enumerate() {
        let (row, pair) = (at / (dim / 2) % seq, at % (dim / 2));
        let (sin, cos) = angle(offset + row, pair, dim).sin_cos();
        turned.extend([numbers[0] * cos - numbers[1] * sin, numbers[0] * sin + numbers[1] * cos]);
    }
    Tensor::from_vec(turned, x.shape(), x.device())?.to_dtype(x.dtype())
}

/// One head.
fn tokens<const S: usize, const N: usize>(tokens: [[f32; N]; S]) -> Result<Tensor> {
    Tensor::new(&[[tokens]], &Device::Cpu)
}

/// Sine and cosine of 1.
const SIN_1: f32 = 0.841_470_96;
const COS_1: f32 = 0.540_302_3;

/// Sine and cosine are rounded, two products, a sum: numbers below 5.
const TURNED: usize = 16;

fn rope_laws() -> Check<Rope> {
    edges(compared(exact(values(Check::new("transformer::rope", wrong::transformer::rope())))))
}

fn values(check: Check<Rope>) -> Check<Rope> {
    check
        .law(
            Implementation,
            "position 0 stays; at position 1 the pair (1, 0) becomes (cos 1, sin 1)",
            |f| {
                let turned = tokens([[1., 0.], [COS_1, SIN_1]])?;
                law(f, &tokens([[1., 0.], [1., 0.]])?, 0, &turned, rounding(2))
            },
        )
        .law(Implementation, "at position 1 the pair (0, 1) becomes (−sin 1, cos 1)", |f| {
            let turned = tokens([[0., 1.], [-SIN_1, COS_1]])?;
            law(f, &tokens([[0., 1.], [0., 1.]])?, 0, &turned, rounding(2))
        })
        .law(Implementation, "the first token stands at position `offset`", |f| {
            law(f, &tokens([[1., 0.]])?, 1, &tokens([[COS_1, SIN_1]])?, rounding(2))
        })
        .law(
            Implementation,
            "a pair is two numbers side by side; the second pair of two turns 100 times slower",
            |f| {
                let x = tokens([[0.; 4], [1., 0., 1., 0.]])?;
                let slow = [0.999_95, 0.009_999_833];
                let turned = tokens([[0.; 4], [COS_1, SIN_1, slow[0], slow[1]]])?;
                law(f, &x, 0, &turned, rounding(2))
            },
        )
}

fn exact(check: Check<Rope>) -> Check<Rope> {
    check
        .law(
            Edges("caches and long texts reach positions at which an f32 has few digits left behind the point; a key that is turned by a wrong angle seems to stand at a wrong distance."),
            "far positions are as exact as near ones: the angles are computed in f64",
            |f| {
                // 10006.02, the second pair's angle, is further from its f32 than most.
                let (far, x) = (1_000_602, tokens([[1., 0., 1., 0.]])?);
                law(f, &x, far, &reference(&x, far)?, rounding(2))?;
                let x = seeded::normal(2, (1, 1, 3, 8))?;
                law(f, &x, far, &reference(&x, far)?, rounding(TURNED))
            },
        )
        .law(Implementation, "f64 in, f64 out, with the precision of f64 (gradients are compared in f64)", |f| {
            let x = seeded::normal(3, (1, 1, 3, 4))?.to_dtype(DType::F64)?;
            law(f, &x, 2, &reference(&x, 2)?, rounding(TURNED))
        })
}

fn compared(check: Check<Rope>) -> Check<Rope> {
    check
        .law(
            Implementation,
            "equals the product of complex numbers in PyTorch, with which Llama was released",
            |f| {
                let fixtures = pytorch()?;
                law(f, &fixtures.get("rope.x")?, 3, &fixtures.get("rope.turned")?, rounding(TURNED))
            },
        )
        .property(
            Implementation,
            "every sequence, head, token and pair, in any size",
            (1..3usize, 1..4usize, 1..6usize, 1..5usize, 0..50usize, 0..1000u64),
            |f, (batch, heads, seq, pairs, offset, seed)| {
                let x = seeded::normal(seed, (batch, heads, seq, 2 * pairs))?;
                law(f, &x, offset, &reference(&x, offset)?, rounding(TURNED))
            },
        )
        .property(
            Implementation,
            "the dot product of two turned vectors stays the same when both move on by as many positions",
            (0..20usize, 0..20usize, 1..50usize, 1..5usize, 0..1000u64),
            |f, (query_at, key_at, further, pairs, seed)| {
                let draw = |seed| seeded::normal(seed, (1, 1, 1, 2 * pairs))?.to_dtype(DType::F64);
                let (query, key) = (draw(seed)?, draw(seed + 1)?);
                let given = remember(format!(
                    "{}\nquery at {query_at} and key at {key_at}, and both {further} positions later",
                    inputs(&[("query", &query), ("key", &key)])
                ));
                let dot = |later: usize| {
                    let query = f(&query, query_at + later)?;
                    (query * f(&key, key_at + later)?)?.sum_all()
                };
                let near = value(&given, dot(0))?;
                // An angle below 70 is off by 70 · ε / 2; it moves a product of size 25 by as much of it; 2 · pairs of them.
                same(&given, dot(further), &near, rounding(25 * 70 * 2 * pairs))
            },
        )
        .property(
            Implementation,
            "turning changes no vector's norm",
            (1..5usize, 0..100usize, 0..1000u64),
            |f, (pairs, offset, seed)| {
                let x = seeded::normal(seed, (1, 2, 3, 2 * pairs))?;
                let given = format!("{}\nlooked at: squared norms", given(&x, offset));
                let norms = |x: &Tensor| x.sqr()?.sum(D::Minus1);
                let turned = f(&x, offset).and_then(|turned| norms(&turned));
                same(&given, turned, &norms(&x)?, rounding(16 + 4 * pairs))
            },
        )
        .law(Gradients, "the gradient is turned back, and agrees with finite differences", |f| {
            let x = seeded::normal(1, (1, 2, 2, 4))?;
            gradients_agree(&[("x", &x)], |inputs| f(&inputs[0], 3))
        })
}

fn edges(check: Check<Rope>) -> Check<Rope> {
    check
        .law(Edges(why::EMPTY), "no tokens give no tokens", |f| {
            let none = Tensor::zeros((1, 2, 0, 4), DType::F32, &Device::Cpu)?;
            law(f, &none, 5, &none, rounding(0))
        })
        .law(
            Edges(why::VIEW),
            "a transposed view, as heads often are, is read as its copy is",
            |f| {
                let x = seeded::normal(4, (2, 3, 2, 4))?.transpose(1, 2)?; // (batch, heads, seq, head_dim)
                law(f, &x, 1, &reference(&x.contiguous()?, 1)?, rounding(TURNED))
            },
        )
        .law(
            Edges(why::REFUSED),
            "an odd head_dim, and another number of dimensions, are an error",
            |f| {
                let odd = seeded::normal(5, (1, 1, 2, 3))?;
                refused(&given(&odd, 0), "the third number has no partner", f(&odd, 0))?;
                let flat = seeded::normal(6, (2, 4))?;
                let why = "expected (batch, heads, seq, head_dim)";
                refused(&given(&flat, 0), why, f(&flat, 0))
            },
        )
}
