//! Empty tensors, rows with nothing to see, strides, threads, graphs.

use super::reference::{agrees, agrees_for, gradients, kernel};
use crate::options::{ALL, inputs, numbers, options};
use candle_core::{DType, Result, Tensor, Var};
use compare::largest_error;
use flash::{Causal, Path, SdpaOptions, flash_attention, flash_attention_with_lse, naive, sdpa};

#[test]
fn any_dimension_may_be_zero() -> Result<()> {
    for empty in 0..7 {
        for number in 0..ALL {
            let mut sizes = [2, 2, 2, 3, 5, 4, 6];
            sizes[empty] = 0;
            if empty == 2 {
                sizes[1] = 0; // no key-value heads serve no query heads
            }
            let inputs = inputs(1, sizes, DType::F32)?;
            let grad = seeded::normal(2, (sizes[0], sizes[1], sizes[3], sizes[6]))?;
            let options = options(number, sizes[1], sizes[3], sizes[4])?;
            for path in Path::available() {
                let got = kernel(path, &inputs, &grad, &options)?;
                for (got, input) in got.iter().zip(&inputs) {
                    assert_eq!(got.dims(), input.dims());
                }
                let [dq, dk, dv] = got;
                let zeros =
                    |x: &Tensor| -> Result<bool> { Ok(numbers(x)?.iter().all(|x| *x == 0.)) };
                assert!(zeros(&dq)? && zeros(&dk)?, "{sizes:?}, {number}, {path:?}");
                // Without queries there is nothing to learn; without dimensions all scores are 0.
                assert!(empty == 5 || zeros(&dv)?, "{sizes:?}, {number}, {path:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn without_dimensions_values_share_the_gradient() -> Result<()> {
    let inputs = inputs(1, [1, 1, 1, 2, 5, 0, 3], DType::F64)?;
    let grad = seeded::normal(2, (1, 1, 2, 3))?.to_dtype(DType::F64)?;
    let [_, _, dv] = kernel(Path::Portable, &inputs, &grad, &SdpaOptions::default())?;
    let mean = (grad.sum_keepdim(2)? / 5.)?.broadcast_as(dv.shape())?;
    assert!(largest_error(&dv, &mean)? < 1e-15);
    Ok(())
}

#[test]
fn parts_of_tensors_may_be_empty() -> Result<()> {
    let [q, k, v] = inputs(1, [2, 4, 2, 6, 7, 8, 9], DType::F32)?;
    let plain = SdpaOptions::default();
    for x in 0..=6 {
        for path in Path::available() {
            let no_queries = [q.narrow(2, x, 0)?, k.clone(), v.clone()];
            let grad = Tensor::zeros((2, 4, 0, 9), DType::F32, q.device())?;
            let [_, dk, dv] = kernel(path, &no_queries, &grad, &plain)?;
            assert!(numbers(&dk)?.iter().chain(&numbers(&dv)?).all(|x| *x == 0.));
            let no_keys = [q.clone(), k.narrow(2, x, 0)?, v.narrow(2, x, 0)?];
            let grad = Tensor::ones((2, 4, 6, 9), DType::F32, q.device())?;
            let [dq, _, _] = kernel(path, &no_keys, &grad, &plain)?;
            assert!(numbers(&dq)?.iter().all(|x| *x == 0.));
        }
    }
    Ok(())
}

#[test]
fn rows_with_nothing_to_see_have_no_gradient() -> Result<()> {
    let inputs = inputs(5, [1, 2, 1, 40, 30, 16, 16], DType::F32)?;
    let minus = Tensor::new(f32::NEG_INFINITY, inputs[0].device())?;
    let rows: Vec<u8> = (0..40).map(|row| u8::from(row % 7 != 3 && row >= 12)).collect();
    let keep = Tensor::from_vec(rows, (40, 1), inputs[0].device())?;
    let bias = keep.where_cond(
        &Tensor::zeros((40, 1), DType::F32, inputs[0].device())?,
        &minus.broadcast_as((40, 1))?,
    )?;
    let plain = SdpaOptions::default;
    for options in [plain().keep(keep.clone()), plain().bias(bias), plain().keep(keep).softcap(3.)]
    {
        for options in [options.clone(), options.causal(Causal::BottomRight)] {
            agrees("nothing to see", &inputs, &options)?;
            for path in Path::available() {
                let grad = Tensor::ones((1, 2, 40, 16), DType::F32, inputs[0].device())?;
                let [dq, _, _] = kernel(path, &inputs, &grad, &options)?;
                for (at, row) in numbers(&dq)?.chunks(16).enumerate() {
                    let hidden = at % 40 % 7 == 3 || at % 40 < 12;
                    assert!(!hidden || row.iter().all(|x| *x == 0.), "{at}: {row:?}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn strides_change_nothing() -> Result<()> {
    let inputs = inputs(3, [2, 4, 2, 70, 90, 24, 40], DType::F32)?;
    let grad = seeded::normal(4, (2, 4, 70, 40))?;
    let between = |x: &Tensor| x.transpose(1, 2)?.contiguous()?.transpose(1, 2);
    let columns = |x: &Tensor| x.transpose(2, 3)?.contiguous()?.transpose(2, 3);
    let part = |x: &Tensor| Tensor::cat(&[x, x, x], 3)?.narrow(3, x.dim(3)?, x.dim(3)?);
    let all: [fn(&Tensor) -> Result<Tensor>; 3] = [between, columns, part];
    for number in 0..ALL {
        let options = options(number, 4, 70, 90)?;
        for path in Path::available() {
            let attention = |q: &Tensor, k: &Tensor, v: &Tensor| {
                Ok(flash::flash_attention_on(path, q, k, v, &options)?.0)
            };
            let expected = gradients(&inputs, &grad, attention)?;
            for (at, turn) in all.iter().enumerate() {
                // The gradient comes with strides of its own, from the multiplication by it.
                let got = gradients(&inputs, &grad, |q, k, v| {
                    let out = attention(&turn(q)?, &turn(k)?, &turn(v)?)?;
                    all[(at + number) % 3](&out)
                })?;
                for (got, expected) in got.iter().zip(&expected) {
                    assert_eq!(numbers(got)?, numbers(expected)?, "{path:?}, {number}, {at}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_gradient_may_be_one_number_for_all() -> Result<()> {
    let inputs = inputs(3, [1, 2, 2, 20, 30, 8, 8], DType::F32)?;
    let one = Tensor::ones(1, DType::F32, inputs[0].device())?;
    agrees_for("ones", &inputs, &one.broadcast_as((1, 2, 20, 8))?, &SdpaOptions::default())
}

#[test]
fn one_row_may_serve_for_all() -> Result<()> {
    let [q, k, v] = inputs(3, [2, 2, 2, 33, 65, 8, 8], DType::F32)?;
    let one = |x: &Tensor| x.narrow(2, 0, 1);
    let grad = seeded::normal(4, (2, 2, 33, 8))?;
    let spread = |x: &Tensor, rows| x.broadcast_as((2, 2, rows, 8));
    for options in [SdpaOptions::default(), SdpaOptions::default().causal(Causal::TopLeft)] {
        let through = |attention: fn(&Tensor, &Tensor, &Tensor, &SdpaOptions) -> Result<Tensor>| {
            gradients(&[one(&q)?, one(&k)?, one(&v)?], &grad, |q, k, v| {
                attention(&spread(q, 33)?, &spread(k, 65)?, &spread(v, 65)?, &options)
            })
        };
        let (got, expected) = (through(flash_attention)?, through(naive::attention)?);
        for (got, expected) in got.iter().zip(&expected) {
            let error = largest_error(got, expected)?;
            assert!(error < 1e-4, "{error}"); // sums over 65 keys of about 10
        }
    }
    Ok(())
}

#[test]
fn threads_change_nothing() -> Result<()> {
    for (at, sizes) in
        [[2, 4, 4, 300, 500, 32, 32], [1, 8, 2, 200, 170, 16, 48], [1, 1, 1, 700, 900, 64, 64]]
            .into_iter()
            .enumerate()
    {
        let inputs = inputs(4, sizes, DType::F32)?;
        let grad = seeded::normal(4, (sizes[0], sizes[1], sizes[3], sizes[6]))?;
        for number in (at..ALL).step_by(3) {
            let options = options(number, sizes[1], sizes[3], sizes[4])?;
            let on = |threads| -> Result<Vec<f64>> {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                let run =
                    || gradients(&inputs, &grad, |q, k, v| flash_attention(q, k, v, &options));
                let [dq, dk, dv] = pool.expect("threads").install(run)?;
                Ok([numbers(&dq)?, numbers(&dk)?, numbers(&dv)?].concat())
            };
            let one = on(1)?;
            for threads in [2, 4, 4] {
                assert_eq!(one, on(threads)?, "{sizes:?}, {number}, {threads}");
            }
        }
    }
    Ok(())
}

#[test]
fn the_log_sum_exp_has_no_gradient() -> Result<()> {
    let [q, k, v] = inputs(4, [1, 1, 1, 4, 4, 8, 8], DType::F32)?;
    let q = Var::from_tensor(&q)?;
    let (_, lse) = flash_attention_with_lse(&q, &k, &v, &SdpaOptions::default())?;
    assert!(!lse.track_op());
    Ok(())
}

#[test]
fn one_tensor_may_be_all_three_and_be_used_twice() -> Result<()> {
    let x = Var::from_tensor(&seeded::normal(4, (2, 2, 30, 16))?)?;
    let options = SdpaOptions::default().causal(Causal::TopLeft);
    let through = |attention: fn(&Tensor, &Tensor, &Tensor, &SdpaOptions) -> Result<Tensor>| {
        let once = attention(&x, &x, &x, &options)?;
        let twice = attention(&once, &x, &once, &options)?;
        let store = twice.sqr()?.sum_all()?.backward()?;
        Ok::<_, candle_core::Error>(store.get(&x).expect("a gradient").clone())
    };
    let expected = through(naive::attention)?;
    for attention in [flash_attention, sdpa] {
        let error = largest_error(&through(attention)?, &expected)?;
        assert!(error < 1e-4, "{error}"); // numbers of about 10
    }
    Ok(())
}
