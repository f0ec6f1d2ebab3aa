//! Gradients of packed q, k and v: against naive attention on each sequence alone, by differences, and none that leak.

use crate::batch::{Batch, bits, norm, numbers};
use candle_core::{DType, Result, Tensor, Var};
use flash::{Causal, Path, SdpaOptions, naive, ragged};
use varlen::flash_attention_varlen;

fn all_options() -> [SdpaOptions; 6] {
    let plain = SdpaOptions::default;
    [
        plain(),
        plain().causal(Causal::BottomRight),
        plain().causal(Causal::TopLeft).scale(-0.4),
        plain().window(9, 2),
        plain().softcap(1.5),
        plain().softcap(4.).window(20, None).causal(Causal::BottomRight),
    ]
}

/// The gradients of Σ `upstream` · attention(q, k, v).
fn gradients(
    inputs: &[Tensor; 3],
    upstream: &Tensor,
    attention: impl Fn([&Tensor; 3]) -> Result<Tensor>,
) -> Result<[Tensor; 3]> {
    let [q, k, v] = [0, 1, 2].map(|at| Var::from_tensor(&inputs[at]));
    let (q, k, v) = (q?, k?, v?);
    let loss = (attention([&q, &k, &v])? * upstream)?.sum_all()?;
    let grads = loss.backward()?;
    let of = |x: &Var| grads.get(x).cloned().ok_or(candle_core::Error::Msg("no gradient".into()));
    Ok([of(&q)?, of(&k)?, of(&v)?])
}

fn packed(path: Path, batch: &Batch, x: [&Tensor; 3], options: &SdpaOptions) -> Result<Tensor> {
    Ok(ragged::attention_on(path, x[0], x[1], x[2], &batch.ragged()?, options)?.0)
}

/// Panics unless packed gradients, on every path, agree with those through naive attention in f64, one by one.
///
/// As in the forward pass a weight is off by `slack` epsilons, relatively. A slope is a weight times dO·V − δ, at most
/// twice ‖dO‖ · ‖V‖, times the scale; gradients sum slopes times queries or keys, or weights times dO. The weights of
/// a query sum to 1; those of a key, over all queries, walk at random.
fn agrees(case: &str, batch: &Batch, seed: u64, options: &SdpaOptions) -> Result<()> {
    let inputs = batch.inputs(seed)?;
    let shape = (batch.totals().0, batch.heads_q, batch.dim_v);
    let upstream = seeded::normal(seed + 500, shape)?.to_dtype(batch.dtype)?;
    let mut expected = vec![];
    for at in 0..batch.lens.len() {
        let one = batch.one(&inputs, at)?;
        let [q, k, v] = one.map(|x| x.to_dtype(DType::F64));
        let (inputs, grad) = ([q?, k?, v?], batch.out(&upstream, at)?.to_dtype(DType::F64)?);
        let scale = options.scale.unwrap_or(1. / (batch.dim as f64).sqrt()).abs();
        let [q, k, v] = &inputs;
        let keys = k.dim(2)? as f64;
        let score = norm(q)? * norm(k)? * scale;
        let slack = (batch.dim as f64).sqrt() * score + 8. + keys.sqrt();
        let slope = 2. * norm(&grad)? * norm(v)? * scale;
        let queries = (q.dim(2)? * batch.heads_q / batch.heads_kv) as f64;
        let sums = 2. + queries.sqrt();
        let sizes = [slope * norm(k)?, slope * norm(q)? * sums, norm(&grad)? * sums];
        let empty = batch.lens[at].0 == 0 || batch.lens[at].1 == 0;
        let grads = match empty {
            true => [q.zeros_like()?, k.zeros_like()?, v.zeros_like()?],
            false => gradients(&inputs, &grad, |[q, k, v]| naive::attention(q, k, v, options))?,
        };
        expected.push((grads, sizes.map(|size| size * slack)));
    }
    let (inner, outer) = match batch.dtype {
        DType::F64 => (f64::EPSILON, 0.),
        DType::F32 => (f32::EPSILON.into(), 0.),
        // The output, rounded, takes part in the way back: δ.
        DType::F16 => (f32::EPSILON.into(), 2f64.powi(-10)),
        _ => (f32::EPSILON.into(), 2f64.powi(-7)), // bf16
    };
    for path in Path::available() {
        let got = gradients(&inputs, &upstream, |x| packed(path, batch, x, options))?;
        for (got, input) in got.iter().zip(&inputs) {
            assert_eq!(
                (got.dims(), got.dtype()),
                (input.dims(), input.dtype()),
                "{case}, {path:?}"
            );
        }
        for (at, (want, allowed)) in expected.iter().enumerate() {
            for (which, got) in batch.one(&got, at)?.iter().enumerate() {
                let allowed = inner * allowed[which];
                for (got, want) in numbers(got)?.iter().zip(numbers(&want[which])?) {
                    assert!(
                        (got - want).abs() <= allowed + outer * want.abs() + outer * 2f64.powi(-14),
                        "{case}, {path:?}, sequence {at}, input {which}: got {got}, expected {want} ± {allowed}"
                    );
                }
            }
        }
    }
    Ok(())
}

