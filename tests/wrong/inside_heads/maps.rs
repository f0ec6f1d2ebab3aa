//! Wrong entropies and diversities.

use super::{D, DType, Result, Tensor, Wrong, bail, some, wrong};
use crate::inside_heads::{Distances, Measure};

/// The smallest number of which every type has a logarithm.
const TINY: f64 = f32::MIN_POSITIVE as f64;

/// An error unless there is something to measure, in f32 or f64.
fn measurable(weights: &Tensor) -> Result<(usize, usize, usize, usize)> {
    if !matches!(weights.dtype(), DType::F32 | DType::F64) {
        bail!("weights: expected f32 or f64");
    }
    some(weights)
}

/// The right entropies, one a query: `(batch, heads, seq_q)`.
fn entropies(weights: &Tensor) -> Result<Tensor> {
    measurable(weights)?;
    (weights * weights.maximum(TINY)?.log()?)?.sum(D::Minus1)?.neg()
}

pub fn attention_entropy() -> Vec<Wrong<Measure>> {
    vec![
        wrong!(
            "0 · ln 0 is NaN",
            "a weight of 0 gives NaN, since ln 0 is −∞ and 0 · −∞ has no value: a key that is not looked at must add 0. Keep the logarithm finite.",
            |weights| {
                measurable(weights)?;
                (weights * weights.log()?)?.sum(D::Minus1)?.neg()?.mean((0, 2))
            }
        ),
        wrong!(
            "sign forgotten",
            "the entropy is negative: logarithms of numbers below 1 are, so there is a minus sign before the sum.",
            |weights| entropies(weights)?.neg()?.mean((0, 2))
        ),
        wrong!(
            "in bits",
            "the logarithm has base 2, which gives bits: nats are asked for, with the natural logarithm.",
            |weights| entropies(weights)?.mean((0, 2))? / std::f64::consts::LN_2
        ),
        wrong!(
            "a small number added",
            "a small number was added to every weight before the logarithm: that changes all terms. Only 0 needs help.",
            |weights| {
                measurable(weights)?;
                (weights * (weights + 1e-3)?.log()?)?.sum(D::Minus1)?.neg()?.mean((0, 2))
            }
        ),
        wrong!(
            "a tiny number added",
            "a tiny number was added to every weight before the logarithm: that changes all terms, if only a little. `maximum` raises nothing but 0.",
            |weights| {
                measurable(weights)?;
                (weights * (weights + 1e-6)?.log()?)?.sum(D::Minus1)?.neg()?.mean((0, 2))
            }
        ),
        wrong!(
            "divided by the largest",
            "the entropy is divided by ln(seq_k), its largest value: it is asked for in nats.",
            |weights| {
                let (.., seq_k) = measurable(weights)?;
                entropies(weights)?.mean((0, 2))? / (seq_k as f64).ln().max(1e-9)
            }
        ),
        wrong!(
            "mean over keys",
            "the terms are averaged over the keys: an entropy is their sum.",
            |weights| {
                let (.., seq_k) = measurable(weights)?;
                entropies(weights)?.mean((0, 2))? / seq_k as f64
            }
        ),
        wrong!(
            "summed over queries",
            "the entropies of the queries are summed: take their mean, or longer sequences look more scattered.",
            |weights| entropies(weights)?.sum(2)?.mean(0)
        ),
        wrong!(
            "summed over the batch",
            "the entropies are summed over the batch: take the mean, or the score grows with the number of sequences.",
            |weights| entropies(weights)?.mean(2)?.sum(0)
        ),
        wrong!(
            "entropy of the mean",
            "the weights were averaged over the queries before the entropy was taken: two queries that look at one key each, but at different ones, then seem scattered. Take the entropy of each query first.",
            |weights| {
                measurable(weights)?;
                entropies(&weights.mean_keepdim(2)?)?.mean((0, 2))
            }
        ),
        wrong!(
            "mean over heads",
            "the heads are averaged as well: each has its own entropy, `(heads)`.",
            |weights| entropies(weights)?.mean_all()?.unsqueeze(0)
        ),
        wrong!(
            "one number per query",
            "the result has one number for each query: take the mean over batch and queries, dimensions 0 and 2.",
            entropies
        ),
        wrong!(
            "logarithm only",
            "the logarithms are summed without their weights: each term is w ln w.",
            |weights| {
                measurable(weights)?;
                weights.maximum(TINY)?.log()?.sum(D::Minus1)?.neg()?.mean((0, 2))
            }
        ),
        wrong!(
            "first sequence only",
            "only the first sequence of the batch counts: take the mean over all.",
            |weights| {
                measurable(weights)?;
                entropies(&weights.narrow(0, 0, 1)?)?.mean((0, 2))
            }
        ),
        wrong!(
            "f64 through f32",
            "f64 weights went through f32: compute in the type of the weights.",
            |weights| {
                measurable(weights)?;
                entropies(&weights.to_dtype(DType::F32)?)?.mean((0, 2))?.to_dtype(weights.dtype())
            }
        ),
        wrong!(
            "f32 comes back",
            "f64 weights come back as f32: compute in the type of the weights, and leave the type alone.",
            |weights| {
                measurable(weights)?;
                entropies(&weights.to_dtype(DType::F32)?)?.mean((0, 2))
            }
        ),
        wrong!(
            "a floor that is too high",
            "small weights were raised before the logarithm, not only 0: a floor has to lie below every weight that counts.",
            |weights| {
                measurable(weights)?;
                (weights * weights.maximum(1e-5)?.log()?)?.sum(D::Minus1)?.neg()?.mean((0, 2))
            }
        ),
        wrong!(
            "summed over the queries, averaged over the keys",
            "the sum runs over the queries and the mean over the keys: a query's entropy is a sum over its keys, the last dimension.",
            |weights| {
                measurable(weights)?;
                (weights * weights.maximum(TINY)?.log()?)?.sum(2)?.neg()?.mean((0, 2))
            }
        ),
        wrong!(
            "any type",
            "f16 and other types were measured, or cause a panic: only f32 and f64 are, so look at `weights.dtype()` first.",
            |weights| {
                some(weights)?;
                (weights * weights.maximum(TINY)?.log()?)?.sum(D::Minus1)?.neg()?.mean((0, 2))
            }
        ),
        wrong!(
            "nothing accepted",
            "empty weights were accepted, or cause a panic: a mean over nothing is 0 / 0. Refuse them first.",
            |weights| {
                let (batch, heads, seq_q, _) = weights.dims4()?;
                match weights.elem_count() {
                    0 => Tensor::zeros(heads, weights.dtype(), weights.device())?
                        .affine(1., 0. / (batch * seq_q) as f64),
                    _ => entropies(weights)?.mean((0, 2)),
                }
            }
        ),
    ]
}

