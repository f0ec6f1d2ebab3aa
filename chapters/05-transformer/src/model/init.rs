//! Seeded weights to start from.

use candle_core::{DType, Device, Result, Shape, Tensor, Var, bail};
use candle_nn::{Init, VarBuilder, VarMap, var_builder::SimpleBackend};
use multi_head::SeedStream;

/// A builder that makes each variable when a layer first asks for it, and keeps it in `vars`.
///
/// Matrices `(out, in)`, embeddings among them, are normal with variance 1 / in; vectors are what the layer asks for: a
/// norm's weight 1, biases 0. Each variable is drawn from `seed` and its own name, so the order does not matter.
pub fn seeded_builder(vars: &VarMap, seed: u64) -> VarBuilder<'static> {
    let backend = Seeded { vars: vars.clone(), seed };
    VarBuilder::from_backend(Box::new(backend), DType::F32, Device::Cpu)
}

struct Seeded {
    vars: VarMap,
    seed: u64,
}

impl SimpleBackend for Seeded {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let mut vars =
            self.vars.data().lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(var) = vars.get(name) {
            if var.shape() != &shape {
                bail!("{name}: expected {shape:?}; the variable is {:?}", var.shape());
            }
            return Ok(var.as_tensor().clone());
        }
        let var = match (shape.dims(), init) {
            (&[_, dim], _) => {
                let seed = SeedStream::named(name).next_seed()
                    ^ self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let draws = seeded::normal(seed, shape)?.to_dtype(dtype)?;
                Var::from_tensor(&(draws / (dim.max(1) as f64).sqrt())?)?
            }
            (_, Init::Const(value)) => Var::from_tensor(
                &Tensor::full(value as f32, shape, device)?.to_dtype(dtype)?,
            )?,
            _ => Var::zeros(shape, dtype, device)?,
        };
        let tensor = var.as_tensor().clone();
        vars.insert(name.to_string(), var);
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        let vars =
            self.vars.data().lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match vars.get(name) {
            Some(var) => Ok(var.as_tensor().clone()),
            None => bail!("{name}: no such variable, and no shape to make it"),
        }
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}
