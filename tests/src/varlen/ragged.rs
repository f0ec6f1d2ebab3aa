//! What attention over packed sequences must hold.

use super::{
    BAD_ENDS, Heads, attend, bad_ends_refused, ends, ints, packed, places, pytorch, same_in_f64,
};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation, Masks},
        Outcome,
        compare::{refused, rounding, same, value},
        gradient::gradients_agree,
        show::{inputs, remember},
        why,
    },
    wrong,
    wrong::Wrong,
};
use candle_core::{DType, Device, Result, Tensor};
use proptest::collection::vec;

/// `flash_…`: q, k, v, num_heads, head_dim, cu_seqlens and max_seqlen to an output.
pub type Ragged = dyn Fn(&Tensor, &Tensor, &Tensor, usize, usize, &Tensor, usize) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    [bidirectional_laws().proofs(), causal_laws().proofs()].into_iter().flatten().collect()
}

/// Checks attention over packed sequences: q, k, v `(total, hidden)`, cu_seqlens `(batch + 1)` → `(total, hidden)`.
pub fn flash_bidirectional(
    answer: impl Fn(&Tensor, &Tensor, &Tensor, usize, usize, &Tensor, usize) -> Result<Tensor> + 'static,
) -> Verdict {
    bidirectional_laws().judge(&answer)
}

/// Checks attention over packed sequences that hides the future: shapes as for [`flash_bidirectional`].
pub fn flash_causal(
    answer: impl Fn(&Tensor, &Tensor, &Tensor, usize, usize, &Tensor, usize) -> Result<Tensor> + 'static,
) -> Verdict {
    causal_laws().judge(&answer)
}

fn bidirectional_laws() -> Check<Ragged> {
    laws("varlen::flash_bidirectional", wrong::varlen::flash_bidirectional(), false)
}

fn causal_laws() -> Check<Ragged> {
    laws("varlen::flash_causal", wrong::varlen::flash_causal(), true)
}

/// Queries, keys and values of packed sequences.
#[derive(Clone)]
pub(super) struct Sequences {
    pub(super) x: [Tensor; 3],
    pub(super) heads: Heads,
    pub(super) lengths: Vec<usize>,
}

impl Sequences {
    fn drawn(lengths: &[usize], heads: Heads, seed: u64) -> Result<Self> {
        let x = heads.drawn(seed, &[lengths.iter().sum()])?;
        Ok(Self { x, heads, lengths: lengths.into() })
    }

    fn max(&self) -> usize {
        self.lengths.iter().fold(0, |max, &length| length.max(max))
    }

    fn given(&self) -> Result<String> {
        let ([q, k, v], cu_seqlens) = (&self.x, ends(&self.lengths)?);
        let named = inputs(&[("q", q), ("k", k), ("v", v), ("cu_seqlens", &cu_seqlens)]);
        let (Heads { num, dim }, max) = (self.heads, self.max());
        Ok(remember(format!("{named}\nnum_heads: {num}\nhead_dim: {dim}\nmax_seqlen: {max}")))
    }

    fn run_with(&self, f: &Ragged, cu_seqlens: &Tensor) -> Result<Tensor> {
        let [q, k, v] = &self.x;
        f(q, k, v, self.heads.num, self.heads.dim, cu_seqlens, self.max())
    }

    pub(super) fn run(&self, f: &Ragged) -> Result<Tensor> {
        self.run_with(f, &ends(&self.lengths)?)
    }

    pub(super) fn law(&self, f: &Ragged, expected: &Tensor, units: usize) -> Outcome {
        same_in_f64(&self.given()?, self.run(f), expected, rounding(units))
    }

    /// Rounding errors of `head_dim` products a score, and of sums over the keys.
    fn units(&self) -> usize {
        8 * (self.max() + self.heads.dim)
    }

    /// The law that all tokens get what they should, by a sum in f64.
    fn agrees(&self, f: &Ragged, causal: bool) -> Outcome {
        let sequence: Vec<usize> =
            (0..).zip(&self.lengths).flat_map(|(at, &length)| vec![at; length]).collect();
        let expected = attend(&self.x, self.heads, |query, key| {
            sequence[query] == sequence[key] && (!causal || key <= query)
        })?;
        self.law(f, &expected.to_dtype(self.x[0].dtype())?, self.units())
    }

    /// The tokens from `begin` on, `length` of them, as one sequence.
    fn one(&self, begin: usize, length: usize) -> Result<Self> {
        let cut = |at: usize| self.x[at].narrow(0, begin, length);
        Ok(Self { x: [cut(0)?, cut(1)?, cut(2)?], heads: self.heads, lengths: vec![length] })
    }

