//! Attention by the definition, number by number in f64.

use crate::options::{epsilon, numbers};
use candle_core::{D, DType, Result, Tensor};
use flash::{Causal, Mask, Path, SdpaOptions, flash_attention_on};

/// What attention should give, and how far from it rounding may lead.
pub struct Reference {
    /// `batch · heads_q · seq_q · dim_v` numbers.
    pub out: Vec<f64>,
    /// `batch · heads_q · seq_q` numbers.
    pub lse: Vec<f64>,
    /// For each row, in units of the epsilon of the type computed in: see [`reference`].
    pub slack: Vec<f64>,
    /// For each number of `out`, Σ weight · |v|.
    pub size: Vec<f64>,
    /// The largest |v|.
    pub largest: f64,
}

/// The reference, with the slack of each row derived so: a score is a sum of d products, and after j of them it is about
/// √j · S / √d, with S = √Σ(q·k·scale)². Each step rounds by half an epsilon of that at most, and the roundings walk at
/// random: together √(d / 2) · S / 2 epsilons. Twice to three times that leaves room: √d · S. Factors, bias and softcap
/// add roundings of the score itself and of the bias: 2 · |score| + |bias|. A weight is off by as much, relatively, plus
/// 4 for the exponential; sums of n weights add √n / 2 each. All this multiplies Σ weight · |v|.
pub fn reference(q: &Tensor, k: &Tensor, v: &Tensor, options: &SdpaOptions) -> Result<Reference> {
    let ((batch, heads, seq_q, dim), (_, heads_kv, seq_k, dim_v)) = (q.dims4()?, v.dims4()?);
    let scores = (batch, heads, seq_q, seq_k);
    let [q, k, v] = [numbers(q)?, numbers(k)?, numbers(v)?];
    let mask = |mask: &Tensor| numbers(&mask.to_dtype(DType::F64)?.broadcast_as(scores)?);
    let (keep, bias) = match &options.mask {
        Some(Mask::Keep(keep)) => (Some(mask(keep)?), None),
        Some(Mask::Bias(bias)) => (None, Some(mask(bias)?)),
        None => (None, None),
    };
    let scale = options.scale.unwrap_or(1. / (dim.max(1) as f64).sqrt());
    let (mut out, mut lse, mut slack, mut sizes) = (vec![], vec![], vec![], vec![]);
    for row in 0..batch * heads * seq_q {
        let (head, i) = (row / seq_q, row % seq_q);
        let kv_head = head / heads * heads_kv + head % heads / (heads / heads_kv);
        let q = &q[row * dim..][..dim];
        let (mut size, mut scores) = (0f64, vec![]);
        let products = products(q, &k[kv_head * seq_k * dim..], seq_k);
        for (j, [sum, squares]) in products.into_iter().enumerate() {
            let mut score = sum * scale;
            let mut absolute = (squares * dim as f64).sqrt() * scale.abs() + 2. * score.abs();
            if let Some(cap) = options.softcap {
                score = cap * (score / cap).tanh();
            }
            if let Some(bias) = &bias {
                score += bias[row * seq_k + j];
                absolute += bias[row * seq_k + j].abs();
            }
            let kept = keep.as_ref().is_none_or(|keep| keep[row * seq_k + j] != 0.);
            if !kept || !sees(options, [i, j, seq_q, seq_k]) {
                score = f64::NEG_INFINITY;
            }
            if score != f64::NEG_INFINITY {
                size = size.max(absolute);
            }
            scores.push(score);
        }
        let top =
            scores.iter().fold(f64::NEG_INFINITY, |a, b| if b.is_nan() { *b } else { a.max(*b) });
        let nothing = top == f64::NEG_INFINITY;
        let weight = |score: &f64| if nothing { 0. } else { (score - top).exp() };
        let weights: Vec<f64> = scores.iter().map(weight).collect();
        let sum: f64 = weights.iter().sum();
        let [totals, absolutes] = totals(&weights, &v[kv_head * seq_k * dim_v..], dim_v);
        let share = |total: f64| if nothing { 0. } else { total / sum };
        out.extend(totals.into_iter().map(share));
        sizes.extend(absolutes.into_iter().map(share));
        lse.push(if nothing { f64::NEG_INFINITY } else { top + sum.ln() });
        slack.push(size + 4. + (seq_k as f64).sqrt());
    }
    let largest = v.iter().fold(0., |a: f64, b| a.max(b.abs()));
    Ok(Reference { out, lse, slack, size: sizes, largest })
}

