//! Wrong answers to `MultiHeadAttention`: one right layer, each time with one fault.

use super::{combine_right, split_right};
use crate::{
    multi_head::{Build, Forward, MultiHeadSpec},
    wrong::{Wrong, wrong},
};
use candle_core::{D, DType, Module, Result, Tensor, bail};
use candle_nn::{Linear, VarBuilder};
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    ScaleForgotten,
    ScaledByEmbedDim,
    MaskDropped,
    MaskInverted,
    MaskOfFirstHead,
    MaskByBatch,
    AdditiveIgnored,
    SoftmaxOverHeads,
    NanRows,
    DropoutInEvaluation,
    DropoutNotRescaled,
    DropoutOnScores,
    DropoutOnOutput,
    DropoutForgotten,
    DropoutAlwaysTheSame,
    WeightsAfterDropout,
    WeightsAveraged,
    WeightsAlways,
    WeightsNever,
    KeyAndValueSwapped,
    QueryWithKeyWeights,
    KeysFromQuery,
    ValuesFromKey,
    BiasDropped,
    WeightNotTransposed,
    OutputProjectionForgotten,
    HeadsTiled,
    KvNotRepeated,
    ScaledByHeadDim,
    ReshapedBothWays,
    RateIsKept,
    OneDrawForRows,
    MaskDroppedInTraining,
    AdditiveBinarised,
    SameSeedForAllLayers,
    DropoutDetached,
    KvHeadsIgnored,
    SplitByReshape,
    CombinedByReshape,
    ValueLengthOfQuery,
    NotValidated,
    GradientLost,
    MaskBeforeScale,
    DropoutRenormalised,
    SeedInEvaluation,
    WeightsDetached,
    MaskDetached,
    MaskAfterSoftmax,
    ValueWithKeyWeights,
    ScoresReturned,
    CandlesLinear,
    DroppedTwice,
    ScaleInF32,
}
use Fault::*;

struct Layer {
    fault: Fault,
    spec: MultiHeadSpec,
    /// Weight and bias of query, key, value and output.
    projections: [(Tensor, Option<Tensor>); 4],
    seed: AtomicU64,
}

impl Layer {
    fn new(fault: Fault, spec: MultiHeadSpec, vb: VarBuilder) -> Result<Self> {
        let MultiHeadSpec { embed_dim, num_heads, num_kv_heads, dropout, bias } = spec;
        let fits = num_heads > 0
            && num_kv_heads > 0
            && embed_dim % num_heads == 0
            && num_heads % num_kv_heads == 0
            && (0. ..1.).contains(&dropout);
        if !fits && fault != NotValidated {
            bail!("the sizes do not fit: {spec:?}");
        }
        let head_dim = embed_dim / num_heads.max(1);
        let kv_dim = match fault {
            KvHeadsIgnored => embed_dim,
            _ => num_kv_heads * head_dim,
        };
        let get = |name: &str, out: usize| -> Result<_> {
            let vb = vb.pp(name);
            let bias = bias.then(|| vb.get(out, "bias")).transpose()?;
            Ok((vb.get((out, embed_dim), "weight")?, bias))
        };
        // As `SeedStream::named`.
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        let prefix = if fault == SameSeedForAllLayers { String::new() } else { vb.prefix() };
        let seed = prefix.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
        Ok(Self {
            fault,
            spec,
            projections: [
                get("q_proj", embed_dim)?,
                get("k_proj", kv_dim)?,
                get("v_proj", kv_dim)?,
                get("out_proj", embed_dim)?,
            ],
            seed: AtomicU64::new(seed),
        })
    }

    fn project(&self, at: usize, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = &self.projections[at];
        if self.fault == CandlesLinear {
            return Linear::new(weight.clone(), bias.clone()).forward(x);
        }
        let (batch, seq, dim) = x.dims3()?;
        let square = weight.dim(0)? == weight.dim(1)?;
        let weight = match self.fault {
            WeightNotTransposed if square => weight.clone(),
            _ => weight.t()?,
        };
        let out = match batch * seq {
            0 => Tensor::zeros((0, weight.dim(1)?), x.dtype(), x.device())?,
            tokens => x.reshape((tokens, dim))?.matmul(&weight)?,
        };
        let out = match bias {
            Some(bias) if self.fault != BiasDropped => out.broadcast_add(bias)?,
            _ => out,
        };
        out.reshape((batch, seq, weight.dim(1)?))
    }

