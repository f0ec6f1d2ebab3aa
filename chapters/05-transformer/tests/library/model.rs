//! What the whole model must hold: its sizes, who sees whom, and that every variable learns.

use crate::candidates::{Candidate, candidates};
use candle_core::{D, DType, Device, Result, Shape, Tensor};
use candle_nn::{Init, VarBuilder, VarMap, var_builder::SimpleBackend};
use checks::{
    State, harness::gradient::gradients_agree, transformer as transformer_checks,
};
use compare::largest_error;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use transformer::{
    NormOrder, Parts, Transformer, TransformerConfig, init::seeded_builder,
    model::PADDING,
};

const ORDERS: [NormOrder; 2] = [NormOrder::Pre, NormOrder::Post];

pub(crate) fn tiny(order: NormOrder) -> TransformerConfig {
    TransformerConfig {
        vocab: 7,
        d_model: 8,
        d_ff: 12,
        heads: 2,
        layers: 2,
        dropout: 0.,
        order,
    }
}

/// A tiny model of each candidate's parts and each order, with what a message needs to name it.
fn models() -> Result<Vec<(String, Transformer)>> {
    let mut models = Vec::new();
    for candidate in candidates() {
        for order in ORDERS {
            let vb = seeded_builder(&VarMap::new(), 3);
            let model = Transformer::new(&tiny(order), &candidate.parts, vb)?;
            models.push((format!("{} parts, {order}-norm", candidate.name), model));
        }
    }
    Ok(models)
}

fn tokens(rows: &[&[u32]]) -> Result<Tensor> {
    Tensor::from_vec(rows.concat(), (rows.len(), rows[0].len()), &Device::Cpu)
}

fn apart(a: &Tensor, b: &Tensor) -> Result<f32> {
    Ok(largest_error(a, b)? as f32)
}

/// As in `pytorch.rs`: 60 epsilons of log-probabilities up to 8.
const ALLOWED: f32 = 60. * f32::EPSILON * 8.;

/// The same laws that your answers are held to.
#[test]
fn every_part_holds_the_laws_of_its_exercise() {
    for Candidate { name, parts, .. } in candidates() {
        for verdict in [
            transformer_checks::positional_encoding(parts.positional_encoding),
            transformer_checks::layer_norm(parts.layer_norm),
            transformer_checks::encoder_layer(parts.encoder_layer),
            transformer_checks::decoder_layer(parts.decoder_layer),
            transformer_checks::encode(parts.encode),
            transformer_checks::decode(parts.decode),
            transformer_checks::label_smoothing(parts.label_smoothing),
        ] {
            assert_eq!(verdict.state(), State::Passed, "{name} parts\n{verdict}");
        }
    }
}

#[test]
fn log_probabilities_are_those_of_one_token_each() -> Result<()> {
    for (about, model) in models()? {
        let target = tokens(&[&[1, 4, 2, 6]])?;
        let log_probs = model.forward(&tokens(&[&[3, 5, 2]])?, &target, false)?;
        assert_eq!(log_probs.dims(), [1, 4, 7], "{about}");
        let sums = log_probs.exp()?.sum(D::Minus1)?;
        assert!(apart(&sums, &sums.ones_like()?)? <= 16. * f32::EPSILON, "{about}");
    }
    Ok(())
}

#[test]
fn the_decoder_cannot_see_the_future() -> Result<()> {
    let source = tokens(&[&[3, 5, 2, 6]])?;
    for (about, model) in models()? {
        let before = model.forward(&source, &tokens(&[&[1, 4, 2, 6, 3]])?, false)?;
        for now in 1..5 {
            let changed: Vec<u32> = [1, 4, 2, 6, 3]
                .into_iter()
                .enumerate()
                .map(|(at, token)| if at < now { token } else { 5 })
                .collect();
            let after = model.forward(&source, &tokens(&[&changed])?, false)?;
            let past = |x: &Tensor| x.narrow(1, 0, now);
            // A weight of 0 adds exactly 0, so the past stays to the last bit.
            assert_eq!(
                apart(&past(&before)?, &past(&after)?)?,
                0.,
                "{about}, from {now} on"
            );
            assert!(apart(&before, &after)? > 0., "{about}: the present does count");
        }
    }
    Ok(())
}

