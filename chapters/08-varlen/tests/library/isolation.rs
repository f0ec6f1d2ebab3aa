//! Sequences do not leak into each other.

use crate::batch::{Batch, bits, numbers};
use candle_core::{Result, Tensor};
use flash::{Causal, Path, SdpaOptions, flash_attention_on, ragged};

const LENS: [(usize, usize); 7] =
    [(20, 20), (1, 1), (70, 130), (0, 3), (100, 64), (5, 0), (13, 13)];

fn all_options() -> [SdpaOptions; 4] {
    let plain = SdpaOptions::default;
    [
        plain(),
        plain().causal(Causal::BottomRight),
        plain().window(3, 2),
        plain().softcap(5.).causal(Causal::TopLeft),
    ]
}

/// `x` with all rows of a part set to `number`, or drawn anew.
fn changed(x: &Tensor, start: usize, len: usize, number: Option<f32>) -> Result<Tensor> {
    let (before, after) =
        (x.narrow(0, 0, start)?, x.narrow(0, start + len, x.dim(0)? - start - len)?);
    let new = match number {
        Some(number) => Tensor::full(number, (len, x.dim(1)?, x.dim(2)?), x.device())?,
        None => seeded::normal(77, (len, x.dim(1)?, x.dim(2)?))?,
    };
    Tensor::cat(&[before, new, after], 0)
}

#[test]
fn changing_one_sequence_changes_no_bit_of_another() -> Result<()> {
    let batch = Batch::new(&LENS, [4, 2], [16, 24]);
    let (inputs, sequences) = (batch.inputs(1)?, batch.ragged()?);
    for options in all_options() {
        for path in Path::available() {
            let on =
                |[q, k, v]: &[Tensor; 3]| ragged::attention_on(path, q, k, v, &sequences, &options);
            let (out, lse) = on(&inputs)?;
            for which in [0, 2, 3, 4, 6] {
                let ((start_q, start_k), (seq_q, seq_k)) = (batch.starts(which), LENS[which]);
                for number in [None, Some(1e30), Some(f32::NAN), Some(f32::INFINITY)] {
                    for input in 0..3 {
                        let mut inputs = inputs.clone();
                        let (start, len) = [(start_q, seq_q), (start_k, seq_k)][input.min(1)];
                        inputs[input] = changed(&inputs[input], start, len, number)?;
                        let (new, new_lse) = on(&inputs)?;
                        for other in (0..LENS.len()).filter(|other| *other != which) {
                            let case = format!("{options:?}, {path:?}, {which} {number:?} {other}");
                            let same = |a: Tensor, b: Tensor| -> Result<bool> {
                                Ok(bits(&a)? == bits(&b)?)
                            };
                            assert!(
                                same(batch.out(&new, other)?, batch.out(&out, other)?)?,
                                "{case}"
                            );
                            let lses = (batch.lse(&new_lse, other)?, batch.lse(&lse, other)?);
                            assert!(same(lses.0, lses.1)?, "{case}");
                        }
                        let seen = seq_q > 0 && seq_k > 0;
                        let own =
                            bits(&batch.out(&new, which)?)? != bits(&batch.out(&out, which)?)?;
                        assert_eq!(own, seen, "{options:?}, {path:?}, {which} {number:?}, {input}");
                    }
                }
            }
        }
    }
    Ok(())
}

/// NaN and ±∞ do in a packed sequence what they do in one alone, hidden values that are not finite included.
#[test]
fn what_is_not_finite_spreads_as_in_a_sequence_alone() -> Result<()> {
    let batch = Batch::new(&LENS, [4, 2], [16, 24]);
    let (inputs, sequences) = (batch.inputs(3)?, batch.ragged()?);
    for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for (input, start) in [(0, 40), (1, 30), (1, 150), (2, 15), (2, 149), (2, 200)] {
            let mut inputs = inputs.clone();
            inputs[input] = changed(&inputs[input], start, 1, Some(number))?;
            for options in all_options() {
                for path in Path::available() {
                    let [q, k, v] = &inputs;
                    let (out, _) = ragged::attention_on(path, q, k, v, &sequences, &options)?;
                    for at in 0..LENS.len() {
                        let [q, k, v] = batch.one(&inputs, at)?;
                        let (one, _) = flash_attention_on(path, &q, &k, &v, &options)?;
                        let same = bits(&batch.out(&out, at)?)? == bits(&one)?;
                        assert!(same, "{number}, {input}, {start}, {options:?}, {path:?}, {at}");
                    }
                }
            }
        }
    }
    Ok(())
}

/// Each sequence's values are its own number: whatever the weights, so is its output.
#[test]
fn every_output_is_made_of_its_own_values() -> Result<()> {
    let batch = Batch::new(&LENS, [2, 1], [8, 5]);
    let [q, k, _] = batch.inputs(2)?;
    let values: Vec<f32> = LENS
        .iter()
        .enumerate()
        .flat_map(|(at, (_, keys))| vec![at as f32 + 1.; keys * batch.dim_v])
        .collect();
    let v = Tensor::from_vec(values, (batch.totals().1, 1, batch.dim_v), q.device())?;
    for path in Path::available() {
        let options = SdpaOptions::default();
        let (out, _) = ragged::attention_on(path, &q, &k, &v, &batch.ragged()?, &options)?;
        for (at, (_, keys)) in LENS.iter().enumerate() {
            let want = if *keys == 0 { 0. } else { at as f64 + 1. };
            for got in numbers(&batch.out(&out, at)?)? {
                assert!((got - want).abs() <= 16. * f64::from(f32::EPSILON) * want, "{at}: {got}");
            }
        }
    }
    Ok(())
}
