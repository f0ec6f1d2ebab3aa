//! Attention.

use super::compare::{close, same, slopes_agree, var};
use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use masking::{
    Align,
    solution::{causal_mask, keep_to_additive},
};
use multi_head::{MultiHeadConfig, weights::seeded_weights};
use std::collections::HashMap;
use transformer::{Attention, Parts, fused, solution};

/// The fast and the readable attention.
type Pair = [Box<dyn Attention>; 2];

/// Both attentions with the same weights, and these as variables in order of their names.
fn attentions(config: &MultiHeadConfig) -> Result<(Pair, Vec<Var>)> {
    one_thread::candle();
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
    let open =
        draws(&[batch, 1, seq_q, 1])?.ge(0.)?.broadcast_as((batch, 1, seq_q, seq_k))?;
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
        for [batch, seq_q, seq_k] in [
            [2, 3, 3],
            [1, 1, 1],
            [3, 5, 18],
            [2, 17, 4],
            [0, 2, 3],
            [2, 2, 0],
            [2, 0, 3],
        ] {
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
                    let what = format!(
                        "{config:?}, {batch} {seq_q} {seq_k}, mask {name}, train {train}"
                    );
                    let run = |attention: &dyn Attention, x: &[Tensor]| {
                        Ok(attention
                            .forward(&x[0], &x[1], &x[2], mask.as_ref(), false, train)?
                            .0)
                    };
                    let (fast, readable) = (
                        |x: &[Tensor]| run(&*attention[0], x),
                        |x: &[Tensor]| run(&*attention[1], x),
                    );
                    // Where candle cannot go back through an empty tensor, only the outputs are compared.
                    if batch * seq_q * seq_k == 0 {
                        let x: Vec<_> =
                            inputs.iter().map(|var| var.as_tensor().clone()).collect();
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
    let ((out, maps), (expected, expected_maps)) =
        (run(&*fast, true)?, run(&*readable, true)?);
    close("watched", &out, &expected, 10.)?;
    close("maps", &maps.expect("asked for"), &expected_maps.expect("asked for"), 10.)?;
    let grads = run(&*fast, false)?.0.sqr()?.sum_all()?.backward()?;
    assert!(
        grads.get(&mask).expect("a gradient").abs()?.max_all()?.to_scalar::<f32>()?
            > 0.
    );
    // Other types, and the words of errors.
    let [x, weight, bias] = [&[1, 3, 4][..], &[2, 4], &[2]]
        .map(|dims| seeded::normal(1, dims)?.to_dtype(DType::F64));
    let (x, weight, bias) = (x?, weight?, bias?);
    assert_eq!(fused::linear(&x, &weight, &bias, true)?.dtype(), DType::F64);
    let ones = Tensor::ones(4, DType::F64, &Device::Cpu)?;
    assert_eq!(fused::layer_norm(&x, &ones, &ones, 1e-5)?.dtype(), DType::F64);
    assert!(fused::linear(&x, &weight, &ones, true).is_err());
    assert!(fused::linear(&x.to_dtype(DType::F32)?, &weight, &bias, true).is_err());
    assert!(fused::layer_norm(&x, &bias, &ones, 1e-5).is_err());
    let first_line = |attention: &dyn Attention| {
        let error = attention
            .forward(&x, &x, &weight, None, false, false)
            .unwrap_err()
            .to_string();
        error.lines().next().unwrap().to_string()
    };
    assert_eq!(first_line(&*fast), first_line(&*readable));
    Ok(())
}
