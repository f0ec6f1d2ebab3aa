//! What a model can do at one moment, and what each head has to do with it.

use super::{
    data::{self, PERIOD},
    model::{Ablation, Head, InductionModel},
};
use crate::solution::{
    attention_entropy, head_diversity, induction_score, previous_token_score,
};
use candle_core::{D, DType, Result, Tensor, bail};
use candle_nn::ops::log_softmax;

/// How many sequences are measured: few, for the reason that batches are small.
const TESTED: usize = 30;

/// The sequences that every snapshot is taken with: blocks of [`PERIOD`] tokens, twice. Training never draws this seed.
pub fn test_sequences() -> Result<Tensor> {
    data::repeated(TESTED, PERIOD, u64::MAX)
}

/// Other sequences of the same kind, which neither the training nor a snapshot sees: the means of heads come from here.
fn reference_sequences() -> Result<Tensor> {
    data::repeated(TESTED, PERIOD, u64::MAX - 1)
}

/// What takes the place of a head that is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// Zeros.
    Zeros,
    /// What the head puts out on average, over the tokens of other sequences.
    Mean,
}

/// These heads, switched off.
pub fn ablations(
    model: &InductionModel,
    heads: &[Head],
    by: Instead,
) -> Result<Vec<Ablation>> {
    let outputs = model.forward(&reference_sequences()?, &[])?.outputs;
    let ablation = |&head: &Head| {
        let (layer, at) = head;
        let mean = || outputs[layer].narrow(1, at, 1)?.mean((0, 1, 2)); // (head_dim)
        let instead = if by == Instead::Mean { Some(mean()?) } else { None };
        Ok(Ablation { head, instead })
    };
    heads.iter().map(ablation).collect()
}

/// The cross-entropy of each prediction: `logits` `(batch, seq, vocab)` and `tokens` `(batch, seq)` →
/// `(batch, seq − 1)`, the loss on tokens 1, 2, ….
pub fn losses(logits: &Tensor, tokens: &Tensor) -> Result<Tensor> {
    let predicted = tokens.dim(1)?.saturating_sub(1);
    let log_probs = log_softmax(&logits.narrow(1, 0, predicted)?, D::Minus1)?;
    let targets = tokens.narrow(1, 1, predicted)?.unsqueeze(2)?.contiguous()?;
    log_probs.gather(&targets, D::Minus1)?.squeeze(2)?.neg()
}

/// A model at one step of its training.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// How many steps it had learned for.
    pub step: usize,
    /// The mean loss on each token from the second on: number i is that of token i + 1.
    pub by_position: Vec<f32>,
    /// The previous-token score of each head, layer by layer, on the first block alone: those are the tokens that the
    /// second block looks up, so nothing makes a head keep it up later.
    pub previous: Vec<Vec<f32>>,
    /// The induction score of each head.
    pub induction: Vec<Vec<f32>>,
    /// The entropy of each head's weights, in nats.
    pub entropy: Vec<Vec<f32>>,
    /// How many tokens back each head looks: see [`attention_distance`].
    pub distance: Vec<Vec<f32>>,
    /// The mean of [`head_diversity`] over all pairs of heads.
    pub diversity: f32,
}

impl Snapshot {
    /// Measures `model` on [`test_sequences`], with the heads in `ablated` switched off.
    pub fn take(
        step: usize,
        model: &InductionModel,
        ablated: &[Ablation],
    ) -> Result<Self> {
        let tokens = test_sequences()?;
        let pass = model.forward(&tokens, ablated)?;
        let score = |measure: &dyn Fn(&Tensor) -> Result<Tensor>| {
            pass.maps
                .iter()
                .map(|map| measure(map)?.to_vec1())
                .collect::<Result<Vec<Vec<f32>>>>()
        };
        Ok(Self {
            step,
            by_position: losses(&pass.logits, &tokens)?.mean(0)?.to_vec1()?,
            previous: score(&|map| {
                previous_token_score(&map.narrow(2, 0, PERIOD)?.narrow(3, 0, PERIOD)?)
            })?,
            induction: score(&|map| induction_score(map, PERIOD))?,
            entropy: score(&attention_entropy)?,
            distance: score(&attention_distance)?,
            diversity: mean_apart(&head_diversity(&pass.maps, &tokens.ones_like()?)?)?,
        })
    }

