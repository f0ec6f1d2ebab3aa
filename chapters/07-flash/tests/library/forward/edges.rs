//! Empty tensors, strides, threads, batches, sizes that pack.

use super::reference::agrees;
use crate::options::{ALL, inputs, numbers, options};
use candle_core::{DType, Result, Tensor};
use flash::{
    Causal, Path, SdpaOptions, flash_attention, flash_attention_on, flash_attention_with_lse,
};

#[test]
fn any_dimension_may_be_zero() -> Result<()> {
    for empty in 0..7 {
        for number in 0..ALL {
            let mut sizes = [2, 2, 2, 3, 5, 4, 6];
            sizes[empty] = 0;
            if empty == 2 {
                sizes[1] = 0; // no key-value heads serve no query heads
            }
            let [q, k, v] = inputs(1, sizes, DType::F32)?;
            let options = options(number, sizes[1], sizes[3], sizes[4])?;
            let (out, lse) = flash_attention_with_lse(&q, &k, &v, &options)?;
            assert_eq!(out.dims(), [sizes[0], sizes[1], sizes[3], sizes[6]]);
            assert_eq!(lse.dims(), [sizes[0], sizes[1], sizes[3]]);
            agrees(&format!("{sizes:?}"), &q, &k, &v, &options)?;
        }
    }
    Ok(())
}

#[test]
fn parts_of_tensors_may_be_empty() -> Result<()> {
    let [q, k, v] = inputs(1, [2, 4, 2, 6, 7, 8, 9], DType::F32)?;
    let plain = SdpaOptions::default();
    for x in 0..=6 {
        let (no_q, no_k, no_v) = (q.narrow(2, x, 0)?, k.narrow(2, x, 0)?, v.narrow(2, x, 0)?);
        assert_eq!(flash_attention(&no_q, &k, &v, &plain)?.dims(), [2, 4, 0, 9]);
        agrees("no keys", &q, &no_k, &no_v, &plain.clone().causal(Causal::BottomRight))?;
        let no_columns = flash_attention(&q, &k, &v.narrow(3, x, 0)?, &plain)?;
        assert_eq!(no_columns.dims(), [2, 4, 6, 0]);
        assert!(flash_attention(&q.narrow(3, x, 0)?, &k.narrow(3, x, 0)?, &v, &plain).is_ok());
        assert!(
            flash_attention(&q.narrow(0, 2, 0)?, &k.narrow(0, 2, 0)?, &v.narrow(0, 2, 0)?, &plain)
                .is_ok()
        );
    }
    Ok(())
}

#[test]
fn strides_change_nothing() -> Result<()> {
    let [q, k, v] = inputs(3, [2, 4, 2, 70, 90, 24, 40], DType::F32)?;
    let between = |x: &Tensor| x.transpose(1, 2)?.contiguous()?.transpose(1, 2);
    let columns = |x: &Tensor| x.transpose(2, 3)?.contiguous()?.transpose(2, 3);
    let part = |x: &Tensor| Tensor::cat(&[x, x, x], 3)?.narrow(3, x.dim(3)?, x.dim(3)?);
    for number in 0..ALL {
        let options = options(number, 4, 70, 90)?;
        for path in Path::available() {
            let expected = numbers(&flash_attention_on(path, &q, &k, &v, &options)?.0)?;
            for [a, b, c] in [
                [between(&q)?, between(&k)?, between(&v)?],
                [columns(&q)?, columns(&k)?, columns(&v)?],
                [part(&q)?, part(&k)?, part(&v)?],
                [q.clone(), columns(&k)?, between(&v)?],
            ] {
                let got = flash_attention_on(path, &a, &b, &c, &options)?.0;
                assert_eq!(numbers(&got)?, expected, "{path:?}, {number}");
            }
        }
    }
    // One row for all: strides of 0.
    let one = |x: &Tensor| x.narrow(2, 0, 1)?.broadcast_as(x.shape());
    agrees("strides of 0", &one(&q)?, &one(&k)?, &one(&v)?, &SdpaOptions::default())
}

#[test]
fn threads_change_nothing() -> Result<()> {
    for (at, sizes) in
        [[2, 4, 4, 300, 500, 32, 32], [1, 8, 2, 200, 70, 16, 48], [1, 1, 1, 700, 300, 64, 64]]
            .into_iter()
            .enumerate()
    {
        let [q, k, v] = inputs(4, sizes, DType::F32)?;
        for number in (at..ALL).step_by(3) {
            let options = options(number, sizes[1], sizes[3], sizes[4])?;
            agrees(&format!("{sizes:?}, {number}"), &q, &k, &v, &options)?;
            let on = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                let out = pool.expect("threads").install(|| flash_attention(&q, &k, &v, &options));
                numbers(&out?)
            };
            let (one, four) = (on(1)?, on(4)?);
            assert_eq!(one, four, "{sizes:?}, {number}");
        }
    }
    Ok(())
}
