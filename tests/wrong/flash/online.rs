//! Wrong maxima and sums in one pass, and wrong log-sum-exps.

use super::{Wrong, wrong};
use crate::flash::{Lse, OnlineSoftmax};

const NEVER: f32 = f32::NEG_INFINITY;

/// One pass over the scores that are not −∞, from `start`.
fn from(
    start: (f32, f32),
    scores: &[f32],
    step: impl Fn((f32, f32), f32) -> (f32, f32),
) -> (f32, f32) {
    scores.iter().filter(|&&score| score > NEVER).fold(start, |state, &score| step(state, score))
}

fn over(scores: &[f32], step: impl Fn((f32, f32), f32) -> (f32, f32)) -> (f32, f32) {
    from((NEVER, 0.), scores, step)
}

/// A right step, for scores above −∞.
fn step((m, l): (f32, f32), score: f32) -> (f32, f32) {
    let new = m.max(score);
    (new, l * (m - new).exp() + (score - new).exp())
}

pub fn online_softmax() -> Vec<Wrong<OnlineSoftmax>> {
    vec![
        wrong!(
            "sum not rescaled",
            "with a new maximum, the sum so far stays as it was, though it was taken relative to the old one. It has to shrink by a factor first; and that factor needs the old maximum, so compute it before `m` is overwritten.",
            |scores| over(scores, |(m, l), score| {
                let new = m.max(score);
                (new, l + (score - new).exp())
            })
        ),
        wrong!(
            "factor turned round",
            "the sum so far is multiplied by exp(new − old), so it grows: relative to a larger maximum it is smaller. The factor is at most 1.",
            |scores| over(scores, |(m, l), score| {
                let new = m.max(score);
                let so_far = if l == 0. { 0. } else { l * (new - m).exp() };
                (new, so_far + (score - new).exp())
            })
        ),
        wrong!(
            "maximum started at 0",
            "the maximum starts at 0: scores that are all lower never replace it, and at −10 000 all exponentials are 0. Start below every score.",
            |scores| from((0., 0.), scores, step)
        ),
        wrong!(
            "maximum started at 0, nothing seen noticed",
            "the maximum starts at 0, and scores that are all lower never replace it: m is too large, l too small, and at −10 000 every exponential is 0, as if nothing had been seen. Start below every score.",
            |scores| {
                let (m, l) = from((0., 0.), scores, step);
                if l == 0. { (NEVER, 0.) } else { (m, l) }
            }
        ),
        wrong!(
            "maximum started at the smallest positive number",
            "`f32::MIN_POSITIVE` is the smallest number above 0, and no start for a maximum: scores below 0 never replace it.",
            |scores| from((f32::MIN_POSITIVE, 0.), scores, step)
        ),
        wrong!(
            "maximum started at the lowest number",
            "the maximum starts at `f32::MIN`, and stays there when there is nothing to see: −∞ says \"nothing yet\", and every score is above it.",
            |scores| from((f32::MIN, 0.), scores, step)
        ),
        wrong!(
            "NaN where nothing was seen yet",
            "as long as the maximum is −∞, score − m is −∞ − (−∞), which is NaN. A score of −∞ has nothing to add: leave it out.",
            |scores| scores.iter().fold((NEVER, 0.), |state, &score| step(state, score))
        ),
        wrong!(
            "first score taken before the loop",
            "it starts from the first score with a sum of 1: without scores there is no first one, and a first one of −∞ adds 0, not 1. Start with (−∞, 0).",
            |scores| scores[1..].iter().fold((scores[0], 1.), |state, &score| step(state, score))
        ),
        wrong!(
            "maximum not subtracted",
            "l is Σ exp(score): each term is exp(score − m), so that nothing overflows.",
            |scores| over(scores, |(m, l), score| (m.max(score), l + score.exp()))
        ),
        wrong!(
            "new maximum itself not counted",
            "a score that becomes the new maximum is not counted itself: it adds exp(0) = 1. After the rescale comes the sum, in both cases.",
            |scores| over(scores, |(m, l), score| {
                if score > m { (score, l * (m - score).exp()) } else { (m, l + (score - m).exp()) }
            })
        ),
        wrong!(
            "sum begun anew",
            "with a new maximum the sum begins anew at 1, and what was summed before is lost: bring it down, don't drop it.",
            |scores| over(scores, |(m, l), score| {
                if score > m { (score, 1.) } else { (m, l + (score - m).exp()) }
            })
        ),
        wrong!(
            "equal scores lost",
            "a score that equals the maximum adds nothing: it adds exp(0) = 1, like any other score that is the largest so far.",
            |scores| over(scores, |(m, l), score| {
                if score == m { (m, l) } else { step((m, l), score) }
            })
        ),
        wrong!(
            "powers of two",
            "the base is 2, not e: `exp2` needs scores that were multiplied by log₂ e.",
            |scores| over(scores, |(m, l), score| {
                let new = m.max(score);
                (new, l * (m - new).exp2() + (score - new).exp2())
            })
        ),
        wrong!(
            "term of the old maximum",
            "the new term is exp(score − old maximum): at the first score that is exp(∞). Update the maximum first, then add the term.",
            |scores| over(scores, |(m, l), score| {
                let new = m.max(score);
                (new, l * (m - new).exp() + (score - m).exp())
            })
        ),
        wrong!(
            "added before the rescale",
            "the new term is added relative to the old maximum, and rescaled with the rest: right on paper, but the exponential of a large step up overflows before it shrinks. Rescale first, then add exp(score − new maximum).",
            |scores| over(scores, |(m, l), score| {
                let new = m.max(score);
                if l == 0. { (new, 1.) } else { (new, (l + (score - m).exp()) * (m - new).exp()) }
            })
        ),
        wrong!(
            "sign of the exponent",
            "each term is exp(m − score), which grows the lower the score is: the exponent is score − m, never above 0.",
            |scores| over(scores, |(m, l), score| {
                let new = m.max(score);
                (new, l * (m - new).exp() + (new - score).exp())
            })
        ),
        wrong!(
            "sum started at 1",
            "the sum starts at 1, as a product would. The first rescale hides it, but where nothing is seen it stays 1: before the first score it is 0.",
            |scores| from((NEVER, 1.), scores, step)
        ),
        wrong!(
            "maximum 0 where nothing is seen",
            "where nothing is seen, m is 0: what you put in place of −∞ for the subtraction must not be returned, or a real score of −5 would lose against it.",
            |scores| {
                let (m, l) = over(scores, step);
                (if l == 0. { 0. } else { m }, l)
            }
        ),
    ]
}

