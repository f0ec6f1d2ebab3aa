//! Whole models.

use super::compare::close;
use candle_core::{Device, Result, Tensor};
use candle_nn::VarMap;
use transformer::{
    NormOrder, Parts, Transformer, TransformerConfig, init::seeded_builder,
};

/// Random tokens, a fifth of them padding; the first of all is none.
fn tokens(seed: u64, batch: usize, seq: usize) -> Result<Tensor> {
    one_thread::candle();
    let draws = seeded::uniform(seed, batch * seq)?.to_vec1::<f32>()?;
    let token = |(at, draw): (usize, f32)| {
        if at > 0 && draw < 0.2 { 0 } else { 1 + (draw * 9.) as u32 }
    };
    let tokens: Vec<u32> = draws.into_iter().enumerate().map(token).collect();
    Tensor::from_vec(tokens, (batch, seq), &Device::Cpu)
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
                let model =
                    |parts| Transformer::new(&config, &parts, seeded_builder(&vars, 3));
                let models = [model(Parts::fast())?, model(Parts::readable())?];
                let (source, target, next) = (
                    tokens(1, batch, seq)?,
                    tokens(2, batch, seq)?,
                    tokens(3, batch, seq)?,
                );
                let run = |model: &Transformer| {
                    let log_probs = model.forward(&source, &target, true)?;
                    let loss =
                        (model.parts().label_smoothing)(&log_probs, &next, 0.1, 0)?;
                    Ok::<_, candle_core::Error>((loss.clone(), loss.backward()?))
                };
                let ((got, grads), (expected, expected_grads)) =
                    (run(&models[0])?, run(&models[1])?);
                close(&format!("{what}: loss"), &got, &expected, 100.)?;
                for (name, var) in vars.data().lock().unwrap().iter() {
                    let grad = grads
                        .get(var)
                        .unwrap_or_else(|| panic!("{what}: {name} has no gradient"));
                    let expected =
                        expected_grads.get(var).expect("the readable path reaches it");
                    close(&format!("{what}: {name}"), grad, expected, 300.)?;
                }
            }
        }
    }
    Ok(())
}