#[test]
fn every_source_token_counts_for_every_target_token() -> Result<()> {
    let (source, target) = (tokens(&[&[3, 5, 2, 6]])?, tokens(&[&[1, 4, 2]])?);
    for (about, model) in models()? {
        let before = model.forward(&source, &target, false)?;
        for (at, changed) in
            [[4, 5, 2, 6], [3, 4, 2, 6], [3, 5, 4, 6], [3, 5, 2, 4]].iter().enumerate()
        {
            let after = model.forward(&tokens(&[changed])?, &target, false)?;
            for row in 0..3 {
                let change =
                    apart(&before.narrow(1, row, 1)?, &after.narrow(1, row, 1)?)?;
                assert!(change > 0., "{about}: source token {at}, target token {row}");
            }
        }
    }
    Ok(())
}

#[test]
fn padding_of_the_source_changes_nothing() -> Result<()> {
    let target = tokens(&[&[1, 4, 2]])?;
    for (about, model) in models()? {
        let short = model.forward(&tokens(&[&[3, 5, 2]])?, &target, false)?;
        let padded = tokens(&[&[3, 5, 2, PADDING, PADDING]])?;
        let long = model.forward(&padded, &target, false)?;
        assert!(apart(&short, &long)? <= ALLOWED, "{about}: {}", apart(&short, &long)?);
        // Cross-attention has its own mask: the memory of padding may hold anything.
        let memory = model.encode(&padded, false)?;
        let noise = seeded::normal(5, (1, 2, 8))?;
        let noisy = Tensor::cat(&[&memory.narrow(1, 0, 3)?, &noise], 1)?;
        let [quiet, noisy] = [memory, noisy]
            .map(|memory| model.decode(&target, &memory, &padded, false));
        assert_eq!(
            apart(&quiet?, &noisy?)?,
            0.,
            "{about}: cross-attention sees padding"
        );
    }
    Ok(())
}

#[test]
fn nobody_looks_at_padding_or_at_the_future() -> Result<()> {
    let source = tokens(&[&[3, 5, 2, PADDING]])?;
    for (about, model) in models()? {
        let maps = model.maps(&source, &tokens(&[&[1, 4, 2]])?)?;
        for (kind, map, seq_q, seq_k) in [
            ("encoder", &maps.encoder, 4, 4),
            ("decoder", &maps.decoder, 3, 3),
            ("cross", &maps.cross, 3, 4),
        ] {
            assert_eq!(map.len(), 2, "{about}, {kind}: one map for each layer");
            for weights in map {
                assert_eq!(weights.dims(), [1, 2, seq_q, seq_k], "{about}, {kind}");
                let rows = weights.flatten_to(2)?.to_vec2::<f32>()?;
                for (at, row) in rows.iter().enumerate() {
                    let seen = if kind == "decoder" { at % seq_q + 1 } else { 3 };
                    assert!(
                        row[..seen].iter().all(|&weight| weight > 0.),
                        "{about}, {kind}: {row:?}"
                    );
                    assert!(
                        row[seen..].iter().all(|&weight| weight == 0.),
                        "{about}, {kind}: {row:?}"
                    );
                }
            }
        }
    }
    Ok(())
}

#[test]
fn sequences_of_a_batch_do_not_meet() -> Result<()> {
    let (sources, targets) = ([[3, 5, 2], [6, 1, PADDING]], [[1, 4, 2], [1, 3, 5]]);
    for (about, model) in models()? {
        let both = model.forward(
            &tokens(&[&sources[0], &sources[1]])?,
            &tokens(&[&targets[0], &targets[1]])?,
            false,
        )?;
        for at in 0..2 {
            let alone = model.forward(
                &tokens(&[&sources[at]])?,
                &tokens(&[&targets[at]])?,
                false,
            )?;
            let apart = apart(&both.narrow(0, at, 1)?, &alone)?;
            assert!(apart <= ALLOWED, "{about}, sequence {at}: {apart}");
        }
    }
    Ok(())
}

