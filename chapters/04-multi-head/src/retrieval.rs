//! A task that one head cannot do and two can, and its training.
//!
//! Eight tokens. The key of a token says whether it is marked red, blue or not at all; its value is a payload of four
//! numbers. A query that is always the same must return the red payload and the blue one. One head returns one average
//! of the values: with weights α and β on the two payloads r and b, the best linear guesses of r and b from αr + βb have
//! mean squared errors of β²/(α² + β²) and α²/(α² + β²), ½ on average whatever the weights. Two heads can look at both.

use crate::{MultiHeadAttention, MultiHeadConfig, weights::seeded_weights};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, VarBuilder, loss::mse};

/// The dimension of a token's key and of its value; both are filled up with zeros.
pub const EMBED_DIM: usize = 8;
/// The numbers of a payload.
pub const PAYLOAD: usize = 4;
/// The tokens of one sequence.
pub const SEQ: usize = 8;
/// The mean squared error that one head cannot beat, for payloads of variance 1.
pub const ONE_HEAD_LOSS: f64 = 0.5;

/// Sequences to learn from.
#[derive(Debug)]
pub struct Batch {
    /// `(batch, 1, EMBED_DIM)`: all ones.
    pub query: Tensor,
    /// `(batch, SEQ, EMBED_DIM)`: is red, is blue, zeros.
    pub key: Tensor,
    /// `(batch, SEQ, EMBED_DIM)`: the payload, zeros.
    pub value: Tensor,
    /// `(batch, 1, 2 · PAYLOAD)`: the red payload, then the blue one.
    pub target: Tensor,
    /// Where the red and the blue token stand in each sequence.
    pub marks: Vec<[usize; 2]>,
}

/// Draws `size` sequences.
pub fn draw(size: usize, seed: u64) -> Result<Batch> {
    let places = seeded::uniform(seed, (size, 2))?.to_vec2::<f32>()?;
    // Seeds that no places have, or the payloads would depend on the places.
    let payloads =
        seeded::normal(seed ^ 1 << 32, (size, SEQ, PAYLOAD))?.to_vec3::<f32>()?;
    let (mut key, mut value) = (Vec::new(), Vec::new());
    let (mut target, mut marks) = (Vec::new(), Vec::new());
    for (place, payloads) in places.iter().zip(&payloads) {
        let red = (place[0] * SEQ as f32) as usize;
        let blue = (red + 1 + (place[1] * (SEQ - 1) as f32) as usize) % SEQ; // never where red is
        for (at, payload) in payloads.iter().enumerate() {
            key.extend([at == red, at == blue].map(|mark| f32::from(u8::from(mark))));
            key.extend([0.; EMBED_DIM - 2]);
            value.extend_from_slice(payload);
            value.extend([0.; EMBED_DIM - PAYLOAD]);
        }
        target.extend([&payloads[red][..], &payloads[blue]].concat());
        marks.push([red, blue]);
    }
    let device = &Device::Cpu;
    Ok(Batch {
        query: Tensor::ones((size, 1, EMBED_DIM), DType::F32, device)?,
        key: Tensor::from_vec(key, (size, SEQ, EMBED_DIM), device)?,
        value: Tensor::from_vec(value, (size, SEQ, EMBED_DIM), device)?,
        target: Tensor::from_vec(target, (size, 1, 2 * PAYLOAD), device)?,
        marks,
    })
}

/// A layer after its training, and how it got there.
#[derive(Debug)]
pub struct Trained {
    /// The layer.
    pub layer: MultiHeadAttention,
    /// The mean squared error of each step, on sequences not seen before.
    pub losses: Vec<f32>,
}

/// Trains `num_heads` heads for `steps` steps of 64 new sequences each. Errors unless `num_heads` divides `EMBED_DIM`.
pub fn train(num_heads: usize, steps: usize, seed: u64) -> Result<Trained> {
    let config = MultiHeadConfig::new(EMBED_DIM, num_heads);
    let vars = seeded_weights(&config, seed)?;
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    let layer = MultiHeadAttention::new(&config, vb)?;
    let params = ParamsAdamW { lr: 0.02, weight_decay: 0., ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(vars.all_vars(), params)?;
    let mut losses = Vec::with_capacity(steps);
    for step in 0..steps {
        let batch = draw(64, seed.wrapping_add(1000 + step as u64))?;
        let (query, key, value) = (&batch.query, &batch.key, &batch.value);
        let (output, _) = layer.forward(query, key, value, None, false, true)?;
        let loss = mse(&output, &batch.target)?;
        optimizer.backward_step(&loss)?;
        losses.push(loss.to_scalar()?);
    }
    Ok(Trained { layer, losses })
}

/// How the heads of `layer` look at the tokens of `batch`: `(batch, heads, 1, SEQ)`.
pub fn weights(layer: &MultiHeadAttention, batch: &Batch) -> Result<Tensor> {
    let (query, key, value) = (&batch.query, &batch.key, &batch.value);
    let (_, weights) = layer.forward(query, key, value, None, true, false)?;
    weights.ok_or_else(|| candle_core::Error::msg("asked for weights, and got none"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solution::head_diversity;

    #[test]
    fn one_head_stays_at_a_half_and_two_heads_learn_the_task() -> Result<()> {
        let tail =
            |losses: &[f32]| losses[losses.len() - 50..].iter().sum::<f32>() / 50.;
        one_thread::candle();
        let [one, two] = std::thread::scope(|scope| {
            [1, 2]
                .map(|heads| scope.spawn(move || train(heads, 400, 1)))
                .map(|training| training.join().unwrap())
        });
        let (one, two) = (one?, two?);
        assert!(f64::from(tail(&one.losses)) > 0.9 * ONE_HEAD_LOSS);
        assert!(tail(&two.losses) < 0.05, "{}", tail(&two.losses));
        let batch = draw(64, 9)?;
        let diversity = head_diversity(&weights(&two.layer, &batch)?)?;
        assert!(diversity.to_scalar::<f32>()? > 0.9);
        Ok(())
    }

    #[test]
    fn the_target_is_what_stands_at_the_marks() -> Result<()> {
        let batch = draw(5, 3)?;
        let [key, value, target] =
            [&batch.key, &batch.value, &batch.target].map(Tensor::to_vec3::<f32>);
        let (key, value, target) = (key?, value?, target?);
        for (at, &[red, blue]) in batch.marks.iter().enumerate() {
            assert_ne!(red, blue);
            assert_eq!(key[at][red][..2], [1., 0.]);
            assert_eq!(key[at][blue][..2], [0., 1.]);
            let payloads =
                [&value[at][red][..PAYLOAD], &value[at][blue][..PAYLOAD]].concat();
            assert_eq!(target[at][0], payloads);
        }
        Ok(())
    }
}
