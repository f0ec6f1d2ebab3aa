//! The fast path equals the readable one: outputs, losses and every gradient, to rounding.

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use masking::{
    Align,
    solution::{causal_mask, keep_to_additive},
};
use multi_head::{MultiHeadConfig, weights::seeded_weights};
use std::collections::HashMap;
use transformer::{
    Attention, NormOrder, Parts, Transformer, TransformerConfig, fused, init::seeded_builder,
    solution,
};

/// A function of tensors, such as a loss by its inputs.
type Function<'a> = &'a dyn Fn(&[Tensor]) -> Result<Tensor>;

fn var(seed: u64, dims: &[usize]) -> Result<Var> {
    Var::from_tensor(&seeded::normal(seed, dims)?)
}

/// At most `units` roundings of f32 apart, of the largest expected number (at least 1).
fn close(what: &str, got: &Tensor, expected: &Tensor, units: f64) -> Result<()> {
    assert_eq!(got.dims(), expected.dims(), "{what}: shapes");
    let [got, expected] =
        [got, expected].map(|x| x.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>());
    let (got, expected) = (got?, expected?);
    let size = expected.iter().fold(1f64, |size, x| size.max(x.abs()));
    for (got, expected) in got.iter().zip(&expected) {
        let apart = (got - expected).abs();
        assert!(
            apart <= units * size * f64::from(f32::EPSILON),
            "{what}: got {got}, expected {expected}"
        );
    }
    Ok(())
}

/// Outputs, and the gradients of a random weighting of them by all of `inputs`, are the same.
fn same(what: &str, inputs: &[Var], fast: Function, readable: Function, units: f64) -> Result<()> {
    let tensors: Vec<Tensor> = inputs.iter().map(|var| var.as_tensor().clone()).collect();
    let (got, expected) = (fast(&tensors)?, readable(&tensors)?);
    close(what, &got, &expected, units)?;
    if got.elem_count() == 0 {
        return Ok(());
    }
    let weights = seeded::normal(99, got.shape())?;
    let [got, expected] = [got, expected].map(|out| (out * &weights)?.sum_all()?.backward());
    let (got, expected) = (got?, expected?);
    for (at, var) in inputs.iter().enumerate() {
        let grad = got.get(var).unwrap_or_else(|| panic!("{what}: input {at} has no gradient"));
        let zeros = var.zeros_like()?;
        close(&format!("{what}, gradient {at}"), grad, expected.get(var).unwrap_or(&zeros), units)?;
    }
    Ok(())
}

/// The gradients agree with central differences. Outputs are f32 and added up in f64: with a step of 1/64 the slope
/// carries roundings of some 1e-6 · 64, and what the third derivative adds is of the same size.
fn slopes_agree(what: &str, inputs: &[Var], function: Function) -> Result<()> {
    const STEP: f64 = 1. / 64.;
    let tensors: Vec<Tensor> = inputs.iter().map(|var| var.as_tensor().clone()).collect();
    let weights = seeded::normal(99, function(&tensors)?.shape())?;
    let grads = (function(&tensors)? * &weights)?.sum_all()?.backward()?;
    let loss = |inputs: &[Tensor]| -> Result<f64> {
        let [out, weights] = [&function(inputs)?, &weights].map(|x| x.to_dtype(DType::F64));
        (out? * weights?)?.sum_all()?.to_scalar()
    };
    for (at, var) in inputs.iter().enumerate() {
        let values = var.flatten_all()?.to_vec1::<f32>()?;
        let moved = |number: usize, by: f64| {
            let mut values = values.clone();
            values[number] += by as f32;
            let mut tensors: Vec<Tensor> = tensors.iter().map(Tensor::detach).collect();
            tensors[at] = Tensor::from_vec(values, var.shape(), &Device::Cpu)?;
            loss(&tensors)
        };
        let slopes = (0..values.len())
            .map(|number| Ok((moved(number, STEP)? - moved(number, -STEP)?) / (2. * STEP)))
            .collect::<Result<Vec<_>>>()?;
        let slopes = Tensor::from_vec(slopes, var.shape(), &Device::Cpu)?;
        let grad = grads.get(var).unwrap_or_else(|| panic!("{what}: input {at} has no gradient"));
        close(&format!("{what}, slope {at}"), grad, &slopes, 1e-3 / f64::from(f32::EPSILON))?;
    }
    Ok(())
}

