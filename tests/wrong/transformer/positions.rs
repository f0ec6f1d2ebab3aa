//! Wrong tables: sinusoidal positions, and biases by distance.

use crate::{
    transformer::{Alibi, PositionalEncoding},
    wrong::{Wrong, wrong},
};
use candle_core::{Device, Result, Tensor, bail};

/// A table from its numbers at a position and a column.
fn table(
    [seq, d_model]: [usize; 2],
    device: &Device,
    number: impl Fn(usize, usize) -> f64,
) -> Result<Tensor> {
    if d_model % 2 != 0 {
        bail!("d_model is odd");
    }
    let numbers = (0..seq * d_model).map(|at| number(at / d_model, at % d_model) as f32);
    Tensor::from_vec(numbers.collect(), (seq, d_model), device)
}

/// A table from the frequency of a column; sines stand at even columns.
fn waves(
    sizes: [usize; 2],
    device: &Device,
    frequency: impl Fn(usize, f64) -> f64,
) -> Result<Tensor> {
    table(sizes, device, |position, column| {
        let angle = position as f64 * frequency(column, sizes[1] as f64);
        if column % 2 == 0 { angle.sin() } else { angle.cos() }
    })
}

/// The right frequency of a column.
fn right(column: usize, d_model: f64) -> f64 {
    10_000f64.powf(-((column - column % 2) as f64) / d_model)
}

pub fn positional_encoding() -> Vec<Wrong<PositionalEncoding>> {
    vec![
        wrong!(
            "positions from 1",
            "the positions count from 1: the first row is position 0, and its sines are 0.",
            |seq, d_model, device| waves([seq + 1, d_model], device, right)?.narrow(0, 1, seq)
        ),
        wrong!(
            "cosine before sine",
            "sine and cosine have changed places: the sine stands at the even columns.",
            |seq, d_model, device| table([seq, d_model], device, |position, column| {
                let angle = position as f64 * right(column, d_model as f64);
                if column % 2 == 0 { angle.cos() } else { angle.sin() }
            })
        ),
        wrong!(
            "sines first, then cosines",
            "all sines stand in the first half and all cosines in the second: the paper lets them alternate, 2i and 2i + 1. (Some models do it in halves; what was trained with one order does not work with the other.)",
            |seq, d_model, device| table([seq, d_model], device, |position, column| {
                let pair = column % (d_model / 2);
                let angle = position as f64 * right(2 * pair, d_model as f64);
                if column < d_model / 2 { angle.sin() } else { angle.cos() }
            })
        ),
        wrong!(
            "exponent i instead of 2i",
            "the exponent is half of what it should be: it is 2i / d_model, the even column's number over d_model, for both numbers of a pair.",
            |seq, d_model, device| waves([seq, d_model], device, |column, d_model| {
                10_000f64.powf(-((column / 2) as f64) / d_model)
            })
        ),
        wrong!(
            "every column its own angle",
            "sine and cosine of a pair have different angles: the cosine at 2i + 1 takes the exponent of its sine, 2i / d_model. Otherwise a shift is no longer a rotation.",
            |seq, d_model, device| waves([seq, d_model], device, |column, d_model| {
                10_000f64.powf(-(column as f64) / d_model)
            })
        ),
        wrong!(
            "exponent 4i",
            "the exponent is twice what it should be: a column's number already is 2i.",
            |seq, d_model, device| waves([seq, d_model], device, |column, d_model| {
                10_000f64.powf(-2. * (column - column % 2) as f64 / d_model)
            })
        ),
        wrong!(
            "base 1000",
            "the base of the frequencies is 10000, with four zeros.",
            |seq, d_model, device| waves([seq, d_model], device, |column, d_model| {
                1000f64.powf(-((column - column % 2) as f64) / d_model)
            })
        ),
        wrong!(
            "frequencies that rise",
            "the frequencies rise from pair to pair: divide the position by 10000^(2i/d_model), do not multiply.",
            |seq, d_model, device| waves([seq, d_model], device, |column, d_model| {
                1. / right(column, d_model)
            })
        ),
        wrong!(
            "spread over d_model − 2",
            "the slowest pair turns at exactly 1/10000: that is the spread of the first implementation (2i over d_model − 2), not the paper's formula (2i over d_model).",
            |seq, d_model, device| waves([seq, d_model], device, |column, d_model| {
                10_000f64.powf(-((column - column % 2) as f64) / (d_model - 2.).max(1.))
            })
        ),
        wrong!(
            "angles in degrees",
            "the angles are taken as degrees: `sin` and `cos` want radians, and the formula gives radians.",
            |seq, d_model, device| waves([seq, d_model], device, |column, d_model| {
                right(column, d_model).to_radians()
            })
        ),
        wrong!(
            "angles in f32",
            "far positions are off: an f32 has 24 bits, and a large angle spends them before the point. Compute angle, sine and cosine in f64, and round at the end.",
            |seq, d_model, device| table([seq, d_model], device, |position, column| {
                let angle = position as f32 * right(column, d_model as f64) as f32;
                f64::from(if column % 2 == 0 { angle.sin() } else { angle.cos() })
            })
        ),
        wrong!(
            "odd d_model accepted",
            "an odd d_model was accepted: the last sine would lack its cosine. Check for that first, and return an error.",
            |seq, d_model, device| {
                let even = waves([seq, d_model + d_model % 2], device, move |column, _| {
                    right(column, d_model as f64)
                })?;
                even.narrow(1, 0, d_model)
            }
        ),
    ]
}