/// Σ q · k and Σ (q · k)² for each of these keys, with all vectors that the processor has.
fn products(q: &[f64], k: &[f64], keys: usize) -> Vec<[f64; 2]> {
    let dim = q.len();
    pulp::Arch::new().dispatch(|| (0..keys).map(|key| product(q, &k[key * dim..][..dim])).collect())
}

/// One of [`products`]: in eight parts, which a processor adds at once, where one sum would wait for itself.
#[inline(always)]
fn product(x: &[f64], y: &[f64]) -> [f64; 2] {
    const PARTS: usize = 8;
    let (mut sums, mut squares) = ([0.; PARTS], [0.; PARTS]);
    let ((x, rest_of_x), (y, rest_of_y)) = (x.as_chunks::<PARTS>(), y.as_chunks::<PARTS>());
    for (x, y) in x.iter().zip(y) {
        for at in 0..PARTS {
            let product = x[at] * y[at];
            sums[at] += product;
            squares[at] += product * product;
        }
    }
    for (at, (x, y)) in rest_of_x.iter().zip(rest_of_y).enumerate() {
        sums[at] += x * y;
        squares[at] += (x * y) * (x * y);
    }
    [sums, squares].map(|parts| parts.into_iter().sum())
}

/// Σ weight · v and Σ weight · |v| of each column.
fn totals(weights: &[f64], v: &[f64], dim_v: usize) -> [Vec<f64>; 2] {
    let (mut totals, mut absolutes) = (vec![0.; dim_v], vec![0.; dim_v]);
    pulp::Arch::new().dispatch(|| {
        for (weight, v) in weights.iter().zip(v.chunks(dim_v.max(1))) {
            for ((total, absolute), v) in totals.iter_mut().zip(&mut absolutes).zip(v) {
                *total += weight * v;
                *absolute += weight * v.abs();
            }
        }
    });
    [totals, absolutes]
}

fn sees(options: &SdpaOptions, [i, j, seq_q, seq_k]: [usize; 4]) -> bool {
    let [i, j, seq_q, seq_k] = [i, j, seq_q, seq_k].map(|x| x as i64);
    let here = i + seq_k - seq_q;
    let causal = match options.causal {
        None => true,
        Some(Causal::TopLeft) => j <= i,
        Some(Causal::BottomRight) => j <= here,
    };
    let reach = |keys: Option<usize>| keys.map_or(i64::MAX / 2, |keys| keys.min(1 << 40) as i64);
    let (left, right) = options.window.unwrap_or_default();
    causal && j >= here - reach(left) && j <= here + reach(right)
}

/// Panics unless the kernel agrees with the reference on every path.
pub fn agrees(case: &str, q: &Tensor, k: &Tensor, v: &Tensor, options: &SdpaOptions) -> Result<()> {
    let expected = reference(q, k, v, options)?;
    for path in Path::available() {
        let (out, lse) = flash_attention_on(path, q, k, v, options)?;
        assert_eq!((out.dims4()?.3, out.dtype()), (v.dim(D::Minus1)?, q.dtype()));
        let (out, lse) = (numbers(&out)?, numbers(&lse)?);
        let inner = epsilon(if q.dtype() == DType::F64 { DType::F64 } else { DType::F32 });
        let outer = if q.dtype().size_in_bytes() == 2 { epsilon(q.dtype()) / 2. } else { 0. };
        let dim_v = out.len() / lse.len().max(1);
        assert_eq!((out.len(), lse.len()), (expected.out.len(), expected.lse.len()), "{case}");
        for (at, (got, want)) in out.iter().zip(&expected.out).enumerate() {
            let relative = inner * expected.slack[at / dim_v];
            // Where scores are off by much, the weight may go to other keys.
            let size = if relative > 0.05 { expected.largest } else { expected.size[at] };
            let allowed = relative * size + outer * want.abs();
            let same = (got - want).abs() <= allowed || (got.is_nan() && want.is_nan());
            assert!(same, "{case}, {path:?}, out {at}: got {got}, expected {want} ± {allowed}");
        }
        for (at, (got, want)) in lse.iter().zip(&expected.lse).enumerate() {
            // lse is rounded to f32.
            let allowed = inner * expected.slack[at] + f64::from(f32::EPSILON) * want.abs();
            let same = got == want
                || (got - want).abs() <= allowed
                || (got.is_nan() && (want.is_nan() || *want == f64::INFINITY));
            assert!(same, "{case}, {path:?}, lse {at}: got {got}, expected {want} ± {allowed}");
        }
    }
    Ok(())
}
