//! What holds for any shapes and options.

use super::random::{Case, Drawn, attentions, for_all};
use super::reference::{agrees, reference};
use crate::options::{epsilon, numbers};
use candle_core::{D, DType, Result, Tensor};
use flash::{Causal, Mask, Path, SdpaOptions, flash_attention, flash_attention_on, naive, sdpa};
use proptest::prelude::*;

/// Each property is tried with so many attentions.
const CASES: u32 = 200;

/// Attentions in f32 or f64.
fn exact() -> impl Strategy<Value = Case> {
    attentions().prop_map(|mut case| {
        if case.dtype != DType::F64 {
            case.dtype = DType::F32;
        }
        case
    })
}

/// `exact` without empty dimensions.
fn filled() -> impl Strategy<Value = Case> {
    exact().prop_map(|mut case| {
        case.sizes = case.sizes.map(|size| size.max(1));
        case
    })
}

/// Output and log-sum-exp on a path, as f64.
type Got = (Vec<f64>, Vec<f64>);

fn on(path: Path, [q, k, v]: &[Tensor; 3], options: &SdpaOptions) -> Result<Got> {
    let (out, lse) = flash_attention_on(path, q, k, v, options)?;
    Ok((numbers(&out)?, numbers(&lse)?))
}

/// q, k and v with the options.
type Attention<'a> = (&'a [Tensor; 3], &'a SdpaOptions);

/// Panics unless both attentions give the same, bit for bit, on every path.
fn same(a: Attention, b: Attention) -> Result<()> {
    for path in Path::available() {
        assert_eq!(on(path, a.0, a.1)?, on(path, b.0, b.1)?, "{path:?}");
    }
    Ok(())
}

/// Panics unless both attentions give the same on every path but for the roundings of both, as [`reference`] derives
/// them. The log-sum-exps of the second are larger by `shift`.
fn alike(a: Attention, b: Attention, shift: f64) -> Result<()> {
    let bound = |([q, k, v], options): Attention| reference(q, k, v, options);
    let (bound, other, inner) = (bound(a)?, bound(b)?, epsilon(a.0[0].dtype()));
    let dim_v = a.0[2].dim(3)?;
    for path in Path::available() {
        let (first, second) = (on(path, a.0, a.1)?, on(path, b.0, b.1)?);
        for (at, (x, y)) in first.0.iter().zip(&second.0).enumerate() {
            let row = at / dim_v;
            let allowed = inner * (bound.slack[row] + other.slack[row]) * bound.size[at];
            assert!((x - y).abs() <= allowed, "{path:?}, out {at}: {x} and {y}, ± {allowed}");
        }
        for (row, (x, y)) in first.1.iter().zip(&second.1).enumerate() {
            let slack = inner * (bound.slack[row] + other.slack[row]);
            let allowed = slack + f64::from(f32::EPSILON) * (x.abs() + y.abs());
            let near = x.is_infinite() && x == y || (x + shift - y).abs() <= allowed;
            assert!(near, "{path:?}, lse {row}: {x} + {shift} and {y}, ± {allowed}");
        }
    }
    Ok(())
}

#[test]
fn the_kernel_agrees_with_the_definition() {
    for_all(2 * CASES, attentions(), |case| {
        let ([q, k, v], options) = (case.inputs()?, case.options()?);
        agrees("drawn", &q, &k, &v, &options)?;
        let out = flash_attention(&q, &k, &v, &options)?;
        assert_eq!(numbers(&sdpa(&q, &k, &v, &options)?)?, numbers(&out)?);
        Ok(())
    });
}

#[test]
fn the_naive_version_agrees_with_the_definition() {
    for_all(CASES, attentions(), |mut case| {
        case.dtype = DType::F64;
        let ([q, k, v], options) = (case.inputs()?, case.options()?);
        let expected = reference(&q, &k, &v, &options)?;
        let got = numbers(&naive::attention(&q, &k, &v, &options)?)?;
        assert_eq!(got.len(), expected.out.len());
        for (at, (got, want)) in got.iter().zip(&expected.out).enumerate() {
            let allowed = f64::EPSILON * expected.slack[at / case.sizes[6]] * expected.size[at];
            assert!((got - want).abs() <= allowed, "{at}: got {got}, expected {want} ± {allowed}");
        }
        Ok(())
    });
}

#[test]
fn shifting_all_scores_moves_only_the_log_sum_exp() {
    for_all(CASES, (filled(), -40..40i32), |(mut case, shift)| {
        case.mask.get_or_insert(Drawn::BIAS).keep = false;
        let (inputs, bias) = (case.inputs()?, case.mask()?.unwrap().to_dtype(DType::F64)?);
        let shifted = (&bias + f64::from(shift))?;
        let (plain, shifted) = (case.unmasked().bias(bias), case.unmasked().bias(shifted));
        alike((&inputs, &plain), (&inputs, &shifted), shift.into())
    });
}

#[test]
fn the_order_of_the_keys_is_of_no_account() {
    for_all(CASES, (filled(), 0..1000u64), |(mut case, seed)| {
        (case.causal, case.window) = (None, None); // these ask where a key stands
        let ([q, k, v], plain) = (case.inputs()?, case.options()?);
        let draws = seeded::uniform(seed, case.sizes[4])?;
        let order = draws.arg_sort_last_dim(true)?;
        let turn = |x: &Tensor| x.contiguous()?.index_select(&order, D::Minus2);
        let turned = by_key(&plain, |mask| mask.contiguous()?.index_select(&order, D::Minus1))?;
        let inputs = [q.clone(), turn(&k)?, turn(&v)?];
        alike((&[q, k, v], &plain), (&inputs, &turned), 0.)
    });
}