    /// The mean loss in the first block, which cannot be known.
    pub fn first_half(&self) -> f32 {
        mean(self.by_position.iter().take(PERIOD - 1))
    }

    /// The mean loss in the second block. Its first token does not count: nothing says that the block is over.
    pub fn second_half(&self) -> f32 {
        mean(self.by_position.iter().skip(PERIOD))
    }
}

/// How far each head looks, in tokens: the mean over batch and queries of Σₖ w |q − k|.
///
/// Self-attention `weights` `(batch, heads, seq, seq)` → `(heads)`. Errors as [`previous_token_score`] does on other
/// shapes.
pub fn attention_distance(weights: &Tensor) -> Result<Tensor> {
    let (_, _, seq, seq_k) = weights.dims4()?;
    if seq != seq_k || weights.elem_count() == 0 {
        bail!("weights: expected (batch, heads, seq, seq); got {:?}", weights.dims());
    }
    let at = Tensor::arange(0u32, seq as u32, weights.device())?
        .to_dtype(weights.dtype())?;
    let apart = at.unsqueeze(1)?.broadcast_sub(&at)?.abs()?; // (seq, seq)
    weights.broadcast_mul(&apart)?.sum(D::Minus1)?.mean((0, 2))
}

/// How much the vectors of the second block come from the token `back` places before: the mean of that share over the
/// batch and the queries from [`PERIOD`] on.
///
/// `flow` `(batch, seq, seq)`, as a rollout gives it. Errors when it is shorter, or the place is not there.
pub fn share_back(flow: &Tensor, back: usize) -> Result<f32> {
    let (_, seq, _) = flow.dims3()?;
    if seq <= PERIOD || back > PERIOD {
        bail!(
            "flow, back: expected above {PERIOD} tokens, at most {PERIOD} back; got {seq}, {back}"
        );
    }
    let rest = seq - PERIOD;
    let eye = Tensor::eye(rest, flow.dtype(), flow.device())?;
    let corner = flow.narrow(1, PERIOD, rest)?.narrow(2, PERIOD - back, rest)?;
    let sum = corner.broadcast_mul(&eye)?.sum((1, 2))?.mean(0)?;
    Ok(sum.to_dtype(DType::F32)?.to_scalar::<f32>()? / rest as f32)
}

/// The mean over pairs of different heads: `apart` `(n, n)` has zeros on its diagonal.
fn mean_apart(apart: &Tensor) -> Result<f32> {
    let n = apart.dim(0)?;
    Ok(apart.sum_all()?.to_scalar::<f32>()? / (n * n.saturating_sub(1)).max(1) as f32)
}

/// The loss in the second block with these heads switched off.
pub fn ablated_loss(
    model: &InductionModel,
    heads: &[Head],
    by: Instead,
) -> Result<f32> {
    Ok(Snapshot::take(0, model, &ablations(model, heads, by)?)?.second_half())
}

/// Heads' names with what they look at.
pub type NamedMaps = Vec<(String, Tensor)>;

/// What every head looks at in one test sequence: `(name, (seq, seq))`, layer by layer, and the sequence's tokens.
pub fn one_sequence(model: &InductionModel) -> Result<(NamedMaps, Vec<u32>)> {
    let tokens = test_sequences()?.narrow(0, 0, 1)?;
    let maps = model.forward(&tokens, &[])?.maps;
    let named = |(layer, head): Head| {
        Ok((name((layer, head)), maps[layer].get(0)?.get(head)?.to_dtype(DType::F32)?))
    };
    let maps = model.heads().into_iter().map(named).collect::<Result<_>>()?;
    Ok((maps, tokens.get(0)?.to_vec1()?))
}

/// How a head is called: `head 1.0` is head 0 of layer 1.
pub fn name((layer, head): Head) -> String {
    format!("head {layer}.{head}")
}

