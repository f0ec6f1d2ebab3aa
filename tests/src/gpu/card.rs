//! Laws that need a card: they are skipped where none is, with the reason.
//!
//! A law looks at shapes and lengths before the kernel does: the kernel trusts them, and with wrong ones reads memory
//! that is not its own.

use crate::harness::{
    Breach, Outcome,
    compare::{rounding, same},
};
use candle_core::{D, DType, Device, Result, Tensor};
use device::{Kind, look};

/// What must hold on a card: `law` gets it. Without one that runs the kernels the law is skipped, and says why.
pub fn on_card(law: impl Fn(&Device) -> Outcome) -> Outcome {
    let Err(why) = look().usable(Kind::Cuda) else { return law(&Device::new_cuda(0)?) };
    Err(Breach::skipped(&format!(
        "needs an NVIDIA card, and without one that is fine ({why}). Where there is a card: cargo test --release -p gpu --features cuda"
    )))
}

#[cfg(feature = "cuda")]
pub use candle_flash_attn::{flash_attn, flash_attn_varlen};

/// `flash_attn` where there is none: what [`on_card`] doesn't run still has types.
#[cfg(not(feature = "cuda"))]
pub fn flash_attn(_: &Tensor, _: &Tensor, _: &Tensor, _: f32, _: bool) -> Result<Tensor> {
    candle_core::bail!("this build has no candle-flash-attn")
}

/// `flash_attn_varlen` where there is none.
#[cfg(not(feature = "cuda"))]
#[expect(clippy::too_many_arguments, reason = "the arguments of candle-flash-attn")]
pub fn flash_attn_varlen(
    _: &Tensor,
    _: &Tensor,
    _: &Tensor,
    _: &Tensor,
    _: &Tensor,
    _: usize,
    _: usize,
    _: f32,
    _: bool,
) -> Result<Tensor> {
    candle_core::bail!("this build has no candle-flash-attn")
}

/// Seeded numbers as the kernel takes them, f16, still on the CPU.
pub fn halves(seed: u64, shape: &[usize]) -> Result<Tensor> {
    seeded::normal(seed, shape)?.to_dtype(DType::F16)
}

/// softmax(Q·Kᵀ · scale)·V in f64 on the CPU: q `(…, heads_q, seq, head_dim)`, k and v `(…, heads_kv, seq, head_dim)`, one
/// length for both. `causal` hides what comes later.
pub fn reference([q, k, v]: [&Tensor; 3], scale: f64, causal: bool) -> Result<Tensor> {
    let wide = |x: &Tensor| x.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.contiguous();
    let (q, k, v) = (wide(q)?, wide(k)?, wide(v)?);
    let (heads, seq) = (D::Minus(3), q.dim(D::Minus2)?);
    // Query head h reads key head h / (heads_q / heads_kv).
    let shared_by = q.dim(heads)? / k.dim(heads)?;
    let of_query: Vec<u32> =
        (0..q.dim(heads)? as u32).map(|head| head / shared_by as u32).collect();
    let of_query = Tensor::new(of_query, &Device::Cpu)?;
    let at = q.rank() - 3;
    let (k, v) = (k.index_select(&of_query, at)?, v.index_select(&of_query, at)?);
    let mut scores = (q.matmul(&k.t()?.contiguous()?)? * scale)?;
    if causal {
        let later = |at: usize| if at % seq > at / seq { f64::NEG_INFINITY } else { 0. };
        let hidden = Tensor::from_iter((0..seq * seq).map(later), &Device::Cpu)?;
        scores = scores.broadcast_add(&hidden.reshape((seq, seq))?)?;
    }
    candle_nn::ops::softmax_last_dim(&scores)?.matmul(&v)
}

/// The law that the kernel's f16 output is the reference's, up to f16's rounding.
///
/// The kernel rounds the weights to f16 (half a unit of f16's ε each, times values of up to 4) and the output; the
/// reference is rounded for the comparison.
pub fn agrees(given: &str, out: Result<Tensor>, reference: &Tensor) -> Outcome {
    let out = out.and_then(|out| out.to_device(&Device::Cpu));
    same(given, out, &reference.to_dtype(DType::F16)?, rounding(4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::compare::exactly;

    #[test]
    fn the_reference_averages_what_a_query_sees() -> Result<()> {
        let zeros = Tensor::zeros((2, 2, 1), DType::F16, &Device::Cpu)?;
        let v = Tensor::new(&[[[2f32], [4.]]], &Device::Cpu)?;
        // Two query heads share one key head.
        let k = zeros.narrow(0, 0, 1)?;
        let seen = |causal| reference([&zeros, &k, &v], 1., causal);
        let expected = |rows: [f64; 4]| Tensor::new(&rows, &Device::Cpu)?.reshape((2, 2, 1));
        let alike = |causal, rows| same("", seen(causal), &expected(rows)?, exactly());
        assert_eq!(alike(true, [2., 3., 2., 3.]), Ok(()));
        assert_eq!(alike(false, [3.; 4]), Ok(()));
        Ok(())
    }
}
