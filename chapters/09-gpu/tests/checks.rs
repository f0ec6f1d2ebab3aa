//! Week 9's solution and your exercise before the same checks.

use gpu::{exercise, solution};
use std::process::ExitCode;

fn main() -> ExitCode {
    let entries = checks::entries!(
        gpu: forward_flops, least_bytes, attainable, flash_layout, split_qkv, pad_head_dim, check_seqlens,
        gpu_seqlens, half_dtype, as_accurate, pick_kernel
    );
    checks::run("gpu", entries)
}
