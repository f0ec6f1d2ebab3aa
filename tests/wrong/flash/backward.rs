//! Wrong deltas, and wrong ways back through a tile.

use super::{DETOUR, NEVER, Wrong, divided, exponentials, masked, scores, single, tile, wrong};
use crate::flash::{Delta, TileBackward};
use candle_core::{D, DType, Result, Tensor};

pub fn delta() -> Vec<Wrong<Delta>> {
    vec![
        wrong!(
            "summed over the queries",
            "the sum runs over dimension 0, the queries: each query has a number of its own, so sum over the last dimension.",
            |out, d_out| (out * d_out)?.sum_keepdim(0)
        ),
        wrong!(
            "one number for all",
            "everything is summed to one number: each query has its own.",
            |out, d_out| (out * d_out)?.sum_all()
        ),
        wrong!(
            "one number for all, as a column",
            "everything is summed, to a single number of shape `(1, 1)`: each query has its own, so sum over the last dimension only.",
            |out, d_out| (out * d_out)?.sum_keepdim((0, 1))
        ),
        wrong!(
            "column lost",
            "the result is `(rows)`: with `sum_keepdim` it stays a column `(rows, 1)`, which lines up with the rows of dp.",
            |out, d_out| (out * d_out)?.sum(D::Minus1)
        ),
        wrong!(
            "mean instead of sum",
            "the products are averaged: a dot product is their sum.",
            |out, d_out| (out * d_out)?.mean_keepdim(D::Minus1)
        ),
        wrong!(
            "gradient only",
            "only the gradient is summed: each number of it is weighted with the output's.",
            |out, d_out| {
                (out - d_out)?; // refuses what it must
                d_out.sum_keepdim(D::Minus1)
            }
        ),
        wrong!(
            "not summed",
            "the products are not summed: a query needs one number, the dot product.",
            |out, d_out| out * d_out
        ),
        wrong!(
            "all pairs of queries",
            "a matrix product pairs every query with every other: only a query's own output and gradient meet.",
            |out, d_out| {
                (out - d_out)?; // refuses what it must
                out.matmul(&d_out.t()?)
            }
        ),
        wrong!(
            "all pairs of queries, summed",
            "a matrix product pairs every output with the gradients of all queries, and the sum has them all: only a query's own output and gradient meet, number by number.",
            |out, d_out| out.matmul(&d_out.t()?)?.sum_keepdim(D::Minus1)
        ),
        wrong!(
            "sum of the squares",
            "the output is multiplied by itself: multiply it by its gradient.",
            |out, d_out| {
                (out - d_out)?; // refuses what it must
                out.sqr()?.sum_keepdim(D::Minus1)
            }
        ),
        wrong!(
            "stretched",
            "`broadcast_mul` stretches a gradient of one row or column over all: the shapes have to be the same, and plain `*` asks for that.",
            |out, d_out| out.broadcast_mul(d_out)?.sum_keepdim(D::Minus1)
        ),
        wrong!(
            "computed in f32",
            "the result is f32 whatever the inputs are: take the type from them.",
            |out, d_out| (out * d_out)?.sum_keepdim(D::Minus1)?.to_dtype(DType::F32)
        ),
        wrong!("computed in f32, returned as f64", DETOUR, |out, d_out| {
            let products = (single(out)? * single(d_out)?)?;
            products.sum_keepdim(D::Minus1)?.to_dtype(out.dtype())
        }),
    ]
}

type Gradient = (Tensor, Tensor, Tensor);

/// What the formulas need: the weights p and their gradient dp.
struct Tile<'a> {
    q: &'a Tensor,
    d_out: &'a Tensor,
    delta: &'a Tensor,
    k: &'a Tensor,
    scale: f64,
    p: Tensor,
    d_p: Tensor,
}

