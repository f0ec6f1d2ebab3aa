//! One pass through a model.

use super::{attention::Attention, config::TransformerConfig, parts::Parts};
use candle_core::{Result, Tensor};
use multi_head::{SeedStream, solution::dropout};
use std::cell::RefCell;

/// What the heads of every layer look at: `(batch, heads, seq_q, seq_k)` each.
#[derive(Clone, Debug, Default)]
pub struct Maps {
    /// The encoder's self-attention, layer by layer.
    pub encoder: Vec<Tensor>,
    /// The decoder's self-attention.
    pub decoder: Vec<Tensor>,
    /// The decoder's attention to the encoder's memory.
    pub cross: Vec<Tensor>,
}

/// What every layer needs to know of one pass.
pub(super) struct Run<'a> {
    pub(super) config: &'a TransformerConfig,
    pub(super) parts: &'a Parts,
    /// In training: where dropout draws its seeds from.
    pub(super) seeds: Option<&'a SeedStream>,
    /// Where maps are collected, when somebody looks.
    pub(super) maps: Option<&'a RefCell<Maps>>,
}

impl Run<'_> {
    /// Dropout, in training.
    pub(super) fn drop(&self, x: Tensor) -> Result<Tensor> {
        match self.seeds {
            Some(seeds) if self.config.dropout > 0. => {
                dropout(&x, self.config.dropout, seeds.next_seed())
            }
            _ => Ok(x),
        }
    }

    /// Attention, then dropout; the map goes to where `place` says.
    pub(super) fn attend(
        &self,
        attention: &dyn Attention,
        [query, memory]: [&Tensor; 2],
        mask: &Tensor,
        place: fn(&mut Maps) -> &mut Vec<Tensor>,
    ) -> Result<Tensor> {
        if let Some(seeds) = self.seeds {
            attention.reseed(seeds.next_seed());
        }
        let (watched, train) = (self.maps.is_some(), self.seeds.is_some());
        let (out, weights) =
            attention.forward(query, memory, memory, Some(mask), watched, train)?;
        if let (Some(maps), Some(weights)) = (self.maps, weights) {
            place(&mut maps.borrow_mut()).push(weights);
        }
        self.drop(out)
    }
}
