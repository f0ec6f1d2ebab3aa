//! A card as the place of a run: candle-flash-attn through week 9's functions and bare, and candle's operations.
//!
//! A card answers before it is done, so it is waited for before the clock is read. The processor can stand in for a card:
//! then all of this runs but the kernels.

mod dense;
mod judge;
mod machine;
pub mod page;
mod ragged;
mod rehearsal;

pub use rehearsal::is_rehearsal;

use crate::clock;
use crate::place::{Judge, Place, Tried};
use crate::report::Card;
use crate::torch::Torch;
use crate::way::{Here, Way, Work};
use anyhow::{Result, bail};
use candle_core::{Device, Tensor};
use gpu::api::{Api, CANDLE_FLASH_ATTN};
use gpu::{Cuda, solution::forward_flops};
use options::bench::rows::Row;

/// A card, and what computes attention on it.
pub struct OnCard {
    device: Device,
    attend: Cuda,
    api: Api,
    /// Bytes that candle's operations may fill with scores.
    room: u64,
}

impl OnCard {
    /// The card that this device is, and what it says of itself.
    pub fn new(device: &Device) -> Result<(Self, Card)> {
        let card = machine::card()?;
        let (attend, api) = (Cuda::new(device)?, CANDLE_FLASH_ATTN);
        // The other half is for inputs, and for PyTorch.
        let room = card.memory / 2;
        Ok((Self { device: device.clone(), attend, api, room }, card))
    }

    /// The processor in a card's place.
    pub fn rehearsal() -> (Self, Card) {
        let (device, api) = (Device::Cpu, rehearsal::STAND_IN);
        let attend = Cuda::with(&device, api);
        (Self { device, attend, api, room: 1 << 30 }, rehearsal::card())
    }
}

impl Place for OnCard {
    fn ways(&self, row: &Row, torch: bool) -> Result<(Vec<Way>, Judge)> {
        let (mut ways, judge) = match row.case.ragged() {
            true => ragged::ways(self, row)?,
            false => dense::ways(self, row)?,
        };
        if torch {
            let names: &[_] = match row.case.ragged() {
                true => &[("torch-padded", "padded"), ("torch-varlen", "varlen")],
                false => &[("torch", "flash")],
            };
            ways.extend(names.iter().map(|(name, there)| Way {
                name,
                threads: 1,
                work: Work::Torch(there),
            }));
        }
        Ok((ways, judge))
    }

    fn try_out(&self, _: &Way, work: &Here, judge: &Judge) -> Result<Option<usize>> {
        if let Some(wrong) = judge(&work()?)? {
            bail!("its result is {wrong}")
        }
        Ok(None)
    }

    fn try_torch(&self, torch: &mut Torch, row: &Row, way: &Way, name: &str) -> Result<Tried> {
        let why = torch.why_not(row, name, way.threads)?;
        Ok(why.map_or(Tried::Runs(None), Tried::LeftOut))
    }

    fn times(&self, _: &Way, work: &Here, span: f64) -> Result<Vec<f64>> {
        clock::laps(span, || Ok(work().map(drop)?), || Ok(self.device.synchronize()?))
    }

    fn lap(&self) -> f64 {
        clock::LAP
    }

    fn operations(&self, row: &Row) -> Result<f64> {
        let Row { batch, heads, queries, keys, dim, case, .. } = *row;
        if !case.ragged() {
            return Ok(forward_flops(batch, heads, queries, keys, dim, case.causal()));
        }
        let of = |n: usize| forward_flops(1, heads, n, n, dim, case.causal());
        Ok(crate::ragged::lengths(row)?.into_iter().map(of).sum())
    }
}

/// What the attention's scores are multiplied by.
fn scale(row: &Row) -> f32 {
    1. / (row.dim as f32).sqrt()
}

/// A way in this process; a single thread asks the card.
fn way(
    name: &'static str,
    work: impl Fn() -> candle_core::Result<Tensor> + Send + Sync + 'static,
) -> Way {
    crate::way::most(name, &[1], move || Ok(vec![work()?]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use options::bench::rows::CARD;

    #[test]
    fn only_pairs_that_are_seen_count() {
        let (card, _) = OnCard::rehearsal();
        let counted = |name: &str| {
            let row = CARD.iter().find(|row| row.name == name).unwrap();
            card.operations(row).unwrap()
        };
        let each = 4. * 16. * 64.;
        assert_eq!(counted("dense-n512-d64-f16"), each * 512. * 512.);
        assert_eq!(counted("causal-n512-d64-f16"), each * 512. * 513. / 2.);
        assert_eq!(counted("dense-n512-d128-bf16"), each * 2. * 512. * 512.);
        let ragged = counted("ragged-d64-f16");
        assert!(ragged < each * 32. * 1894. * 1894. / 2., "{ragged}: padding does not count");
        assert!(counted("ragged-causal-d64-f16") < 0.6 * ragged);
    }
}