    /// The law that tokens outside `changed` come out the same when those inside get other numbers.
    fn unchanged(&self, f: &Ragged, changed: std::ops::Range<usize>, looked_at: &[u32]) -> Outcome {
        let total = self.lengths.iter().sum();
        let before = value(&self.given()?, self.run(f))?;
        let keep: Vec<u8> = (0..total).map(|at| u8::from(!changed.contains(&at))).collect();
        let keep =
            Tensor::from_vec(keep, (total, 1), &Device::Cpu)?.broadcast_as(self.x[0].shape())?;
        let drawn = self.heads.drawn(77, &[total])?;
        let mixed = |at: usize| keep.where_cond(&self.x[at], &(&drawn[at] * 30.)?);
        let other = Self { x: [mixed(0)?, mixed(1)?, mixed(2)?], ..self.clone() };
        let given = format!(
            "{}\nchanged: tokens {changed:?}\nlooked at: tokens {looked_at:?}",
            other.given()?
        );
        let pick = |x: Tensor| packed(&x.unsqueeze(0)?, looked_at);
        same(&given, other.run(f).and_then(pick), &pick(before)?, rounding(self.units()))
    }
}

/// One head of one number, scores of 0: each query gets the mean of the values that it sees.
fn mean_of(values: &[f32], lengths: &[usize]) -> Result<Sequences> {
    let v = column(values)?;
    let x = [v.zeros_like()?, v.zeros_like()?, v];
    Ok(Sequences { x, heads: Heads { num: 1, dim: 1 }, lengths: lengths.into() })
}

/// One value per token, `(total, 1)`.
fn column(values: &[f32]) -> Result<Tensor> {
    Tensor::from_slice(values, (values.len(), 1), &Device::Cpu)
}