impl<'a> Tile<'a> {
    /// A tile with weights that were found somehow.
    fn of(
        [q, d_out, _, delta]: &'a [Tensor; 4],
        k: &'a Tensor,
        v: &Tensor,
        scale: f64,
        p: Tensor,
    ) -> Result<Self> {
        Ok(Self { q, d_out, delta, k, scale, p, d_p: d_out.matmul(&v.t()?)? })
    }

    /// A tile with the right weights.
    fn right(
        block: &'a [Tensor; 4],
        k: &'a Tensor,
        v: &Tensor,
        scale: f64,
        keep: Option<&Tensor>,
    ) -> Result<Self> {
        let p = exponentials(&scores(&block[0], k, scale, keep)?, &block[2])?;
        Self::of(block, k, v, scale, p)
    }

    /// p (dp − delta), right.
    fn softmax(&self) -> Result<Tensor> {
        &self.p * self.d_p.broadcast_sub(self.delta)?
    }

    /// The gradients, given that of q·kᵀ.
    fn with(&self, d_s: &Tensor) -> Result<Gradient> {
        let d_v = self.p.t()?.matmul(self.d_out)?;
        Ok((d_s.matmul(self.k)?, d_s.t()?.matmul(self.q)?, d_v))
    }

    /// The gradients, given that of the scores.
    fn scaled(&self, d_s: &Tensor) -> Result<Gradient> {
        self.with(&(d_s * self.scale)?)
    }

    /// The gradients, right.
    fn back(&self) -> Result<Gradient> {
        self.scaled(&self.softmax()?)
    }
}

