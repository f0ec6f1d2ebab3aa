//! The harness itself: the four states of an exercise, the words of a failure, and the report.

use candle_core::{D, DType, Result, Tensor};
use checks::{State, scaling::softmax, transformer::learning_rate};

fn without_the_maximum(logits: &Tensor) -> Result<Tensor> {
    let exp = logits.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
}

#[test]
fn a_stub_is_pending() {
    let verdict = softmax(|_| todo!());
    assert_eq!(verdict.state(), State::Pending);
    assert!(verdict.to_string().contains("cargo study hint scaling::softmax"), "{verdict}");
}

#[test]
fn a_stub_tells_what_is_to_be_written() {
    let verdict = softmax(|_| todo!("the maximum first"));
    assert_eq!(verdict.state(), State::Pending);
    assert!(verdict.to_string().contains("is pending: todo: the maximum first\n"), "{verdict}");
    let verdict = softmax(|_| unimplemented!("at all"));
    assert_eq!(verdict.state(), State::Pending);
    assert_eq!(verdict.note(), Some("unimplemented: at all"));
    let verdict = softmax(|_| unimplemented!());
    assert_eq!((verdict.state(), verdict.note()), (State::Pending, None));
}

#[test]
fn a_stub_that_is_half_done_is_pending() {
    let verdict =
        softmax(|logits| if logits.rank() == 1 { without_the_maximum(logits) } else { todo!() });
    assert_eq!(verdict.state(), State::Pending);
}

#[test]
fn a_right_answer_passes() {
    let verdict = softmax(|logits| {
        if logits.elem_count() == 0 && logits.dim(D::Minus1)? > 0 {
            return Ok(logits.clone());
        }
        without_the_maximum(&logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?)
    });
    assert_eq!(verdict.state(), State::Passed, "{verdict}");
}

#[test]
fn a_wrong_answer_fails_with_law_example_cause_and_next_step_in_this_order() {
    let verdict = softmax(without_the_maximum);
    assert!(matches!(verdict.state(), State::Failed | State::Works));
    let text = verdict.to_string();
    let parts = [
        "What must hold: large logits",
        "given    logits: [2] f32",
        "expected [2] f32",
        "got      [2] f32",
        "NaN",
        "Likely cause: exp() overflows",
        "Next: cargo study hint scaling::softmax",
    ];
    let mut from = 0;
    for part in parts {
        match text[from..].find(part) {
            Some(at) => from += at,
            None => panic!("`{part}` is missing, or out of order, in:\n{text}"),
        }
    }
}

#[test]
fn a_panic_that_is_no_todo_fails_with_its_text() {
    let verdict = softmax(|_| panic!("index out of bounds: the len is 3"));
    assert_eq!(verdict.state(), State::Failed);
    assert!(
        verdict.to_string().contains("a panic: index out of bounds: the len is 3"),
        "{verdict}"
    );
}

#[test]
fn candles_own_not_yet_implemented_is_no_stub() {
    // A logarithm of u8 panics inside candle with a text that begins like a stub's.
    let verdict = softmax(|logits| logits.to_dtype(DType::U8)?.log());
    assert_eq!(verdict.state(), State::Failed, "{verdict}");
    assert!(verdict.to_string().contains("given    logits: [3] f32"), "{verdict}");
}

#[test]
fn an_error_is_shown_with_the_inputs_that_caused_it() {
    let verdict = softmax(|_| candle_core::bail!("no idea\nand a backtrace"));
    let text = verdict.to_string();
    assert!(text.contains("got      an error: no idea\n"), "{text}");
    assert!(text.contains("given    logits: [3] f32"), "{text}");
}

#[test]
fn an_unknown_mistake_gets_no_made_up_cause() {
    let verdict = softmax(|logits| logits * 7.);
    assert_eq!(verdict.state(), State::Failed);
    assert_eq!(verdict.cause, None, "{verdict}");
}

#[test]
fn of_two_known_mistakes_with_the_same_first_breach_the_more_alike_is_named() {
    // At first it looks like a rate without a warm-up; without one in the call it is infinite, which no known mistake is.
    let verdict = learning_rate(|step, d_model, warmup| {
        let (step, warmup) = (step as f64, warmup as f64);
        (d_model as f64).powf(-0.5) * step.powf(-0.5).max(step * warmup.powf(-1.5))
    });
    let cause = verdict.cause.unwrap();
    assert!(cause.diagnosis.starts_with("the larger of the two is taken"), "{verdict}");
    // It is not quite that mistake, and the words say so.
    assert!(!cause.same && verdict.to_string().contains("Possible cause: the larger"), "{verdict}");
}

#[test]
fn a_property_fails_with_its_smallest_case() {
    // Wrong for rows of three or more logits only: the laws by hand catch it, and the shift law shrinks to n = 3.
    let verdict = softmax(|logits| {
        let weights = without_the_maximum(&logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?)?;
        if logits.dims() == [1, 3] { weights * 2. } else { Ok(weights) }
    });
    let sums = verdict.failures().find(|law| law.says == "each row sums to 1").expect("a failure");
    assert!(
        sums.breach.as_ref().is_some_and(|breach| breach.given.contains("[1, 3]")),
        "{verdict}"
    );
}

#[test]
fn a_refusal_in_other_words_is_known() {
    let verdict = checks::gpu::gpu_seqlens(|lengths, device| {
        let ends = lengths.iter().scan(0, |sum, length| {
            *sum += *length;
            u32::try_from(*sum).ok().filter(|end| i32::try_from(*end).is_ok())
        });
        let ends: Vec<u32> = [0].into_iter().chain(ends).collect();
        if lengths.is_empty() || lengths.contains(&0) || ends.len() <= lengths.len() {
            candle_core::bail!("I take no empty sequences")
        }
        Ok((Tensor::new(ends, device)?, lengths.iter().copied().max().unwrap_or(0)))
    });
    let text = verdict.to_string();
    assert!(text.contains("Possible cause: a batch with an empty sequence is refused"), "{text}");
}

#[test]
fn the_state_goes_by_the_idea() {
    // Right but for an empty row of logits, which it takes for a panic's sake.
    let verdict = softmax(|logits| {
        without_the_maximum(&logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?)
    });
    assert_eq!(verdict.state(), State::Works, "{verdict}");
    let text = verdict.to_string();
    assert!(text.starts_with("✓ scaling::softmax works: "), "{text}");
    assert!(text.contains("Why it matters: "), "{text}");
}

#[test]
fn each_open_edge_is_told_its_own_cause() {
    let verdict = checks::varlen::padding_waste(|lengths| {
        let longest = lengths.iter().max().copied().unwrap_or(0);
        let all = |one: usize| (lengths.len() * one) as f64;
        let tokens: usize = lengths.iter().sum();
        let pairs: usize = lengths.iter().map(|n| n * n).sum();
        (1. - tokens as f64 / all(longest), 1. - pairs as f64 / all(longest * longest))
    });
    let text = verdict.to_string();
    assert!(text.contains("Likely cause: without tokens this is 0 / 0"), "{text}");
    let edge =
        "  - lengths of 2³³ and 2³²: their squares are above 2⁶⁴\n    Likely cause: the squares";
    assert!(text.contains(edge), "{text}");
}