/// The heads of all layers, and `real` as their type `(batch, 1, seq_q)`; the errors are the right ones.
fn checked(maps: &[Tensor], real: &Tensor) -> Result<(Tensor, Tensor)> {
    let Some(first) = maps.first() else {
        bail!("no layers");
    };
    let (batch, _, seq_q, _) = first.dims4()?;
    if real.dims() != [batch, seq_q] {
        bail!("real does not fit");
    }
    let heads = Tensor::cat(maps, 1)?;
    some(&heads)?;
    let real = real.to_dtype(heads.dtype())?.unsqueeze(1)?;
    if sum(&real)? == 0. {
        bail!("nothing is real");
    }
    Ok((heads, real))
}

fn sum(x: &Tensor) -> Result<f64> {
    x.to_dtype(DType::F64)?.sum_all()?.to_scalar()
}

/// The differences of any two heads: `(batch, n, n, seq_q, seq_k)`.
fn apart(heads: &Tensor) -> Result<Tensor> {
    heads.unsqueeze(2)?.broadcast_sub(&heads.unsqueeze(1)?)
}

/// What the queries add to a table, `(batch, n, n, seq_q)`: summed where `real` `(batch, 1, seq_q)` says so, over
/// `count`.
fn table(distances: &Tensor, real: &Tensor, count: f64) -> Result<Tensor> {
    distances.broadcast_mul(&real.unsqueeze(1)?)?.sum((0, 3))? / count
}

/// A right answer but for the distance of two queries.
fn with(
    distance: impl Fn(&Tensor) -> Result<Tensor> + 'static,
) -> impl Fn(&[Tensor], &Tensor) -> Result<Tensor> {
    move |maps, real| {
        let (heads, real) = checked(maps, real)?;
        table(&distance(&heads)?, &real, sum(&real)?)
    }
}

/// The right distances: `(batch, n, n, seq_q)`.
fn right(heads: &Tensor) -> Result<Tensor> {
    apart(heads)?.abs()?.sum(D::Minus1)? / 2.
}