    fn split(&self, x: &Tensor, heads: usize) -> Result<Tensor> {
        let (batch, seq, dim) = x.dims3()?;
        match self.fault {
            SplitByReshape | ReshapedBothWays => x.reshape((batch, heads, seq, dim / heads)),
            _ => split_right(x, heads),
        }
    }

    fn repeat(&self, x: &Tensor) -> Result<Tensor> {
        let groups = self.spec.num_heads / x.dim(1)?;
        if self.fault == HeadsTiled {
            return Tensor::cat(&vec![x; groups], 1);
        }
        let heads = (0..self.spec.num_heads).map(|head| x.narrow(1, head / groups, 1));
        Tensor::cat(&heads.collect::<Result<Vec<_>>>()?, 1)
    }

    fn drop(&self, x: &Tensor) -> Result<Tensor> {
        let rate = match self.fault {
            RateIsKept => 1. - self.spec.dropout,
            _ => self.spec.dropout,
        };
        if rate == 0. {
            return Ok(x.clone());
        }
        if !(0. ..1.).contains(&rate) {
            bail!("rate: expected a probability in [0, 1); got {rate}");
        }
        let seed = match self.fault {
            DropoutAlwaysTheSame => 1,
            _ => self.seed.fetch_add(1, Ordering::Relaxed),
        };
        let mut dims = x.dims().to_vec();
        if let (OneDrawForRows, Some(last)) = (self.fault, dims.last_mut()) {
            *last = 1;
        }
        let keep = seeded::uniform(seed, dims)?.ge(rate)?;
        let x = if self.fault == DropoutDetached { x.detach() } else { x.clone() };
        let kept = x.broadcast_mul(&keep.to_dtype(x.dtype())?)?;
        match self.fault {
            DropoutNotRescaled => Ok(kept),
            DropoutRenormalised => {
                let sum = kept.sum_keepdim(D::Minus1)?;
                let none = sum.eq(0.)?.to_dtype(sum.dtype())?;
                kept.broadcast_div(&(sum + none)?)
            }
            _ => kept / (1. - rate),
        }
    }

    /// The mask as an additive one, in the shape of the scores.
    fn additive(&self, mask: &Tensor, scores: &Tensor) -> Result<Tensor> {
        let (zeros, shape) = (scores.zeros_like()?, scores.shape());
        let mask = match mask.dims() {
            &[batch, heads, seq_q, seq_k] if self.fault == MaskOfFirstHead && heads > 1 => {
                mask.narrow(1, 0, 1)?.broadcast_as((batch, heads, seq_q, seq_k))?
            }
            _ => mask.clone(),
        };
        if mask.dtype() != DType::U8 {
            let mask = mask.broadcast_as(shape)?;
            if self.fault == AdditiveBinarised {
                return mask.lt(0.)?.where_cond(&(zeros.ones_like()? * f64::NEG_INFINITY)?, &zeros);
            }
            return match self.fault {
                AdditiveIgnored => Ok(zeros),
                MaskDetached => Ok(mask.detach()),
                MaskBeforeScale => mask / (self.spec.head_dim() as f64).sqrt(),
                _ => Ok(mask),
            };
        }
        let hidden = (scores.ones_like()? * f64::NEG_INFINITY)?;
        let mask = mask.broadcast_as(shape)?;
        match self.fault {
            MaskInverted => mask.where_cond(&hidden, &zeros),
            _ => mask.where_cond(&zeros, &hidden),
        }
    }

