//! Wrong rollouts.

use super::{D, DType, Result, Tensor, Wrong, bail, wrong};
use crate::inside_heads::Rollout;

/// The layers of a rollout; the errors are the right ones.
fn checked(maps: &[Tensor]) -> Result<()> {
    let Some(first) = maps.first() else {
        bail!("maps: expected at least one layer");
    };
    let (batch, _, tokens, _) = first.dims4()?;
    for map in maps {
        let (entries, heads, seq, seq_k) = map.dims4()?;
        if heads == 0 || (entries, seq, seq_k) != (batch, tokens, tokens) {
            bail!("maps: {:?} does not fit", map.dims());
        }
    }
    Ok(())
}

fn eye(map: &Tensor) -> Result<Tensor> {
    Tensor::eye(map.dim(D::Minus1)?, map.dtype(), map.device())
}

/// Rows divided by their sum.
fn normal(map: &Tensor) -> Result<Tensor> {
    map.broadcast_div(&map.sum_keepdim(D::Minus1)?)
}

/// The right layer from the mean of the heads.
fn layer(mean: &Tensor) -> Result<Tensor> {
    normal(&mean.broadcast_add(&eye(mean)?)?)
}

/// Layers made by `make` from `(batch, heads, seq, seq)`, multiplied by `join` (below, this layer).
fn fold(
    maps: &[Tensor],
    make: impl Fn(&Tensor) -> Result<Tensor>,
    join: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    checked(maps)?;
    let mut flow = make(&maps[0])?;
    for map in &maps[1..] {
        flow = join(&flow, &make(map)?)?;
    }
    Ok(flow)
}

/// A right answer but for how a layer is made of its map.
fn with(
    make: impl Fn(&Tensor) -> Result<Tensor> + 'static,
) -> impl Fn(&[Tensor]) -> Result<Tensor> {
    move |maps| fold(maps, &make, |below, this| this.matmul(below))
}

