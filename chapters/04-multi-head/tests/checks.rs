//! Week 4's solution and your exercise before the same checks.

use checks::{
    Entry,
    multi_head::{
        attention_flops, kv_cache_bytes, multi_head_attention, parameter_count,
    },
};
use multi_head::{exercise, solution};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut entries = checks::entries!(multi_head: split_heads, combine_heads, dropout, repeat_kv, head_diversity);
    entries.extend([
        Entry::new(
            "parameter_count",
            || parameter_count(solution::parameter_count),
            || parameter_count(exercise::parameter_count),
        ),
        Entry::new(
            "attention_flops",
            || attention_flops(solution::attention_flops),
            || attention_flops(exercise::attention_flops),
        ),
        Entry::new(
            "kv_cache_bytes",
            || kv_cache_bytes(solution::kv_cache_bytes),
            || kv_cache_bytes(exercise::kv_cache_bytes),
        ),
        Entry::new(
            "MultiHeadAttention",
            || {
                multi_head_attention(
                    solution::MultiHeadAttention::new,
                    solution::MultiHeadAttention::forward,
                )
            },
            || {
                multi_head_attention(
                    exercise::MultiHeadAttention::new,
                    exercise::MultiHeadAttention::forward,
                )
            },
        ),
    ]);
    checks::run("multi_head", entries)
}
