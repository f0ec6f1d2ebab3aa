//! Week 8's solution and your exercise before the same checks.

use std::process::ExitCode;
use varlen::{exercise, solution};

fn main() -> ExitCode {
    let entries = checks::entries!(
        varlen: padding_waste, cu_seqlens, max_seqlen, unpad, pad, position_ids, document_mask, eager_bidirectional,
        eager_causal, sdpa_bidirectional, sdpa_causal, flash_bidirectional, flash_causal
    );
    checks::run("varlen", entries)
}
