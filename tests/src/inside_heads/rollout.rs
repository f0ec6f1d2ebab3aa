//! What attention rollout must hold.

use super::{drawn, heads, nested, zeros};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Weights},
        cases::matrix,
        compare::{refused, rounding, same},
        show::{inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{DType, Result, Tensor};

/// `rollout`: one map per layer to a single one.
pub type Rollout = dyn Fn(&[Tensor]) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    rollout_laws().proofs()
}

/// Checks attention rollout: maps `(batch, heads, seq, seq)` → `(batch, seq, seq)`.
pub fn rollout(answer: impl Fn(&[Tensor]) -> Result<Tensor> + 'static) -> Verdict {
    rollout_laws().judge(&answer)
}

fn given(maps: &[Tensor]) -> String {
    let names: Vec<String> = (0..maps.len()).map(|layer| format!("maps[{layer}]")).collect();
    match maps.is_empty() {
        true => remember("maps: none"),
        false => inputs(&names.iter().map(String::as_str).zip(maps).collect::<Vec<_>>()),
    }
}

/// Number after number, in f64.
fn reference(maps: &[Tensor]) -> Result<Tensor> {
    let (batch, _, seq, _) = maps[0].dims4()?;
    let mut out = Vec::with_capacity(batch * seq * seq);
    for entry in 0..batch {
        let mut flow: Vec<Vec<f64>> =
            (0..seq).map(|i| (0..seq).map(|j| f64::from(u8::from(i == j))).collect()).collect();
        for map in maps {
            let heads = &nested(map)?[entry];
            let row = |i: usize| {
                let mean = |j: usize| heads.iter().map(|head| head[i][j]).sum::<f64>();
                let mixed = |j: usize| mean(j) / heads.len() as f64 + f64::from(u8::from(i == j));
                let sum: f64 = (0..seq).map(mixed).sum();
                let from = |k: usize| (0..seq).map(|j| mixed(j) / sum * flow[j][k]).sum();
                (0..seq).map(from).collect::<Vec<f64>>()
            };
            flow = (0..seq).map(row).collect();
        }
        out.extend(flow.into_iter().flatten());
    }
    Tensor::from_vec(out, (batch, seq, seq), maps[0].device())?.to_dtype(maps[0].dtype())
}

fn rollout_laws() -> Check<Rollout> {
    // A mean of at most 3 heads, a sum and a division; then 3 products of at most 5 terms.
    let law = |f: &Rollout, maps: &[Tensor], expected: &Tensor| {
        same(&given(maps), f(maps), expected, rounding(64))
    };
    let one = |rows: &[[f32; 2]; 2]| matrix(rows)?.unsqueeze(0);
    Check::new("inside_heads::rollout", wrong::inside_heads::rollout())
        .law(
            Weights,
            "one layer: a token that looks at another keeps half of itself, through the residual path",
            move |f| {
                let map = heads(&[[[1., 0.], [1., 0.]]])?;
                law(f, &[map], &one(&[[1., 0.], [0.5, 0.5]])?)
            },
        )
        .law(Weights, "the heads of a layer are averaged", move |f| {
            // The mean is (1, 0) and (½, ½).
            let map = heads(&[[[1., 0.], [1., 0.]], [[1., 0.], [0., 1.]]])?;
            law(f, &[map], &one(&[[1., 0.], [0.25, 0.75]])?)
        })
        .law(
            Weights,
            "two layers: the second mixes what the first has mixed, so it is multiplied from the left",
            move |f| {
                // Ã₀ is (1, 0), (½, ½); Ã₁ is (½, ½), (0, 1).
                let maps = [heads(&[[[1., 0.], [1., 0.]]])?, heads(&[[[0., 1.], [0., 1.]]])?];
                law(f, &maps, &one(&[[0.75, 0.25], [0.5, 0.5]])?)
            },
        )
        .law(
            Weights,
            "a row with nothing to see comes from itself alone: each row is divided by its own sum",
            move |f| {
                let map = heads(&[[[0., 0.], [1., 0.]]])?;
                law(f, &[map], &one(&[[1., 0.], [0.5, 0.5]])?)
            },
        )
        .law(Weights, "rows are divided in every layer, and not only at the end", move |f| {
            // Ã₀ is (1, 0), (½, ½); Ã₁ is (½, ½), (½, ½).
            let maps = [heads(&[[[0., 0.], [1., 0.]]])?, heads(&[[[0., 1.], [1., 0.]]])?];
            law(f, &maps, &one(&[[0.75, 0.25], [0.75, 0.25]])?)
        })
        .property(
            Weights,
            "the product of all layers, for each sequence of the batch, in any size",
            (1..4usize, 1..4usize, 1..4usize, 1..6usize, 0..1000u64),
            move |f, (batch, layers, heads, seq, seed)| {
                let layer = |at| drawn(seed + at as u64, (batch, heads, seq, seq));
                let maps = (0..layers).map(layer).collect::<Result<Vec<_>>>()?;
                law(f, &maps, &reference(&maps)?)
            },
        )
        .law(Weights, "layers may have different numbers of heads", move |f| {
            let maps = [drawn(1, (1, 1, 3, 3))?, drawn(2, (1, 3, 3, 3))?];
            law(f, &maps, &reference(&maps)?)
        })
        .law(Edges(why::DOUBLE), "f64 maps are multiplied in f64", move |f| {
            let layer = |seed| drawn(seed, (2, 2, 3, 3))?.to_dtype(DType::F64);
            let maps = [layer(1)?, layer(2)?];
            law(f, &maps, &reference(&maps)?)
        })
        .law(Edges(why::REFUSED), "no layer, and a layer without heads, are an error", |f| {
            refused(&given(&[]), "nothing is known about the tokens", f(&[]))?;
            let maps = [zeros(&[1, 0, 3, 3])?];
            refused(&given(&maps), "a mean over no head is 0 / 0", f(&maps))
        })
        .law(Edges(why::REFUSED), "maps that are not square, or do not fit each other, are an error", |f| {
            let map = drawn(1, (2, 2, 3, 3))?;
            for other in [&[2, 2, 3, 4][..], &[2, 2, 4, 4], &[1, 2, 3, 3], &[3, 3]] {
                let other = zeros(other)?;
                for maps in [[map.clone(), other.clone()], [other, map.clone()]] {
                    refused(&given(&maps), "every layer has the same tokens", f(&maps))?;
                }
            }
            Ok(())
        })
}