pub fn lse() -> Vec<Wrong<Lse>> {
    vec![
        wrong!(
            "maximum forgotten",
            "this is ln l only: l was taken relative to the maximum, which has to come back.",
            |_, l| l.ln()
        ),
        wrong!(
            "logarithm forgotten",
            "l is added as it is: it is a sum of exponentials, m is a score. Its logarithm is on the scale of scores.",
            |m, l| m + l
        ),
        wrong!(
            "m and l swapped",
            "this is l + ln m: m is a score already, and l is the sum whose logarithm is wanted.",
            |m, l| l + m.ln()
        ),
        wrong!(
            "base two",
            "the logarithm has base 2: `ln` undoes `exp`, `log2` undoes `exp2`.",
            |m, l| m + l.log2()
        ),
        wrong!("base ten", "the logarithm has base 10: `ln` undoes `exp`.", |m, l| m + l.log10()),
        wrong!(
            "one added",
            "`ln_1p` takes the logarithm of 1 + l: l already contains the maximum's own 1.",
            |m, l| m + l.ln_1p()
        ),
        wrong!(
            "subtracted",
            "the logarithm is subtracted: more keys make the log-sum-exp larger, never smaller than the maximum.",
            |m, l| m - l.ln()
        ),
        wrong!(
            "multiplied",
            "m and ln l are multiplied: ln (exp(m) · l) is a sum of two logarithms.",
            |m, l| m * l.ln()
        ),
        wrong!(
            "exponential of the maximum",
            "exp(m) · l is right on paper, but exp(m) overflows from m = 89 on, and is 0 below −104: take the logarithm of each factor alone.",
            |m, l| (m.exp() * l).ln()
        ),
        wrong!(
            "0 where nothing is seen",
            "without anything to see the log-sum-exp is −∞, the logarithm of an empty sum: 0 would be a real score.",
            |m, l| if l == 0. { 0. } else { m + l.ln() }
        ),
        wrong!(
            "tiny number added",
            "something is added to l to avoid ln 0: it changes every result, and ln 0 = −∞ is what is wanted here.",
            |m, l| m + (l + 1e-3).ln()
        ),
    ]
}