/// The options, with the mask changed, unless it is the same for all keys.
fn by_key(
    options: &SdpaOptions,
    change: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<SdpaOptions> {
    let change = |mask: &Tensor| match mask.dims().last() {
        None | Some(1) => Ok(mask.clone()),
        _ => change(mask),
    };
    let mut options = options.clone();
    options.mask = match &options.mask {
        Some(Mask::Keep(keep)) => Some(Mask::Keep(change(keep)?)),
        Some(Mask::Bias(bias)) => Some(Mask::Bias(change(bias)?)),
        None => None,
    };
    Ok(options)
}

#[test]
fn a_keep_mask_is_a_bias_of_minus_infinity() {
    for_all(CASES, exact(), |mut case| {
        case.mask.get_or_insert(Drawn::BIAS).keep = true;
        let (inputs, keep) = (case.inputs()?, case.mask()?.unwrap());
        let none = Tensor::zeros(keep.shape(), DType::F32, keep.device())?;
        let bias = keep.where_cond(&none, &(none.ones_like()? * f64::NEG_INFINITY)?)?;
        same((&inputs, &case.unmasked().keep(keep)), (&inputs, &case.unmasked().bias(bias)))
    });
}

#[test]
fn query_heads_that_share_keys_do_as_if_each_had_its_own() {
    for_all(CASES, filled(), |case| {
        let ([q, k, v], options) = (case.inputs()?, case.options()?);
        let group = case.sizes[1] / case.sizes[2];
        let heads = (0..case.sizes[1]).map(|head| (head / group) as u32).collect::<Vec<_>>();
        let each = |x: &Tensor| {
            x.contiguous()?.index_select(&Tensor::new(heads.as_slice(), x.device())?, 1)
        };
        same((&[q.clone(), each(&k)?, each(&v)?], &options), (&[q, k, v], &options))
    });
}

#[test]
fn an_open_window_to_the_left_is_causal() {
    for_all(CASES, exact(), |mut case| {
        (case.causal, case.window) = (Some(Causal::BottomRight), None);
        let (inputs, causal) = (case.inputs()?, case.options()?);
        let mut window = causal.clone().window(None, 0);
        window.causal = None;
        same((&inputs, &causal), (&inputs, &window))
    });
}

#[test]
fn a_square_has_one_triangle() {
    for_all(CASES, exact(), |mut case| {
        case.sizes[4] = case.sizes[3];
        let (inputs, options) = (case.inputs()?, case.options()?);
        let [a, b] =
            [Causal::TopLeft, Causal::BottomRight].map(|causal| options.clone().causal(causal));
        same((&inputs, &a), (&inputs, &b))
    });
}

/// Attention to two sets of keys is the mean of the attentions to each, weighted by the exponentials of their log-sum-exps.
#[test]
fn two_sets_of_keys_merge_by_their_log_sum_exps() {
    for_all(CASES, (filled(), 0..=1000usize), |(mut case, part)| {
        (case.causal, case.window) = (None, None); // these ask where a key stands
        let ([q, k, v], all) = (case.inputs()?, case.options()?);
        let (keys, dim_v) = (case.sizes[4], case.sizes[6]);
        let first = keys * part / 1000;
        let part = |from: usize, len: usize| -> Result<_> {
            let options = by_key(&all, |mask| mask.narrow(D::Minus1, from, len))?;
            Ok(([q.clone(), k.narrow(2, from, len)?, v.narrow(2, from, len)?], options))
        };
        let [a, b] = [part(0, first)?, part(first, keys - first)?];
        let bound = reference(&q, &k, &v, &all)?;
        let inputs = [q.clone(), k.clone(), v.clone()];
        for path in Path::available() {
            let (whole, lse) = on(path, &inputs, &all)?;
            let [(a, lse_a), (b, lse_b)] = [on(path, &a.0, &a.1)?, on(path, &b.0, &b.1)?];
            for row in 0..lse.len() {
                let top = lse_a[row].max(lse_b[row]);
                if top == f64::NEG_INFINITY {
                    assert_eq!(lse[row], top);
                    continue;
                }
                let [x, y] = [lse_a[row], lse_b[row]].map(|lse| (lse - top).exp());
                // Three attentions with their own roundings; their log-sum-exps are rounded to f32. The smaller one
                // may be far from the top, and off by more; but its weight is small then.
                let rounded = f64::from(f32::EPSILON) * 3. * (top.abs() + 1.);
                let off = epsilon(case.dtype) * 3. * bound.slack[row] + rounded;
                assert!((top + (x + y).ln() - lse[row]).abs() <= off, "{path:?}, lse {row}");
                for at in row * dim_v..(row + 1) * dim_v {
                    let got = (a[at] * x + b[at] * y) / (x + y);
                    let allowed = off * bound.size[at];
                    let want = whole[at];
                    assert!(
                        (got - want).abs() <= allowed,
                        "{path:?}, {at}: {got}, {want} ± {allowed}"
                    );
                }
            }
        }
        Ok(())
    });
}