#[test]
fn linear_equals_the_readable_one() -> Result<()> {
    for [batch, seq, from, to] in
        [[2, 3, 4, 5], [1, 1, 1, 1], [3, 7, 17, 33], [4, 11, 64, 128], [0, 3, 4, 5], [2, 0, 4, 5]]
    {
        let inputs = [var(1, &[batch, seq, from])?, var(2, &[to, from])?, var(3, &[to])?];
        for relu in [false, true] {
            let what = format!("linear {batch} {seq} {from} {to}, relu {relu}");
            let with = |linear: fn(&Tensor, &Tensor, &Tensor, bool) -> Result<Tensor>| {
                move |x: &[Tensor]| linear(&x[0], &x[1], &x[2], relu)
            };
            let (fast, readable) = (with(fused::linear), with(Parts::readable().linear));
            same(&what, &inputs, &fast, &readable, 100.)?;
        }
    }
    let inputs = [var(1, &[2, 4, 3])?, var(2, &[5, 4])?, var(3, &[5])?];
    let with = |linear: fn(&Tensor, &Tensor, &Tensor, bool) -> Result<Tensor>| {
        move |x: &[Tensor]| linear(&x[0].transpose(1, 2)?, &x[1], &x[2], true)
    };
    same("a transposed batch", &inputs, &with(fused::linear), &with(Parts::readable().linear), 20.)
}

#[test]
fn linear_has_the_right_slopes() -> Result<()> {
    let linear = |relu: bool| move |x: &[Tensor]| fused::linear(&x[0], &x[1], &x[2], relu);
    // With a ReLU no sum may come near its kink.
    for seed in 0.. {
        let inputs = [var(seed, &[2, 3, 4])?, var(seed + 1000, &[3, 4])?, var(seed + 2000, &[3])?];
        let tensors = inputs.each_ref().map(|var| var.as_tensor().clone());
        if linear(false)(&tensors)?.abs()?.min_all()?.to_scalar::<f32>()? > 0.1 {
            slopes_agree("linear", &inputs, &linear(false))?;
            return slopes_agree("linear with ReLU", &inputs, &linear(true));
        }
    }
    Ok(())
}

#[test]
fn layer_norm_equals_the_readable_one() -> Result<()> {
    for dims in [&[2, 3, 8][..], &[5, 1], &[1, 1, 1], &[3, 7, 17], &[4, 11, 64], &[0, 3, 4], &[9]] {
        let dim = [dims[dims.len() - 1]];
        let inputs = [var(1, dims)?, var(2, &dim)?, var(3, &dim)?];
        let fast = |x: &[Tensor]| fused::layer_norm(&x[0], &x[1], &x[2], 1e-5);
        let readable = |x: &[Tensor]| solution::layer_norm(&x[0], &x[1], &x[2], 1e-5);
        same(&format!("layer norm {dims:?}"), &inputs, &fast, &readable, 100.)?;
    }
    let inputs = [var(1, &[2, 3, 5])?, var(2, &[5])?, var(3, &[5])?];
    slopes_agree("layer norm", &inputs, &|x| fused::layer_norm(&x[0], &x[1], &x[2], 0.1))
}

#[test]
fn positions_equal_the_readable_ones() -> Result<()> {
    for (seq, d_model) in [(0, 4), (1, 2), (11, 64), (300, 6)] {
        let fast = fused::positional_encoding(seq, d_model, &Device::Cpu)?;
        close("positions", &fast, &solution::positional_encoding(seq, d_model, &Device::Cpu)?, 1.)?;
    }
    assert!(fused::positional_encoding(2, 3, &Device::Cpu).is_err());
    Ok(())
}

/// Both attentions with the same weights, and these as variables in order of their names.
fn attentions(config: &MultiHeadConfig) -> Result<([Box<dyn Attention>; 2], Vec<Var>)> {
    let map = seeded_weights(config, 5)?;
    let vb = || VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    let make = |parts: Parts| (parts.attention)(config, vb());
    let pair = [make(Parts::fast())?, make(Parts::readable())?];
    let mut vars: Vec<_> = map.data().lock().unwrap().clone().into_iter().collect();
    vars.sort_by(|a, b| a.0.cmp(&b.0));
    Ok((pair, vars.into_iter().map(|(_, var)| var).collect()))
}