/// candle's fused operations have no gradient, and say nothing: a variable behind one would not learn.
///
/// `k_proj.bias` is the exception, by mathematics: it adds q·b to all scores of a query alike, and softmax does not see
/// what all scores share.
#[test]
fn every_variable_gets_a_gradient() -> Result<()> {
    let (source, target) = (tokens(&[&[3, 5, 2, 6, 1]])?, tokens(&[&[1, 4, 2, 6]])?);
    for candidate in candidates() {
        for (order, train) in
            ORDERS.into_iter().flat_map(|order| [(order, false), (order, true)])
        {
            let vars = VarMap::new();
            let config = TransformerConfig { dropout: 0.1, ..tiny(order) };
            let model =
                Transformer::new(&config, &candidate.parts, seeded_builder(&vars, 3))?;
            let log_probs = model.forward(&source, &target, train)?;
            let loss = (candidate.parts.label_smoothing)(
                &log_probs,
                &tokens(&[&[4, 2, 6, 5]])?,
                0.1,
                PADDING,
            )?;
            let grads = loss.backward()?;
            let vars = vars.data().lock().unwrap();
            for (name, var) in vars.iter() {
                let about = format!(
                    "{} parts, {order}-norm, train {train}, {name}",
                    candidate.name
                );
                let grad =
                    grads.get(var).unwrap_or_else(|| panic!("{about}: no gradient"));
                let size = grad.abs()?.sum_all()?.to_scalar::<f32>()?;
                assert!(size.is_finite(), "{about}: {size}");
                assert!(size > 0. || name.ends_with("k_proj.bias"), "{about}: zeros");
            }
        }
    }
    Ok(())
}

#[test]
fn gradients_agree_with_finite_differences() -> Result<()> {
    let source = tokens(&[&[3, 4, PADDING], &[2, 1, 3]])?;
    let target = tokens(&[&[1, 4, 2], &[1, 3, PADDING]])?;
    for candidate in candidates().iter().filter(|candidate| candidate.in_f64) {
        for order in ORDERS {
            let config = TransformerConfig {
                vocab: 5,
                d_model: 4,
                d_ff: 6,
                heads: 2,
                layers: 1,
                dropout: 0.,
                order,
            };
            let vars = VarMap::new();
            Transformer::new(&config, &candidate.parts, seeded_builder(&vars, 4))?;
            let mut named: BTreeMap<String, Tensor> = BTreeMap::new();
            for (name, var) in vars.data().lock().unwrap().iter() {
                named.insert(name.clone(), var.as_tensor().clone());
            }
            // Biases start at 0, norms at 1: away from there. With other draws a norm may divide by a small variance, and
            // bend more than the differences allow for.
            for (tensor, seed) in named.values_mut().zip(2001..) {
                *tensor = (&*tensor + (seeded::normal(seed, tensor.shape())? * 0.2)?)?;
            }
            let inputs: Vec<_> =
                named.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
            let agree = gradients_agree(&inputs, |values| {
                let named = named.keys().cloned().zip(values.iter().cloned()).collect();
                let vb = VarBuilder::from_tensors(named, DType::F64, &Device::Cpu);
                let model = Transformer::new(&config, &candidate.parts, vb)?;
                model.forward(&source, &target, false)
            });
            if let Err(breach) = agree {
                panic!("{} parts, {order}-norm\n{breach}", candidate.name);
            }
        }
    }
    Ok(())
}

/// Gives variables of any shape that take no memory, and notes them.
#[derive(Clone, Default)]
struct Shapes(Arc<Mutex<BTreeMap<String, Vec<usize>>>>);

