//! What the maximum and the sum in one pass, and their log-sum-exp, must hold.

use super::pytorch;
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Implementation, Weights},
        Outcome,
        show::{number, numbers_apart, remember},
        why,
    },
    wrong,
};
use proptest::{collection::vec, prelude::Strategy};

/// `online_softmax`: scores to their maximum and the sum of the exponentials.
pub type OnlineSoftmax = dyn Fn(&[f32]) -> (f32, f32);
/// `lse`: a maximum and a sum to the log-sum-exp.
pub type Lse = dyn Fn(f32, f32) -> f32;

const NEVER: f32 = f32::NEG_INFINITY;

pub(super) fn zoo() -> Vec<Proof> {
    [online_laws().proofs(), lse_laws().proofs()].into_iter().flatten().collect()
}

/// Checks the maximum and the sum of exp(score − maximum): scores → `(m, l)`.
pub fn online_softmax(answer: impl Fn(&[f32]) -> (f32, f32) + 'static) -> Verdict {
    online_laws().judge(&answer)
}

fn listed(scores: &[f32]) -> String {
    let numbers: Vec<String> = scores.iter().map(|&score| number(score.into())).collect();
    format!("[{}]", numbers.join(", "))
}

/// The law that `scores` have `expected`: the maximum to the last bit, the sum within `units` roundings of itself.
fn law(f: &OnlineSoftmax, scores: &[f32], expected: (f64, f64), units: usize) -> Outcome {
    let given = remember(format!("scores: {}", listed(scores)));
    let (m, l) = f(scores);
    let (m, l) = (f64::from(m), f64::from(l));
    let allowed = units as f64 * f64::from(f32::EPSILON) * expected.1;
    if m == expected.0 && (l == expected.1 || (l - expected.1).abs() <= allowed) {
        return Ok(());
    }
    let shown = |expected: f64, got: f64| match expected == got {
        true => [number(expected), number(got)],
        false => numbers_apart(expected, got),
    };
    let ([want_m, got_m], [want_l, got_l]) = (shown(expected.0, m), shown(expected.1, l));
    let text = |m: String, l: String| format!("m = {m}, l = {l}");
    Err(Breach::text(&given, &text(want_m, want_l), &text(got_m, got_l)))
}

/// In two passes and f64.
fn reference(scores: &[f32]) -> (f64, f64) {
    let m = scores.iter().fold(NEVER, |m, &score| m.max(score));
    let exp = |&score: &f32| if m == NEVER { 0. } else { (f64::from(score) - f64::from(m)).exp() };
    (m.into(), scores.iter().map(exp).sum())
}

/// A score costs a subtraction and an exponential, a new maximum the same and a product, and each sum one more: that is
/// at most 8 roundings a score.
fn agrees(f: &OnlineSoftmax, scores: &[f32]) -> Outcome {
    law(f, scores, reference(scores), 8 * scores.len())
}

