//! What sinusoidal positions must hold.

use super::parts::angle;
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Implementation},
        Outcome,
        cases::matrix,
        compare::{Rounding, refused, rounding, same, value},
        show::remember,
        why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};

/// `positional_encoding`: the number of positions, the dimension of a vector, the device.
pub type PositionalEncoding = dyn Fn(usize, usize, &Device) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    encoding_laws().proofs()
}

/// Checks `positional_encoding`: `(seq, d_model)`, sine and cosine of each angle side by side.
pub fn positional_encoding(
    answer: impl Fn(usize, usize, &Device) -> Result<Tensor> + 'static,
) -> Verdict {
    encoding_laws().judge(&answer)
}

fn given(seq: usize, d_model: usize) -> String {
    remember(format!("seq: {seq}, d_model: {d_model}"))
}

fn law(f: &PositionalEncoding, expected: &Tensor, allowed: Rounding) -> Outcome {
    let (seq, d_model) = expected.dims2()?;
    same(&given(seq, d_model), f(seq, d_model, &Device::Cpu), expected, allowed)
}

/// Number by number, in f64.
fn reference(seq: usize, d_model: usize) -> Result<Tensor> {
    let mut numbers = Vec::with_capacity(seq * d_model);
    for position in 0..seq {
        for pair in 0..d_model / 2 {
            let (sin, cos) = angle(position, pair, d_model).sin_cos();
            numbers.extend([sin, cos]);
        }
    }
    Tensor::from_vec(numbers, (seq, d_model), &Device::Cpu)?.to_dtype(DType::F32)
}

fn encoding_laws() -> Check<PositionalEncoding> {
    Check::new("transformer::positional_encoding", wrong::transformer::positional_encoding())
        .law(
            Implementation,
            "positions count from 0: the first row is sin 0, cos 0, again and again",
            |f| law(f, &matrix(&[[0., 1., 0., 1.]])?, rounding(1)),
        )
        .law(
            Implementation,
            "with two numbers per token, row 1 is sin 1, cos 1",
            // One rounding to f32, of the answer and of the expected value.
            |f| law(f, &matrix(&[[0., 1.], [0.841_470_96, 0.540_302_3]])?, rounding(2)),
        )
        .law(
            Implementation,
            "with four numbers per token, the second pair turns 10000^(2/4) = 100 times slower",
            |f| {
                let (first, second) = ([0.841_470_96, 0.540_302_3], [0.009_999_833, 0.999_95]);
                let rows = [[0., 1., 0., 1.], [first[0], first[1], second[0], second[1]]];
                law(f, &matrix(&rows)?, rounding(2))
            },
        )
        .law(
            Implementation,
            "with six numbers per token, the pairs turn 1, 10000^(2/6) = 21.5 and 10000^(4/6) = 464 times slower",
            |f| law(f, &reference(2, 6)?, rounding(2)),
        )
        .law(Edges("texts grow long, and at position 25,761 an angle in f32 is off by a thousandth: far tokens get the code of another place."), "far positions are as exact as near ones: the angles are computed in f64", |f| {
            let far = 25_761; // 257.61 is further from its f32 than most
            let (given, expected) = (given(far + 1, 4), reference(far + 1, 4)?);
            let table = value(&given, f(far + 1, 4, &Device::Cpu))?;
            let about = format!("{given}\nlooked at: row {far}");
            same(&about, table.get(far), &expected.get(far)?, rounding(2))?;
            same(&given, Ok(table), &expected, rounding(2))
        })
        .property(
            Implementation,
            "each pair is the sine and the cosine of position / 10000^(2i/d_model), in any size",
            (1..12usize, 1..9usize),
            |f, (seq, pairs)| law(f, &reference(seq, 2 * pairs)?, rounding(2)),
        )
        .property(
            Implementation,
            "k positions further on, each pair is turned by the same angle, wherever one starts",
            (1..40usize, 1..40usize, 1..5usize),
            |f, (position, further, pairs)| {
                let (seq, d_model) = (position + further + 1, 2 * pairs);
                let given = given(seq, d_model);
                let table = value(&given, f(seq, d_model, &Device::Cpu))?;
                let turned: Vec<f32> = value(&given, table.get(position).and_then(|row| row.to_vec1::<f32>()))?
                    .chunks_exact(2)
                    .enumerate()
                    .flat_map(|(pair, numbers)| {
                        let (sin, cos) = angle(further, pair, d_model).sin_cos();
                        let [s, c] = [f64::from(numbers[0]), f64::from(numbers[1])];
                        // sin(a + b) and cos(a + b)
                        [(s * cos + c * sin) as f32, (c * cos - s * sin) as f32]
                    })
                    .collect();
                let about = format!(
                    "{given}\nlooked at: row {} beside row {position} turned by {further} positions",
                    position + further
                );
                let expected = Tensor::new(turned, &Device::Cpu)?;
                // The roundings of three rows' numbers: two that are added, one that is compared.
                same(&about, table.get(position + further), &expected, rounding(4))
            },
        )
        .law(Edges(why::EMPTY), "no positions give an empty table", |f| {
            law(f, &Tensor::zeros((0, 6), DType::F32, &Device::Cpu)?, rounding(0))
        })
        .law(Edges(why::REFUSED), "an odd d_model is an error: one sine would lack its cosine", |f| {
            for d_model in [1, 5] {
                let why = "pairs of sine and cosine need an even number";
                refused(&given(3, d_model), why, f(3, d_model, &Device::Cpu))?;
            }
            Ok(())
        })
}