impl SimpleBackend for Shapes {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        self.0.lock().unwrap().insert(name.to_string(), shape.dims().to_vec());
        Tensor::zeros((), dtype, device)?.broadcast_as(shape) // one number, seen everywhere
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        candle_core::bail!("{name}: no shape")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

/// The shapes of all variables of a model, by name.
fn shapes(config: &TransformerConfig) -> Result<BTreeMap<String, Vec<usize>>> {
    let shapes = Shapes::default();
    let vb =
        VarBuilder::from_backend(Box::new(shapes.clone()), DType::F32, Device::Cpu);
    Transformer::new(config, &Parts::readable(), vb)?;
    let shapes = shapes.0.lock().unwrap().clone();
    Ok(shapes)
}

fn count(shapes: &BTreeMap<String, Vec<usize>>) -> usize {
    shapes.values().map(|shape| shape.iter().product::<usize>()).sum()
}

#[test]
fn the_small_model_has_169_803_parameters() -> Result<()> {
    // Embeddings 2 · 11 · 64 = 1408. An attention 4 · (64² + 64) = 16640, a feed-forward 64 · 128 + 128 + 128 · 64 + 64
    // = 16576, a norm 128. Encoder 2 · (16640 + 16576 + 2 · 128), decoder 2 · (2 · 16640 + 16576 + 3 · 128), last norms
    // 2 · 128, generator 64 · 11 + 11.
    let expected = 1408 + 2 * 33_472 + 2 * 50_240 + 256 + 715;
    assert_eq!(expected, 169_803);
    assert_eq!(count(&shapes(&TransformerConfig::small(NormOrder::Pre))?), expected);
    assert_eq!(
        count(&shapes(&TransformerConfig::small(NormOrder::Post))?),
        expected - 256
    );
    Ok(())
}

#[test]
fn the_papers_model_has_the_papers_sizes() -> Result<()> {
    let shapes = shapes(&TransformerConfig::paper(37_000))?;
    for (name, shape) in &shapes {
        let expected: &[usize] = match name.rsplit_once('.').unwrap_or_default() {
            ("generator", "bias") => &[37_000],
            ("generator" | "source_embedding" | "target_embedding", _) => {
                &[37_000, 512]
            }
            (layer, "weight") if layer.ends_with("_proj") => &[512, 512],
            (layer, "weight") if layer.ends_with("wide") => &[2048, 512],
            (layer, "weight") if layer.ends_with("narrow") => &[512, 2048],
            (layer, "bias") if layer.ends_with("wide") => &[2048],
            _ => &[512], // the other biases, and the norms
        };
        assert_eq!(shape, expected, "{name}");
    }
    // Two embeddings, the generator's two, 16 an encoder's layer, 26 a decoder's. Post-norm: no last norms.
    assert_eq!(shapes.len(), 4 + 6 * 16 + 6 * 26);
    // An attention 4 · (512² + 512) = 1050624, a feed-forward 2 · 512 · 2048 + 2048 + 512 = 2099712, a norm 1024.
    let encoder = 6 * (1_050_624 + 2_099_712 + 2 * 1024);
    let decoder = 6 * (2 * 1_050_624 + 2_099_712 + 3 * 1024);
    assert_eq!(encoder + decoder, 44_138_496);
    // The paper shares one matrix among both embeddings and the generator, and so has 65 million in all; here are three.
    assert_eq!(count(&shapes), 44_138_496 + 3 * 37_000 * 512 + 37_000);
    Ok(())
}

/// candle's `gather` gives 0 for this index, without an error.
#[test]
fn the_largest_token_of_all_is_refused_as_a_target() -> Result<()> {
    let log_probs = Tensor::zeros((2, 4), DType::F32, &Device::Cpu)?;
    let targets = Tensor::new(&[1, u32::MAX], &Device::Cpu)?;
    let error = transformer::solution::label_smoothing(&log_probs, &targets, 0., 0)
        .unwrap_err();
    assert!(error.to_string().contains("below 4"), "{error}");
    Ok(())
}