pub fn tile_backward() -> Vec<Wrong<TileBackward>> {
    vec![
        wrong!(
            "delta forgotten",
            "this is p · dp: raising one score also lowers the other weights, which is what delta is subtracted for.",
            |block, k, v, scale, keep| {
                let tile = Tile::right(block, k, v, scale, keep)?;
                tile.scaled(&(&tile.p * &tile.d_p)?)
            }
        ),
        wrong!(
            "delta added",
            "delta is added: it is the weighted mean of dp, and what counts is how far each dp lies from it.",
            |block, k, v, scale, keep| {
                let tile = Tile::right(block, k, v, scale, keep)?;
                tile.scaled(&(&tile.p * tile.d_p.broadcast_add(tile.delta)?)?)
            }
        ),
        wrong!(
            "delta not stretched",
            "delta is a column, `(rows, 1)`, and dp is `(rows, cols)`: candle's `-` wants equal shapes, `broadcast_sub` stretches the column.",
            |block, k, v, scale, keep| {
                let tile = Tile::right(block, k, v, scale, keep)?;
                tile.scaled(&(&tile.p * (&tile.d_p - tile.delta)?)?)
            }
        ),
        wrong!(
            "delta outside",
            "this is p · dp − delta: p multiplies both, p · (dp − delta), or a key of weight 0 would get a gradient.",
            |block, k, v, scale, keep| {
                let tile = Tile::right(block, k, v, scale, keep)?;
                tile.scaled(&(&tile.p * &tile.d_p)?.broadcast_sub(tile.delta)?)
            }
        ),
        wrong!(
            "p on delta only",
            "this is dp − p · delta: p multiplies both, p · (dp − delta), or a key of weight 0 would get a gradient.",
            |block, k, v, scale, keep| {
                let tile = Tile::right(block, k, v, scale, keep)?;
                tile.scaled(&(&tile.d_p - tile.p.broadcast_mul(tile.delta)?)?)
            }
        ),
        wrong!(
            "delta of the tile",
            "delta is computed anew, from the keys of this tile: it is a mean over all keys of the query, which is why it comes with the block.",
            |block, k, v, scale, keep| {
                let tile = Tile::right(block, k, v, scale, keep)?;
                let mean = (&tile.p * &tile.d_p)?.sum_keepdim(D::Minus1)?;
                tile.scaled(&(&tile.p * tile.d_p.broadcast_sub(&mean)?)?)
            }
        ),
        wrong!(
            "sign turned",
            "the sign is reversed: it is dp − delta.",
            |block, k, v, scale, keep| {
                let tile = Tile::right(block, k, v, scale, keep)?;
                tile.scaled(&tile.softmax()?.neg()?)
            }
        ),
        wrong!(
            "weight forgotten",
            "dp − delta still has to be multiplied by p: a key of weight 0 moves nothing.",
            |block, k, v, scale, keep| {
                let tile = Tile::right(block, k, v, scale, keep)?;
                tile.scaled(&tile.d_p.broadcast_sub(tile.delta)?)
            }
        ),
        wrong!(
            "as for a sigmoid",
            "this treats each weight as if it depended on its own score alone, p (1 − p) dp, as for a sigmoid: raising one score also lowers the other weights.",
            |block, k, v, scale, keep| {
                let tile = Tile::right(block, k, v, scale, keep)?;
                tile.scaled(&((&tile.p * (1. - &tile.p)?)? * &tile.d_p)?)
            }
        ),
        wrong!(
            "scale missing",
            "the scores are `scale` · q·k, so the gradients of q and k have the factor `scale`, too.",
            |block, k, v, scale, keep| {
                let tile = Tile::right(block, k, v, scale, keep)?;
                tile.with(&tile.softmax()?)
            }
        ),
        wrong!(
            "scale missing in d_q",
            "d_q lacks the factor `scale`, which d_k has: it belongs to q·k, so to both.",
            |block, k, v, scale, keep| {
                let tile = Tile::right(block, k, v, scale, keep)?;
                let (_, d_k, d_v) = tile.back()?;
                Ok((tile.with(&tile.softmax()?)?.0, d_k, d_v))
            }
        ),
        wrong!(
            "scale missing in d_k",
            "d_k lacks the factor `scale`, which d_q has: it belongs to q·k, so to both.",
            |block, k, v, scale, keep| {
                let tile = Tile::right(block, k, v, scale, keep)?;
                let (d_q, _, d_v) = tile.back()?;
                Ok((d_q, tile.with(&tile.softmax()?)?.1, d_v))
            }
        ),
        wrong!(
            "scaled twice",
            "the gradients of q and k have the factor `scale` twice: once is enough, since each score has it once.",
            |block, k, v, scale, keep| {
                let tile = Tile::right(block, k, v, scale, keep)?;
                tile.scaled(&(tile.softmax()? * scale)?)
            }
        ),
        wrong!(
            "scaled twice in d_k",
            "d_k has the factor `scale` twice, d_q once: ds has it already, for both. (With queries that were scaled before, it comes in a second time.)",
            |block, k, v, scale, keep| {
                let (d_q, d_k, d_v) = Tile::right(block, k, v, scale, keep)?.back()?;
                Ok((d_q, (d_k * scale)?, d_v))
            }
        ),
        wrong!(
            "scaled twice in d_q",
            "d_q has the factor `scale` twice, d_k once: ds has it already, for both. (With keys that were scaled before, it comes in a second time.)",
            |block, k, v, scale, keep| {
                let (d_q, d_k, d_v) = Tile::right(block, k, v, scale, keep)?.back()?;
                Ok(((d_q * scale)?, d_k, d_v))
            }
        ),
        wrong!(
            "scale in d_v",
            "d_v has the factor `scale`: the values meet the weights only, and a weight has no further factor.",
            |block, k, v, scale, keep| {
                let (d_q, d_k, d_v) = Tile::right(block, k, v, scale, keep)?.back()?;
                Ok((d_q, d_k, (d_v * scale)?))
            }
        ),
        wrong!(
            "scale forgotten in the scores",
            "the scores are computed again without `scale`: then these are not the weights of the forward pass.",
            |block, k, v, scale, keep| {
                let p = exponentials(&scores(&block[0], k, 1., keep)?, &block[2])?;
                Tile::of(block, k, v, scale, p)?.back()
            }
        ),
        wrong!(
            "1/√d although a scale is given",
            "the factor is 1/√d: here the caller says what the forward pass multiplied by.",
            |block, k, v, _, keep| {
                let scale = 1. / (k.dim(1)? as f64).sqrt();
                Tile::right(block, k, v, scale, keep)?.back()
            }
        ),
        wrong!(
            "softmax within the tile",
            "the weights are a softmax over this tile, so they sum to 1 here: they are parts of a softmax over all keys, exp(score − lse), and lse knows the others.",
            |block, k, v, scale, keep| {
                let s = scores(&block[0], k, scale, keep)?;
                let p = exponentials(&s, &s.max_keepdim(D::Minus1)?)?;
                let p = divided(&p, &p.sum_keepdim(D::Minus1)?)?;
                Tile::of(block, k, v, scale, p)?.back()
            }
        ),
        wrong!(
            "maximum of the tile instead of the log-sum-exp",
            "the exponentials are relative to this tile's maximum: subtract the log-sum-exp, and they are the weights, with nothing left to divide.",
            |block, k, v, scale, keep| {
                let s = scores(&block[0], k, scale, keep)?;
                let p = exponentials(&s, &s.max_keepdim(D::Minus1)?)?;
                Tile::of(block, k, v, scale, p)?.back()
            }
        ),
        wrong!(
            "log-sum-exp not subtracted",
            "the exponentials are of the scores themselves: subtract the log-sum-exp, and they are the weights.",
            |block, k, v, scale, keep| {
                let p = scores(&block[0], k, scale, keep)?.exp()?;
                Tile::of(block, k, v, scale, p)?.back()
            }
        ),
        wrong!(
            "divided by the log-sum-exp",
            "exp(score) is divided by lse: lse is a logarithm already, so subtract it from the score.",
            |block, k, v, scale, keep| {
                let p = scores(&block[0], k, scale, keep)?.exp()?;
                let lse = &block[2];
                let lse = lse.eq(NEVER)?.where_cond(&lse.ones_like()?, lse)?;
                Tile::of(block, k, v, scale, p.broadcast_div(&lse)?)?.back()
            }
        ),
        wrong!(
            "powers of two",
            "the base is 2, not e: the log-sum-exp is a natural logarithm.",
            |block, k, v, scale, keep| {
                let p = exponentials(&scores(&block[0], k, scale, keep)?, &block[2])?;
                let p = p.powf(std::f64::consts::LN_2)?;
                Tile::of(block, k, v, scale, p)?.back()
            }
        ),
        wrong!(
            "mask ignored",
            "`keep` is not used: a hidden key gets a weight again, and a gradient.",
            |block, k, v, scale, _| Tile::right(block, k, v, scale, None)?.back()
        ),
        wrong!(
            "mask inverted",
            "`keep` is read the wrong way round: 1 means may attend.",
            |block, k, v, scale, keep| {
                let keep = keep.map(|keep| keep.eq(0u8)).transpose()?;
                Tile::right(block, k, v, scale, keep.as_ref())?.back()
            }
        ),
        wrong!(
            "mask stretched",
            "a mask of one row, or of one column, is stretched over the tile: it has to be `(rows, cols)`, and one that is not belongs to other queries or keys. `where_cond` asks for that.",
            |block, k, v, scale, keep| {
                let full = (block[0].dim(0)?, k.dim(0)?);
                let keep = keep.map(|keep| keep.broadcast_as(full)?.contiguous()).transpose()?;
                Tile::right(block, k, v, scale, keep.as_ref())?.back()
            }
        ),
        wrong!(
            "mask on the scores' gradient only",
            "the mask is applied to the gradient of the scores only: a hidden key's weight is 0, so its value gets no gradient either.",
            |block, k, v, scale, keep| {
                Tile::right(block, k, v, scale, keep)?; // refuses what it must
                let tile = Tile::right(block, k, v, scale, None)?;
                tile.scaled(&masked(&tile.softmax()?, keep, 0.)?)
            }
        ),
        wrong!(
            "NaN where nothing is seen",
            "a query that sees nothing has lse = −∞, and −∞ − (−∞) is NaN: put another number in place of lse for the subtraction; `zero_if_infinite` does.",
            |block, k, v, scale, keep| {
                let p = scores(&block[0], k, scale, keep)?.broadcast_sub(&block[2])?.exp()?;
                Tile::of(block, k, v, scale, p)?.back()
            }
        ),
        wrong!(
            "d_k without transpose",
            "d_k needs dsᵀ: a key collects from all queries, so its row of dsᵀ is a column of ds.",
            |block, k, v, scale, keep| {
                let tile = Tile::right(block, k, v, scale, keep)?;
                let (d_q, _, d_v) = tile.back()?;
                Ok((d_q, (tile.softmax()?.matmul(tile.q)? * scale)?, d_v))
            }
        ),
        wrong!(
            "d_v without transpose",
            "d_v needs pᵀ: a value collects from all queries, so its row of pᵀ is a column of p.",
            |block, k, v, scale, keep| {
                let tile = Tile::right(block, k, v, scale, keep)?;
                let (d_q, d_k, _) = tile.back()?;
                Ok((d_q, d_k, tile.p.matmul(tile.d_out)?))
            }
        ),
        wrong!(
            "d_v from the scores' gradient",
            "d_v is made from ds: out = p · v, so the value's gradient meets the weights p.",
            |block, k, v, scale, keep| {
                let tile = Tile::right(block, k, v, scale, keep)?;
                let (d_q, d_k, _) = tile.back()?;
                Ok((d_q, d_k, tile.softmax()?.t()?.matmul(tile.d_out)?))
            }
        ),
        wrong!(
            "divided by the tile's sum as well",
            "the exponentials are divided by a sum of this tile after the log-sum-exp was subtracted: exp(score − lse) is the weight already.",
            |block, k, v, scale, keep| {
                let tile_l = tile(&block[0], k, v, scale, keep)?[1].clone();
                let p = exponentials(&scores(&block[0], k, scale, keep)?, &block[2])?;
                Tile::of(block, k, v, scale, divided(&p, &tile_l)?)?.back()
            }
        ),
        wrong!(
            "d_q and d_k swapped",
            "d_q and d_k are swapped: ds times the keys is the queries' gradient, dsᵀ times the queries the keys'.",
            |block, k, v, scale, keep| {
                let (d_q, d_k, d_v) = Tile::right(block, k, v, scale, keep)?.back()?;
                Ok((d_k, d_q, d_v))
            }
        ),
        wrong!(
            "d_v first",
            "the gradients come in another order: (d_q, d_k, d_v).",
            |block, k, v, scale, keep| {
                let (d_q, d_k, d_v) = Tile::right(block, k, v, scale, keep)?.back()?;
                Ok((d_v, d_q, d_k))
            }
        ),
        wrong!(
            "computed in f32",
            "the result is f32 whatever the inputs are: take the type from them.",
            |block, k, v, scale, keep| {
                let (d_q, d_k, d_v) = Tile::right(block, k, v, scale, keep)?.back()?;
                let single = DType::F32;
                Ok((d_q.to_dtype(single)?, d_k.to_dtype(single)?, d_v.to_dtype(single)?))
            }
        ),
        wrong!("computed in f32, returned as f64", DETOUR, |block, k, v, scale, keep| {
            let [q, d_out, lse, delta] = block;
            let block = [single(q)?, single(d_out)?, single(lse)?, single(delta)?];
            let (k, v) = (single(k)?, single(v)?);
            let (d_q, d_k, d_v) = Tile::right(&block, &k, &v, scale, keep)?.back()?;
            let back = |x: Tensor| x.to_dtype(q.dtype());
            Ok((back(d_q)?, back(d_k)?, back(d_v)?))
        }),
    ]
}
