//! What merging two partial results, and finishing one, must hold.

use super::{Parts, drawn_keep, keep_where, merged, nothing, reference, same_output, same_parts};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Implementation, Masks, Weights},
        Outcome,
        cases::{attention_inputs, matrix},
        compare::{exactly, refused, rounding, value},
        show::{inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{DType, Result, Tensor};
use proptest::collection::vec;

/// `merge`: two times `[m, l, acc]` to one.
pub type Merge = dyn Fn(&[Tensor; 3], &[Tensor; 3]) -> Result<[Tensor; 3]>;
/// `finish`: `[m, l, acc]` to the output and the log-sum-exp.
pub type Finish = dyn Fn(&[Tensor; 3]) -> Result<(Tensor, Tensor)>;

const NEVER: f32 = f32::NEG_INFINITY;

pub(super) fn zoo() -> Vec<Proof> {
    [merge_laws().proofs(), finish_laws().proofs()].into_iter().flatten().collect()
}

/// Checks what attention over the keys of two partial results leaves.
pub fn merge<P: From<[Tensor; 3]> + Into<[Tensor; 3]>>(
    answer: impl Fn(&P, &P) -> Result<P> + 'static,
) -> Verdict {
    merge_laws().judge(&move |a: &Parts, b: &Parts| {
        answer(&a.clone().into(), &b.clone().into()).map(Into::into)
    })
}

/// The partial result of one query.
fn one<const V: usize>(m: f32, l: f32, acc: [f32; V]) -> Result<Parts> {
    Ok([matrix(&[[m]])?, matrix(&[[l]])?, matrix(&[acc])?])
}

/// Several queries' partial results, one below the other.
fn rows<const N: usize>(parts: [Parts; N]) -> Result<Parts> {
    let column = |at: usize| Tensor::cat(&parts.each_ref().map(|parts| &parts[at]), 0);
    Ok([column(0)?, column(1)?, column(2)?])
}

fn listed(named: &[(&str, &Parts)]) -> String {
    let lines: Vec<String> = named
        .iter()
        .map(|(name, [m, l, acc])| {
            let [m_name, l_name, acc_name] = ["m", "l", "acc"].map(|field| {
                if name.is_empty() { field.into() } else { format!("{name}.{field}") }
            });
            inputs(&[(&m_name, m), (&l_name, l), (&acc_name, acc)])
        })
        .collect();
    remember(lines.join("\n"))
}

/// Two differences, exponentials and products, and a sum: at most 10 roundings.
fn merges(f: &Merge, a: &Parts, b: &Parts, expected: &Parts) -> Outcome {
    same_parts(&listed(&[("a", a), ("b", b)]), f(a, b), expected, merged(rounding(10)))
}

/// The partial results of attention over three groups of the keys, chosen by `group`: those of another group, and those
/// that a drawn mask hides, are not seen.
fn grouped(group: &[usize], groups: usize, seed: u64) -> Result<(Vec<Parts>, (Tensor, Tensor))> {
    let keys = group.len();
    let [q, k, v] = attention_inputs(seed, &[], [3, keys, 4, 2])?;
    let keep = drawn_keep(seed, 3, keys)?;
    let bits: Vec<Vec<u8>> = keep.to_vec2()?;
    let part = |of: usize| {
        let keep = keep_where(3, keys, |query, key| bits[query][key] == 1 && group[key] == of)?;
        reference::partial([&q, &k, &v], 2., Some(&keep))
    };
    let parts = (0..groups).map(part).collect::<Result<_>>()?;
    Ok((parts, reference::attention([&q, &k, &v], 2., Some(&keep))?))
}

fn merge_laws() -> Check<Merge> {
    let (ln2, ln4) = (2f32.ln(), 4f32.ln());
    let groups = |keys| (vec(0..3usize, keys), 0..1000u64);
    Check::new("flash::merge", wrong::flash::merge())
        .law(Implementation, "with equal maxima, sums and accumulators are added", |f| {
            merges(f, &one(0., 1., [2.])?, &one(0., 2., [4.])?, &one(0., 3., [6.])?)
        })
        .law(
            Implementation,
            "b's maximum is higher by ln 2: all that a has is halved, its sum and its accumulator",
            move |f| merges(f, &one(0., 1., [2.])?, &one(ln2, 1., [4.])?, &one(ln2, 1.5, [5.])?),
        )
        .law(
            Implementation,
            "a's maximum is higher by ln 4: a quarter of all that b has",
            move |f| merges(f, &one(ln4, 1., [2.])?, &one(0., 2., [4.])?, &one(ln4, 1.5, [3.])?),
        )
        .law(Implementation, "each query has a maximum of its own", move |f| {
            let a = rows([one(0., 1., [2., 0.])?, one(-1., 2., [4., 8.])?])?;
            let b = rows([one(ln2, 1., [4., 1.])?, one(-1. - ln4, 2., [4., 0.])?])?;
            let expected = rows([one(ln2, 1.5, [5., 1.])?, one(-1., 2.5, [5., 8.])?])?;
            merges(f, &a, &b, &expected)
        })
        .law(
            Masks,
            "what is left before the first key (−∞, 0, zeros) changes nothing, on either side",
            |f| {
                let (some, none) = (one(-3., 2., [3., 4.])?, nothing(1, 2)?);
                merges(f, &some, &none, &some)?;
                merges(f, &none, &some, &some)
            },
        )
        .law(Masks, "nothing merged with nothing is nothing: −∞, 0 and zeros, not NaN", |f| {
            let none = nothing(2, 2)?;
            merges(f, &none, &none, &none)
        })
        .property(Weights, "the order does not matter", groups(6), |f, (group, seed)| {
            let (parts, _) = grouped(&group, 2, seed)?;
            let (a, b) = (&parts[0], &parts[1]);
            let expected = value(&listed(&[("a", a), ("b", b)]), f(a, b))?;
            let given = format!("{}\nexpected: what (b, a) gives for a and b", listed(&[("a", b), ("b", a)]));
            same_parts(&given, f(b, a), &expected, merged(rounding(10)))
        })
        .property(
            Weights,
            "how three are grouped does not matter: (a b) c is a (b c)",
            groups(6),
            |f, (group, seed)| {
                let (parts, _) = grouped(&group, 3, seed)?;
                let (a, b, c) = (&parts[0], &parts[1], &parts[2]);
                let given = listed(&[("a", a), ("b", b), ("c", c)]);
                let left = f(a, b).and_then(|ab| f(&ab, c));
                let right = value(&given, f(b, c).and_then(|bc| f(a, &bc)))?;
                same_parts(&given, left, &right, merged(rounding(40)))
            },
        )
        .property(
            Weights,
            "the keys cut into groups in any way, merged and divided by l: attention over all keys",
            groups(8),
            |f, (group, seed)| {
                let (parts, expected) = grouped(&group, 3, seed)?;
                let given = listed(&[("a", &parts[0]), ("b", &parts[1]), ("c", &parts[2])]);
                let given = format!("{given}\nlooked at: a and b merged, that and c merged, then acc / l and m + ln l");
                let merged = f(&parts[0], &parts[1]).and_then(|ab| f(&ab, &parts[2]));
                let finished = merged.and_then(|[m, l, acc]| {
                    let ones = l.eq(0.)?.to_dtype(l.dtype())?; // 1 for nothing seen
                    Ok((acc.broadcast_div(&(&l + ones)?)?, (m + l.log()?)?))
                });
                same_output(&given, finished, &expected, rounding(40))
            },
        )
        .law(Edges(why::HUGE), "maxima of ±10 000: the lower one no longer counts, and nothing overflows", |f| {
            let (high, low) = (one(1e4, 2., [3.])?, one(-1e4, 5., [6.])?);
            merges(f, &high, &low, &high)?;
            merges(f, &low, &high, &high)
        })
        .law(Edges(why::DOUBLE), "f64 in, f64 out", |f| {
            let f64s = |[m, l, acc]: Parts| -> Result<Parts> {
                Ok([m.to_dtype(DType::F64)?, l.to_dtype(DType::F64)?, acc.to_dtype(DType::F64)?])
            };
            let third = [[-3f64.ln()]]; // f32 holds neither this nor what comes of it
            let (a, b) = (f64s(one(0., 2., [3.])?)?, f64s(one(0., 2., [4.])?)?);
            let b = [Tensor::new(&third, b[0].device())?, b[1].clone(), b[2].clone()];
            let column = |x: f64| Tensor::new(&[[x]], b[0].device());
            merges(f, &a, &b, &[a[0].clone(), column(8. / 3.)?, column(13. / 3.)?])
        })
        .law(Edges(why::REFUSED), "partial results of other queries, or of values of another size: an error, even where one could be stretched", |f| {
            for (rows, dim_v) in [(3, 2), (2, 3), (1, 2), (2, 1)] {
                let (a, b) = (nothing(2, 2)?, nothing(rows, dim_v)?);
                let given = listed(&[("a", &a), ("b", &b)]);
                refused(&given, "their shapes differ", f(&a, &b))?;
            }
            Ok(())
        })
}

/// Checks the end: m, l and acc → the output `(rows, d_v)` and the log-sum-exp `(rows, 1)`.
pub fn finish<P: From<[Tensor; 3]>>(
    answer: impl Fn(&P) -> Result<(Tensor, Tensor)> + 'static,
) -> Verdict {
    finish_laws().judge(&move |parts: &Parts| answer(&parts.clone().into()))
}

/// The law that `parts` give this output and log-sum-exp: a division; a logarithm and a sum.
fn finishes(f: &Finish, parts: &Parts, expected: &(Tensor, Tensor)) -> Outcome {
    same_output(&listed(&[("", parts)]), f(parts), expected, rounding(3))
}

fn finish_laws() -> Check<Finish> {
    let (ln2, ln8) = (2f32.ln(), 8f32.ln());
    Check::new("flash::finish", wrong::flash::finish())
        .law(
            Implementation,
            "one key of score 3: l is 1, acc is the output, and the log-sum-exp is 3",
            |f| {
                finishes(
                    f,
                    &one(3., 1., [0.75, 0.5])?,
                    &(matrix(&[[0.75, 0.5]])?, matrix(&[[3.]])?),
                )
            },
        )
        .law(Implementation, "acc / l, and m + ln l: m = ln 2 and l = 4 make ln 8", move |f| {
            let expected = (matrix(&[[0.5, 2.]])?, matrix(&[[ln8]])?);
            finishes(f, &one(ln2, 4., [2., 8.])?, &expected)
        })
        .law(Implementation, "each query is divided by its own sum", move |f| {
            let parts =
                rows([one(0., 2., [4., 2.])?, one(ln2, 4., [4., 2.])?, one(-ln2, 1., [3., 5.])?])?;
            let out = matrix(&[[2., 1.], [1., 0.5], [3., 5.]])?;
            finishes(f, &parts, &(out, matrix(&[[ln2], [ln8], [-ln2]])?))
        })
        .law(
            Masks,
            "a query that saw nothing gets zeros, and −∞; the others stay as they are",
            move |f| {
                let parts = rows([nothing(1, 2)?, one(ln2, 4., [2., 8.])?])?;
                let expected = (matrix(&[[0., 0.], [0.5, 2.]])?, matrix(&[[NEVER], [ln8]])?);
                finishes(f, &parts, &expected)
            },
        )
        .property(
            Implementation,
            "what all keys leave, finished, is attention",
            (1..5usize, 1..7usize, 1..4usize, 0..1000u64),
            |f, (queries, keys, dim_v, seed)| {
                let [q, k, v] = attention_inputs(seed, &[], [queries, keys, 3, dim_v])?;
                let keep = drawn_keep(seed, queries, keys)?;
                let parts = reference::partial([&q, &k, &v], 0.5, Some(&keep))?;
                finishes(f, &parts, &reference::attention([&q, &k, &v], 0.5, Some(&keep))?)
            },
        )
        .law(Edges(why::HUGE), "maxima of ±10 000 stay finite", |f| {
            for m in [1e4f32, -1e4] {
                let lse = matrix(&[[m + 2f32.ln()]])?;
                finishes(f, &one(m, 2., [3.])?, &(matrix(&[[1.5]])?, lse))?;
            }
            Ok(())
        })
        .law(Edges(why::DOUBLE), "f64 in, f64 out", |f| {
            let double = |x: Tensor| x.to_dtype(DType::F64);
            let [m, l, acc] = one(0., 8., [2., 4.])?;
            let lse = Tensor::new(&[[8f64.ln()]], m.device())?;
            let parts = [double(m)?, double(l)?, double(acc)?];
            finishes(f, &parts, &(double(matrix(&[[0.25, 0.5]])?)?, lse))
        })
        .law(
            Edges(why::EMPTY),
            "nothing was seen by anyone: zeros and −∞, to the last bit",
            |f| {
                let parts = nothing(2, 3)?;
                let expected = (parts[2].clone(), parts[0].clone());
                same_output(&listed(&[("", &parts)]), f(&parts), &expected, exactly())
            },
        )
}