fn online_laws() -> Check<OnlineSoftmax> {
    let (ln2, ln4) = (2f32.ln(), 4f32.ln());
    // Steps of ⅛ from −8 to 8: all sums and differences are exact.
    let scores = vec((-64..64i32).prop_map(|eighths| eighths as f32 / 8.), 1..24);
    Check::new("flash::online_softmax", wrong::flash::online_softmax())
        .law(Implementation, "of one score, it is the maximum, and the sum is exp(0) = 1", |f| {
            law(f, &[3.], (3., 1.), 0)
        })
        .law(
            Implementation,
            "ln 4, ln 2, 0: the maximum comes first, and the sum is 1 + ½ + ¼",
            move |f| law(f, &[ln4, ln2, 0.], (ln4.into(), 1.75), 4),
        )
        .law(
            Implementation,
            "0, ln 2: with a new maximum, what was summed so far, 1, becomes ½, and then 1 is added",
            move |f| law(f, &[0., ln2], (ln2.into(), 1.5), 4),
        )
        .law(
            Implementation,
            "0, ln 2, ln 4: with each new maximum, all that was summed so far is halved",
            move |f| law(f, &[0., ln2, ln4], (ln4.into(), 1.75), 8),
        )
        .law(Implementation, "equal scores each add 1", |f| law(f, &[2., 2., 2.], (2., 3.), 8))
        .law(Implementation, "scores may all be below 0, and so is their maximum then", move |f| {
            law(f, &[-1. - ln2, -1.], (-1., 1.5), 4)
        })
        .law(
            Implementation,
            "scores of ±10 000 stay finite: no exponential is taken of more than 0",
            |f| {
                law(f, &[1e4, 1e4], (1e4, 2.), 0)?;
                law(f, &[-1e4, -1e4], (-1e4, 2.), 0)?;
                law(f, &[-1e4, 1e4], (1e4, 1.), 0)?;
                law(f, &[1e4, -1e4], (1e4, 1.), 0)
            },
        )
        .property(Weights, "the same as in two passes", scores.clone(), |f, scores| {
            agrees(f, &scores)
        })
        .property(
            Weights,
            "the order of the scores does not matter",
            scores.clone(),
            |f, mut scores| {
                scores.sort_by(f32::total_cmp);
                agrees(f, &scores)?;
                scores.reverse();
                agrees(f, &scores)
            },
        )
        .property(
            Weights,
            "scores that are all higher by c have a maximum that is higher by c, and the same sum",
            (scores, -500..500i32),
            |f, (scores, c)| {
                let (m, l) = reference(&scores);
                let moved: Vec<f32> = scores.iter().map(|score| score + c as f32).collect();
                law(f, &moved, (m + f64::from(c), l), 8 * scores.len())
            },
        )
        .law(Weights, "m + ln l is PyTorch's logsumexp", |f| {
            let fixtures = pytorch()?;
            let scores: Vec<f32> = fixtures.get("scores")?.to_vec1()?;
            let lse: f32 = fixtures.get("scores.lse")?.to_scalar()?;
            agrees(f, &scores)?;
            // Both are of size 10, so a rounding of each is the most that they are apart.
            let (m, l) = f(&scores);
            let ours = f64::from(m) + f64::from(l).ln();
            if (ours - f64::from(lse)).abs() <= 10. * f64::from(f32::EPSILON) {
                return Ok(());
            }
            let [expected, got] = numbers_apart(lse.into(), ours);
            Err(Breach::text("50 random scores", &expected, &got))
        })
        .law(Edges(why::NOT_FINITE), "−∞ among scores (a hidden key) adds 0, wherever it stands", |f| {
            law(f, &[1., NEVER, 1.], (1., 2.), 0)?;
            law(f, &[NEVER, 1., 1.], (1., 2.), 0)
        })
        .law(Edges(why::NOT_FINITE), "only −∞: nothing is seen, so m = −∞ and l = 0", |f| {
            law(f, &[NEVER], (NEVER.into(), 0.), 0)?;
            law(f, &[NEVER, NEVER], (NEVER.into(), 0.), 0)
        })
        .law(Edges(why::EMPTY), "no scores at all: m = −∞ and l = 0", |f| law(f, &[], (NEVER.into(), 0.), 0))
}

/// Checks the log-sum-exp of scores: their maximum m and l = Σ exp(score − m) → ln Σ exp(score).
pub fn lse(answer: impl Fn(f32, f32) -> f32 + 'static) -> Verdict {
    lse_laws().judge(&answer)
}

fn lse_laws() -> Check<Lse> {
    // A logarithm of 1 or 2 roundings and a sum.
    let law = |f: &Lse, m: f32, l: f32, expected: f64| {
        let given = remember(format!("m: {}\nl: {}", number(m.into()), number(l.into())));
        let got = f64::from(f(m, l));
        let allowed = 3. * f64::from(f32::EPSILON) * expected.abs().max(1.);
        let near = expected.is_finite() && (got - expected).abs() <= allowed;
        if got == expected || near {
            return Ok(());
        }
        let [expected, got] = numbers_apart(expected, got);
        Err(Breach::text(&given, &expected, &got))
    };
    let reference = |m: f32, l: f32| f64::from(m) + f64::from(l).ln();
    Check::new("flash::lse", wrong::flash::lse())
        .law(Implementation, "of one score, 3, it is the score", move |f| law(f, 3., 1., 3.))
        .law(Implementation, "of two scores of 0 it is ln 2", move |f| law(f, 0., 2., 2f64.ln()))
        .law(
            Implementation,
            "of the scores 0, ln 2 and ln 4 it is ln 7: they have m = ln 4 and l = 7⁄4",
            move |f| law(f, 4f32.ln(), 1.75, 7f64.ln()),
        )
        .property(
            Implementation,
            "ln Σ exp(score), for any maximum and up to 1000 keys",
            (-40..40i32, 1. ..1000f32),
            move |f, (m, l)| law(f, m as f32, l, reference(m as f32, l)),
        )
        .law(Edges(why::HUGE), "scores of ±10 000 stay finite", move |f| {
            law(f, 1e4, 2., reference(1e4, 2.))?;
            law(f, -1e4, 2., reference(-1e4, 2.))
        })
        .law(Edges(why::NOT_FINITE), "with nothing to see it is −∞", move |f| {
            law(f, NEVER, 0., NEVER.into())
        })
}
