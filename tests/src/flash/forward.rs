//! What FlashAttention of one head must hold.

use super::{NO_KEYS, SHORT, ZERO, causal_keep, pytorch, reference, same_output};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Implementation, Masks},
        Outcome,
        cases::{attention_inputs, matrix},
        compare::{refused, rounding},
        show::{inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};

/// `flash_attention`: q, k, v, scale, causal, (queries, keys) of a block to the output and the log-sum-exp.
pub type Flash =
    dyn Fn(&Tensor, &Tensor, &Tensor, f64, bool, (usize, usize)) -> Result<(Tensor, Tensor)>;

pub(super) fn zoo() -> Vec<Proof> {
    flash_laws().proofs()
}

/// Checks FlashAttention of one head: q `(seq_q, d)`, k `(seq_k, d)`, v `(seq_k, d_v)`, scale, causal and the size of a
/// block → the output `(seq_q, d_v)` and the log-sum-exp `(seq_q, 1)`.
pub fn flash_attention(
    answer: impl Fn(&Tensor, &Tensor, &Tensor, f64, bool, (usize, usize)) -> Result<(Tensor, Tensor)>
    + 'static,
) -> Verdict {
    flash_laws().judge(&answer)
}

/// All but q, k and v.
#[derive(Clone, Copy)]
struct Call {
    scale: f64,
    causal: bool,
    block: (usize, usize),
}

fn dense(block: (usize, usize)) -> Call {
    Call { scale: 1., causal: false, block }
}

fn causal(block: (usize, usize)) -> Call {
    Call { causal: true, ..dense(block) }
}

fn given([q, k, v]: [&Tensor; 3], Call { scale, causal, block }: Call) -> String {
    let tensors = inputs(&[("q", q), ("k", k), ("v", v)]);
    remember(format!("{tensors}\nscale: {scale}\ncausal: {causal}\nblock: {block:?}"))
}

/// A score is a sum of d products and a scale, a tile is merged with ten roundings, and each key is summed.
fn law(f: &Flash, qkv: [&Tensor; 3], call: Call, expected: &(Tensor, Tensor)) -> Outcome {
    let [q, k, v] = qkv;
    let keys = k.dim(0)?;
    let tiles = keys.div_ceil(call.block.1);
    let allowed = rounding(4 * q.dim(1)? + keys + 10 * tiles + 8);
    let given = given(qkv, call); // before the call: a panic finds it
    let answer = f(q, k, v, call.scale, call.causal, call.block);
    same_output(&given, answer, expected, allowed)
}

fn agrees(f: &Flash, qkv: [&Tensor; 3], call: Call) -> Outcome {
    let [q, k, _] = qkv;
    let keep = match call.causal && k.dim(0)? > 0 {
        true => Some(causal_keep(q.dim(0)?, k.dim(0)?)?),
        false => None,
    };
    law(f, qkv, call, &reference::attention(qkv, call.scale, keep.as_ref())?)
}

/// One query whose scores are these, with values 7, 7 and 14: output and log-sum-exp are easy to find by hand.
fn scores(f: &Flash, scores: [f32; 3], call: Call, out: f32) -> Outcome {
    let (q, k) = (matrix(&[[1.]])?, matrix(&scores.map(|score| [score]))?);
    let v = matrix(&[[7.], [7.], [14.]])?;
    law(f, [&q, &k, &v], call, &(matrix(&[[out]])?, matrix(&[[7f32.ln()]])?))
}

/// Queries and keys whose scores are all 0, so that a query's weights are equal.
fn equal<const N: usize>(
    f: &Flash,
    queries: usize,
    values: [f32; N],
    call: Call,
    (out, lse): (&[f32], &[f32]),
) -> Outcome {
    let zeros = |rows| Tensor::zeros((rows, 1), DType::F32, &Device::Cpu);
    let column = |numbers: &[f32]| Tensor::new(numbers, &Device::Cpu)?.unsqueeze(1);
    let (q, k, v) = (zeros(queries)?, zeros(N)?, column(&values)?);
    law(f, [&q, &k, &v], call, &(column(out)?, column(lse)?))
}

/// Four queries whose scores are 0 where they are numbers: outputs 6 and 3 for the first two, whatever comes later.
fn first_two(f: &Flash, [k, v]: [&Tensor; 2], call: Call) -> Outcome {
    let q = matrix(&[[0.]; 4])?;
    let given = format!("{}\nlooked at: queries 0 and 1", given([&q, k, v], call));
    let answer = f(&q, k, v, call.scale, call.causal, call.block);
    let first = answer.and_then(|(out, lse)| Ok((out.narrow(0, 0, 2)?, lse.narrow(0, 0, 2)?)));
    let expected = (matrix(&[[6.], [3.]])?, matrix(&[[0.], [2f32.ln()]])?);
    same_output(&given, first, &expected, rounding(16))
}

