//! Wrong answers: layout.

use super::Wrong;
use crate::gpu::{FlashLayout, PadHeadDim, SplitQkv};

pub fn flash_layout() -> Vec<Wrong<FlashLayout>> {
    vec![]
}

pub fn split_qkv() -> Vec<Wrong<SplitQkv>> {
    vec![]
}

pub fn pad_head_dim() -> Vec<Wrong<PadHeadDim>> {
    vec![]
}
