//! The six variants agree on the real tokens, and the check that says so can fail.

use candle_core::{Result, Tensor};
use checks::{
    State, Verdict,
    varlen::{Padded, six_variants_agree},
};
use varlen::solution::{
    eager_bidirectional, eager_causal, flash_bidirectional, flash_causal, sdpa_bidirectional,
    sdpa_causal,
};

/// The solution's six, but for `sdpa_causal`.
fn with(sdpa_causal: &'static Padded) -> Verdict {
    six_variants_agree(
        eager_bidirectional,
        eager_causal,
        sdpa_bidirectional,
        sdpa_causal,
        flash_bidirectional,
        flash_causal,
    )
}

#[test]
fn all_six_agree() {
    let verdict = with(&sdpa_causal);
    assert_eq!(verdict.state(), State::Passed, "{verdict}");
}

#[test]
fn one_that_differs_is_named_with_its_cause() {
    let verdict = with(&sdpa_bidirectional);
    assert_eq!(verdict.state(), State::Failed);
    let text = verdict.to_string();
    assert!(text.starts_with("✗ varlen::sdpa_causal failed"), "{text}");
    assert!(text.contains("Likely cause: `sdpa_causal` sees the future"), "{text}");
    assert!(text.contains("cargo study hint varlen::sdpa_causal"), "{text}");
}

#[test]
fn a_difference_in_one_token_is_enough() {
    let verdict = with(&|q, k, v, heads, dim, keep| -> Result<Tensor> {
        let out = sdpa_causal(q, k, v, heads, dim, keep)?;
        let last = (out.narrow(0, 4, 1)? * 1.0001)?;
        Tensor::cat(&[out.narrow(0, 0, 4)?, last], 0)
    });
    assert_eq!(verdict.state(), State::Failed);
    assert_eq!((verdict.exercise, verdict.failures().count()), ("varlen::sdpa_causal", 1));
}

#[test]
fn a_stub_is_pending_by_its_name() {
    let verdict = with(&|_, _, _, _, _, _| todo!());
    assert_eq!((verdict.exercise, verdict.state()), ("varlen::sdpa_causal", State::Pending));
}
