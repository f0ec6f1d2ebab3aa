//! `cargo run -p transformer`: the sizes of a small and of the paper's Transformer.

use candle_core::{Device, Result, Tensor};
use candle_nn::VarMap;
use transformer::{NormOrder, Parts, Transformer, TransformerConfig, init::seeded_builder};

fn main() -> Result<()> {
    let vars = VarMap::new();
    let config = TransformerConfig::small(NormOrder::Pre);
    let model = Transformer::new(&config, &Parts::readable(), seeded_builder(&vars, 1))?;
    let source = Tensor::new(&[[3u32, 4, 5, 0]], &Device::Cpu)?;
    let out = model.forward(&source, &source, false)?;
    let count: usize = vars.all_vars().iter().map(|var| var.elem_count()).sum();
    println!("{out} {count}");
    Ok(())
}
