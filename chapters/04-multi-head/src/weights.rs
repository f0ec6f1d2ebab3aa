//! Seeded weights to start from.

use crate::MultiHeadConfig;
use candle_core::{DType, Device, Result, Var};
use candle_nn::VarMap;

/// Fresh variables for one [`MultiHeadAttention`](crate::MultiHeadAttention), named as its `new` asks for them.
///
/// Weights are normal with variance 1 / in, so that projections keep the variance of their input; biases are 0.
/// candle's own initialisation cannot be seeded on the CPU.
pub fn seeded_weights(config: &MultiHeadConfig, seed: u64) -> Result<VarMap> {
    config.validate()?;
    let (embed_dim, kv_dim) = (config.embed_dim, config.kv_dim());
    let map = VarMap::new();
    {
        let mut vars =
            map.data().lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let layers = [
            ("q_proj", embed_dim),
            ("k_proj", kv_dim),
            ("v_proj", kv_dim),
            ("out_proj", embed_dim),
        ];
        for (at, (name, out)) in layers.into_iter().enumerate() {
            let draws = seeded::normal(seed.wrapping_add(at as u64), (out, embed_dim))?;
            let weight = (draws / (embed_dim as f64).sqrt())?;
            vars.insert(format!("{name}.weight"), Var::from_tensor(&weight)?);
            if config.bias {
                let bias = Var::zeros(out, DType::F32, &Device::Cpu)?;
                vars.insert(format!("{name}.bias"), bias);
            }
        }
    }
    Ok(map)
}