pub fn rollout() -> Vec<Wrong<Rollout>> {
    vec![
        wrong!(
            "identity forgotten",
            "the identity is missing: a token's own numbers pass every layer through the residual path, not only through attention.",
            |maps: &[Tensor]| {
                checked(maps)?;
                // A row with nothing to see is divided by 1, not by 0.
                let make = |map: &Tensor| {
                    let mean = map.mean(1)?;
                    let sums = mean.sum_keepdim(D::Minus1)?;
                    mean.broadcast_div(&(&sums + sums.eq(0.)?.to_dtype(sums.dtype())?)?)
                };
                fold(maps, make, |below, this| this.matmul(below))
            }
        ),
        wrong!(
            "first layer from the left",
            "the layers are multiplied in the wrong order: the last layer mixes what the ones below have mixed, so it stands on the left.",
            |maps: &[Tensor]| fold(
                maps,
                |map| layer(&map.mean(1)?),
                |below, this| below.matmul(this)
            )
        ),
        wrong!(
            "rows not divided",
            "the rows are not divided by their sum: they sum to 2 after one layer, to 4 after two.",
            with(|map| map.mean(1)?.broadcast_add(&eye(map)?))
        ),
        wrong!(
            "divided by 2",
            "everything is divided by 2: that is the sum of a row only where the weights sum to 1. A query with nothing to see has weights of 0. Divide each row by its own sum.",
            with(|map| map.mean(1)?.broadcast_add(&eye(map)?)? / 2.)
        ),
        wrong!(
            "divided in the end only",
            "rows are divided only once, after the product: a row that sums to less than the others in one layer then counts too little in the next. Divide in every layer.",
            |maps: &[Tensor]| {
                let make = |map: &Tensor| map.mean(1)?.broadcast_add(&eye(map)?);
                normal(&fold(maps, make, |below, this| this.matmul(below))?)
            }
        ),
        wrong!(
            "columns divided",
            "the columns are divided by their sum: a row says where a token's numbers come from, so rows sum to one.",
            with(|map| {
                let mixed = map.mean(1)?.broadcast_add(&eye(map)?)?;
                mixed.broadcast_div(&mixed.sum_keepdim(1)?)
            })
        ),
        wrong!(
            "softmax again",
            "a softmax was taken over the rows: they are weights already, dividing by their sum is enough.",
            with(|map| candle_nn::ops::softmax(
                &map.mean(1)?.broadcast_add(&eye(map)?)?,
                D::Minus1
            ))
        ),
        wrong!(
            "largest head",
            "the largest weight of the heads is taken: take their mean.",
            with(|map| layer(&map.max(1)?))
        ),
        wrong!(
            "heads summed",
            "the heads are summed: with many heads, the residual path hardly counts then. Take their mean.",
            with(|map| layer(&map.sum(1)?))
        ),
        wrong!(
            "identity for each head",
            "the identity is added once for every head, to their mean: the residual path is one path, so it is added once.",
            with(|map| normal(&map.mean(1)?.broadcast_add(&(eye(map)? * map.dim(1)? as f64)?)?))
        ),
        wrong!(
            "first head only",
            "only the first head counts: take the mean of all.",
            with(|map| layer(&map.narrow(1, 0, 1)?.squeeze(1)?))
        ),
        wrong!(
            "mean of the layers",
            "the layers are averaged: each one mixes what the one below has made, so they are multiplied.",
            |maps: &[Tensor]| {
                let sum = fold(maps, |map| layer(&map.mean(1)?), |below, this| below + this)?;
                sum / maps.len() as f64
            }
        ),
        wrong!(
            "number by number",
            "the layers are multiplied number by number: a path through two layers may pass any token in between, which a matrix product sums up.",
            |maps: &[Tensor]| fold(maps, |map| layer(&map.mean(1)?), |below, this| below * this)
        ),
        wrong!(
            "last layer only",
            "only the last layer counts: multiply all.",
            |maps: &[Tensor]| fold(maps, |map| layer(&map.mean(1)?), |_, this| Ok(this.clone()))
        ),
        wrong!(
            "identity once",
            "the identity is added once, to the product of all layers: every layer has its residual path.",
            |maps: &[Tensor]| {
                let product = fold(maps, |map| map.mean(1), |below, this| this.matmul(below))?;
                layer(&product)
            }
        ),
        wrong!(
            "batch averaged",
            "the sequences of the batch are averaged: each has a rollout of its own, `(batch, seq, seq)`.",
            |maps: &[Tensor]| {
                checked(maps)?;
                let batch = maps[0].dim(0)?;
                let make = |map: &Tensor| layer(&map.mean(1)?.mean_keepdim(0)?);
                let one = fold(maps, make, |below, this| this.matmul(below))?;
                one.repeat((batch, 1, 1))
            }
        ),
        wrong!(
            "f64 through f32",
            "f64 maps went through f32: compute in the type of the maps.",
            |maps: &[Tensor]| {
                let make = |map: &Tensor| layer(&map.to_dtype(DType::F32)?.mean(1)?);
                let out = fold(maps, make, |below, this| this.matmul(below))?;
                out.to_dtype(maps[0].dtype())
            }
        ),
        wrong!(
            "f32 comes back",
            "f64 maps come back as f32: compute in the type of the maps, and leave the type alone.",
            |maps: &[Tensor]| {
                let make = |map: &Tensor| layer(&map.to_dtype(DType::F32)?.mean(1)?);
                fold(maps, make, |below, this| this.matmul(below))
            }
        ),
        wrong!(
            "maps[0] of no layers",
            "this panics when there are no layers: `maps[0]` of an empty slice does not exist. Ask with `maps.first()` or `maps.is_empty()`, and return an error.",
            |maps: &[Tensor]| {
                maps[0].dims4()?;
                fold(maps, |map| layer(&map.mean(1)?), |below, this| this.matmul(below))
            }
        ),
        wrong!(
            "batch not compared",
            "maps of different batches were multiplied: one sequence was stretched over the others. Layers see the same sequences.",
            |maps: &[Tensor]| {
                let Some(first) = maps.first() else {
                    bail!("maps: expected at least one layer");
                };
                for map in maps {
                    checked(std::slice::from_ref(map))?;
                }
                let mut flow = layer(&first.mean(1)?)?;
                for map in &maps[1..] {
                    flow = layer(&map.mean(1)?)?.broadcast_matmul(&flow)?;
                }
                Ok(flow)
            }
        ),
    ]
}