pub fn head_diversity() -> Vec<Wrong<Distances>> {
    vec![
        wrong!(
            "padding counted",
            "queries that are padding count like any other: let their distances add nothing to the sum, and divide by the number of real queries.",
            |maps: &[Tensor], real: &Tensor| {
                let (heads, real) = checked(maps, real)?;
                let real = real.ones_like()?;
                table(&right(&heads)?, &real, sum(&real)?)
            }
        ),
        wrong!(
            "divided by all queries",
            "padding adds nothing, but is still counted: divide by the number of real queries, not by batch · seq_q.",
            |maps: &[Tensor], real: &Tensor| {
                let (heads, real) = checked(maps, real)?;
                table(&right(&heads)?, &real, real.elem_count() as f64)
            }
        ),
        wrong!(
            "counted in u8",
            "the real queries were counted in u8, which starts again from 0 at 256: turn `real` into the type of the maps before the sum.",
            |maps: &[Tensor], real: &Tensor| {
                let count = real.sum_all()?.to_scalar::<u8>()?;
                let (heads, real) = checked(maps, real)?;
                table(&right(&heads)?, &real, f64::from(count))
            }
        ),
        wrong!(
            "mean of means",
            "a mean is taken for each sequence, and then one over the sequences: a query of a short sequence then counts more. Sum over the batch before you divide.",
            |maps: &[Tensor], real: &Tensor| {
                let (heads, real) = checked(maps, real)?;
                let counts = real.sum(2)?.maximum(1.)?.unsqueeze(2)?; // (batch, 1, 1)
                let sums = right(&heads)?.broadcast_mul(&real.unsqueeze(1)?)?.sum(3)?;
                sums.broadcast_div(&counts)?.mean(0)
            }
        ),
        wrong!(
            "not halved",
            "the absolute differences are not halved: what one head has more, another has less, so each is counted twice.",
            with(|heads| apart(heads)?.abs()?.sum(D::Minus1))
        ),
        wrong!(
            "signed differences",
            "the differences are summed with their signs: both rows sum to 1, so that is always 0. Take absolute values first.",
            with(|heads| apart(heads)?.sum(D::Minus1)? / 2.)
        ),
        wrong!(
            "Euclidean distance",
            "the distance is the root of the summed squares: half the sum of absolute differences is asked for, which is 1 for heads without a common key.",
            with(|heads| apart(heads)?.sqr()?.sum(D::Minus1)?.sqrt())
        ),
        wrong!(
            "mean over keys",
            "the differences are averaged over the keys: take half their sum. The two agree for 2 keys only.",
            with(|heads| apart(heads)?.abs()?.mean(D::Minus1))
        ),
        wrong!(
            "squared differences",
            "the differences are squared: their absolute values are asked for.",
            with(|heads| apart(heads)?.sqr()?.sum(D::Minus1)? / 2.)
        ),
        wrong!(
            "overlap",
            "the table holds how much two heads have in common: 1 stands on the diagonal. A distance is 0 for heads that look alike.",
            with(|heads| right(heads)?.affine(-1., 1.))
        ),
        wrong!(
            "means of the maps compared",
            "the weights were averaged over the queries before they were compared: heads that swap their keys from query to query look the same then.",
            |maps: &[Tensor], real: &Tensor| {
                let (heads, real) = checked(maps, real)?;
                let weights = real.unsqueeze(3)?; // (batch, 1, seq_q, 1)
                let means = (heads.broadcast_mul(&weights)?.sum((0, 2))? / sum(&real)?)?;
                let apart = means.unsqueeze(1)?.broadcast_sub(&means.unsqueeze(0)?)?;
                apart.abs()?.sum(D::Minus1)? / 2.
            }
        ),
        wrong!(
            "within a layer only",
            "heads of different layers are not compared: the table has a row and a column for every head of the model.",
            |maps: &[Tensor], real: &Tensor| {
                let (heads, real) = checked(maps, real)?;
                let mut layer = Vec::new();
                for (at, map) in maps.iter().enumerate() {
                    layer.extend(vec![at as u32; map.dim(1)?]);
                }
                let layer = Tensor::new(layer, heads.device())?;
                let (of_row, of_column) = (layer.unsqueeze(1)?, layer.unsqueeze(0)?);
                let same = of_row.broadcast_eq(&of_column)?.to_dtype(heads.dtype())?;
                table(&right(&heads)?, &real, sum(&real)?)?.mul(&same)
            }
        ),
        wrong!(
            "first layer only",
            "only the first layer's heads are compared: join all layers along the heads.",
            |maps: &[Tensor], real: &Tensor| {
                let (heads, real) = checked(maps, real)?;
                let heads = heads.narrow(1, 0, maps[0].dim(1)?)?;
                table(&right(&heads)?, &real, sum(&real)?)
            }
        ),
        wrong!(
            "last layer first",
            "the layers come in reverse: the first layer's heads have the first rows.",
            |maps: &[Tensor], real: &Tensor| {
                let (_, real) = checked(maps, real)?;
                let maps: Vec<&Tensor> = maps.iter().rev().collect();
                table(&right(&Tensor::cat(&maps, 1)?)?, &real, sum(&real)?)
            }
        ),
        wrong!(
            "head by head",
            "the heads come in another order: first all heads number 0, layer by layer. Join the layers along the heads, so that the first layer's come first.",
            |maps: &[Tensor], real: &Tensor| {
                let (heads, real) = checked(maps, real)?;
                let most = maps.iter().map(|map| map.dim(1)).collect::<Result<Vec<_>>>()?;
                let mut starts = vec![0];
                most.iter().for_each(|count| starts.push(starts[starts.len() - 1] + count));
                let mut order = vec![];
                for head in 0..most.iter().copied().max().unwrap_or(0) {
                    let layers = (0..most.len()).filter(|&layer| head < most[layer]);
                    order.extend(layers.map(|layer| (starts[layer] + head) as u32));
                }
                let order = Tensor::new(order, heads.device())?;
                table(&right(&heads.index_select(&order, 1)?)?, &real, sum(&real)?)
            }
        ),
        wrong!(
            "head by head, where layers are alike",
            "the heads come in another order: head 0 of every layer, then head 1 of every layer. Join the layers along the heads, so that the first layer's come first.",
            |maps: &[Tensor], real: &Tensor| {
                let (heads, real) = checked(maps, real)?;
                let alike = maps.iter().all(|map| map.dims() == maps[0].dims());
                let heads = match alike {
                    true => Tensor::stack(maps, 2)?.reshape(heads.shape())?,
                    false => heads,
                };
                table(&right(&heads)?, &real, sum(&real)?)
            }
        ),
        wrong!(
            "as many heads in every layer",
            "layers with different numbers of heads were refused, or cause a panic: join them along the heads, with `cat`. `stack` wants equal shapes.",
            |maps: &[Tensor], real: &Tensor| {
                let (heads, real) = checked(maps, real)?;
                Tensor::stack(maps, 1)?;
                table(&right(&heads)?, &real, sum(&real)?)
            }
        ),
        wrong!(
            "keys cut off",
            "layers with other numbers of keys were cut to the first layer's: all layers have seen the same keys, so that is an error.",
            |maps: &[Tensor], real: &Tensor| {
                let keys = match maps.first() {
                    Some(first) => first.dims4()?.3,
                    None => bail!("no layers"),
                };
                let cut = |map: &Tensor| map.narrow(3, 0, keys.min(map.dim(3)?));
                let maps = maps.iter().map(cut).collect::<Result<Vec<_>>>()?;
                let (heads, real) = checked(&maps, real)?;
                table(&right(&heads)?, &real, sum(&real)?)
            }
        ),
        wrong!(
            "f32 comes back",
            "f64 maps come back as f32: compute in the type of the maps, and leave the type alone.",
            |maps: &[Tensor], real: &Tensor| {
                let to_f32 = |map: &Tensor| map.to_dtype(DType::F32);
                let maps = maps.iter().map(to_f32).collect::<Result<Vec<_>>>()?;
                let (heads, real) = checked(&maps, real)?;
                table(&right(&heads)?, &real, sum(&real)?)
            }
        ),
        wrong!(
            "one number",
            "the result is one number, as in week 4: here it is a table with a distance for any two heads.",
            |maps: &[Tensor], real: &Tensor| {
                let (heads, real) = checked(maps, real)?;
                table(&right(&heads)?, &real, sum(&real)?)?.mean_all()
            }
        ),
        wrong!(
            "no real query accepted",
            "a `real` full of zeros was accepted: the mean over nothing is 0 / 0. Return an error.",
            |maps: &[Tensor], real: &Tensor| {
                let all = real.ones_like()?;
                let (heads, _) = checked(maps, &all)?;
                let real = real.to_dtype(heads.dtype())?.unsqueeze(1)?;
                table(&right(&heads)?, &real, sum(&real)?)
            }
        ),
        wrong!(
            "real not checked",
            "a `real` that does not fit was accepted, because it broadcasts: compare its shape with (batch, seq_q) first.",
            |maps: &[Tensor], real: &Tensor| {
                let Some(first) = maps.first() else {
                    bail!("no layers");
                };
                let (batch, _, seq_q, _) = first.dims4()?;
                let real = match real.elem_count() {
                    count if count == batch * seq_q => real.reshape((batch, seq_q))?,
                    _ => real.broadcast_as((batch, seq_q))?,
                };
                let (heads, real) = checked(maps, &real)?;
                table(&right(&heads)?, &real, sum(&real)?)
            }
        ),
        wrong!(
            "maps[0] of no layers",
            "this panics when there are no layers: `maps[0]` of an empty slice does not exist. Ask with `maps.first()` or `maps.is_empty()`, and return an error.",
            |maps: &[Tensor], real: &Tensor| {
                maps[0].dims4()?;
                let (heads, real) = checked(maps, real)?;
                table(&right(&heads)?, &real, sum(&real)?)
            }
        ),
    ]
}