    fn softmax(&self, scores: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        if scores.elem_count() == 0 {
            return Ok(scores.clone());
        }
        let logits = match mask {
            Some(mask) if self.fault != MaskDropped => (scores + self.additive(mask, scores)?)?,
            _ => scores.clone(),
        };
        match self.fault {
            NanRows => return candle_nn::ops::softmax(&logits, D::Minus1),
            GradientLost => return self.rows(&logits.detach(), D::Minus1),
            _ => {}
        }
        self.rows(&logits, if self.fault == SoftmaxOverHeads { D::Minus(3) } else { D::Minus1 })
    }

    /// A softmax that gives zeros where there is nothing to see.
    fn rows(&self, logits: &Tensor, dim: D) -> Result<Tensor> {
        let zeros = logits.zeros_like()?;
        let sees = logits.max_keepdim(dim)?.ne(f64::NEG_INFINITY)?;
        let sees = sees.broadcast_as(logits.shape())?;
        let weights = candle_nn::ops::softmax(&sees.where_cond(logits, &zeros)?, dim)?;
        sees.where_cond(&weights, &zeros)
    }

    fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
        let (batch, heads, rows, inner) = a.dims4()?;
        let (b_batch, b_heads, b_rows, columns) = b.dims4()?;
        if (batch, heads, inner) != (b_batch, b_heads, b_rows) {
            bail!("{:?} and {:?} do not fit", a.dims(), b.dims());
        }
        if a.elem_count() * b.elem_count() == 0 {
            return Tensor::zeros((batch, heads, rows, columns), a.dtype(), a.device());
        }
        a.matmul(&b.contiguous()?)
    }

    fn forward(
        &self,
        [query, key, value]: [&Tensor; 3],
        mask: Option<&Tensor>,
        need_weights: bool,
        train: bool,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let (spec, fault) = (self.spec, self.fault);
        for x in [query, key, value] {
            if x.rank() != 3 || x.dim(2)? != spec.embed_dim || x.dim(0)? != query.dim(0)? {
                bail!("shapes do not fit");
            }
        }
        if key.dims() != value.dims() {
            bail!("one value for each key");
        }
        let (key, value) = match fault {
            KeyAndValueSwapped => (value, key),
            KeysFromQuery => (query, query),
            ValuesFromKey => (key, key),
            _ => (key, value),
        };
        let kv_heads = match fault {
            KvHeadsIgnored | KvNotRepeated => spec.num_heads,
            _ => spec.num_kv_heads,
        };
        let query_weights = usize::from(fault == QueryWithKeyWeights && kv_heads == spec.num_heads);
        let query = self.split(&self.project(query_weights, query)?, spec.num_heads)?;
        let key = self.split(&self.project(1, key)?, kv_heads)?;
        let value = self.project(if fault == ValueWithKeyWeights { 1 } else { 2 }, value)?;
        let value = match fault {
            ValueLengthOfQuery => value.reshape((query.dim(0)?, query.dim(2)?, value.dim(2)?))?,
            _ => value,
        };
        let value = self.split(&value, kv_heads)?;
        let (key, value) = (self.repeat(&key)?, self.repeat(&value)?);
        let scale = match fault {
            ScaleForgotten => 1.,
            ScaledByHeadDim => spec.head_dim() as f64,
            ScaledByEmbedDim => (spec.embed_dim as f64).sqrt(),
            ScaleInF32 => f64::from((spec.head_dim() as f32).sqrt()),
            _ => (spec.head_dim() as f64).sqrt(),
        };
        let drop = |here: bool, x: Tensor| match train && here {
            true => self.drop(&x),
            false => Ok(x),
        };
        let (query_dim, key_dim) = (query.dim(3)?, key.dim(3)?);
        if query_dim != key_dim {
            // What week 1's `scores` says.
            bail!("key: expected vectors of {query_dim} numbers, like query's; got {key_dim}");
        }
        let scores = (Self::product(&query, &key.transpose(2, 3)?)? / scale)?;
        let scores = drop(fault == DropoutOnScores, scores)?;
        let by_batch = match mask {
            Some(mask)
                if fault == MaskByBatch
                    && mask.dims().first() == Some(&scores.dim(0)?)
                    && mask.rank() == 3 =>
            {
                Some(mask.unsqueeze(1)?)
            }
            _ => None,
        };
        let mask = by_batch.as_ref().or(mask);
        if let Some(mask) = mask {
            mask.broadcast_as(scores.shape())?;
        }
        let mask = mask.filter(|_| !(train && fault == MaskDroppedInTraining));
        let weights = match mask {
            Some(keep) if fault == MaskAfterSoftmax && keep.dtype() == DType::U8 => {
                let keep = keep.broadcast_as(scores.shape())?.to_dtype(scores.dtype())?;
                (self.softmax(&scores, None)? * keep)?
            }
            mask => self.softmax(&scores, mask)?,
        };
        let elsewhere = [DropoutOnScores, DropoutOnOutput, DropoutForgotten].contains(&fault);
        if fault == SeedInEvaluation && !train {
            self.seed.fetch_add(1, Ordering::Relaxed);
        }
        let kept = match fault {
            DropoutInEvaluation => self.drop(&weights)?,
            _ => drop(!elsewhere, weights.clone())?,
        };
        let heads = Self::product(&kept, &value)?;
        let heads = match fault {
            CombinedByReshape | ReshapedBothWays => {
                let (batch, heads_, seq, head_dim) = heads.dims4()?;
                heads.reshape((batch, seq, heads_ * head_dim))?
            }
            _ => combine_right(&heads)?,
        };
        let output = match fault {
            OutputProjectionForgotten => heads,
            _ => self.project(3, &heads)?,
        };
        let output = drop([DropoutOnOutput, DroppedTwice].contains(&fault), output)?;
        let weights = match fault {
            WeightsAfterDropout => kept,
            WeightsAveraged => weights.mean(1)?,
            WeightsDetached => weights.detach(),
            ScoresReturned => scores,
            _ => weights,
        };
        let given = (need_weights || fault == WeightsAlways) && fault != WeightsNever;
        Ok((output, given.then_some(weights)))
    }
}

