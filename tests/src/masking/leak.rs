//! What a test for leaks from the future must hold: it is right about attentions that leak and about those that do not.

use super::{keep_where, plain_attention};
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Masks},
        Outcome,
        cases::matrix,
        compare::{refused, value},
        show::{inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{D, DType, Device, Result, Tensor, bail};

/// `leaks_future`: an attention over `(seq, dim)` and an input to whether it leaks.
pub type LeakTest = dyn Fn(&dyn Fn(&Tensor) -> Result<Tensor>, &Tensor) -> Result<bool>;

pub(super) fn zoo() -> Vec<Proof> {
    leak_laws().proofs()
}

/// Checks `leaks_future` on attentions that leak in many ways, and on some that do not.
pub fn leaks_future(
    answer: impl Fn(&dyn Fn(&Tensor) -> Result<Tensor>, &Tensor) -> Result<bool> + 'static,
) -> Verdict {
    leak_laws().judge(&answer)
}

fn law(
    f: &LeakTest,
    described: &str,
    leaks: bool,
    input: &Tensor,
    attend: impl Fn(&Tensor) -> Result<Tensor>,
) -> Outcome {
    let given = remember(format!("attend: {described}\n{}", inputs(&[("input", input)])));
    let found = value(&given, f(&attend, input))?;
    if found == leaks {
        return Ok(());
    }
    let text = |leaks| {
        if leaks { "true: it leaks" } else { "false: it does not leak" }
    };
    Err(Breach::text(&given, text(leaks), text(found)))
}

/// Self-attention in which query i sees key j by rule.
fn under(rule: impl Fn(usize, usize) -> bool) -> impl Fn(&Tensor) -> Result<Tensor> {
    move |x| plain_attention(x, x, x, &keep_where(x.dim(0)?, x.dim(0)?, &rule)?)
}

fn causal(x: &Tensor) -> Result<Tensor> {
    under(|query, key| key <= query)(x)
}

fn leak_laws() -> Check<LeakTest> {
    Check::new("masking::leaks_future", wrong::masking::leaks_future())
        .law(Masks, "causal attention does not leak", |f| {
            law(f, "under a causal mask", false, &seeded::normal(40, (3, 2))?, causal)
        })
        .law(Masks, "attention without a mask leaks", |f| {
            law(f, "without a mask", true, &seeded::normal(41, (3, 2))?, under(|_, _| true))
        })
        .law(Masks, "one visible future key is a leak", |f| {
            let input = seeded::normal(42, (4, 2))?;
            law(
                f,
                "query i sees keys up to i + 1",
                true,
                &input,
                under(|query, key| key <= query + 1),
            )
        })
        .law(
            Masks,
            "tokens that see only themselves do not leak, and those that see only the future do",
            |f| {
                let input = seeded::normal(49, (3, 2))?;
                law(
                    f,
                    "query i sees key i alone",
                    false,
                    &input,
                    under(|query, key| key == query),
                )?;
                law(
                    f,
                    "query i sees keys from i on",
                    true,
                    &input,
                    under(|query, key| key >= query),
                )
            },
        )
        .law(
            Masks,
            "a single leak is found: at the beginning, at the end, and one that skips a token",
            |f| {
                let input = seeded::normal(43, (4, 2))?;
                [(0, 1), (2, 3), (1, 3)].into_iter().try_for_each(|(from, to)| {
                    let described = format!("causal, but query {from} also sees key {to}");
                    let rule = move |query, key| key <= query || (query, key) == (from, to);
                    law(f, &described, true, &input, under(rule))
                })
            },
        )
        .law(Masks, "a leak outside the attention is found: a mean over all tokens", |f| {
            let input = seeded::normal(44, (3, 2))?;
            law(f, "the tokens' mean is subtracted, then causal attention", true, &input, |x| {
                causal(&x.broadcast_sub(&x.mean_keepdim(0)?)?)
            })
        })
        .law(
            Masks,
            "a leak is found where adding the same number to a token changes nothing",
            |f| {
                let input = matrix(&[[1., 0.], [0., 2.], [3., 1.]])?; // exact in f32, also after adding a number
                law(
                    f,
                    "each token's own mean is subtracted, then attention without a mask",
                    true,
                    &input,
                    |x| under(|_, _| true)(&x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?),
                )
            },
        )
        .law(Masks, "a faint leak is a leak: a thousandth of the average of all tokens", |f| {
            let input = seeded::normal(46, (3, 2))?;
            law(f, "causal attention + 0.001 · the tokens' mean", true, &input, |x| {
                causal(x)?.broadcast_add(&(x.mean_keepdim(0)? * 1e-3)?)
            })
        })
        .law(
            Masks,
            "a leak of a millionth is a leak, and so is a smaller one: a hidden key adds exactly 0, so outputs stay the same bit for bit",
            |f| {
                let input = seeded::normal(50, (4, 4))?;
                law(f, "causal attention + 0.000001 · the sum of all tokens", true, &input, |x| {
                    causal(x)?.broadcast_add(&(x.sum_keepdim(0)? * 1e-6)?)
                })?;
                law(f, "without a mask, all outputs divided by 10⁸", true, &input, |x| {
                    under(|_, _| true)(x)? / 1e8
                })
            },
        )
        .law(Masks, "the same question gets the same verdict each time", |f| {
            const TIMES: usize = 8; // chance alone gives the same verdict each time in 1 of 128 runs
            let input = Tensor::zeros((2, 1), DType::F32, &Device::Cpu)?;
            let given = remember(format!(
                "attend: causal attention + the last token where it is above 0, asked {TIMES} times\n{}",
                inputs(&[("input", &input)])
            ));
            let attend = |x: &Tensor| causal(x)?.broadcast_add(&x.narrow(0, x.dim(0)? - 1, 1)?.relu()?);
            let first = value(&given, f(&attend, &input))?;
            for _ in 1..TIMES {
                if value(&given, f(&attend, &input))? != first {
                    return Err(Breach::text(&given, "the same verdict each time", "true and false"));
                }
            }
            Ok(())
        })
        .law(Masks, "a leak is found at any input, zeros and ones too", |f| {
            let input = Tensor::zeros((3, 2), DType::F32, &Device::Cpu)?;
            law(f, "without a mask", true, &input, under(|_, _| true))?;
            law(f, "without a mask", true, &input.ones_like()?, under(|_, _| true))
        })
        .law(Masks, "a leak is found in whichever of a token's numbers it hides", |f| {
            let input = seeded::normal(50, (3, 2))?;
            [0, 1].into_iter().try_for_each(|at| {
                let described = format!("number {at} of each token: its mean over all tokens");
                law(f, &described, true, &input, move |x| {
                    x.narrow(1, at, 1)?.mean_keepdim(0)?.broadcast_as((3, 1))
                })
            })
        })
        .law(Masks, "tokens that are computed one by one do not leak", |f| {
            law(f, "2 · input", false, &seeded::normal(51, (3, 2))?, |x| x * 2.)
        })
        .property(
            Masks,
            "it is right for every length",
            (1..6usize, 1..4usize, 0..1000u64),
            |f, (seq, dim, seed)| {
                let input = seeded::normal(seed, (seq, dim))?;
                law(f, "under a causal mask", false, &input, causal)?;
                law(f, "without a mask", seq > 1, &input, under(|_, _| true))
            },
        )
        .law(Edges(why::NOT_FINITE), "an output that becomes NaN when the future changes has changed", |f| {
            let input = seeded::normal(51, (3, 2))?;
            let last = input.get(2)?.to_vec1::<f32>()?;
            law(f, "causal, but all outputs are NaN once the last token is another", true, &input, |x| {
                if x.get(2)?.to_vec1::<f32>()? == last { causal(x) } else { causal(x)? * f64::NAN }
            })
        })
        .law(Edges(why::ONE), "one token has no future", |f| {
            law(f, "without a mask", false, &seeded::normal(47, (1, 2))?, under(|_, _| true))
        })
        .law(Edges(why::PASSED_ON), "an error of `attend` comes through", |f| {
            let input = seeded::normal(48, (3, 2))?;
            let given = remember(format!("attend: an error\n{}", inputs(&[("input", &input)])));
            refused(&given, "`attend` has failed", f(&|_| bail!("out of order"), &input))
        })
}