#[test]
fn packed_gradients_are_those_of_one_by_one() -> Result<()> {
    let lens = [(20, 20), (0, 5), (1, 1), (70, 130), (5, 0), (130, 64), (3, 200)];
    for (at, (heads, dims)) in
        [([2, 2], [16, 16]), ([4, 2], [24, 40]), ([3, 1], [64, 64])].into_iter().enumerate()
    {
        for (turn, dtype) in
            [DType::F32, DType::F64, DType::F16, DType::BF16].into_iter().enumerate()
        {
            let batch = Batch::new(&lens, heads, dims).dtype(dtype);
            // f32 meets all options with all heads, the other types each option once, with some of the heads.
            let with_all = dtype == DType::F32;
            let meet = |number: usize| with_all || number % 3 == (at + turn) % 3;
            for (_, options) in all_options().into_iter().enumerate().filter(|of| meet(of.0)) {
                agrees(&format!("{dtype:?}, {heads:?}, {options:?}"), &batch, at as u64, &options)?;
            }
        }
    }
    Ok(())
}

#[test]
fn long_sequences_have_gradients_too() -> Result<()> {
    let batch = Batch::new(&[(300, 300), (10, 10), (1, 600), (400, 20)], [2, 1], [32, 32]);
    for options in [SdpaOptions::default(), SdpaOptions::default().causal(Causal::BottomRight)] {
        agrees(&format!("{options:?}"), &batch, 3, &options)?;
    }
    Ok(())
}

/// Central differences in f64.
#[test]
fn gradients_are_slopes() -> Result<()> {
    const STEP: f64 = 1e-5;
    let batch = Batch::new(&[(2, 3), (0, 2), (3, 1), (1, 0), (2, 2)], [2, 1], [3, 2]);
    let batch = batch.dtype(DType::F64);
    let inputs = batch.inputs(8)?;
    let upstream = seeded::normal(9, (batch.totals().0, 2, 2))?.to_dtype(DType::F64)?;
    for options in all_options() {
        let loss = |x: &[Tensor; 3]| -> Result<f64> {
            let out = packed(Path::Portable, &batch, [&x[0], &x[1], &x[2]], &options)?;
            (out * &upstream)?.sum_all()?.to_scalar()
        };
        let got = gradients(&inputs, &upstream, |x| packed(Path::Portable, &batch, x, &options))?;
        for (which, got) in got.iter().enumerate() {
            let numbers_of = numbers(&inputs[which])?;
            for (at, got) in numbers(got)?.into_iter().enumerate() {
                let moved = |step: f64| {
                    let (mut inputs, mut numbers) = (inputs.clone(), numbers_of.clone());
                    numbers[at] += step;
                    let (shape, device) = (inputs[which].shape().clone(), inputs[which].device());
                    inputs[which] = Tensor::from_vec(numbers, shape, device)?;
                    loss(&inputs)
                };
                let want = (moved(STEP)? - moved(-STEP)?) / (2. * STEP);
                assert!((got - want).abs() < 1e-8, "{options:?}, {which}, {at}: {got} {want}");
            }
        }
    }
    Ok(())
}

