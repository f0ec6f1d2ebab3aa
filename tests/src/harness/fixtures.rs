//! PyTorch's values, from the files that the scripts in `fixtures/` make.

use candle_core::{Device, Result, Tensor};
use std::collections::HashMap;

/// The tensors of one fixture file, by name.
pub struct Fixtures(HashMap<String, Tensor>);

impl Fixtures {
    /// Reads a file that was compiled in with `include_bytes!`.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        Ok(Self(candle_core::safetensors::load_buffer(bytes, &Device::Cpu)?))
    }

    /// The tensor `name`; an error when the script has not written it.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        match self.0.get(name) {
            Some(tensor) => Ok(tensor.clone()),
            None => {
                candle_core::bail!("the fixture file has no tensor `{name}`: run its script again")
            }
        }
    }

    /// Every tensor of the file.
    pub fn all(&self) -> HashMap<String, Tensor> {
        self.0.clone()
    }
}
