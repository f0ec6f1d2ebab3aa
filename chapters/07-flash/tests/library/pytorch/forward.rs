//! Outputs and log-sum-exps.
//!
//! How far off may they be? In epsilons of the type computed in, which is f32 for f16 and bf16:
//! - Queries and keys are evenly spread over [−2, 2), so a product of two numbers is 4/3 in the root of the mean square, and
//!   a score S = 4/3 · √d · |scale|. It is made by d additions, each of which rounds by up to half an epsilon of S:
//!   ½ · √d · S, as roundings walk at random.
//!   The factor is rounded into each query: another ½ · S, and the largest score is about 5 · S. The bias is rounded as
//!   it is added: up to 2. Twice all this, for f64 is rounded in PyTorch too: √d · S + 6 · S + 4.
//! - A score that is off by so much makes its weight off by as much, relatively; the exponential adds 4.
//! - A sum of n weights, and one of n weighted values, add ½ · √n each.
//!
//! The output is off by this many epsilons of its size, Σ weight · |v|, and by half of its last digit where it is rounded to
//! another type. The log-sum-exp is off by as many epsilons, and one of f32 of itself: it is rounded to f32.

use super::cases::{Case, Stored};
use candle_core::Result;
use flash::{Path, flash_attention_on};

#[test]
fn agrees_with_pytorch() -> Result<()> {
    let mut stored = Stored::open("forward")?;
    for case in stored.cases()? {
        let ([q, k, v], options) = (case.inputs()?, case.options()?);
        let [rows, columns] = case.sample(case.batch * case.heads * case.seq_q, case.dim_v);
        let expected = stored.take("numbers", rows.len() * columns.len())?;
        let sizes = stored.take("sizes", rows.len() * columns.len())?;
        let expected_lse = stored.take("lse", rows.len())?;

        let off = case.epsilon() * roundings(&case);
        for path in Path::available() {
            let (out, lse) = flash_attention_on(path, &q, &k, &v, &options)?;
            assert_eq!(out.dtype(), case.dtype);
            let got = case.picked(&out, &rows, &columns)?;
            for (at, (got, want)) in got.iter().zip(&expected).enumerate() {
                let allowed = off * sizes[at] + case.rounding(*want);
                assert!(
                    (got - want).abs() <= allowed,
                    "{case:?}, {path:?}, {at}: got {got}, expected {want} ± {allowed}"
                );
            }
            let lse = case.picked(&lse.unsqueeze(3)?, &rows, &[0])?;
            for (got, want) in lse.iter().zip(&expected_lse) {
                let allowed = off + f64::from(f32::EPSILON) * want.abs();
                assert!(
                    got == want || (got - want).abs() <= allowed,
                    "{case:?}, {path:?}: got a log-sum-exp of {got}, expected {want} ± {allowed}"
                );
            }
        }
    }
    stored.all_taken();
    Ok(())
}

/// How many epsilons a score's weight may be off by, as the head of this file derives it.
pub fn roundings(case: &Case) -> f64 {
    let (dim, seq_k) = (case.dim as f64, case.seq_k as f64);
    let score = 4. / 3. * dim.sqrt() * case.scale.unwrap_or(1. / dim.sqrt()).abs();
    (dim.sqrt() + 6.) * score + 4. + 4. + seq_k.sqrt()
}
