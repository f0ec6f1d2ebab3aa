//! Wrong answers: inputs.

use super::Wrong;
use crate::gpu::{AsAccurate, HalfDtype, PickKernel};

pub fn half_dtype() -> Vec<Wrong<HalfDtype>> {
    vec![]
}

pub fn as_accurate() -> Vec<Wrong<AsAccurate>> {
    vec![]
}

pub fn pick_kernel() -> Vec<Wrong<PickKernel>> {
    vec![]
}
