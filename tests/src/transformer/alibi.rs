//! What biases that grow with the distance must hold.

use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Implementation, Masks},
        Outcome,
        compare::{rounding, same},
        show::remember,
        why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};

/// `alibi`: heads, queries, keys, the device.
pub type Alibi = dyn Fn(usize, usize, usize, &Device) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    alibi_laws().proofs()
}

/// Checks `alibi`: `(heads, seq_q, seq_k)`, −slope · distance.
pub fn alibi(answer: impl Fn(usize, usize, usize, &Device) -> Result<Tensor> + 'static) -> Verdict {
    alibi_laws().judge(&answer)
}

fn law(f: &Alibi, expected: &Tensor) -> Outcome {
    let (heads, seq_q, seq_k) = expected.dims3()?;
    let given = remember(format!("heads: {heads}, seq_q: {seq_q}, seq_k: {seq_k}"));
    // In f32 an exponent of up to 8 is off by 8 · ε / 2, its power by ln 2 times as much and one unit, a product by half a
    // unit more: 4.3 in all.
    same(&given, f(heads, seq_q, seq_k, &Device::Cpu), expected, rounding(5))
}

/// Head by head, query by query: how far the keys are, times the slope.
fn reference(heads: usize, seq_q: usize, seq_k: usize) -> Result<Tensor> {
    let mut biases = Vec::with_capacity(heads * seq_q * seq_k);
    for head in 1..=heads {
        let slope = (-8. * head as f64 / heads as f64).exp2();
        for query in 0..seq_q {
            let stands_at = query as f64 + seq_k as f64 - seq_q as f64; // the last query at the last key
            biases.extend((0..seq_k).map(|key| (-slope * (stands_at - key as f64).abs()) as f32));
        }
    }
    Tensor::from_vec(biases, (heads, seq_q, seq_k), &Device::Cpu)
}

fn alibi_laws() -> Check<Alibi> {
    let cpu = &Device::Cpu;
    let by_hand = |biases: &[&[&[f32]]]| -> Result<Tensor> {
        let shape = (biases.len(), biases[0].len(), biases[0][0].len());
        Tensor::from_vec(biases.concat().concat(), shape, cpu)
    };
    Check::new("transformer::alibi", wrong::transformer::alibi())
        .law(
            Implementation,
            "a token's own key gets 0, the key before it −slope: with 2 heads the slopes are 2⁻⁴ = 1/16 and 2⁻⁸ = 1/256",
            move |f| {
                let (steep, flat) = (-1. / 16., -1. / 256.);
                law(f, &by_hand(&[&[&[0., steep], [steep, 0.].as_slice()], &[&[0., flat], &[flat, 0.]]])?)
            },
        )
        .law(
            Masks,
            "the last query stands at the last key: a single query sees the first of three keys at a distance of 2",
            move |f| law(f, &by_hand(&[&[&[-2. / 256., -1. / 256., 0.]]])?),
        )
        .law(Implementation, "the slopes of 8 heads are ½, ¼, … to 1/256", |f| {
            let slopes: Vec<f32> = (1..=8).map(|head| -0.5f32.powi(head)).collect();
            let slopes = Tensor::from_vec(slopes, (8, 1, 1), &Device::Cpu)?;
            law(f, &Tensor::cat(&[&slopes, &slopes.zeros_like()?], 2)?)
        })
        .law(
            Masks,
            "keys after a query are as far as those before it: the distance has no sign",
            move |f| law(f, &reference(1, 3, 3)?),
        )
        .property(
            Implementation,
            "every head, query and key, in any size: 3 heads have slopes 2^(−8/3), 2^(−16/3), 2⁻⁸",
            (1..13usize, 1..6usize, 1..6usize),
            |f, (heads, seq_q, seq_k)| law(f, &reference(heads, seq_q, seq_k)?),
        )
        .law(Edges(why::EMPTY), "no heads, no queries or no keys give an empty mask", |f| {
            [(0, 2, 3), (2, 0, 3), (2, 3, 0)].into_iter().try_for_each(|shape| {
                law(f, &Tensor::zeros(shape, DType::F32, &Device::Cpu)?)
            })
        })
}
