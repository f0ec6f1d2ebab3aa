//! Week 3's solution and your exercise before the same checks.

use masking::{exercise, solution};
use std::process::ExitCode;

fn main() -> ExitCode {
    let entries = checks::entries!(masking:
        causal_mask, padding_mask, padding_lengths, combine_masks, masked_softmax, masked_attention, leaks_future,
        keep_to_additive, additive_to_keep, to_keep, from_keep,
    );
    checks::run("masking", entries)
}