fn laws(exercise: &'static str, wrong: Vec<Wrong<Ragged>>, causal: bool) -> Check<Ragged> {
    let either = move |bidirectional: Tensor, up_to_now: Tensor| {
        if causal { up_to_now } else { bidirectional }
    };
    let future = match causal {
        true => {
            "one sequence; the future is hidden, the query's own token is not: of 2, 4 and 9, the first token gets 2, then the mean of 2 and 4, then of all"
        }
        false => {
            "one sequence; with equal scores, every token gets the mean of all three values, the later ones too"
        }
    };
    let others = match causal {
        true => "later tokens change nothing for earlier ones",
        false => "the first token sees the last one of its sequence",
    };
    Check::new(exercise, wrong)
        .law(Implementation, future, move |f| {
            let expected = either(column(&[5., 5., 5.])?, column(&[2., 3., 5.])?);
            mean_of(&[2., 4., 9.], &[3])?.law(f, &expected, 8)
        })
        .law(Implementation, "scores are divided by √head_dim: 2·ln 3 / √4 is ln 3, so weights ¼ and ¾", move |f| {
            let x = |first: f32, second: f32| Tensor::new(&[[first; 4], [second; 4]], &Device::Cpu);
            let x = [x(1., 1.)?, x(0., 3f32.ln() / 2.)?, x(0., 4.)?];
            let expected = Tensor::new(&[[if causal { 0f32 } else { 3. }; 4], [3.; 4]], &Device::Cpu)?;
            Sequences { x, heads: Heads { num: 1, dim: 4 }, lengths: vec![2] }.law(f, &expected, 16)
        })
        .law(
            Implementation,
            "head 0 has the first numbers of each token, head 1 the last: equal scores here, ¾ and ¼ there",
            move |f| {
                let x = |first: [f32; 2], second: [f32; 2]| Tensor::new(&[first, second], &Device::Cpu);
                let x = [x([1., 1.], [1., 1.])?, x([0., 3f32.ln()], [0., 0.])?, x([1., 12.], [3., 40.])?];
                let expected = either(
                    Tensor::new(&[[2f32, 19.], [2., 19.]], &Device::Cpu)?,
                    Tensor::new(&[[1f32, 12.], [2., 19.]], &Device::Cpu)?,
                );
                Sequences { x, heads: Heads { num: 2, dim: 1 }, lengths: vec![2] }.law(f, &expected, 16)
            },
        )
        .law(Masks, "a token sees only its own sequence: two tokens, then one", move |f| {
            let expected = either(column(&[3., 3., 60.])?, column(&[2., 3., 60.])?);
            mean_of(&[2., 4., 60.], &[2, 1])?.law(f, &expected, 8)
        })
        .law(Masks, "three sequences, of 1, 3 and 2 tokens", move |f| {
            let values = [6., 20., 40., 90., 300., 500.];
            let expected = either(
                column(&[6., 50., 50., 50., 400., 400.])?,
                column(&[6., 20., 30., 50., 300., 400.])?,
            );
            mean_of(&values, &[1, 3, 2])?.law(f, &expected, 8)
        })
        .law(Implementation, "equals PyTorch's scaled_dot_product_attention, sequence by sequence", move |f| {
            let fixtures = pytorch()?;
            let keep = fixtures.get("keep")?;
            let at = places(&keep)?;
            let real = |name| packed(&fixtures.get(name)?, &at);
            let lengths = keep.to_vec2::<u8>()?.iter().map(|row| row.iter().map(|&x| x as usize).sum()).collect();
            let x = [real("query")?, real("key")?, real("value")?];
            let sequences = Sequences { x, heads: Heads { num: 3, dim: 4 }, lengths };
            let name = if causal { "causal.packed" } else { "bidirectional.packed" };
            sequences.law(f, &fixtures.get(name)?, sequences.units())
        })
        .property(
            Implementation,
            "softmax(q·kᵀ / √head_dim)·v within each sequence, in any size",
            (vec(1..7usize, 1..5), 1..4usize, 1..5usize, 0..1000u64),
            move |f, (lengths, num, dim, seed)| {
                Sequences::drawn(&lengths, Heads { num, dim }, seed)?.agrees(f, causal)
            },
        )
        .property(
            Implementation,
            "each sequence comes out as it does alone",
            (vec(1..6usize, 1..5), 1..3usize, 1..4usize, 0..1000u64),
            |f, (lengths, num, dim, seed)| {
                let all = Sequences::drawn(&lengths, Heads { num, dim }, seed)?;
                let out = value(&all.given()?, all.run(f))?;
                let mut begin = 0;
                for (at, &length) in lengths.iter().enumerate() {
                    let expected = all.one(begin, length)?.run(f)?;
                    let given = format!("{}\nlooked at: sequence {at}; expected: the same alone", all.given()?);
                    same(&given, out.narrow(0, begin, length), &expected, rounding(all.units()))?;
                    begin += length;
                }
                Ok(())
            },
        )
        .property(
            Implementation,
            "sequences in another order come out in that order, otherwise the same",
            (vec(1..5usize, 2..5), 1..3usize, 1..4usize, 0..1000u64),
            |f, (lengths, num, dim, seed)| {
                let all = Sequences::drawn(&lengths, Heads { num, dim }, seed)?;
                let starts: Vec<u32> = ends(&lengths)?.to_vec1()?;
                let backwards: Vec<u32> =
                    starts.windows(2).rev().flat_map(|pair| pair[0]..pair[1]).collect();
                let turn = |x: &Tensor| x.index_select(&ints(&backwards)?, 0);
                let expected = turn(&value(&all.given()?, all.run(f))?)?;
                let x = [turn(&all.x[0])?, turn(&all.x[1])?, turn(&all.x[2])?];
                let lengths = lengths.into_iter().rev().collect();
                Sequences { x, lengths, ..all.clone() }.law(f, &expected, all.units())
            },
        )
        .property(
            Masks,
            "a change in one sequence changes no other's output",
            (vec(1..5usize, 2..5), 1..3usize, 1..4usize, 0..1000u64),
            |f, (lengths, num, dim, seed)| {
                let all = Sequences::drawn(&lengths, Heads { num, dim }, seed)?;
                let starts: Vec<u32> = ends(&lengths)?.to_vec1()?;
                let one = seed as usize % lengths.len();
                let changed = starts[one] as usize..starts[one + 1] as usize;
                let total: usize = lengths.iter().sum();
                let rest: Vec<u32> =
                    (0..total).filter(|at| !changed.contains(at)).map(|at| at as u32).collect();
                all.unchanged(f, changed, &rest)
            },
        )
        .property(
            Masks,
            others,
            (2..6usize, 1..3usize, 0..1000u64),
            move |f, (length, dim, seed)| {
                let (all, now) = (
                    Sequences::drawn(&[1, length], Heads { num: 1, dim }, seed)?,
                    1 + seed as usize % (length - 1),
                );
                if causal {
                    let earlier: Vec<u32> = (0..1 + now as u32).collect();
                    return all.unchanged(f, 1 + now..1 + length, &earlier);
                }
                all.agrees(f, causal)
            },
        )
        .law(Gradients, "f64 in, f64 out, computed in f64: that is how gradients are checked", move |f| {
            // √4 is a number that f32 has, too: the scale may be handed over in f32.
            let mut sequences = Sequences::drawn(&[3, 1, 4], Heads { num: 2, dim: 4 }, 4)?;
            for x in &mut sequences.x {
                *x = x.to_dtype(DType::F64)?;
            }
            sequences.agrees(f, causal)
        })
        .law(Gradients, "gradients reach q, k and v, and are right", |f| {
            let heads = Heads { num: 2, dim: 4 };
            let [q, k, v] = heads.drawn(10, &[3])?;
            gradients_agree(&[("q", &q), ("k", &k), ("v", &v)], |x| {
                let x = [x[0].clone(), x[1].clone(), x[2].clone()];
                Sequences { x, heads, lengths: vec![2, 0, 1] }.run(f)
            })
        })
        .law(Edges(why::ONE), "one token gets its own value; tokens that are sequences of their own, too", |f| {
            let heads = Heads { num: 2, dim: 3 };
            for lengths in [&[1][..], &[1, 1, 1]] {
                let tokens = Sequences::drawn(lengths, heads, 1)?;
                tokens.law(f, &tokens.x[2], 8)?;
            }
            Ok(())
        })
        .law(Edges(why::EMPTY), "an empty sequence, first, in between or last, changes nothing", move |f| {
            let heads = Heads { num: 2, dim: 2 };
            for lengths in [&[0, 2, 3][..], &[2, 0, 0, 3], &[2, 3, 0]] {
                Sequences::drawn(lengths, heads, 2)?.agrees(f, causal)?;
            }
            Ok(())
        })
        .law(Edges(why::EMPTY), "no tokens, of no sequence or of empty ones: no outputs, and no panic", |f| {
            let none = Tensor::zeros((0, 4), DType::F32, &Device::Cpu)?;
            for lengths in [&[][..], &[0, 0]] {
                let x = [none.clone(), none.clone(), none.clone()];
                let heads = Heads { num: 2, dim: 2 };
                Sequences { x, heads, lengths: lengths.into() }.law(f, &none, 0)?;
            }
            Ok(())
        })
        .law(Edges(why::VIEW), "q, k and v may be views of one tensor, as a joint projection leaves them", move |f| {
            let all = seeded::normal(5, (5, 12))?;
            let x = [all.narrow(1, 0, 4)?, all.narrow(1, 4, 4)?, all.narrow(1, 8, 4)?];
            Sequences { x, heads: Heads { num: 2, dim: 2 }, lengths: vec![2, 3] }.agrees(f, causal)
        })
        .law(Edges(BAD_ENDS), "it is an error if cu_seqlens does not begin with 0, or falls, or is not a row of u32", |f| {
            let three = Sequences::drawn(&[3], Heads { num: 1, dim: 2 }, 6)?;
            bad_ends_refused(|cu_seqlens| three.run_with(f, cu_seqlens))
        })
        .law(Edges(BAD_ENDS), "it is an error if cu_seqlens does not end where the tokens do", |f| {
            let three = Sequences::drawn(&[3], Heads { num: 1, dim: 2 }, 7)?;
            for bad in [ints(&[0, 2])?, ints(&[0, 2, 4])?] {
                let given = format!("{}\n(of three tokens)", inputs(&[("cu_seqlens", &bad)]));
                refused(&given, "there are 3 tokens", three.run_with(f, &bad))?;
            }
            Ok(())
        })
        .law(Edges(why::REFUSED), "shapes that do not fit are an error", |f| {
            let fit = Sequences::drawn(&[2, 1], Heads { num: 2, dim: 2 }, 8)?;
            let with = |at: usize, x: Tensor| {
                let mut other = fit.clone();
                other.x[at] = x;
                other
            };
            let nothing = Tensor::zeros((0, 4), DType::F32, &Device::Cpu)?;
            let none = Sequences {
                x: [nothing.clone(), nothing.clone(), nothing],
                heads: Heads { num: 3, dim: 2 },
                lengths: vec![],
            };
            let unfit = [
                (Sequences { heads: Heads { num: 3, dim: 2 }, ..fit.clone() }, "hidden is 4, not 3 heads of 2"),
                (Sequences { heads: Heads { num: 2, dim: 3 }, ..fit.clone() }, "hidden is 4, not 2 heads of 3"),
                (none, "no tokens, but hidden is 4, not 3 heads of 2"),
                (with(1, seeded::normal(9, (3, 6))?), "keys of 6 numbers, queries of 4"),
                (with(2, seeded::normal(9, (2, 4))?), "3 keys, but 2 values"),
            ];
            unfit.into_iter().try_for_each(|(case, why)| refused(&case.given()?, why, case.run(f)))
        })
}
