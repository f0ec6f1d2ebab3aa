//! Week 5's solution and your exercise before the same checks.

use std::process::ExitCode;
use transformer::{exercise, solution};

fn main() -> ExitCode {
    let entries = checks::entries!(transformer:
        positional_encoding, layer_norm, residual, encoder_layer, decoder_layer, encode, decode,
        label_smoothing, learning_rate, training_step, greedy_decode, rope, alibi,
    );
    checks::run("transformer", entries)
}