fn flash_laws() -> Check<Flash> {
    const NEVER: f32 = f32::NEG_INFINITY;
    let (ln2, ln3, ln4) = (2f32.ln(), 3f32.ln(), 4f32.ln());
    Check::new("flash::flash_attention", wrong::flash::flash_attention())
        .law(
            Implementation,
            "one tile holds all: scores 0, ln 2, ln 4 are weights 1⁄7, 2⁄7, 4⁄7, and their log-sum-exp is ln 7",
            move |f| scores(f, [0., ln2, ln4], dense((1, 3)), 11.),
        )
        .law(
            Implementation,
            "tiles of one key, scores that fall: the same attention",
            move |f| scores(f, [ln4, ln2, 0.], dense((1, 1)), 8.),
        )
        .law(
            Implementation,
            "tiles of one key, scores that rise: what was summed before shrinks with every tile",
            move |f| scores(f, [0., ln2, ln4], dense((1, 1)), 11.),
        )
        .law(
            Implementation,
            "three keys in tiles of two: the last tile has one key, and counts",
            move |f| scores(f, [0., ln2, ln4], dense((1, 2)), 11.),
        )
        .law(
            Implementation,
            "three queries in blocks of two: the last block has one query, and each starts anew",
            move |f| {
                let (q, k) = (matrix(&[[0.], [1.], [-1.]])?, matrix(&[[0.], [ln2]])?);
                let v = matrix(&[[6., 0.], [0., 6.]])?;
                let out = matrix(&[[3., 3.], [2., 4.], [4., 2.]])?;
                let lse = matrix(&[[ln2], [ln3], [1.5f32.ln()]])?;
                law(f, [&q, &k, &v], dense((2, 1)), &(out, lse))
            },
        )
        .law(
            Implementation,
            "the scores are q·k times the scale that is given: once, and whatever d is",
            move |f| {
                let q = matrix(&[[4., 0., 0., 0.]])?;
                let k = matrix(&[[0., 0., 0., 0.], [ln2, 0., 0., 0.]])?;
                let call = Call { scale: 0.25, ..dense((1, 1)) };
                law(f, [&q, &k, &matrix(&[[3.], [6.]])?], call, &(matrix(&[[5.]])?, matrix(&[[ln3]])?))
            },
        )
        .law(
            Masks,
            "causal, equal scores, tiles of one: the means of 6; of 6 and 0; of 6, 0 and 12",
            move |f| equal(f, 3, [6., 0., 12.], causal((1, 1)), (&[6., 3., 6.], &[0., ln2, ln3])),
        )
        .law(
            Masks,
            "causal in blocks of two: a tile on the diagonal is masked, by where it stands",
            move |f| {
                equal(f, 3, [6., 0., 12.], causal((2, 2)), (&[6., 3., 6.], &[0., ln2, ln3]))?;
                let (out, lse) = ([6., 3., 6., 6.], [0., ln2, ln3, ln4]);
                equal(f, 4, [6., 0., 12., 6.], causal((2, 2)), (&out, &lse))
            },
        )
        .law(
            Masks,
            "causal: a tile that is wholly in the future is not visited, so a NaN in it does not reach the output",
            move |f| {
                let nan = f32::NAN;
                let k = matrix(&[[0.], [0.], [nan], [nan]])?;
                let v = matrix(&[[6.], [0.], [nan], [nan]])?;
                first_two(f, [&k, &v], causal((2, 2)))
            },
        )
        .law(
            Masks,
            "causal, blocks of 2 queries and 3 keys: queries 0 and 1 visit the keys 0 to 2, and a NaN in key 3 does not reach them",
            move |f| {
                let k = matrix(&[[0.], [0.], [0.], [f32::NAN]])?;
                let v = matrix(&[[6.], [0.], [0.], [f32::NAN]])?;
                first_two(f, [&k, &v], causal((2, 3)))
            },
        )
        .law(Masks, "causal, more keys than queries: bottom-right, so the last query sees all", move |f| {
            equal(f, 2, [6., 0., 12., 6.], causal((1, 2)), (&[6., 6.], &[ln3, ln4]))
        })
        .law(
            Masks,
            "causal, more queries than keys: those that see nothing get zeros and −∞, not NaN",
            move |f| {
                let (out, lse) = ([0., 0., 6., 3.], [NEVER, NEVER, 0., ln2]);
                equal(f, 4, [6., 0.], causal((1, 1)), (&out, &lse))?;
                equal(f, 4, [6., 0.], causal((4, 2)), (&out, &lse))
            },
        )
        .property(
            Implementation,
            "softmax attention, in any size, with blocks of any size",
            (1..9usize, 1..9usize, 1..5usize, 1..4usize, (1..10usize, 1..10usize), 0..1000u64),
            |f, (seq_q, seq_k, d, dim_v, block, seed)| {
                let [q, k, v] = attention_inputs(seed, &[], [seq_q, seq_k, d, dim_v])?;
                agrees(f, [&q, &k, &v], Call { scale: 0.8, ..dense(block) })
            },
        )
        .property(
            Masks,
            "causal attention, in any size, with blocks of any size",
            (1..9usize, 1..9usize, 1..5usize, 1..4usize, (1..10usize, 1..10usize), 0..1000u64),
            |f, (seq_q, seq_k, d, dim_v, block, seed)| {
                let [q, k, v] = attention_inputs(seed, &[], [seq_q, seq_k, d, dim_v])?;
                agrees(f, [&q, &k, &v], Call { scale: 0.8, ..causal(block) })
            },
        )
        .law(Implementation, "PyTorch's scaled_dot_product_attention", |f| {
            let fixtures = pytorch()?;
            for (case, causal) in [("dense", false), ("causal", true), ("more_keys", true)] {
                let part = |part: &str| fixtures.get(&format!("{case}.{part}"));
                let (q, k, v) = (part("q")?, part("k")?, part("v")?);
                let scale = 1. / (q.dim(1)? as f64).sqrt();
                let expected = (part("out")?, part("lse")?);
                law(f, [&q, &k, &v], Call { scale, causal, block: (4, 3) }, &expected)?;
            }
            Ok(())
        })
        .law(Edges(SHORT), "blocks larger than the sequences hold all", move |f| {
            equal(f, 2, [6., 0.], causal((100, 50)), (&[6., 3.], &[0., ln2]))
        })
        .law(Edges(why::HUGE), "scores of ±10 000 stay finite", |f| {
            let (q, k) = (matrix(&[[100.], [-100.]])?, matrix(&[[100.], [100.]])?);
            let expected = (matrix(&[[4.], [4.]])?, matrix(&[[1e4], [-1e4]])?);
            let expected = (expected.0, (expected.1 + 2f64.ln())?);
            law(f, [&q, &k, &matrix(&[[3.], [5.]])?], dense((2, 1)), &expected)
        })
        .law(Edges(NO_KEYS), "without keys no query sees anything: zeros and −∞", |f| {
            let zeros = |rows, columns| Tensor::zeros((rows, columns), DType::F32, &Device::Cpu);
            let (q, k, v) = (zeros(3, 2)?, zeros(0, 2)?, zeros(0, 4)?);
            for call in [dense((2, 2)), causal((2, 2))] {
                let expected = (zeros(3, 4)?, (zeros(3, 1)? + f64::NEG_INFINITY)?);
                law(f, [&q, &k, &v], call, &expected)?;
            }
            Ok(())
        })
        .law(Edges(why::DOUBLE), "f64 in, f64 out", |f| {
            let [q, k, v] = attention_inputs(3, &[], [5, 6, 3, 2])?;
            let [q, k, v] = [q, k, v].map(|x| x.to_dtype(DType::F64));
            agrees(f, [&q?, &k?, &v?], causal((2, 4)))
        })
        .law(Edges(ZERO), "blocks of 0 queries or 0 keys: an error", |f| {
            let [q, k, v] = attention_inputs(3, &[], [3, 3, 2, 2])?;
            for call in [dense((0, 2)), dense((2, 0)), causal((0, 2)), causal((2, 0))] {
                let given = given([&q, &k, &v], call);
                let answer = f(&q, &k, &v, call.scale, call.causal, call.block);
                refused(&given, "a block has at least one", answer)?;
            }
            Ok(())
        })
        .law(Edges(why::REFUSED), "shapes that do not fit are an error, values longer than the keys too", |f| {
            let zeros = |shape: (usize, usize)| Tensor::zeros(shape, DType::F32, &Device::Cpu);
            let q = zeros((2, 3))?;
            for (k, v, why) in [
                ((4, 2), (4, 5), "k has another d than q"),
                ((4, 3), (3, 5), "there are fewer values than keys"),
                ((4, 3), (6, 5), "there are more values than keys"),
            ] {
                let (k, v, call) = (zeros(k)?, zeros(v)?, dense((2, 2)));
                let given = given([&q, &k, &v], call);
                refused(&given, why, f(&q, &k, &v, call.scale, call.causal, call.block))?;
            }
            Ok(())
        })
        .law(Edges(why::REFUSED), "without queries there is no block to attend: an error", |f| {
            let zeros = |shape: (usize, usize)| Tensor::zeros(shape, DType::F32, &Device::Cpu);
            let (q, k, v, call) = (zeros((0, 3))?, zeros((4, 3))?, zeros((4, 5))?, dense((2, 2)));
            let answer = f(&q, &k, &v, call.scale, call.causal, call.block);
            refused(&given([&q, &k, &v], call), "there are no queries", answer)
        })
}
