//! Options and inputs that the tests draw from.

use candle_core::{DType, Device, Result, Tensor};
use flash::{Causal, SdpaOptions};

/// How many options there are.
pub const ALL: usize = 15;

/// The options by number, for scores of these sizes.
pub fn options(number: usize, heads: usize, seq_q: usize, seq_k: usize) -> Result<SdpaOptions> {
    let plain = SdpaOptions::default();
    let (top_left, bottom_right) = (Causal::TopLeft, Causal::BottomRight);
    let keep = |shape: (usize, usize, usize, usize)| seeded::uniform(99, shape)?.ge(0.4);
    let bias = || -> Result<Tensor> {
        let bias = seeded::normal(98, (1, heads, seq_q, seq_k))?;
        let hidden = (bias.ones_like()? * f64::NEG_INFINITY)?;
        bias.gt(1.)?.where_cond(&hidden, &bias)
    };
    let padding = || {
        let keep: Vec<u8> = (0..seq_k).map(|key| u8::from(key * 3 < seq_k * 2)).collect();
        Tensor::from_vec(keep, (1, 1, 1, seq_k), &Device::Cpu)
    };
    Ok(match number % ALL {
        0 => plain,
        1 => plain.causal(top_left),
        2 => plain.causal(bottom_right),
        3 => plain.window(5, 0),
        4 => plain.window(None, 3),
        5 => plain.window(70, 7).causal(bottom_right),
        6 => plain.keep(keep((1, heads, seq_q, seq_k))?),
        7 => plain.keep(padding()?),
        8 => plain.bias(bias()?),
        9 => plain.softcap(2.),
        10 => plain.softcap(30.).scale(0.7).bias(bias()?).causal(bottom_right).window(40, None),
        11 => plain.keep(keep((1, 1, seq_q, seq_k))?).causal(top_left).softcap(5.).scale(-0.3),
        12 => plain.window(3, 9).causal(top_left),
        13 => plain.bias(seeded::normal(97, (1, heads, seq_q, 1))?),
        _ => plain.keep(keep((1, heads, seq_q, 1))?),
    })
}

/// All numbers of a tensor as f64.
pub fn numbers(x: &Tensor) -> Result<Vec<f64>> {
    x.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

/// The type's epsilon.
pub fn epsilon(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => f64::EPSILON,
        DType::F32 => f32::EPSILON.into(),
        DType::F16 => 2f64.powi(-10),
        _ => 2f64.powi(-7), // bf16
    }
}

/// Random q, k, v: batch, heads_q, heads_kv, seq_q, seq_k, dim, dim_v.
pub fn inputs(seed: u64, sizes: [usize; 7], dtype: DType) -> Result<[Tensor; 3]> {
    one_thread::candle();
    let [batch, heads_q, heads_kv, seq_q, seq_k, dim, dim_v] = sizes;
    let draw = |seed, shape| seeded::normal(seed, shape)?.to_dtype(dtype);
    Ok([
        draw(3 * seed, (batch, heads_q, seq_q, dim))?,
        draw(3 * seed + 1, (batch, heads_kv, seq_k, dim))?,
        draw(3 * seed + 2, (batch, heads_kv, seq_k, dim_v))?,
    ])
}
