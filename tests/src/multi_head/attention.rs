//! What `MultiHeadAttention` must hold.

use super::{MultiHeadSpec, Sizes};
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Gradients, Implementation, Masks, Weights},
        Outcome,
        compare::{finite, refused, rounding, same, value as value_or},
        fixtures::Fixtures,
        gradient::gradients_agree,
        show::{self, inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{D, DType, Device, Result, Tensor, Var, bail};
use candle_nn::VarBuilder;
use std::{collections::HashMap, rc::Rc};

/// `forward` of a layer: query, key, value, mask, whether weights are wanted, whether it is training.
pub type Forward = dyn Fn(
    &Tensor,
    &Tensor,
    &Tensor,
    Option<&Tensor>,
    bool,
    bool,
) -> Result<(Tensor, Option<Tensor>)>;
/// `new` of a layer, which gives its `forward`.
pub type Build = dyn Fn(MultiHeadSpec, VarBuilder) -> Result<Box<Forward>>;

/// Checks a multi-head attention: `multi_head_attention(MultiHeadAttention::new, MultiHeadAttention::forward)`.
pub fn multi_head_attention<C, Layer, Fwd>(
    new: impl Fn(&C, VarBuilder) -> Result<Layer> + 'static,
    forward: Fwd,
) -> Verdict
where
    C: From<Sizes>,
    Layer: 'static,
    Fwd: Fn(
            &Layer,
            &Tensor,
            &Tensor,
            &Tensor,
            Option<&Tensor>,
            bool,
            bool,
        ) -> Result<(Tensor, Option<Tensor>)>
        + 'static,
{
    let forward = Rc::new(forward);
    let build = move |spec: MultiHeadSpec, vb: VarBuilder| {
        let layer = new(&spec.config(), vb)?;
        let forward = forward.clone();
        let boxed: Box<Forward> = Box::new(move |query, key, value, mask, weights, train| {
            forward(&layer, query, key, value, mask, weights, train)
        });
        Ok(boxed)
    };
    attention_laws().judge(&build)
}

pub(super) fn zoo() -> Vec<Proof> {
    attention_laws().proofs()
}

type Params = HashMap<String, Tensor>;

/// Why evaluation draws nothing.
const REPEATABLE: &str = "a validation run in the middle of training must not change what is trained afterwards, or two runs that should agree drift apart.";

const PROJECTIONS: [&str; 4] = ["q_proj", "k_proj", "v_proj", "out_proj"];

/// Seeded weights and biases for `spec`, f32, with entries of a size that keeps scores near 1.
fn params(spec: MultiHeadSpec, seed: u64) -> Result<Params> {
    let kv_dim = spec.num_kv_heads * spec.head_dim();
    let outs = [spec.embed_dim, kv_dim, kv_dim, spec.embed_dim];
    let mut params = Params::new();
    for (at, (name, out)) in PROJECTIONS.into_iter().zip(outs).enumerate() {
        let seed = seed + 100 * at as u64;
        let weight = seeded::normal(seed, (out, spec.embed_dim))?;
        let weight = (weight / (spec.embed_dim as f64).sqrt())?;
        params.insert(format!("{name}.weight"), weight);
        if spec.bias {
            params.insert(format!("{name}.bias"), (seeded::normal(seed + 1, out)? * 0.5)?);
        }
    }
    Ok(params)
}

/// Projections that change nothing.
fn identities(spec: MultiHeadSpec) -> Result<Params> {
    let eye = Tensor::eye(spec.embed_dim, DType::F32, &Device::Cpu)?;
    let named = PROJECTIONS.map(|name| (format!("{name}.weight"), eye.clone()));
    Ok(named.into())
}

fn layer(build: &Build, spec: MultiHeadSpec, params: &Params) -> Result<Box<Forward>> {
    let dtype = params.values().next().map_or(DType::F32, Tensor::dtype);
    build(spec, VarBuilder::from_tensors(params.clone(), dtype, &Device::Cpu))
}

/// A call in evaluation: output and weights.
fn attend(
    forward: &Forward,
    [query, key, value]: &[Tensor; 3],
    mask: Option<&Tensor>,
) -> Result<(Tensor, Tensor)> {
    match forward(query, key, value, mask, true, false)? {
        (output, Some(weights)) => Ok((output, weights)),
        (_, None) => bail!("no weights, although need_weights is true"),
    }
}

fn given(spec: MultiHeadSpec, [query, key, value]: &[Tensor; 3], mask: Option<&Tensor>) -> String {
    let mut named = vec![("query", query), ("key", key), ("value", value)];
    named.extend(mask.map(|mask| ("attn_mask", mask)));
    remember(format!("{spec:?}\n{}", inputs(&named)))
}

/// Seeded inputs: query of `seq_q` tokens, key and value of `seq_k`.
fn draw(seed: u64, batch: usize, seq_q: usize, seq_k: usize, dim: usize) -> Result<[Tensor; 3]> {
    crate::harness::cases::attention_inputs(seed, &[batch], [seq_q, seq_k, dim, dim])
}

/// One tensor as query, key and value.
fn own(x: &Tensor) -> [Tensor; 3] {
    [x.clone(), x.clone(), x.clone()]
}

fn causal(seq: usize) -> Result<Tensor> {
    Tensor::tril2(seq, DType::U8, &Device::Cpu)
}

fn batch_of_one<const S: usize, const D: usize>(tokens: [[f32; D]; S]) -> Result<Tensor> {
    Tensor::new(&[tokens], &Device::Cpu)
}

/// A case by PyTorch: weights, inputs, mask, and the rest of its values.
struct Reference {
    params: Params,
    inputs: [Tensor; 3],
    mask: Option<Tensor>,
    values: Params,
}

fn pytorch(case: &str) -> Result<Reference> {
    let fixtures = Fixtures::read(include_bytes!("../../fixtures/multi_head.safetensors"))?;
    let part = |prefix: String| -> Params {
        let all = fixtures.all().into_iter();
        all.filter_map(|(name, x)| Some((name.strip_prefix(&prefix)?.to_string(), x))).collect()
    };
    let get = |name: &str| fixtures.get(&format!("{case}.{name}"));
    Ok(Reference {
        params: part(format!("{case}.param.")),
        inputs: [get("query")?, get("key")?, get("value")?],
        mask: get("mask").ok(),
        values: part(format!("{case}.")),
    })
}

/// Output and weights as PyTorch has them.
fn equals_pytorch(build: &Build, case: &str, spec: MultiHeadSpec) -> Outcome {
    let reference = pytorch(case)?;
    let Reference { params, inputs, mask, values, .. } = &reference;
    let given = given(spec, inputs, mask.as_ref());
    let forward = value_or(&given, layer(build, spec, params))?;
    let (output, weights) = value_or(&given, attend(&forward, inputs, mask.as_ref()))?;
    // A chain of two products over 8 numbers, a softmax over 7 keys, an average and a product over 8: 64 covers them.
    same(&given, Ok(weights), &values["weights"], rounding(64))?;
    same(&given, Ok(output), &values["output"], rounding(64))
}

/// Every gradient as PyTorch has it.
fn gradients_equal_pytorch(build: &Build, case: &str, spec: MultiHeadSpec) -> Outcome {
    let reference = pytorch(case)?;
    let Reference { params, inputs, mask, values, .. } = &reference;
    let mut vars = HashMap::new();
    for (name, x) in params {
        vars.insert(name.as_str(), Var::from_tensor(x)?);
    }
    for (name, x) in ["query", "key", "value"].iter().zip(inputs) {
        vars.insert(name, Var::from_tensor(x)?);
    }
    let tensors =
        params.keys().map(|name| (name.clone(), vars[name.as_str()].as_tensor().clone())).collect();
    let of = ["query", "key", "value"].map(|name| vars[name].as_tensor().clone());
    let given = given(spec, inputs, mask.as_ref());
    let forward = value_or(&given, layer(build, spec, &tensors))?;
    let (output, _) = value_or(&given, attend(&forward, &of, mask.as_ref()))?;
    let grads = (output * &values["grad"])?.sum_all()?.backward()?;
    let mut names: Vec<_> = vars.keys().copied().collect();
    names.sort_unstable();
    for name in names {
        let about = format!("looked at: the gradient of {name}\n{given}");
        let Some(grad) = grads.get(&vars[name]) else {
            return Err(Breach::text(&about, "a gradient", "none: backward() finds no way to it"));
        };
        // The chain of the forward pass and back, and a sum over 14 tokens.
        same(&about, Ok(grad.clone()), &values[&format!("grad.{name}")], rounding(256))?;
    }
    Ok(())
}

fn attention_laws() -> Check<Build> {
    let check =
        Check::new("multi_head::MultiHeadAttention", wrong::multi_head::multi_head_attention());
    edges(gradients(dropout(masks(values(check)))))
}

fn values(check: Check<Build>) -> Check<Build> {
    let small = MultiHeadSpec::new(8, 2);
    check
        .law(
            Implementation,
            "each head attends on its own slice of the numbers, with scores divided by √head_dim",
            |build| {
                // Projections change nothing; head_dim 2. The first query's scaled scores: ln 1, ln 2, ln 5 in head 0,
                // ln 3, ln 1, ln 1 in head 1. The second query is 0: equal weights. Three keys for two heads, so that
                // heads and keys cannot be taken for each other.
                let spec = MultiHeadSpec::new(4, 2).without_bias();
                let root = 2f32.sqrt();
                let case = [
                    batch_of_one([[root, 0., root, 0.], [0., 0., 0., 0.]])?,
                    batch_of_one([[0., 0., 3f32.ln(), 0.], [2f32.ln(), 0., 0., 0.], [5f32.ln(), 0., 0., 0.]])?,
                    batch_of_one([[8., 0., 5., 0.], [0., 8., 0., 5.], [16., 16., 10., 10.]])?,
                ];
                let given = given(spec, &case, None);
                let forward = value_or(&given, layer(build, spec, &identities(spec)?))?;
                let (output, weights) = value_or(&given, attend(&forward, &case, None))?;
                let third = 1f32 / 3.;
                let expected = Tensor::new(
                    &[[
                        [[0.125, 0.25, 0.625], [third, third, third]],
                        [[0.6, 0.2, 0.2], [third, third, third]],
                    ]],
                    &Device::Cpu,
                )?;
                same(&format!("{given}\nlooked at: weights"), Ok(weights), &expected, rounding(8))?;
                let expected = batch_of_one([[11., 12., 5., 3.], [8., 8., 5., 5.]])?;
                same(&format!("{given}\nlooked at: output"), Ok(output), &expected, rounding(16))
            },
        )
        .law(Implementation, "equals torch.nn.MultiheadAttention: self-attention", move |build| {
            equals_pytorch(build, "self", small)
        })
        .law(Implementation, "equals PyTorch's without biases", move |build| {
            equals_pytorch(build, "no_bias", small.without_bias())
        })
        .law(
            Implementation,
            "equals PyTorch's when keys and values come from another sequence of another length",
            move |build| equals_pytorch(build, "cross", small),
        )
        .law(
            Implementation,
            "equals PyTorch's with 2 key-value heads for 4 query heads, and with 1",
            |build| {
                equals_pytorch(build, "grouped", MultiHeadSpec::grouped(8, 4, 2))?;
                equals_pytorch(build, "multi_query", MultiHeadSpec::grouped(8, 4, 1))
            },
        )
        .law(
            Weights,
            "weights come back only when asked for; the output does not depend on it",
            move |build| {
                let case = draw(1, 2, 3, 4, 8)?;
                let [query, key, value] = &case;
                let given = given(small, &case, None);
                let forward = value_or(&given, layer(build, small, &params(small, 1)?))?;
                let with = value_or(&given, forward(query, key, value, None, true, false))?;
                let without = value_or(&given, forward(query, key, value, None, false, false))?;
                let shape = with.1.as_ref().map(Tensor::dims);
                if shape != Some(&[2, 2, 3, 4]) || without.1.is_some() {
                    let expected = "(batch, heads, seq_q, seq_k) = [2, 2, 3, 4] with need_weights, None without";
                    let got = format!("{shape:?} with, {:?} without", without.1.map(|w| w.dims().to_vec()));
                    return Err(Breach::text(&given, expected, &got));
                }
                // Without weights another order of the sums may be faster: the roundings of the PyTorch cases.
                same(&given, Ok(without.0), &with.0, rounding(64))
            },
        )
        .property(
            Weights,
            "each query's weights sum to 1 in each head",
            (1..3usize, 1..5usize, 1..5usize, 1..4usize, 0..1000u64),
            |build, (batch, seq_q, seq_k, heads, seed)| {
                let spec = MultiHeadSpec::new(3 * heads, heads);
                let case = draw(seed, batch, seq_q, seq_k, 3 * heads)?;
                let given = given(spec, &case, None);
                let forward = value_or(&given, layer(build, spec, &params(spec, seed)?))?;
                let sums = attend(&forward, &case, None).and_then(|(_, w)| w.sum(D::Minus1));
                let ones = Tensor::ones((batch, heads, seq_q), DType::F32, &Device::Cpu)?;
                same(&format!("{given}\nlooked at: the sums"), sums, &ones, rounding(seq_k + 1))
            },
        )
        .property(
            Implementation,
            "without a mask the order of the tokens does not matter: reversed in, reversed out",
            (2..6usize, 1..4usize, 0..1000u64),
            |build, (seq, heads, seed)| {
                let spec = MultiHeadSpec::new(2 * heads, heads);
                let x = seeded::normal(seed, (1, seq, 2 * heads))?;
                let order = Tensor::arange_step(seq as i64 - 1, -1, -1, &Device::Cpu)?;
                let turned = x.index_select(&order, 1)?;
                let given = given(spec, &own(&x), None);
                let forward = value_or(&given, layer(build, spec, &params(spec, seed)?))?;
                let (output, _) = value_or(&given, attend(&forward, &own(&x), None))?;
                let (of_turned, _) = value_or(&given, attend(&forward, &own(&turned), None))?;
                let expected = output.index_select(&order, 1)?;
                same(&given, Ok(of_turned), &expected, rounding(64))
            },
        )
}

fn masks(check: Check<Build>) -> Check<Build> {
    let small = MultiHeadSpec::new(8, 2);
    check
        .law(
            Masks,
            "equals PyTorch's with a mask of its own for each batch entry and head",
            move |build| equals_pytorch(build, "mask", small),
        )
        .law(Masks, "equals PyTorch's with padding: a mask (batch, 1, 1, seq_k)", move |build| {
            equals_pytorch(build, "padding", small)
        })
        .law(Masks, "an additive mask of 0 and −∞ does what the keep-mask does", move |build| {
            let case = own(&seeded::normal(2, (1, 3, 8))?);
            let keep = causal(3)?;
            let zeros = Tensor::zeros((3, 3), DType::F32, &Device::Cpu)?;
            let hidden = (zeros.ones_like()? * f64::NEG_INFINITY)?;
            let additive = keep.where_cond(&zeros, &hidden)?;
            let given = given(small, &case, Some(&additive));
            let forward = value_or(&given, layer(build, small, &params(small, 2)?))?;
            let (expected, _) = value_or(&given, attend(&forward, &case, Some(&keep)))?;
            let output = attend(&forward, &case, Some(&additive)).map(|(output, _)| output);
            same(&given, output, &expected, rounding(4))
        })
        .law(Masks, "the numbers of an additive mask are added to the scores", |build| {
            let spec = MultiHeadSpec::new(4, 2).without_bias();
            let zeros = Tensor::zeros((1, 2, 4), DType::F32, &Device::Cpu)?;
            let mask = Tensor::new(&[3f32.ln(), 0.], &Device::Cpu)?;
            let given = given(spec, &own(&zeros), Some(&mask));
            let forward = value_or(&given, layer(build, spec, &identities(spec)?))?;
            let weights = attend(&forward, &own(&zeros), Some(&mask)).map(|(_, weights)| weights);
            let expected = Tensor::new(&[0.75f32, 0.25], &Device::Cpu)?.broadcast_as((1, 2, 2, 2))?;
            same(&format!("{given}\nlooked at: weights"), weights, &expected.contiguous()?, rounding(8))
        })
        .property(
            Masks,
            "with a causal mask, changing the last token changes no earlier output",
            (2..6usize, 1..4usize, 0..1000u64),
            |build, (seq, heads, seed)| {
                let spec = MultiHeadSpec::new(2 * heads, heads);
                let x = seeded::normal(seed, (1, seq, 2 * heads))?;
                let last = seeded::normal(seed + 1, (1, 1, 2 * heads))?;
                let changed = Tensor::cat(&[x.narrow(1, 0, seq - 1)?, last], 1)?;
                let mask = causal(seq)?;
                let given = given(spec, &own(&x), Some(&mask));
                let forward = value_or(&given, layer(build, spec, &params(spec, seed)?))?;
                let before = |x: &Tensor| {
                    attend(&forward, &own(x), Some(&mask))
                        .and_then(|(y, _)| y.narrow(1, 0, seq - 1))
                };
                let expected = value_or(&given, before(&x))?;
                same(&given, before(&changed), &expected, rounding(8))
            },
        )
        .property(
            Masks,
            "hidden padding changes nothing: the output is that without it",
            (1..4usize, 1..4usize, 1..4usize, 0..1000u64),
            |build, (seq_q, seq_k, padding, seed)| {
                let spec = MultiHeadSpec::new(4, 2);
                let case = draw(seed, 1, seq_q, seq_k, 4)?;
                let noise = seeded::normal(seed + 9, (1, padding, 4))?;
                let padded = [
                    case[0].clone(),
                    Tensor::cat(&[&case[1], &noise], 1)?,
                    Tensor::cat(&[&case[2], &noise], 1)?,
                ];
                let keep: Vec<u8> = (0..seq_k + padding).map(|at| u8::from(at < seq_k)).collect();
                let keep = Tensor::new(keep, &Device::Cpu)?.reshape((1, 1, 1, seq_k + padding))?;
                let given = given(spec, &padded, Some(&keep));
                let forward = value_or(&given, layer(build, spec, &params(spec, seed)?))?;
                let (expected, _) = value_or(&given, attend(&forward, &case, None))?;
                let output = attend(&forward, &padded, Some(&keep)).map(|(output, _)| output);
                same(&given, output, &expected, rounding(32))
            },
        )
        .law(
            Masks,
            "a mask of three dimensions is (heads, seq_q, seq_k), also when batch and heads are equally many",
            move |build| {
                let case = draw(4, 2, 1, 2, 8)?;
                let mask = Tensor::new(&[[[1u8, 0]], [[0, 1]]], &Device::Cpu)?;
                let given = given(small, &case, Some(&mask));
                let forward = value_or(&given, layer(build, small, &params(small, 4)?))?;
                let weights = attend(&forward, &case, Some(&mask)).map(|(_, weights)| weights);
                // One key left: a weight of 1.
                let expected = mask.to_dtype(DType::F32)?.unsqueeze(0)?.repeat((2, 1, 1, 1))?;
                same(&format!("{given}\nlooked at: weights"), weights, &expected, rounding(1))
            },
        )
        .law(
            Masks,
            "a query that may see nothing gets weights of 0, and the bias of out_proj as output",
            move |build| {
                let case = draw(3, 1, 2, 3, 8)?;
                let mask = Tensor::new(&[[0u8, 0, 0], [1, 1, 0]], &Device::Cpu)?;
                let params = params(small, 3)?;
                let given = given(small, &case, Some(&mask));
                let forward = value_or(&given, layer(build, small, &params))?;
                let (output, weights) = value_or(&given, attend(&forward, &case, Some(&mask)))?;
                let zeros = Tensor::zeros((1, 2, 3), DType::F32, &Device::Cpu)?;
                let unseeing = weights.narrow(2, 0, 1)?.squeeze(2);
                same(
                    &format!("{given}\nlooked at: weights of query 0"),
                    unseeing,
                    &zeros,
                    rounding(0),
                )?;
                let expected = params["out_proj.bias"].reshape((1, 8))?;
                let about = format!("{given}\nlooked at: output of query 0");
                same(&about, output.narrow(1, 0, 1)?.squeeze(1), &expected, rounding(1))
            },
        )
}

fn training(given: String) -> String {
    remember(format!("{given}\ntrain: true"))
}

/// A layer whose output shows its weights: all queries and all keys are alike, and value j is 1 at numbers j and keys + j.
fn dropout_case(queries: usize, keys: usize) -> Result<(MultiHeadSpec, [Tensor; 3])> {
    let spec = MultiHeadSpec::new(2 * keys, 1).without_bias().with_dropout(0.5);
    let eye = Tensor::eye(keys, DType::F32, &Device::Cpu)?;
    let value = Tensor::cat(&[&eye, &eye], 1)?.unsqueeze(0)?;
    let query = Tensor::ones((1, queries, 2 * keys), DType::F32, &Device::Cpu)?;
    let key = Tensor::ones((1, keys, 2 * keys), DType::F32, &Device::Cpu)?;
    Ok((spec, [query, key, value]))
}

fn dropout(check: Check<Build>) -> Check<Build> {
    check
        .law(Weights, "nothing is dropped outside training", |build| {
            let spec = MultiHeadSpec::new(8, 2);
            let case = draw(5, 1, 3, 4, 8)?;
            let dropping = spec.with_dropout(0.5);
            let given = given(dropping, &case, None);
            let params = params(spec, 5)?;
            let plain = value_or(&given, layer(build, spec, &params))?;
            let (expected, _) = value_or(&given, attend(&plain, &case, None))?;
            let forward = value_or(&given, layer(build, dropping, &params))?;
            let output = attend(&forward, &case, None).map(|(output, _)| output);
            same(&given, output, &expected, rounding(0))
        })
        .law(
            Weights,
            "in training a weight is dropped with its whole value, and the others are divided by 1 − dropout",
            |build| {
                let (spec, case) = dropout_case(100, 8)?;
                let [query, key, value] = &case;
                let given = training(format!(
                    "{}\nprojections that change nothing; all weights are ⅛; value j is 1 at numbers j and 8 + j",
                    given(spec, &case, None)
                ));
                let forward = value_or(&given, layer(build, spec, &identities(spec)?))?;
                let (output, _) = value_or(&given, forward(query, key, value, None, false, true))?;
                let rows = value_or(&given, output.squeeze(0)?.to_vec2::<f32>())?;
                let close = |x: f32, to: f32| (x - to).abs() <= 8. * f32::EPSILON;
                let odd = rows.iter().flatten().find(|&&x| !close(x, 0.) && !close(x, 0.25));
                if let Some(odd) = odd {
                    let got = show::number(f64::from(*odd));
                    return Err(Breach::text(&given, "only 0 and ⅛ / ½ = 0.25", &got));
                }
                if let Some(row) = rows.iter().find(|row| row[..8] != row[8..]) {
                    let expected = "numbers 0–7 equal to numbers 8–15: both show the same weights";
                    return Err(Breach::text(&given, expected, &format!("{row:?}")));
                }
                let dropped = rows.iter().flat_map(|row| &row[..8]).filter(|&&x| close(x, 0.)).count();
                // 800 draws of probability ½: five standard deviations are 71.
                if (329..=471).contains(&dropped) {
                    return Ok(());
                }
                Err(Breach::text(&given, "about half of the 800 weights dropped", &dropped.to_string()))
            },
        )
        .law(
            Weights,
            "in training each weight is dropped with probability `dropout`, by a draw of its own for each batch entry, head, query and key; the mask still holds",
            |build| {
                // Two heads with head_dim = keys: value j is 1 at number j of each head. The last key is hidden.
                let spec = MultiHeadSpec::new(16, 2).without_bias().with_dropout(0.25);
                let eye = Tensor::eye(8, DType::F32, &Device::Cpu)?;
                let ones = |seq: usize| Tensor::ones((2, seq, 16), DType::F32, &Device::Cpu);
                let value = Tensor::cat(&[&eye, &eye], 1)?.unsqueeze(0)?.repeat((2, 1, 1))?;
                let case = [ones(100)?, ones(8)?, value];
                let mask = Tensor::new(&[1u8, 1, 1, 1, 1, 1, 1, 0], &Device::Cpu)?;
                let given = training(given(spec, &case, Some(&mask)));
                let forward = value_or(&given, layer(build, spec, &identities(spec)?))?;
                let [query, key, value] = &case;
                let (output, _) = value_or(&given, forward(query, key, value, Some(&mask), false, true))?;
                let shown = value_or(&given, output.reshape((2, 100, 2, 8)))?; // (batch, query, head, key)
                let hidden = shown.narrow(3, 7, 1)?;
                same(&format!("{given}\nlooked at: the hidden key"), Ok(hidden.clone()), &hidden.zeros_like()?, rounding(0))?;
                let seen = shown.narrow(3, 0, 7)?;
                let kept = seen.ne(0.)?.to_dtype(DType::F32)?;
                // Seven weights of 1/7, those that stay divided by ¾.
                same(&given, Ok(seen), &(&kept * (4. / 21.))?, rounding(16))?;
                let dropped = 2800. - kept.sum_all()?.to_scalar::<f32>()?;
                // 2800 draws of probability ¼: five standard deviations are 115.
                if !(585. ..=815.).contains(&dropped) {
                    return Err(Breach::text(&given, "about a quarter of the 2800 weights dropped", &dropped.to_string()));
                }
                for (axis, name) in ["batch entries", "queries", "heads", "keys"].iter().enumerate() {
                    let first = kept.narrow(axis, 0, 1)?.broadcast_as(kept.shape())?;
                    if (first - &kept)?.abs()?.sum_all()?.to_scalar::<f32>()? == 0. {
                        let got = format!("one draw for all {name}");
                        return Err(Breach::text(&given, "a draw for each weight", &got));
                    }
                }
                Ok(())
            },
        )
        .law(
            Weights,
            "layers with different names drop different weights",
            |build| {
                let (spec, case) = dropout_case(5, 4)?;
                let [query, key, value] = &case;
                let given = training(given(spec, &case, None));
                let mut runs = Vec::new();
                for name in ["encoder.0", "encoder.1"] {
                    let named = identities(spec)?.into_iter().map(|(n, x)| (format!("{name}.{n}"), x));
                    let vb = VarBuilder::from_tensors(named.collect(), DType::F32, &Device::Cpu).pp(name);
                    let forward = value_or(&given, build(spec, vb))?;
                    let (y, _) = value_or(&given, forward(query, key, value, None, false, true))?;
                    runs.push(show::values(&y)?);
                }
                if runs[0] != runs[1] {
                    return Ok(());
                }
                Err(Breach::text(&given, "different outputs from encoder.0 and encoder.1", "the same"))
            },
        )
        .law(
            Weights,
            "the weights returned in training are those before dropout",
            |build| {
                let (spec, case) = dropout_case(5, 4)?;
                let [query, key, value] = &case;
                let given = training(given(spec, &case, None));
                let forward = value_or(&given, layer(build, spec, &identities(spec)?))?;
                let (_, weights) = value_or(&given, forward(query, key, value, None, true, true))?;
                let Some(weights) = weights else {
                    return Err(Breach::text(&given, "weights", "None"));
                };
                let mut numbers: Vec<String> =
                    show::values(&weights)?.into_iter().map(show::number).collect();
                numbers.sort_unstable();
                numbers.dedup();
                // Which ones are dropped depends on the seed; what they become does not.
                if numbers == ["0.25"] {
                    return Ok(());
                }
                let got = format!("the numbers {}", numbers.join(" and "));
                Err(Breach::text(&given, "¼ for each of 4 keys that are alike", &got))
            },
        )
        .law(
            Weights,
            "each call in training drops different weights, and a new layer repeats the calls of the first",
            |build| {
                let (spec, case) = dropout_case(5, 4)?;
                let [query, key, value] = &case;
                let given = training(given(spec, &case, None));
                let mut runs = Vec::new();
                for _ in 0..2 {
                    let forward = value_or(&given, layer(build, spec, &identities(spec)?))?;
                    for _ in 0..2 {
                        let (y, _) = value_or(&given, forward(query, key, value, None, false, true))?;
                        runs.push(show::values(&y)?);
                    }
                }
                match (runs[0] != runs[1], runs[..2] == runs[2..]) {
                    (true, true) => Ok(()),
                    (false, _) => Err(Breach::text(&given, "a different output in the second call", "the same")),
                    _ => Err(Breach::text(&given, "the same outputs from a new layer", "different ones")),
                }
            },
        )
}

/// Output and weights in the type of `params`, head by head, of a layer without biases and with a head of its own for
/// each key and value.
fn reference(spec: MultiHeadSpec, params: &Params, case: &[Tensor; 3]) -> Result<(Tensor, Tensor)> {
    let head_dim = spec.head_dim();
    let project = |at: usize, x: &Tensor| {
        x.squeeze(0)?.matmul(&params[&format!("{}.weight", PROJECTIONS[at])].t()?)
    };
    let [query, key, value] = [project(0, &case[0])?, project(1, &case[1])?, project(2, &case[2])?];
    let (mut outputs, mut maps) = (Vec::new(), Vec::new());
    for head in 0..spec.num_heads {
        let of = |x: &Tensor| x.narrow(1, head * head_dim, head_dim)?.contiguous();
        let scores = (of(&query)?.matmul(&of(&key)?.t()?)? / (head_dim as f64).sqrt())?;
        let weights = candle_nn::ops::softmax(&scores, D::Minus1)?;
        outputs.push(weights.matmul(&of(&value)?)?);
        maps.push(weights);
    }
    let output = project(3, &Tensor::cat(&outputs, 1)?.unsqueeze(0)?)?;
    Ok((output.unsqueeze(0)?, Tensor::stack(&maps, 0)?.unsqueeze(0)?))
}

fn in_f64(params: Params) -> Result<Params> {
    params.into_iter().map(|(name, x)| Ok((name, x.to_dtype(DType::F64)?))).collect()
}

fn gradients(check: Check<Build>) -> Check<Build> {
    let small = MultiHeadSpec::new(8, 2);
    check
        .law(
            Gradients,
            "f64 weights and inputs are computed in f64, without a detour through f32; gradients are compared in f64",
            |build| {
                // √5 is not an f32: rounded to one, it is off by 1.5e-8 of its size.
                let spec = MultiHeadSpec::new(10, 2).without_bias();
                let params = in_f64(params(spec, 10)?)?;
                let [query, key, value] = draw(10, 1, 2, 3, 10)?.map(|x| x.to_dtype(DType::F64));
                let case = [query?, key?, value?];
                let (output, weights) = reference(spec, &params, &case)?;
                let given = given(spec, &case, None);
                let forward = value_or(&given, layer(build, spec, &params))?;
                let (ours, our_weights) = value_or(&given, attend(&forward, &case, None))?;
                same(&format!("{given}\nlooked at: weights"), Ok(our_weights), &weights, rounding(64))?;
                same(&format!("{given}\nlooked at: output"), Ok(ours), &output, rounding(64))
            },
        )
        .law(
            Gradients,
            "every input and every variable has PyTorch's gradient",
            move |build| {
                gradients_equal_pytorch(build, "self", small)?;
                gradients_equal_pytorch(build, "no_bias", small.without_bias())?;
                gradients_equal_pytorch(build, "cross", small)?;
                gradients_equal_pytorch(build, "mask", small)?;
                gradients_equal_pytorch(build, "padding", small)?;
                gradients_equal_pytorch(build, "grouped", MultiHeadSpec::grouped(8, 4, 2))?;
                gradients_equal_pytorch(build, "multi_query", MultiHeadSpec::grouped(8, 4, 1))
            },
        )
        .law(
            Gradients,
            "no variable is left out: each has a finite gradient that is not 0, except k_proj.bias",
            // A bias of the keys adds q·b to all scores of a query alike, and softmax does not see it: 0 is right there.
            |build| {
                let spec = MultiHeadSpec::grouped(8, 4, 2).with_dropout(0.25);
                let case = draw(6, 2, 3, 4, 8)?;
                let mut vars: Vec<(String, Var)> = Vec::new();
                for (name, x) in params(spec, 6)? {
                    vars.push((name, Var::from_tensor(&x)?));
                }
                vars.sort_by(|(a, _), (b, _)| a.cmp(b));
                let tensors: Params = vars.iter().map(|(n, v)| (n.clone(), v.as_tensor().clone())).collect();
                let given = given(spec, &case, None);
                let forward = value_or(&given, layer(build, spec, &tensors))?;
                let [query, key, value] = &case;
                for (train, (name, var)) in [false, true].into_iter().flat_map(|train| vars.iter().map(move |var| (train, var))) {
                    let given = format!("{given}\ntrain: {train}");
                    let (output, _) = value_or(&given, forward(query, key, value, None, false, train))?;
                    let grads = output.sqr()?.sum_all()?.backward()?;
                    let about = format!("looked at: the gradient of {name}\n{given}");
                    let Some(grad) = grads.get(var) else {
                        return Err(Breach::text(&about, "a gradient", "none: backward() finds no way to it"));
                    };
                    finite(&about, Ok(grad.clone()))?;
                    let size = grad.abs()?.sum_all()?.to_scalar::<f32>()?;
                    if size == 0. && name != "k_proj.bias" {
                        return Err(Breach::text(&about, "not all 0", "zeros"));
                    }
                }
                Ok(())
            },
        )
        .law(
            Gradients,
            "gradients of query, key and value agree with finite differences under a mask with an empty row",
            |build| {
                let spec = MultiHeadSpec::new(4, 2);
                let [query, key, value] = draw(7, 1, 2, 3, 4)?;
                let mask = Tensor::new(&[[0u8, 0, 0], [1, 0, 1]], &Device::Cpu)?;
                let forward = layer(build, spec, &in_f64(params(spec, 7)?)?)?;
                gradients_agree(
                    &[("query", &query), ("key", &key), ("value", &value)],
                    |inputs| {
                        let case = [inputs[0].clone(), inputs[1].clone(), inputs[2].clone()];
                        Ok(attend(&forward, &case, Some(&mask))?.0)
                    },
                )
            },
        )
        .law(
            Gradients,
            "gradients go through the returned weights too: a loss may be computed from them",
            |build| {
                let spec = MultiHeadSpec::new(4, 2);
                let [query, key, value] = draw(19, 1, 2, 3, 4)?;
                let value = value.to_dtype(DType::F64)?;
                let forward = layer(build, spec, &in_f64(params(spec, 19)?)?)?;
                gradients_agree(&[("query", &query), ("key", &key)], |inputs| {
                    let case = [inputs[0].clone(), inputs[1].clone(), value.clone()];
                    Ok(attend(&forward, &case, None)?.1)
                })
            },
        )
        .law(Gradients, "the gradient reaches an additive mask: a bias may be learned", |build| {
            let spec = MultiHeadSpec::new(4, 2);
            let [query, key, value] = draw(23, 1, 2, 3, 4)?.map(|x| x.to_dtype(DType::F64));
            let case = [query?, key?, value?];
            let forward = layer(build, spec, &in_f64(params(spec, 23)?)?)?;
            let bias = seeded::normal(24, (2, 2, 3))?;
            gradients_agree(&[("attn_mask", &bias)], |inputs| {
                Ok(attend(&forward, &case, Some(&inputs[0]))?.0)
            })
            .map_err(|breach| Breach {
                given: format!("{}\n{}", given(spec, &case, None), breach.given),
                ..breach
            })
        })
}

fn edges(check: Check<Build>) -> Check<Build> {
    let small = MultiHeadSpec::new(8, 2);
    check
        .law(Edges(why::ONE), "one token, odd sizes: 3 heads of 5 numbers", |build| {
            let spec = MultiHeadSpec::new(15, 3);
            let case = own(&seeded::normal(8, (3, 1, 15))?);
            let given = given(spec, &case, None);
            let forward = value_or(&given, layer(build, spec, &params(spec, 8)?))?;
            let (output, weights) = value_or(&given, attend(&forward, &case, None))?;
            same(&given, Ok(weights), &Tensor::ones((3, 3, 1, 1), DType::F32, &Device::Cpu)?, rounding(1))?;
            finite(&given, Ok(output))
        })
        .law(
            Edges(why::EMPTY),
            "no queries give no outputs; no keys leave the bias of out_proj",
            move |build| {
                let params = params(small, 9)?;
                let no_queries = draw(9, 2, 0, 3, 8)?;
                let about = given(small, &no_queries, None);
                let forward = value_or(&about, layer(build, small, &params))?;
                let output = attend(&forward, &no_queries, None).map(|(output, _)| output);
                same(&about, output, &Tensor::zeros((2, 0, 8), DType::F32, &Device::Cpu)?, rounding(0))?;
                let no_keys = draw(9, 2, 3, 0, 8)?;
                let about = given(small, &no_keys, None);
                let output = attend(&forward, &no_keys, None).map(|(output, _)| output);
                let bias = params["out_proj.bias"].broadcast_as((2, 3, 8))?.contiguous()?;
                same(&about, output, &bias, rounding(0))
            },
        )
        .law(Edges(why::VIEW), "a transposed view is read as its copy is", move |build| {
            let params = params(small, 17)?;
            let views = draw(18, 2, 8, 8, 3)?.map(|x| x.transpose(1, 2)); // (2, 3, 8)
            let [query, key, value] = views;
            let case = [query?, key?, value?];
            let [query, key, value] = case.clone().map(|x| x.contiguous());
            let given = given(small, &case, None);
            let forward = value_or(&given, layer(build, small, &params))?;
            let (expected, _) = value_or(&given, attend(&forward, &[query?, key?, value?], None))?;
            let output = attend(&forward, &case, None).map(|(output, _)| output);
            same(&format!("{given}\n(transposed views)"), output, &expected, rounding(64))
        })
        .law(
            Edges(REPEATABLE),
            "a call outside training takes no seed: the training calls around it draw what they drew without it",
            |build| {
                let (spec, case) = dropout_case(5, 4)?;
                let [query, key, value] = &case;
                let given = remember(given(spec, &case, None));
                let mut runs = Vec::new();
                for between in [false, true] {
                    let forward = value_or(&given, layer(build, spec, &identities(spec)?))?;
                    if between {
                        value_or(&given, attend(&forward, &case, None))?;
                    }
                    let (y, _) = value_or(&given, forward(query, key, value, None, false, true))?;
                    runs.push(show::values(&y)?);
                }
                if runs[0] == runs[1] {
                    return Ok(());
                }
                let expected = "the same output in training, whether or not a call with train = false came before";
                Err(Breach::text(&given, expected, "another output after that call"))
            },
        )
        .law(
            Edges(why::REFUSED),
            "heads that do not divide embed_dim, key-value heads that do not divide the heads, and a dropout outside [0, 1) are errors",
            |build| {
                let cases = [
                    (MultiHeadSpec::new(6, 4), "4 heads cannot share 6 numbers"),
                    (MultiHeadSpec::grouped(12, 6, 4), "4 key-value heads cannot serve 6 heads evenly"),
                    (MultiHeadSpec::new(8, 2).with_dropout(1.), "nothing would be left at a dropout of 1"),
                    (MultiHeadSpec::new(8, 2).with_dropout(-0.1), "a probability is not negative"),
                ];
                for (spec, why) in cases {
                    // Variables of any shape that is asked for.
                    let given = remember(format!("{spec:?}"));
                    let built = build(spec, VarBuilder::zeros(DType::F32, &Device::Cpu));
                    refused(&given, why, built)?;
                }
                let none = MultiHeadSpec { num_heads: 0, num_kv_heads: 0, ..MultiHeadSpec::new(8, 1) };
                let given = remember(format!("{none:?}"));
                let built = build(none, VarBuilder::zeros(DType::F32, &Device::Cpu));
                refused(&given, "there is no head", built)
            },
        )
        .law(Edges(why::REFUSED), "inputs and masks whose shapes do not fit are an error", move |build| {
            let forward = layer(build, small, &params(small, 11)?)?;
            let [query, key, value] = draw(11, 2, 3, 4, 8)?;
            let short = seeded::normal(12, (2, 3, 8))?;
            let narrow = seeded::normal(13, (2, 4, 6))?;
            let single = seeded::normal(14, (1, 4, 8))?;
            let matrix = seeded::normal(15, (3, 8))?;
            let cases = [
                ([&query, &key, &short], "4 keys, but 3 values"),
                ([&query, &narrow, &narrow], "6 numbers per token instead of 8"),
                ([&query, &single, &single], "a batch of 2 and a batch of 1"),
                ([&query, &key, &single], "a batch of 2 keys and of 1 value"),
                ([&matrix, &key, &value], "the query has no batch dimension"),
            ];
            for (case, why) in cases {
                let case = case.map(Tensor::clone);
                refused(&given(small, &case, None), why, attend(&forward, &case, None))?;
            }
            let (case, mask) = ([query, key, value], causal(3)?);
            let why = "a mask of 3 × 3 for 3 queries and 4 keys";
            refused(&given(small, &case, Some(&mask)), why, attend(&forward, &case, Some(&mask)))?;
            let (case, mask) = (draw(16, 3, 2, 2, 8)?, Tensor::ones((3, 2, 2), DType::U8, &Device::Cpu)?);
            let why = "a mask of three dimensions is (heads, seq_q, seq_k), and here are 2 heads; (batch, 1, seq_q, seq_k) is one for each batch entry";
            refused(&given(small, &case, Some(&mask)), why, attend(&forward, &case, Some(&mask)))
        })
}