fn mean<'a>(values: impl ExactSizeIterator<Item = &'a f32>) -> f32 {
    let count = values.len() as f32;
    values.sum::<f32>() / count
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use candle_nn::VarMap;
    use transformer::init::seeded_builder;

    #[test]
    fn distance_counts_tokens_between() -> Result<()> {
        // Each token looks at itself, at the first one, half at either.
        let maps = [[[1f32, 0., 0.], [0., 1., 0.], [0., 0., 1.]], [[1., 0., 0.]; 3]];
        let maps = Tensor::new(&maps, &Device::Cpu)?.unsqueeze(0)?;
        assert_eq!(attention_distance(&maps)?.to_vec1::<f32>()?, [0., 1.]);
        let mixed =
            ((maps.get_on_dim(1, 0)? + maps.get_on_dim(1, 1)?)? / 2.)?.unsqueeze(1)?;
        assert_eq!(attention_distance(&mixed)?.to_vec1::<f32>()?, [0.5]);
        assert!(attention_distance(&maps.narrow(3, 0, 2)?).is_err());
        let apart = Tensor::new(&[[0f32, 0.5], [0.5, 0.]], &Device::Cpu)?;
        assert_eq!(mean_apart(&apart)?, 0.5);
        Ok(())
    }

    #[test]
    fn a_share_is_counted_from_the_query() -> Result<()> {
        let seq = 2 * PERIOD;
        let own = Tensor::eye(seq, DType::F32, &Device::Cpu)?.unsqueeze(0)?;
        assert_eq!((share_back(&own, 0)?, share_back(&own, 15)?), (1., 0.));
        // Query i looks at i − 16, where that is.
        let at =
            |q: usize| (0..seq).map(|k| f32::from(u8::from(k + PERIOD == q))).collect();
        let rows: Vec<Vec<f32>> = (0..seq).map(at).collect();
        let block = Tensor::new(rows, &Device::Cpu)?.unsqueeze(0)?;
        assert_eq!((share_back(&block, 16)?, share_back(&block, 15)?), (1., 0.));
        assert_eq!(share_back(&Tensor::cat(&[own, block], 0)?, 16)?, 0.5);
        assert!(
            share_back(&Tensor::zeros((1, 16, 16), DType::F32, &Device::Cpu)?, 1)
                .is_err()
        );
        Ok(())
    }

    #[test]
    fn the_second_block_is_the_second_block() -> Result<()> {
        let tokens = test_sequences()?;
        assert_eq!(tokens.dims(), [TESTED, 2 * PERIOD]);
        let by_position: Vec<f32> = (1..2 * PERIOD).map(|at| at as f32).collect();
        let model = InductionModel::new(1, seeded_builder(&VarMap::new(), 1))?;
        let snapshot = Snapshot { by_position, ..Snapshot::take(0, &model, &[])? };
        // Targets 1 to 15, and 17 to 31.
        assert_eq!((snapshot.first_half(), snapshot.second_half()), (8., 24.));
        Ok(())
    }

    /// The mean comes from other sequences: what is measured with it does not depend on the batch that is measured.
    #[test]
    fn a_mean_knows_nothing_of_what_is_measured() -> Result<()> {
        let model = InductionModel::new(2, seeded_builder(&VarMap::new(), 1))?;
        let [one, two] = [(0, 1), (1, 0)];
        let off = ablations(&model, &[one, two], Instead::Mean)?;
        assert_eq!(off.iter().map(|one| one.head).collect::<Vec<_>>(), [one, two]);
        let tokens = test_sequences()?;
        let whole = model.forward(&tokens, &off)?.logits;
        let alone = model.forward(&tokens.narrow(0, 0, 1)?, &off)?.logits;
        assert!(compare::largest_error(&alone, &whole.narrow(0, 0, 1)?)? < 1e-5);
        let outputs = model.forward(&tokens, &off)?.outputs;
        let first = outputs[1].narrow(1, 0, 1)?.flatten(0, 2)?; // all of head 1.0: one row, repeated
        assert_eq!(
            compare::largest_error(
                &first,
                &first.narrow(0, 0, 1)?.broadcast_as(first.shape())?
            )?,
            0.
        );
        Ok(())
    }

    #[test]
    fn heads_and_sequences_that_are_not_there_are_errors() -> Result<()> {
        let model = InductionModel::new(1, seeded_builder(&VarMap::new(), 1))?;
        let tokens = test_sequences()?;
        let off = |head| [Ablation { head, instead: None }];
        assert!(model.forward(&tokens, &off((1, 0))).is_err());
        assert!(model.forward(&tokens, &off((0, 9))).is_err());
        assert!(model.forward(&data::repeated(1, 32, 1)?, &[]).is_err());
        Ok(())
    }
}