/// All masks of a shape that the paths could take differently.
fn masks(
    [batch, heads, seq_q, seq_k]: [usize; 4],
) -> Result<HashMap<&'static str, Option<Tensor>>> {
    let draws = |dims: &[usize]| seeded::normal(8, dims);
    let blind = draws(&[batch, 1, seq_q, seq_k])?.ge(0.8)?; // some queries see nothing
    let additive = solution::alibi(heads, seq_q, seq_k, &Device::Cpu)?;
    let open = draws(&[batch, 1, seq_q, 1])?.ge(0.)?.broadcast_as((batch, 1, seq_q, seq_k))?;
    let closed = keep_to_additive(&open.contiguous()?, DType::F32)?;
    Ok(HashMap::from([
        ("none", None),
        ("padding", Some(draws(&[batch, 1, 1, seq_k])?.ge(-0.5)?)),
        ("causal", Some(causal_mask(seq_q, seq_k, Align::TopLeft, &Device::Cpu)?)),
        ("blind", Some(blind)),
        ("each head its own", Some(draws(&[batch, heads, seq_q, seq_k])?.ge(-1.)?)),
        ("additive", Some(additive)),
        ("rows of -inf", Some(closed)),
        ("transposed", Some(draws(&[seq_k, seq_q])?.ge(-1.)?.t()?)),
    ]))
}

