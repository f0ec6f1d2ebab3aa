//! Gradients of q, k and v.
//!
//! How far off may they be? Roundings as [`super::forward`] counts them make a score and a log-sum-exp off by n epsilons
//! each, so a weight made from both by 2 · n. The gradient of a score is weight · (grad · v − grad · out), where `out` is
//! off by n too: 3 · n, and 4 for the products and the difference. Sums of m such numbers add √m: over the keys for q, over the
//! queries that share a key for k and v. The file has the sizes of what is added.

use super::cases::{Case, Stored};
use super::forward::roundings;
use candle_core::{Result, Tensor, Var};
use flash::{Path, flash_attention_on};

#[test]
fn gradients_agree_with_pytorch() -> Result<()> {
    let mut stored = Stored::open("backward")?;
    for case in stored.cases()? {
        let Case { batch, heads, heads_kv, seq_q, seq_k, dim, dim_v, .. } = case;
        let ([q, k, v], options) = (case.inputs()?, case.options()?);
        let grad = case.numbers(5, &[batch, heads, seq_q, dim_v])?;
        let [q, k, v] = [Var::from_tensor(&q)?, Var::from_tensor(&k)?, Var::from_tensor(&v)?];
        let parts = [
            ("q", &q, [batch * heads * seq_q, dim]),
            ("k", &k, [batch * heads_kv * seq_k, dim]),
            ("v", &v, [batch * heads_kv * seq_k, dim_v]),
        ];
        let mut expected = vec![];
        for (name, x, [rows, columns]) in parts {
            let picked = case.sample(rows, columns);
            let count = picked[0].len() * picked[1].len();
            let numbers = stored.take("numbers", count)?;
            expected.push((name, x, picked, numbers, stored.take("sizes", count)?));
        }
        let summed = seq_k.max(heads / heads_kv * seq_q) as f64;
        let off = case.epsilon() * (3. * roundings(&case) + 4. + summed.sqrt());
        for path in Path::available() {
            let out = flash_attention_on(path, &q, &k, &v, &options)?.0;
            let grads = (out * &grad)?.sum_all()?.backward()?;
            for (name, x, [rows, columns], numbers, sizes) in &expected {
                let got = case.picked(gradient(&grads, x)?, rows, columns)?;
                for (at, (got, want)) in got.iter().zip(numbers).enumerate() {
                    let allowed = off * sizes[at] + case.rounding(*want);
                    assert!(
                        (got - want).abs() <= allowed,
                        "{case:?}, {path:?}, {name} {at}: got {got}, expected {want} ± {allowed}"
                    );
                }
            }
        }
    }
    stored.all_taken();
    Ok(())
}

fn gradient<'a>(grads: &'a candle_core::backprop::GradStore, x: &Tensor) -> Result<&'a Tensor> {
    match grads.get(x) {
        Some(gradient) => Ok(gradient),
        None => candle_core::bail!("no gradient"),
    }
}