/// A bias from the head (from 1), the query and the key; the lengths are there for alignment.
fn biases(
    [heads, seq_q, seq_k]: [usize; 3],
    device: &Device,
    bias: impl Fn(f64, f64, f64) -> f64,
) -> Result<Tensor> {
    let mut numbers = Vec::with_capacity(heads * seq_q * seq_k);
    for head in 1..=heads {
        for query in 0..seq_q {
            numbers
                .extend((0..seq_k).map(|key| bias(head as f64, query as f64, key as f64) as f32));
        }
    }
    Tensor::from_vec(numbers, (heads, seq_q, seq_k), device)
}

/// With the right distances, and the slope of a head.
fn sloped(sizes: [usize; 3], device: &Device, slope: impl Fn(f64, f64) -> f64) -> Result<Tensor> {
    let [heads, seq_q, seq_k] = sizes;
    let shift = seq_k as f64 - seq_q as f64;
    biases(sizes, device, |head, query, key| {
        -slope(head, heads as f64) * (query + shift - key).abs()
    })
}

/// With the right slopes, and a bias before the slope from query, key and the distance to the last key's corner.
fn distanced(
    sizes: [usize; 3],
    device: &Device,
    distance: impl Fn(f64, f64, f64) -> f64,
) -> Result<Tensor> {
    let [heads, seq_q, seq_k] = sizes;
    let shift = seq_k as f64 - seq_q as f64;
    biases(sizes, device, |head, query, key| {
        (-8. * head / heads as f64).exp2() * distance(query, key, shift)
    })
}

pub fn alibi() -> Vec<Wrong<Alibi>> {
    vec![
        wrong!(
            "one slope for all heads",
            "all heads have the same slope: head h of n has 2^(−8h/n), so that some look near and some far.",
            |heads, seq_q, seq_k, device| sloped([heads, seq_q, seq_k], device, |_, _| 0.5f64
                .powi(8))
        ),
        wrong!(
            "heads counted from 0",
            "the first head has slope 1: heads are counted from 1 here, so that the last one has 2⁻⁸.",
            |heads, seq_q, seq_k, device| sloped([heads, seq_q, seq_k], device, |head, heads| {
                (-8. * (head - 1.) / heads).exp2()
            })
        ),
        wrong!(
            "slopes without the number of heads",
            "the slopes are 2^(−h), whatever the number of heads: the exponent is −8h/heads, so that the last slope is 2⁻⁸ with any number.",
            |heads, seq_q, seq_k, device| sloped([heads, seq_q, seq_k], device, |head, _| (-head)
                .exp2())
        ),
        wrong!(
            "exponent of whole numbers",
            "8h/heads was divided as whole numbers, which drops the fraction: with 3 heads the first exponent is −8/3. Turn them into f64 before you divide.",
            |heads, seq_q, seq_k, device| sloped([heads, seq_q, seq_k], device, |head, heads| {
                (-(8. * head / heads).floor()).exp2()
            })
        ),
        wrong!(
            "steepest head last",
            "the slopes come in reverse: the first head is the steepest.",
            |heads, seq_q, seq_k, device| sloped([heads, seq_q, seq_k], device, |head, heads| {
                (-8. * (heads + 1. - head) / heads).exp2()
            })
        ),
        wrong!(
            "base e",
            "the slopes are powers of e: they are powers of 2.",
            |heads, seq_q, seq_k, device| sloped([heads, seq_q, seq_k], device, |head, heads| {
                (-8. * head / heads).exp()
            })
        ),
        wrong!(
            "far keys favoured",
            "the biases are positive: the farther a key, the larger its score. The distance should be a penalty.",
            |heads, seq_q, seq_k, device| distanced(
                [heads, seq_q, seq_k],
                device,
                |query, key, shift| { (query + shift - key).abs() }
            )
        ),
        wrong!(
            "later keys favoured",
            "keys after the query have a positive bias: the distance needs its absolute value.",
            |heads, seq_q, seq_k, device| distanced(
                [heads, seq_q, seq_k],
                device,
                |query, key, shift| { key - query - shift }
            )
        ),
        wrong!(
            "later keys at distance 0",
            "keys after the query have no bias: they count like those before it. Whether a query may see them is for the causal mask to say.",
            |heads, seq_q, seq_k, device| distanced(
                [heads, seq_q, seq_k],
                device,
                |query, key, shift| { -(query + shift - key).max(0.) }
            )
        ),
        wrong!(
            "later keys hidden",
            "keys after the query get −∞: ALiBi does not hide, the causal mask does that. Here they are biased like those before the query.",
            |heads, seq_q, seq_k, device| distanced(
                [heads, seq_q, seq_k],
                device,
                |query, key, shift| match query + shift - key {
                    ahead if ahead < 0. => f64::NEG_INFINITY,
                    distance => -distance,
                }
            )
        ),
        wrong!(
            "first query at the first key",
            "the first query stands at the first key here: the last query must stand at the last key, or a single query with a cache of keys sees its own key farthest away.",
            |heads, seq_q, seq_k, device| distanced(
                [heads, seq_q, seq_k],
                device,
                |query, key, _| { -(query - key).abs() }
            )
        ),
        wrong!(
            "slopes of the next power of two",
            "for a number of heads that is no power of two, the slopes are those of the authors' code, which interleaves two powers of two: here head h of n has 2^(−8h/n) for any n.",
            |heads, seq_q, seq_k, device| sloped([heads, seq_q, seq_k], device, |head, heads| {
                let near = 2f64.powf(heads.log2().floor());
                match head <= near {
                    true => (-8. * head / near).exp2(),
                    false => (-8. * (2. * (head - near) - 1.) / (2. * near)).exp2(),
                }
            })
        ),
    ]
}