#[test]
fn attention_equals_the_readable_one() -> Result<()> {
    let sizes = |embed_dim, num_heads, num_kv_heads, dropout, bias| MultiHeadConfig {
        num_kv_heads,
        dropout,
        bias,
        ..MultiHeadConfig::new(embed_dim, num_heads)
    };
    let configs = [
        sizes(8, 2, 2, 0., true),
        sizes(12, 4, 2, 0.3, true),
        sizes(15, 3, 1, 0.5, false),
        sizes(64, 4, 4, 0.1, true),
        sizes(40, 2, 2, 0., true),
    ];
    for config in &configs {
        for [batch, seq_q, seq_k] in
            [[2, 3, 3], [1, 1, 1], [3, 5, 18], [2, 17, 4], [0, 2, 3], [2, 2, 0], [2, 0, 3]]
        {
            let (attention, weights) = attentions(config)?;
            let dim = config.embed_dim;
            let mut inputs = vec![
                var(1, &[batch, seq_q, dim])?,
                var(2, &[batch, seq_k, dim])?,
                var(3, &[batch, seq_k, dim])?,
            ];
            inputs.extend(weights);
            for (name, mask) in masks([batch, config.num_heads, seq_q, seq_k])? {
                for train in [false, true] {
                    let what =
                        format!("{config:?}, {batch} {seq_q} {seq_k}, mask {name}, train {train}");
                    let run = |attention: &dyn Attention, x: &[Tensor]| {
                        Ok(attention.forward(&x[0], &x[1], &x[2], mask.as_ref(), false, train)?.0)
                    };
                    let (fast, readable) = (
                        |x: &[Tensor]| run(&*attention[0], x),
                        |x: &[Tensor]| run(&*attention[1], x),
                    );
                    // Where candle cannot go back through an empty tensor, only the outputs are compared.
                    if batch * seq_q * seq_k == 0 {
                        let x: Vec<_> = inputs.iter().map(|var| var.as_tensor().clone()).collect();
                        close(&what, &fast(&x)?, &readable(&x)?, 100.)?;
                        fast(&x)?.sum_all()?.backward()?;
                    } else {
                        same(&what, &inputs, &fast, &readable, 300.)?;
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn attention_has_the_right_slopes() -> Result<()> {
    let config = MultiHeadConfig { num_kv_heads: 1, ..MultiHeadConfig::new(6, 2) };
    let ([attention, _], _) = attentions(&config)?;
    let inputs = [var(1, &[2, 3, 6])?, var(2, &[2, 4, 6])?, var(3, &[2, 4, 6])?];
    let mask = causal_mask(3, 4, Align::TopLeft, &Device::Cpu)?;
    slopes_agree("attention", &inputs, &|x| {
        Ok(attention.forward(&x[0], &x[1], &x[2], Some(&mask), false, false)?.0)
    })
}

#[test]
fn what_is_not_fast_is_readable() -> Result<()> {
    let config = MultiHeadConfig::new(4, 2);
    let ([fast, readable], _) = attentions(&config)?;
    let x = seeded::normal(1, (1, 3, 4))?;
    // The maps, and the gradient of a bias that is learnt.
    let mask = var(2, &[2, 3, 3])?;
    let run = |attention: &dyn Attention, maps| {
        attention.forward(&x, &x, &x, Some(mask.as_tensor()), maps, false)
    };
    let ((out, maps), (expected, expected_maps)) = (run(&*fast, true)?, run(&*readable, true)?);
    close("watched", &out, &expected, 10.)?;
    close("maps", &maps.expect("asked for"), &expected_maps.expect("asked for"), 10.)?;
    let grads = run(&*fast, false)?.0.sqr()?.sum_all()?.backward()?;
    assert!(grads.get(&mask).expect("a gradient").abs()?.max_all()?.to_scalar::<f32>()? > 0.);
    // Other types, and the words of errors.
    let [x, weight, bias] =
        [&[1, 3, 4][..], &[2, 4], &[2]].map(|dims| seeded::normal(1, dims)?.to_dtype(DType::F64));
    let (x, weight, bias) = (x?, weight?, bias?);
    assert_eq!(fused::linear(&x, &weight, &bias, true)?.dtype(), DType::F64);
    let ones = Tensor::ones(4, DType::F64, &Device::Cpu)?;
    assert_eq!(fused::layer_norm(&x, &ones, &ones, 1e-5)?.dtype(), DType::F64);
    assert!(fused::linear(&x, &weight, &ones, true).is_err());
    assert!(fused::linear(&x.to_dtype(DType::F32)?, &weight, &bias, true).is_err());
    assert!(fused::layer_norm(&x, &bias, &ones, 1e-5).is_err());
    let first_line = |attention: &dyn Attention| {
        let error = attention.forward(&x, &x, &weight, None, false, false).unwrap_err().to_string();
        error.lines().next().unwrap().to_string()
    };
    assert_eq!(first_line(&*fast), first_line(&*readable));
    Ok(())
}

#[test]
fn models_have_equal_losses_and_gradients() -> Result<()> {
    let small = TransformerConfig::small(NormOrder::Pre);
    let odd = TransformerConfig {
        vocab: 13,
        d_model: 18,
        d_ff: 7,
        heads: 3,
        layers: 1,
        dropout: 0.2,
        order: NormOrder::Pre,
    };
    for config in [small, odd, TransformerConfig { dropout: 0.1, ..small }] {
        for order in [NormOrder::Pre, NormOrder::Post] {
            for (batch, seq) in [(3, 7), (1, 1), (2, 20)] {
                let config = TransformerConfig { order, ..config };
                let what = format!("{config:?}, {batch} × {seq}");
                let vars = VarMap::new();
                let model = |parts| Transformer::new(&config, &parts, seeded_builder(&vars, 3));
                let models = [model(Parts::fast())?, model(Parts::readable())?];
                let tokens = |seed| {
                    let padding =
                        seeded::uniform(seed + 9, (batch, seq))?.ge(0.2)?.to_dtype(DType::U32)?;
                    (seeded::uniform(seed, (batch, seq))?.affine(9., 1.)?.to_dtype(DType::U32)?
                        * padding)?
                        .maximum(
                            &Tensor::zeros((batch, seq), DType::U32, &Device::Cpu)?.slice_assign(
                                &[0..1, 0..1],
                                &Tensor::ones((1, 1), DType::U32, &Device::Cpu)?,
                            )?,
                        )
                };
                let (source, target, next) = (tokens(1)?, tokens(2)?, tokens(3)?);
                let run = |model: &Transformer| {
                    let log_probs = model.forward(&source, &target, true)?;
                    let loss = (model.parts().label_smoothing)(&log_probs, &next, 0.1, 0)?;
                    Ok::<_, candle_core::Error>((loss.clone(), loss.backward()?))
                };
                let ((got, grads), (expected, expected_grads)) =
                    (run(&models[0])?, run(&models[1])?);
                close(&format!("{what}: loss"), &got, &expected, 100.)?;
                for (name, var) in vars.data().lock().unwrap().iter() {
                    let grad =
                        grads.get(var).unwrap_or_else(|| panic!("{what}: {name} has no gradient"));
                    let expected = expected_grads.get(var).expect("the readable path reaches it");
                    close(&format!("{what}: {name}"), grad, expected, 300.)?;
                }
            }
        }
    }
    Ok(())
}
