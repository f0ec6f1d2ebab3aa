//! Whether a kernel's result is right: week 9's rule, on the last queries, whose scores fit into memory.

use crate::place::Judge;
use candle_core::{DType, Device, Result, Tensor};
use gpu::{Attend, Naive, solution::as_accurate};

/// How many queries are looked at; the last ones, which see the most.
const FEW: usize = 64;

/// The last queries' outputs of one attention.
pub struct Expected {
    /// In f64, on the CPU.
    reference: Tensor,
    /// By candle's operations, in the inputs' own type, where they are.
    naive: Tensor,
}

impl Expected {
    /// Of q, k and v `(batch, heads, seq, head_dim)`; as many queries as keys.
    pub fn of([q, k, v]: [&Tensor; 3], scale: f32, causal: bool) -> Result<Self> {
        let q = last(q)?;
        let wide = |x: &Tensor| x.to_device(&Device::Cpu)?.to_dtype(DType::F64);
        // The last query sees all keys in both, for causal is aligned bottom-right.
        let reference = Naive.dense(&wide(&q)?, &wide(k)?, &wide(v)?, scale, causal)?;
        Ok(Self { reference, naive: Naive.dense(&q, k, v, scale, causal)? })
    }

    fn is_met(&self, out: &Tensor) -> Result<bool> {
        let here = |x: &Tensor| x.to_device(&Device::Cpu);
        as_accurate(&here(&last(out)?)?, &here(&self.naive)?, &self.reference)
    }
}

/// `(batch, heads, seq, head_dim)` → its last queries, `(batch, heads, few, head_dim)`.
fn last(x: &Tensor) -> Result<Tensor> {
    let (seq, few) = (x.dim(2)?, x.dim(2)?.min(FEW));
    x.narrow(2, seq - few, few)
}

/// Takes one attention's output `(batch, heads, seq, head_dim)` out of a way's results.
pub type Part = Box<dyn Fn(&[Tensor]) -> Result<Tensor>>;

/// Judges a result by all of these parts.
pub fn judge(parts: Vec<(Expected, Part)>) -> Judge {
    Box::new(move |results| {
        for (expected, part) in &parts {
            if !expected.is_met(&part(results)?)? {
                let what = "off by more than twice the error of naive attention in the same type";
                return Ok(Some(what.to_owned()));
            }
        }
        Ok(None)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_that_is_a_little_wrong_is_refused() -> Result<()> {
        let draw = |seed| seeded::normal(seed, (1, 2, 96, 8))?.to_dtype(DType::F16);
        let [q, k, v] = [draw(1)?, draw(2)?, draw(3)?];
        let (scale, whole) = (0.5, |results: &[Tensor]| Ok(results[0].clone()));
        for causal in [false, true] {
            let expected = Expected::of([&q, &k, &v], scale, causal)?;
            let judge = judge(vec![(expected, Box::new(whole))]);
            let out = Naive.dense(&q, &k, &v, scale, causal)?;
            assert_eq!(judge(std::slice::from_ref(&out))?, None);
            assert!(judge(&[(out * 1.01)?])?.is_some());
            let other = Naive.dense(&q, &k, &v, scale, !causal)?;
            assert!(judge(&[other])?.is_some());
        }
        Ok(())
    }
}
