//! Wrong answers: cost.

use super::Wrong;
use crate::gpu::{Attainable, ForwardFlops, LeastBytes};

pub fn forward_flops() -> Vec<Wrong<ForwardFlops>> {
    vec![]
}

pub fn least_bytes() -> Vec<Wrong<LeastBytes>> {
    vec![]
}

pub fn attainable() -> Vec<Wrong<Attainable>> {
    vec![]
}
