//! Linear layers, norms, positions.

use super::compare::{close, same, slopes_agree, var};
use candle_core::{Device, Result, Tensor};
use transformer::{Parts, fused, solution};

#[test]
fn linear_equals_the_readable_one() -> Result<()> {
    for [batch, seq, from, to] in [
        [2, 3, 4, 5],
        [1, 1, 1, 1],
        [3, 7, 17, 33],
        [4, 11, 64, 128],
        [0, 3, 4, 5],
        [2, 0, 4, 5],
    ] {
        let inputs =
            [var(1, &[batch, seq, from])?, var(2, &[to, from])?, var(3, &[to])?];
        for relu in [false, true] {
            let what = format!("linear {batch} {seq} {from} {to}, relu {relu}");
            let with =
                |linear: fn(&Tensor, &Tensor, &Tensor, bool) -> Result<Tensor>| {
                    move |x: &[Tensor]| linear(&x[0], &x[1], &x[2], relu)
                };
            let (fast, readable) =
                (with(fused::linear), with(Parts::readable().linear));
            same(&what, &inputs, &fast, &readable, 100.)?;
        }
    }
    let inputs = [var(1, &[2, 4, 3])?, var(2, &[5, 4])?, var(3, &[5])?];
    let with = |linear: fn(&Tensor, &Tensor, &Tensor, bool) -> Result<Tensor>| {
        move |x: &[Tensor]| linear(&x[0].transpose(1, 2)?, &x[1], &x[2], true)
    };
    same(
        "a transposed batch",
        &inputs,
        &with(fused::linear),
        &with(Parts::readable().linear),
        20.,
    )
}

#[test]
fn linear_has_the_right_slopes() -> Result<()> {
    let linear =
        |relu: bool| move |x: &[Tensor]| fused::linear(&x[0], &x[1], &x[2], relu);
    // With a ReLU no sum may come near its kink.
    for seed in 0.. {
        let inputs = [
            var(seed, &[2, 3, 4])?,
            var(seed + 1000, &[3, 4])?,
            var(seed + 2000, &[3])?,
        ];
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
    for dims in [
        &[2, 3, 8][..],
        &[5, 1],
        &[1, 1, 1],
        &[3, 7, 17],
        &[4, 11, 64],
        &[0, 3, 4],
        &[9],
    ] {
        let dim = [dims[dims.len() - 1]];
        let inputs = [var(1, dims)?, var(2, &dim)?, var(3, &dim)?];
        let fast = |x: &[Tensor]| fused::layer_norm(&x[0], &x[1], &x[2], 1e-5);
        let readable = |x: &[Tensor]| solution::layer_norm(&x[0], &x[1], &x[2], 1e-5);
        same(&format!("layer norm {dims:?}"), &inputs, &fast, &readable, 100.)?;
    }
    let inputs = [var(1, &[2, 3, 5])?, var(2, &[5])?, var(3, &[5])?];
    slopes_agree("layer norm", &inputs, &|x| {
        fused::layer_norm(&x[0], &x[1], &x[2], 0.1)
    })
}

#[test]
fn positions_equal_the_readable_ones() -> Result<()> {
    for (seq, d_model) in [(0, 4), (1, 2), (11, 64), (300, 6)] {
        let fast = fused::positional_encoding(seq, d_model, &Device::Cpu)?;
        close(
            "positions",
            &fast,
            &solution::positional_encoding(seq, d_model, &Device::Cpu)?,
            1.,
        )?;
    }
    assert!(fused::positional_encoding(2, 3, &Device::Cpu).is_err());
    Ok(())
}
