//! What attention over padded batches must hold, whoever computes it.

use super::{Heads, attend, keep_of, packed, places, pytorch, rows, same_in_f64};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation, Masks},
        Outcome,
        cases::matrix,
        compare::{finite, refused, rounding, same},
        gradient::gradients_agree,
        show::{inputs, remember},
        why,
    },
    wrong,
    wrong::Wrong,
};
use candle_core::{DType, Device, Result, Tensor};
use proptest::collection::vec;

/// `eager_…` and `sdpa_…`: q, k, v, num_heads, head_dim and a keep-mask to an output.
pub type Padded = dyn Fn(&Tensor, &Tensor, &Tensor, usize, usize, &Tensor) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    [
        eager_bidirectional_laws().proofs(),
        eager_causal_laws().proofs(),
        sdpa_bidirectional_laws().proofs(),
        sdpa_causal_laws().proofs(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Checks attention by candle operations: q, k, v `(batch, seq, hidden)`, keep `(batch, seq)` → `(batch, seq, hidden)`.
pub fn eager_bidirectional(
    answer: impl Fn(&Tensor, &Tensor, &Tensor, usize, usize, &Tensor) -> Result<Tensor> + 'static,
) -> Verdict {
    eager_bidirectional_laws().judge(&answer)
}

/// Checks attention by candle operations that hides the future: shapes as for [`eager_bidirectional`].
pub fn eager_causal(
    answer: impl Fn(&Tensor, &Tensor, &Tensor, usize, usize, &Tensor) -> Result<Tensor> + 'static,
) -> Verdict {
    eager_causal_laws().judge(&answer)
}

/// Checks attention by one fused call: shapes as for [`eager_bidirectional`].
pub fn sdpa_bidirectional(
    answer: impl Fn(&Tensor, &Tensor, &Tensor, usize, usize, &Tensor) -> Result<Tensor> + 'static,
) -> Verdict {
    sdpa_bidirectional_laws().judge(&answer)
}

/// Checks attention by one fused call that hides the future: shapes as for [`eager_bidirectional`].
pub fn sdpa_causal(
    answer: impl Fn(&Tensor, &Tensor, &Tensor, usize, usize, &Tensor) -> Result<Tensor> + 'static,
) -> Verdict {
    sdpa_causal_laws().judge(&answer)
}

fn eager_bidirectional_laws() -> Check<Padded> {
    laws("varlen::eager_bidirectional", wrong::varlen::eager_bidirectional(), false)
}

fn eager_causal_laws() -> Check<Padded> {
    laws("varlen::eager_causal", wrong::varlen::eager_causal(), true)
}

fn sdpa_bidirectional_laws() -> Check<Padded> {
    laws("varlen::sdpa_bidirectional", wrong::varlen::sdpa_bidirectional(), false)
}

fn sdpa_causal_laws() -> Check<Padded> {
    laws("varlen::sdpa_causal", wrong::varlen::sdpa_causal(), true)
}

/// Queries, keys and values of a padded batch.
#[derive(Clone)]
pub(super) struct Batch {
    pub(super) x: [Tensor; 3],
    pub(super) heads: Heads,
    pub(super) keep: Tensor,
}

impl Batch {
    /// Seeded numbers for sequences of these lengths; the padding stands where `seed` will have it.
    pub(super) fn drawn(lengths: &[usize], heads: Heads, seed: u64) -> Result<Self> {
        let seq = lengths.iter().fold(1, |max, &length| length.max(max));
        let x = heads.drawn(seed, &[lengths.len(), seq])?;
        Ok(Self { x, heads, keep: keep_of(lengths, seq, seed)? })
    }

    pub(super) fn given(&self) -> String {
        let [q, k, v] = &self.x;
        let named = inputs(&[("q", q), ("k", k), ("v", v), ("keep", &self.keep)]);
        let Heads { num, dim } = self.heads;
        remember(format!("{named}\nnum_heads: {num}\nhead_dim: {dim}"))
    }

    pub(super) fn run(&self, f: &Padded) -> Result<Tensor> {
        let [q, k, v] = &self.x;
        f(q, k, v, self.heads.num, self.heads.dim, &self.keep)
    }

    /// What comes for the real queries; zeros for the padded ones, which count for nothing.
    fn real(&self, f: &Padded) -> Result<Tensor> {
        let out = self.run(f)?;
        if out.dims() != self.x[0].dims() || out.elem_count() == 0 {
            return Ok(out);
        }
        let real = self.keep.ne(0u8)?.unsqueeze(2)?.broadcast_as(out.shape())?;
        real.where_cond(&out, &out.zeros_like()?)
    }

    /// The law that the real queries get `expected`, which is 0 for the padded ones.
    pub(super) fn law(&self, f: &Padded, expected: &Tensor, units: usize) -> Outcome {
        let given = format!("{}\n(what padded queries get is shown as 0)", self.given());
        same_in_f64(&given, self.real(f), expected, rounding(units))
    }

    /// What the real queries should get, in f64; zeros for the padded ones.
    pub(super) fn expected(&self, causal: bool) -> Result<Tensor> {
        let seq = self.keep.dim(1)?;
        let real: Vec<u8> = self.keep.flatten_all()?.to_vec1()?;
        attend(&self.x, self.heads, |query, key| {
            let both = real[query] != 0 && real[key] != 0;
            both && query / seq == key / seq && (!causal || key <= query)
        })
    }

    /// Rounding errors of `head_dim` products a score, and of sums over the keys.
    fn units(&self) -> Result<usize> {
        Ok(8 * (self.keep.dim(1)? + self.heads.dim))
    }

    /// The law that the real queries get what they should.
    fn agrees(&self, f: &Padded, causal: bool) -> Outcome {
        let expected = self.expected(causal)?.to_dtype(self.x[0].dtype())?;
        self.law(f, &expected, self.units()?)
    }

    /// The law that the answer for `other`, which differs in what `note` says, is the answer for this where `keep` is not 0.
    fn unchanged(&self, f: &Padded, other: [Tensor; 3], keep: &Tensor, note: &str) -> Outcome {
        let at = places(keep)?;
        let before = packed(&self.run(f)?, &at)?;
        let other = Self { x: other, ..self.clone() };
        let given = format!("{}\n{note}", other.given());
        same(
            &given,
            other.run(f).and_then(|out| packed(&out, &at)),
            &before,
            rounding(self.units()?),
        )
    }

    /// These numbers where `keep` is not 0, and numbers of another size elsewhere.
    fn changed_where_0(&self, keep: &Tensor, seed: u64) -> Result<[Tensor; 3]> {
        let other = self.heads.drawn(seed, self.keep.dims())?;
        let keep = keep.unsqueeze(2)?.broadcast_as(self.x[0].shape())?;
        let mixed = |at: usize| keep.where_cond(&self.x[at], &(&other[at] * 30.)?);
        Ok([mixed(0)?, mixed(1)?, mixed(2)?])
    }
}

/// One head of one number, scores of 0: each query gets the mean of the values that it sees.
fn mean_of<const B: usize, const S: usize>(
    values: &[[f32; S]; B],
    keep: &[[u8; S]; B],
) -> Result<Batch> {
    let v = matrix(values)?.unsqueeze(2)?;
    let x = [v.zeros_like()?, v.zeros_like()?, v];
    Ok(Batch { x, heads: Heads { num: 1, dim: 1 }, keep: rows(keep)? })
}

/// The law that the gradients of the real queries' outputs are right, with two heads of two numbers.
fn gradients(f: &Padded, keep: &Tensor) -> Outcome {
    let heads = Heads { num: 2, dim: 2 };
    let [q, k, v] = heads.drawn(9, keep.dims())?;
    gradients_agree(&[("q", &q), ("k", &k), ("v", &v)], |x| {
        let x = [x[0].clone(), x[1].clone(), x[2].clone()];
        Batch { x, heads, keep: keep.clone() }.real(f)
    })
}

/// One value per token, `(batch, seq, 1)`.
fn column<const B: usize, const S: usize>(values: &[[f32; S]; B]) -> Result<Tensor> {
    matrix(values)?.unsqueeze(2)
}

fn laws(exercise: &'static str, wrong: Vec<Wrong<Padded>>, causal: bool) -> Check<Padded> {
    // A query that may see all values of its sequence, and one that may see only those up to its own.
    let either = move |bidirectional: Tensor, up_to_now: Tensor| {
        if causal { up_to_now } else { bidirectional }
    };
    let future = match causal {
        true => {
            "the future is hidden, the query's own token is not: of 2, 4 and 9, the first token gets 2, then the mean of 2 and 4, then of all"
        }
        false => {
            "with equal scores, every token gets the mean of all three values, the later ones too"
        }
    };
    let sums = if causal {
        "later tokens change nothing for earlier ones"
    } else {
        "every real token counts for all others"
    };
    Check::new(exercise, wrong)
        .law(Implementation, future, move |f| {
            let expected = either(column(&[[5., 5., 5.]])?, column(&[[2., 3., 5.]])?);
            mean_of(&[[2., 4., 9.]], &[[1, 1, 1]])?.law(f, &expected, 8)
        })
        .law(Implementation, "scores are divided by √head_dim: 2·ln 3 / √4 is ln 3, so weights ¼ and ¾", move |f| {
            let x = |first: f32, second: f32| Tensor::new(&[[[first; 4], [second; 4]]], &Device::Cpu);
            let x = [x(1., 1.)?, x(0., 3f32.ln() / 2.)?, x(0., 4.)?];
            let expected = Tensor::new(&[[[if causal { 0f32 } else { 3. }; 4], [3.; 4]]], &Device::Cpu)?;
            Batch { x, heads: Heads { num: 1, dim: 4 }, keep: rows(&[[1, 1]])? }.law(f, &expected, 16)
        })
        .law(
            Implementation,
            "head 0 has the first numbers of each token, head 1 the last: equal scores here, ¾ and ¼ there",
            move |f| {
                let x = |first: [f32; 2], second: [f32; 2]| Tensor::new(&[[first, second]], &Device::Cpu);
                let x = [x([1., 1.], [1., 1.])?, x([0., 3f32.ln()], [0., 0.])?, x([1., 12.], [3., 40.])?];
                let expected = either(
                    Tensor::new(&[[[2f32, 19.], [2., 19.]]], &Device::Cpu)?,
                    Tensor::new(&[[[1f32, 12.], [2., 19.]]], &Device::Cpu)?,
                );
                Batch { x, heads: Heads { num: 2, dim: 1 }, keep: rows(&[[1, 1]])? }.law(f, &expected, 16)
            },
        )
        .law(Masks, "padding is not seen, sequence by sequence: the 90s are padding", move |f| {
            let batch = mean_of(&[[2., 4., 90.], [6., 90., 90.]], &[[1, 1, 0], [1, 0, 0]])?;
            let expected =
                either(column(&[[3., 3., 0.], [6., 0., 0.]])?, column(&[[2., 3., 0.], [6., 0., 0.]])?);
            batch.law(f, &expected, 8)
        })
        .law(Masks, "padding may be at the start or in the middle", move |f| {
            let batch = mean_of(&[[90., 2., 4.], [6., 90., 10.]], &[[0, 1, 1], [1, 0, 1]])?;
            let expected =
                either(column(&[[0., 3., 3.], [8., 0., 8.]])?, column(&[[0., 2., 3.], [6., 0., 8.]])?);
            batch.law(f, &expected, 8)
        })
        .law(Masks, "the mask belongs to sequences, not to heads: two sequences, two heads", move |f| {
            // Head by head: 2 and 4, their mean 3; 20 and 40; the second sequence's second token is padding.
            let v = Tensor::new(&[[[2f32, 20.], [4., 40.]], [[6., 60.], [90., 90.]]], &Device::Cpu)?;
            let x = [v.zeros_like()?, v.zeros_like()?, v];
            let expected = either(
                Tensor::new(&[[[3f32, 30.], [3., 30.]], [[6., 60.], [0., 0.]]], &Device::Cpu)?,
                Tensor::new(&[[[2f32, 20.], [3., 30.]], [[6., 60.], [0., 0.]]], &Device::Cpu)?,
            );
            Batch { x, heads: Heads { num: 2, dim: 1 }, keep: rows(&[[1, 1], [1, 0]])? }.law(f, &expected, 8)
        })
        .law(Masks, "every number of keep but 0 says that a token is real", move |f| {
            let batch = mean_of(&[[2., 4., 90.], [6., 8., 90.]], &[[1, 2, 0], [255, 16, 0]])?;
            let expected =
                either(column(&[[3., 3., 0.], [7., 7., 0.]])?, column(&[[2., 3., 0.], [6., 7., 0.]])?);
            batch.law(f, &expected, 8)
        })
        .law(Implementation, "equals PyTorch's scaled_dot_product_attention, three heads, four sequences", move |f| {
            let fixtures = pytorch()?;
            let x = [fixtures.get("query")?, fixtures.get("key")?, fixtures.get("value")?];
            let name = if causal { "causal.padded" } else { "bidirectional.padded" };
            let batch = Batch { x, heads: Heads { num: 3, dim: 4 }, keep: fixtures.get("keep")? };
            batch.law(f, &fixtures.get(name)?, batch.units()?)
        })
        .property(
            Implementation,
            "softmax(q·kᵀ / √head_dim)·v over the real tokens, in any size",
            (vec(1..6usize, 1..5), 1..4usize, 1..5usize, 0..1000u64),
            move |f, (lengths, num, dim, seed)| {
                Batch::drawn(&lengths, Heads { num, dim }, seed)?.agrees(f, causal)
            },
        )
        .property(
            Masks,
            "the contents of the padding change nothing for real tokens",
            (vec(1..5usize, 2..4), 1..3usize, 1..4usize, 0..1000u64),
            |f, (lengths, num, dim, seed)| {
                let batch = Batch::drawn(&lengths, Heads { num, dim }, seed)?;
                let other = batch.changed_where_0(&batch.keep, seed + 1)?;
                batch.unchanged(f, other, &batch.keep, "changed: the padding\nlooked at: the real tokens")
            },
        )
        .property(
            Masks,
            "a change in one sequence changes no other's output",
            (vec(1..5usize, 2..4), 1..3usize, 1..4usize, 0..1000u64),
            |f, (lengths, num, dim, seed)| {
                let batch = Batch::drawn(&lengths, Heads { num, dim }, seed)?;
                let seq = batch.keep.dim(1)?;
                let one = seed as usize % lengths.len();
                let others: Vec<u8> =
                    (0..lengths.len() * seq).map(|at| u8::from(at / seq != one)).collect();
                let others = Tensor::from_vec(others, batch.keep.shape(), &Device::Cpu)?;
                let other = batch.changed_where_0(&others, seed + 1)?;
                let note = format!("changed: sequence {one}\nlooked at: the real tokens of the others");
                batch.unchanged(f, other, &(&others * &batch.keep)?, &note)
            },
        )
        .property(
            Masks,
            sums,
            (2..6usize, 1..3usize, 1..4usize, 0..1000u64),
            move |f, (seq, num, dim, seed)| {
                let now = 1 + seed as usize % (seq - 1);
                if causal {
                    let batch = Batch::drawn(&[seq], Heads { num, dim }, seed)?;
                    let earlier = (0..seq).map(|at| u8::from(at < now)).collect();
                    let earlier = Tensor::from_vec(earlier, (1, seq), &Device::Cpu)?;
                    let other = batch.changed_where_0(&earlier, seed + 1)?;
                    let note = format!("changed: the tokens from {now} on\nlooked at: those before");
                    return batch.unchanged(f, other, &earlier, &note);
                }
                // Scores of 0, and values that show in binary who is seen.
                let v: Vec<f32> = (0..seq).map(|at| (seq << at) as f32).collect();
                let v = Tensor::from_vec(v, (1, seq, 1), &Device::Cpu)?;
                let keep = Tensor::ones((1, seq), DType::U8, &Device::Cpu)?;
                let x = [v.zeros_like()?, v.zeros_like()?, v];
                Batch { x, heads: Heads { num: 1, dim: 1 }, keep }.agrees(f, causal)
            },
        )
        .property(
            Implementation,
            "each sequence comes out as it does alone and without padding",
            (vec(1..5usize, 1..4), 1..3usize, 1..4usize, 0..1000u64),
            |f, (lengths, num, dim, seed)| {
                let batch = Batch::drawn(&lengths, Heads { num, dim }, seed)?;
                let out = batch.run(f)?;
                for (at, &length) in lengths.iter().enumerate() {
                    let real = places(&batch.keep.narrow(0, at, 1)?)?;
                    let one = |x: &Tensor| packed(&x.narrow(0, at, 1)?, &real)?.unsqueeze(0);
                    let x = [one(&batch.x[0])?, one(&batch.x[1])?, one(&batch.x[2])?];
                    let keep = Tensor::ones((1, length), DType::U8, &Device::Cpu)?;
                    let expected = Batch { x, heads: batch.heads, keep }.run(f)?;
                    let given = format!("{}\nlooked at: the real tokens of sequence {at}; expected: the sequence alone", batch.given());
                    same(&given, one(&out), &expected, rounding(batch.units()?))?;
                }
                Ok(())
            },
        )
        .law(Gradients, "f64 in, f64 out, computed in f64: that is how gradients are checked", move |f| {
            let mut batch = Batch::drawn(&[3, 1, 4], Heads { num: 2, dim: 3 }, 4)?;
            for x in &mut batch.x {
                *x = x.to_dtype(DType::F64)?;
            }
            batch.agrees(f, causal)
        })
        .law(Gradients, "gradients reach q, k and v, and are right: nothing comes from padding", |f| {
            gradients(f, &rows(&[[1, 1, 0], [1, 0, 0]])?)
        })
        .law(Edges(why::ONE), "one token gets its own value, whatever its score", move |f| {
            let batch = Batch::drawn(&[1], Heads { num: 2, dim: 3 }, 1)?;
            batch.law(f, &batch.x[2], 8)
        })
        .law(Edges("a mask does not stop a NaN: 0 · NaN is NaN, so one padded query poisons the next layer and its gradients."), "padded queries get finite numbers, even in a sequence of nothing but padding, and gradients stay finite", move |f| {
            let heads = Heads { num: 2, dim: 2 };
            for keep in [rows(&[[0, 0, 1], [1, 0, 0]])?, rows(&[[1, 1, 1], [0, 0, 0]])?] {
                let batch = Batch { x: heads.drawn(2, &[2, 3])?, heads, keep };
                finite(&batch.given(), batch.run(f))?;
                batch.agrees(f, causal)?;
            }
            gradients(f, &rows(&[[0, 1], [0, 0]])?)
        })
        .law(Edges(why::EMPTY), "no sequences, and sequences without positions: no outputs, and no panic", |f| {
            for (batch, seq) in [(0, 3), (2, 0)] {
                let x = Tensor::zeros((batch, seq, 4), DType::F32, &Device::Cpu)?;
                let keep = Tensor::zeros((batch, seq), DType::U8, &Device::Cpu)?;
                let case = Batch { x: [x.clone(), x.clone(), x.clone()], heads: Heads { num: 2, dim: 2 }, keep };
                same(&case.given(), case.run(f), &x, rounding(0))?;
            }
            Ok(())
        })
        .law(Edges(why::VIEW), "q, k and v may be views of one tensor, as a joint projection leaves them", move |f| {
            let heads = Heads { num: 2, dim: 2 };
            let all = seeded::normal(5, (2, 3, 12))?;
            let x = [all.narrow(2, 0, 4)?, all.narrow(2, 4, 4)?, all.narrow(2, 8, 4)?];
            Batch { x, heads, keep: rows(&[[1, 1, 0], [1, 1, 1]])? }.agrees(f, causal)
        })
        .law(Edges(why::REFUSED), "shapes that do not fit are an error, and so is a mask that is not u8", |f| {
            let heads = Heads { num: 2, dim: 2 };
            let fit = Batch { x: heads.drawn(6, &[2, 3])?, heads, keep: rows(&[[1; 3]; 2])? };
            let with = |at: usize, x: Tensor| {
                let mut other = fit.clone();
                other.x[at] = x;
                other
            };
            let mask = |keep: Tensor| Batch { keep, ..fit.clone() };
            let unfit = [
                (Batch { heads: Heads { num: 3, dim: 2 }, ..fit.clone() }, "hidden is 4, not 3 heads of 2"),
                (Batch { heads: Heads { num: 2, dim: 3 }, ..fit.clone() }, "hidden is 4, not 2 heads of 3"),
                (with(1, seeded::normal(7, (2, 3, 6))?), "keys of 6 numbers, queries of 4"),
                (with(2, seeded::normal(8, (2, 2, 4))?), "3 keys, but 2 values"),
                (mask(rows(&[[1; 2]; 2])?), "keep is for 2 positions, there are 3"),
                (mask(rows(&[[1; 3]; 1])?), "keep is for 1 sequence, there are 2"),
                (mask(rows(&[[1; 3]; 2])?.to_dtype(DType::F32)?), "1.0 in a float mask means to add 1 to a score"),
            ];
            unfit.into_iter().try_for_each(|(case, why)| refused(&case.given(), why, case.run(f)))
        })
}
