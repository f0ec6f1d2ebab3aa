//! Wrong answers: lengths.

use super::Wrong;
use crate::gpu::{CheckSeqlens, GpuSeqlens};

pub fn check_seqlens() -> Vec<Wrong<CheckSeqlens>> {
    vec![]
}

pub fn gpu_seqlens() -> Vec<Wrong<GpuSeqlens>> {
    vec![]
}