#[test]
fn no_gradient_leaks_into_another_sequence() -> Result<()> {
    let batch = Batch::new(&[(20, 20), (70, 130), (1, 1), (100, 64)], [4, 2], [16, 24]);
    let (inputs, other) = (batch.inputs(1)?, batch.inputs(2)?);
    let all = seeded::normal(3, (batch.totals().0, 4, 24))?;
    for options in all_options() {
        for which in 0..batch.lens.len() {
            // The loss is that of one sequence; then the other sequences are drawn anew.
            let rows = |x: &Tensor, y: &Tensor, (start, len): (usize, usize)| {
                let end = start + len;
                Tensor::cat(
                    &[
                        x.narrow(0, 0, start)?,
                        y.narrow(0, start, len)?,
                        x.narrow(0, end, x.dim(0)? - end)?,
                    ],
                    0,
                )
            };
            let ((start_q, start_k), (seq_q, seq_k)) = (batch.starts(which), batch.lens[which]);
            let (of_q, of_k) = ((start_q, seq_q), (start_k, seq_k));
            let upstream = rows(&all.zeros_like()?, &all, of_q)?;
            let changed = [
                rows(&other[0], &inputs[0], of_q)?,
                rows(&other[1], &inputs[1], of_k)?,
                rows(&other[2], &inputs[2], of_k)?,
            ];
            for path in Path::available() {
                let of = |x: &[Tensor; 3]| {
                    gradients(x, &upstream, |x| packed(path, &batch, x, &options))
                };
                let (before, after) = (of(&inputs)?, of(&changed)?);
                for (at, _) in batch.lens.iter().enumerate() {
                    let (before, after) = (batch.one(&before, at)?, batch.one(&after, at)?);
                    for (before, after) in before.iter().zip(&after) {
                        match at == which {
                            true => {
                                assert_eq!(bits(before)?, bits(after)?, "{options:?}, {path:?}")
                            }
                            false => assert!(
                                numbers(before)?.iter().chain(&numbers(after)?).all(|x| *x == 0.),
                                "{options:?}, {path:?}, {which} {at}"
                            ),
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn threads_change_no_gradient() -> Result<()> {
    let batch =
        Batch::new(&[(300, 300), (1, 700), (50, 50), (17, 0), (120, 400)], [4, 2], [32, 48]);
    let inputs = batch.inputs(2)?;
    let upstream = seeded::normal(3, (batch.totals().0, 4, 48))?;
    for options in all_options() {
        let on = |threads| -> Result<Vec<Vec<u64>>> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let path = Path::detect()?;
            let run = || gradients(&inputs, &upstream, |x| packed(path, &batch, x, &options));
            pool.expect("threads").install(run)?.iter().map(bits).collect()
        };
        let (one, four) = (on(1)?, on(4)?);
        assert!(one == four, "{options:?}");
    }
    Ok(())
}

/// As a model has them: the gradient reaches one projection to queries, keys and values.
#[test]
fn a_fused_projection_gets_its_gradient() -> Result<()> {
    let batch = Batch::new(&[(20, 20), (1, 1), (70, 70)], [3, 3], [16, 16]);
    let fused = Var::from_tensor(&seeded::normal(5, (91, 9, 16))?)?;
    let parts = |x: &Tensor| -> Result<[Tensor; 3]> {
        Ok([x.narrow(1, 0, 3)?, x.narrow(1, 3, 3)?, x.narrow(1, 6, 3)?])
    };
    let ([q, k, v], [cu, _]) = (parts(&fused)?, batch.cumulative()?);
    let upstream = seeded::normal(6, (91, 3, 16))?;
    let out = flash_attention_varlen(&q, &k, &v, &cu, &cu, 70, 70, 0.25, true)?;
    let grads = (out * &upstream)?.sum_all()?.backward()?;
    let got = parts(grads.get(&fused).expect("a gradient"))?;
    let want = gradients(&parts(&fused)?, &upstream, |[q, k, v]| {
        flash_attention_varlen(q, k, v, &cu, &cu, 70, 70, 0.25, true)
    })?;
    for (got, want) in got.iter().zip(&want) {
        assert_eq!(bits(got)?, bits(want)?);
    }
    Ok(())
}

#[test]
fn empty_batches_have_empty_gradients() -> Result<()> {
    for lens in [vec![(0, 0)], vec![(0, 3), (2, 0)], vec![(0, 4)], vec![(4, 0)]] {
        let batch = Batch::new(&lens, [2, 1], [4, 6]);
        let inputs = batch.inputs(1)?;
        let upstream = seeded::normal(2, (batch.totals().0, 2, 6))?;
        let path = Path::detect()?;
        let got =
            gradients(&inputs, &upstream, |x| packed(path, &batch, x, &SdpaOptions::default()))?;
        for (got, input) in got.iter().zip(&inputs) {
            assert_eq!(got.dims(), input.dims(), "{lens:?}");
            assert!(numbers(got)?.iter().all(|x| *x == 0.), "{lens:?}");
        }
    }
    Ok(())
}