fn with(fault: Fault) -> Box<Build> {
    Box::new(move |spec, vb| {
        let layer = Layer::new(fault, spec, vb)?;
        let forward: Box<Forward> =
            Box::new(move |query, key, value, mask, need_weights, train| {
                layer.forward([query, key, value], mask, need_weights, train)
            });
        Ok(forward)
    })
}

/// Builds one wrong layer.
macro_rules! faulty {
    ($fault:ident, $name:literal, $diagnosis:literal) => {{
        let build = with($fault);
        wrong!($name, $diagnosis, move |spec, vb: VarBuilder| build(spec, vb))
    }};
}

pub fn multi_head_attention() -> Vec<Wrong<Build>> {
    vec![
        faulty!(
            ScaleForgotten,
            "scale forgotten",
            "the scores are not divided by √head_dim: the weights are too sharp."
        ),
        faulty!(
            ScaledByEmbedDim,
            "scaled by embed_dim",
            "the scores are divided by √embed_dim: a head's dot product sums over `head_dim` numbers, so that is what its variance grows with."
        ),
        faulty!(
            ScaledByHeadDim,
            "scaled by head_dim",
            "the scores are divided by `head_dim`, not by its root: the weights are too flat."
        ),
        faulty!(
            ReshapedBothWays,
            "reshaped both ways",
            "heads are split and combined by reshapes without a transpose: each head sees numbers of several tokens mixed, and the mistake undoes itself only in the shapes."
        ),
        faulty!(
            RateIsKept,
            "dropout as the share to keep",
            "`dropout` was taken as the share to keep: it is the probability that a weight is dropped."
        ),
        faulty!(
            OneDrawForRows,
            "whole rows dropped",
            "one draw decides for all keys of a query: each weight has a draw of its own."
        ),
        faulty!(
            MaskDroppedInTraining,
            "mask dropped in training",
            "`attn_mask` has no effect in training: dropout comes after the mask, not instead of it."
        ),
        faulty!(
            AdditiveBinarised,
            "additive mask as a keep-mask",
            "an additive mask is read as may or may not attend: its numbers are added to the scores."
        ),
        faulty!(
            SameSeedForAllLayers,
            "one seed for all layers",
            "layers with different names draw the same numbers: a layer's seeds start at its name."
        ),
        faulty!(
            DropoutDetached,
            "gradient lost in dropout",
            "no gradient passes through the dropout: query and key learn nothing in training."
        ),
        faulty!(
            MaskDropped,
            "mask dropped",
            "`attn_mask` has no effect: it takes part in the softmax of the scores."
        ),
        faulty!(
            MaskInverted,
            "mask inverted",
            "a keep-mask is read the wrong way round: 1 means that the query may attend (PyTorch's boolean masks mean the same only in `scaled_dot_product_attention`)."
        ),
        faulty!(
            MaskOfFirstHead,
            "first head's mask for all",
            "all heads got the mask of head 0: a mask `(batch, heads, seq_q, seq_k)` has one for each."
        ),
        faulty!(
            MaskByBatch,
            "three dimensions read as a batch",
            "a mask of three dimensions is read as `(batch, seq_q, seq_k)`: shapes are aligned at the end, so it is `(heads, seq_q, seq_k)`."
        ),
        faulty!(
            AdditiveIgnored,
            "additive mask ignored",
            "a keep-mask works, an additive mask is ignored: a mask of the scores' type is added to the scores before the softmax."
        ),
        faulty!(
            SoftmaxOverHeads,
            "softmax over heads",
            "the softmax runs over the heads, so that heads compete for a key: each query shares its weight among the keys, the last dimension."
        ),
        faulty!(
            NanRows,
            "NaN for rows with nothing to see",
            "a query that may see nothing gets NaN, as a plain softmax gives for a row of −∞. Week 3's `masked_softmax` gives zeros."
        ),
        faulty!(
            DropoutInEvaluation,
            "dropout in evaluation",
            "weights are dropped although `train` is false: evaluation must use what the model knows."
        ),
        faulty!(
            DropoutNotRescaled,
            "dropout not rescaled",
            "the weights that stay are not divided by 1 − dropout, so the output shrinks in training."
        ),
        faulty!(
            DropoutOnScores,
            "dropout on scores",
            "dropout is applied to the scores: a score of 0 is not a weight of 0. It is weights that are dropped, after the softmax."
        ),
        faulty!(
            DropoutOnOutput,
            "dropout on the output",
            "dropout is applied to individual numbers of the output: it is weights that are dropped, so that a query loses a whole key."
        ),
        faulty!(DropoutForgotten, "dropout forgotten", "nothing is dropped in training."),
        faulty!(
            DropoutAlwaysTheSame,
            "the same dropout in every call",
            "every call in training drops the same weights, so those are never trained: each call takes a new seed."
        ),
        faulty!(
            WeightsAfterDropout,
            "weights after dropout",
            "the weights returned in training are those after dropout (PyTorch does that): here they are those of the softmax, whose rows sum to 1."
        ),
        faulty!(
            WeightsAveraged,
            "weights averaged over heads",
            "the weights are averaged over the heads (PyTorch's default): return one map per head."
        ),
        faulty!(
            WeightsAlways,
            "weights although not asked for",
            "weights come back although `need_weights` is false: then the second value is `None`."
        ),
        faulty!(
            WeightsNever,
            "no weights",
            "no weights come back although `need_weights` is true."
        ),
        faulty!(
            KeyAndValueSwapped,
            "key and value swapped",
            "key and value are swapped: scores compare queries with keys, and the values are averaged."
        ),
        faulty!(
            QueryWithKeyWeights,
            "query through k_proj",
            "the query goes through `k_proj`: it has a projection of its own."
        ),
        faulty!(
            KeysFromQuery,
            "keys and values from query",
            "keys and values are made from `query`: that is right for self-attention only, where all three are one tensor."
        ),
        faulty!(
            ValuesFromKey,
            "values from key",
            "the values are made from `key`: `value` may be another tensor."
        ),
        faulty!(BiasDropped, "bias dropped", "the projections' biases are not added."),
        faulty!(
            WeightNotTransposed,
            "weight not transposed",
            "the weights are used as (in, out): they are stored as (out, in), so x·Wᵀ is meant. With square matrices no shape gives it away."
        ),
        faulty!(
            OutputProjectionForgotten,
            "output projection forgotten",
            "the combined heads are returned as they are: `out_proj` is what mixes the heads."
        ),
        faulty!(
            HeadsTiled,
            "key-value heads tiled",
            "key-value heads are repeated as 0 1 0 1: neighbouring query heads share one, 0 0 1 1."
        ),
        faulty!(
            KvNotRepeated,
            "key-value heads not repeated",
            "key and value are split into `num_heads` heads: they have `num_kv_heads`, and each of those serves a group of query heads."
        ),
        faulty!(
            KvHeadsIgnored,
            "num_kv_heads ignored",
            "`k_proj` and `v_proj` are asked for with `embed_dim` outputs: they have `num_kv_heads · head_dim`."
        ),
        faulty!(
            SplitByReshape,
            "split by reshape alone",
            "heads are split by a reshape without a transpose: the shape is right, but each head sees numbers of several tokens mixed."
        ),
        faulty!(
            CombinedByReshape,
            "combined by reshape alone",
            "heads are combined by a reshape without a transpose back: each token gets numbers of other tokens."
        ),
        faulty!(
            ValueLengthOfQuery,
            "length of values from query",
            "the values are reshaped with the query's length: key and value have a length of their own, `seq_k`."
        ),
        faulty!(
            NotValidated,
            "sizes not validated",
            "sizes that do not fit were accepted: the config can say whether they do, `config.validate()`."
        ),
        faulty!(
            MaskBeforeScale,
            "additive mask before the scale",
            "an additive mask is added before the division by √head_dim, which shrinks its numbers too: scale the scores first, then mask."
        ),
        faulty!(
            DropoutRenormalised,
            "divided by the sum after dropout",
            "the weights that stay are divided by their sum: they are divided by 1 − dropout, so that a weight is what it was on average, and a single row need not sum to 1."
        ),
        faulty!(
            SeedInEvaluation,
            "seed taken in evaluation",
            "a seed is taken outside training too: then an evaluation in between changes what every later training step drops."
        ),
        faulty!(
            WeightsDetached,
            "returned weights detached",
            "the values are right, but the returned weights are detached: a loss computed from them teaches the layer nothing."
        ),
        faulty!(
            MaskDetached,
            "gradient of the mask lost",
            "the values are right, but no gradient reaches an additive mask: it was detached. A bias may be learned."
        ),
        faulty!(
            MaskAfterSoftmax,
            "mask after the softmax",
            "a keep-mask is multiplied with the weights, after the softmax: hidden keys have taken their part of the sum already. Mask the scores, with week 3's `masked_softmax`."
        ),
        faulty!(
            ValueWithKeyWeights,
            "value through k_proj",
            "the values go through `k_proj`: they have a projection of their own, `v_proj`."
        ),
        faulty!(
            ScoresReturned,
            "scores returned",
            "the output is right, but scores come back in place of the weights: return what the softmax gives."
        ),
        faulty!(
            CandlesLinear,
            "candle's own Linear",
            "the projections are candle's `Linear::forward`: it gives wrong numbers for a transposed view and fails without tokens. `project`, which is given, does neither."
        ),
        faulty!(
            DroppedTwice,
            "dropped twice",
            "numbers of the output are dropped as well: it is weights that are dropped, and nothing else."
        ),
        faulty!(
            ScaleInF32,
            "scale by a root in f32",
            "√head_dim is computed in f32, so f64 inputs lose half of their digits: take the root of an f64."
        ),
        faulty!(
            GradientLost,
            "gradient lost",
            "the values are right, but no gradient reaches query and key: something like `softmax_last_dim` or `detach()` cuts the way back, without a warning."
        ),
    ]
}
