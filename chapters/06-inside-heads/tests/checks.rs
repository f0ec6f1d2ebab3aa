//! Week 6's solution and your exercise before the same checks.

use inside_heads::{exercise, solution};
use std::process::ExitCode;

fn main() -> ExitCode {
    let entries = checks::entries!(
        inside_heads: attention_entropy, head_diversity, previous_token_score, induction_score, ablate_head, rollout
    );
    checks::run("inside_heads", entries)
}
