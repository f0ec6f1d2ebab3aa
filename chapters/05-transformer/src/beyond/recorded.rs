//! What one run of the trial gave, kept with its machine and date.

use super::{
    model::Positions,
    training::{TRAINED, losses_by_position, train},
};
use candle_core::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One run: every kind of positions, trained from several seeds and tried past its length.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// The processor that it ran on.
    pub machine: String,
    /// The day.
    pub date: String,
    /// Steps of each training.
    pub steps: usize,
    /// New sequences that each model was tried on.
    pub sequences: usize,
    /// What they lose when a token sees all those before it.
    pub losses: Losses,
    /// What the same models lose when it sees the latest [`TRAINED`] alone.
    pub near: Losses,
}

/// By the name of the positions, a row for each seed: the mean loss at each position, in nats.
pub type Losses = BTreeMap<String, Vec<Vec<f32>>>;

impl Recorded {
    /// The run that the page shows.
    pub fn kept() -> Result<Self> {
        serde_json::from_str(include_str!("../../bench/beyond.json"))
            .map_err(Error::wrap)
    }

    /// Trains each kind of positions from each of `seeds` for `steps` steps, and reads `sequences` sequences of `seq`
    /// tokens with it; `told` hears of each training that is done. This takes minutes.
    pub fn run(
        [steps, sequences, seq]: [usize; 3],
        seeds: &[u64],
        mut told: impl FnMut(Positions, u64),
    ) -> Result<Self> {
        let (mut losses, mut near) = (Losses::new(), Losses::new());
        for positions in Positions::ALL {
            for &seed in seeds {
                let reader = train(positions, steps, seed)?;
                for (all, reach) in [(&mut losses, None), (&mut near, Some(TRAINED))] {
                    let row = losses_by_position(&reader, [sequences, seq], reach)?;
                    all.entry(positions.to_string()).or_default().push(row);
                }
                told(positions, seed);
            }
        }
        let (machine, date) = (String::new(), String::new());
        Ok(Self { machine, date, steps, sequences, losses, near })
    }
}

/// The mean loss of each `window` positions, one row for each seed.
pub fn windows(losses: &Losses, positions: Positions, window: usize) -> Vec<Vec<f32>> {
    let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
    let rows = losses.get(&positions.to_string()).into_iter().flatten();
    rows.map(|row| row.chunks(window.max(1)).map(mean).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_all_positions_past_the_trained_length() -> Result<()> {
        let kept = Recorded::kept()?;
        for losses in [&kept.losses, &kept.near] {
            for positions in Positions::ALL {
                let quarters = windows(losses, positions, TRAINED);
                assert!(
                    quarters.len() > 1 && quarters.iter().all(|row| row.len() == 4)
                );
            }
        }
        Ok(())
    }
}
