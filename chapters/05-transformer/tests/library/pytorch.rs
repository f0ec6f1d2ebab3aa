//! The whole model, its loss and every gradient beside PyTorch's, for both places of the norms.
//!
//! The script `tests/fixtures/transformer.py` builds the same model from PyTorch's own functions, in f64.

use crate::candidates::{Candidate, candidates};
use crate::model::tiny;
use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use checks::harness::fixtures::Fixtures;
use compare::largest_error;
use std::collections::BTreeMap;
use transformer::{NormOrder, Transformer, model::PADDING};

/// How far log-probabilities may be from PyTorch's, in epsilons of f32.
///
/// Count the roundings that stand one after the other on the longest way from a token to its log-probabilities. A norm of
/// 8 numbers has 20 (two sums of 8, four operations); an attention 56 (norm, two projections of 9, scores and average of
/// 5 each, softmax 7, sum 1); a feed-forward 43 (norm, products of 9 and 13, sum 1). The encoder's 2 layers
/// have 99 each, the decoder's 155; embedding, last norms, generator and log-softmax add 70: 578. Each is at most half an
/// epsilon of numbers whose size the norms hold near 1. They fall to both sides, so they add up as √578 = 24 do, and five
/// times that is as good as never: 5 · 24 · ½ = 60 epsilons of the largest number. (The readable parts are within 2.)
const FORWARD: f64 = 60.;
/// The way back is as long as the way there and begins at its end: 5 · √1156 · ½ = 85. Twice that, since in the gradients
/// of queries and keys numbers cancel that are larger than what is left. (The readable parts are within 44.)
const BACKWARD: f64 = 170.;

fn fixtures() -> Result<Fixtures> {
    Fixtures::read(include_bytes!("../../../../tests/fixtures/transformer.safetensors"))
}

/// A model with PyTorch's weights, and its variables by name.
struct Case {
    model: Transformer,
    vars: BTreeMap<String, Var>,
    fixtures: Fixtures,
    order: NormOrder,
}

impl Case {
    fn new(candidate: &Candidate, order: NormOrder) -> Result<Self> {
        let fixtures = fixtures()?;
        let mut vars = BTreeMap::new();
        for (name, tensor) in fixtures.all() {
            if let Some(name) = name.strip_prefix("param.") {
                vars.insert(name.to_string(), Var::from_tensor(&tensor)?);
            }
        }
        let named =
            vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone()));
        let vb = VarBuilder::from_tensors(named.collect(), DType::F32, &Device::Cpu);
        Ok(Self {
            model: Transformer::new(&tiny(order), &candidate.parts, vb)?,
            vars,
            fixtures,
            order,
        })
    }

    fn log_probs(&self) -> Result<Tensor> {
        let (source, target) =
            (self.fixtures.get("model.source")?, self.fixtures.get("model.target_in")?);
        self.model.forward(&source, &target, false)
    }

    fn loss(&self) -> Result<Tensor> {
        let targets = self.fixtures.get("model.target_out")?;
        (self.model.parts().label_smoothing)(&self.log_probs()?, &targets, 0.1, PADDING)
    }

    fn expected(&self, name: &str) -> Result<Tensor> {
        self.fixtures.get(&format!("{}.{name}", self.order))
    }
}

fn cases() -> Result<Vec<(String, Case)>> {
    let mut cases = Vec::new();
    for candidate in candidates() {
        for order in [NormOrder::Pre, NormOrder::Post] {
            let name = format!("{} parts, {order}-norm", candidate.name);
            cases.push((name, Case::new(&candidate, order)?));
        }
    }
    Ok(cases)
}

fn largest(x: &Tensor) -> Result<f64> {
    largest_error(x, &x.zeros_like()?)
}

/// Within `roundings` of numbers of the size `scale`.
fn assert_near(
    about: &str,
    got: &Tensor,
    expected: &Tensor,
    roundings: f64,
    scale: f64,
) -> Result<()> {
    assert_eq!(got.dims(), expected.dims(), "{about}");
    let apart = largest(&(got - expected)?)?;
    let allowed = roundings * f64::from(f32::EPSILON) * scale;
    assert!(apart <= allowed, "{about}: {apart:e} apart, {allowed:e} allowed"); // also when apart is NaN
    Ok(())
}

#[test]
fn log_probabilities_are_pytorchs() -> Result<()> {
    for (about, case) in cases()? {
        let expected = case.expected("log_probs")?;
        assert_near(
            &about,
            &case.log_probs()?,
            &expected,
            FORWARD,
            largest(&expected)?,
        )?;
    }
    Ok(())
}

#[test]
fn the_loss_is_pytorchs() -> Result<()> {
    for (about, case) in cases()? {
        let scale = largest(&case.expected("log_probs")?)?;
        assert_near(&about, &case.loss()?, &case.expected("loss")?, FORWARD, scale)?;
    }
    Ok(())
}

/// A bias of the keys adds q·b to all scores of a query alike. Softmax does not see that, so its gradient is 0, and what
/// comes out is the rounding of numbers that cancel: those that do not cancel in the gradient of the keys' weight.
#[test]
fn every_gradient_is_pytorchs() -> Result<()> {
    for (about, case) in cases()? {
        let grads = case.loss()?.backward()?;
        let mut compared = 0;
        for (name, var) in &case.vars {
            let Ok(expected) = case.expected(&format!("grad.{name}")) else {
                // The last norm of a stack: post-norm has none.
                assert!(
                    grads.get(var).is_none(),
                    "{about}, {name}: PyTorch has no gradient"
                );
                assert_eq!(case.order, NormOrder::Post, "{about}, {name}");
                continue;
            };
            let about = format!("{about}, {name}");
            let grad = grads.get(var).unwrap_or_else(|| panic!("{about}: no gradient"));
            let scale = match name.strip_suffix("k_proj.bias") {
                Some(layer) => {
                    largest(&case.expected(&format!("grad.{layer}k_proj.weight"))?)?
                }
                None => largest(&expected)?,
            };
            assert_near(&about, grad, &expected, BACKWARD, scale)?;
            compared += 1;
        }
        let last_norms = if case.order == NormOrder::Pre { 4 } else { 0 };
        // Embeddings and generator, 16 an encoder's layer, 26 a decoder's.
        assert_eq!(compared, 4 + 2 * 16 + 2 * 26 + last_norms, "{about}");
    }
    Ok(())
}
