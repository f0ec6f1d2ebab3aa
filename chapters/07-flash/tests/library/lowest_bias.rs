//! A bias of the smallest f32: the kernel takes it for "hidden", the formula adds it.

use candle_core::{Device, Result, Tensor};
use flash::{Path, SdpaOptions, flash_attention_on, naive};

fn numbers(x: &Tensor) -> Result<Vec<f32>> {
    x.flatten_all()?.to_vec1()
}

#[test]
fn over_a_whole_row_it_hides_all_keys_in_the_kernel_and_none_in_the_formula() -> Result<()> {
    let q = seeded::normal(1, (1, 1, 2, 16))?;
    let k = seeded::normal(2, (1, 1, 3, 16))?;
    let v = Tensor::new(&[1f32, 2., 9.], &Device::Cpu)?.reshape((1, 1, 3, 1))?;
    // The first query sees nothing, the second its first key.
    let bias = [[f32::MIN; 3], [0., f32::MIN, f32::MIN]];
    let options = SdpaOptions::default().bias(Tensor::new(&bias, &Device::Cpu)?);
    assert_eq!(numbers(&naive::attention(&q, &k, &v, &options)?)?, [4., 1.]);
    for path in Path::available() {
        let (out, lse) = flash_attention_on(path, &q, &k, &v, &options)?;
        assert_eq!(numbers(&out)?, [0., 1.], "{path:?}");
        assert_eq!(numbers(&lse)?[0], f32::NEG_INFINITY, "{path:?}");
    }
    Ok(())
}
