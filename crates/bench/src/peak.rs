//! How many multiplications and additions the processor can do: chains of fused ones, in registers only.

use pulp::{Simd, WithSimd};
use rayon::ThreadPool;
use std::hint::black_box;
use std::time::Instant;

/// Chains side by side: enough to keep two units busy that take four cycles each, and few enough for 16 registers.
const CHAINS: usize = 12;
/// Steps of each chain: some milliseconds.
const STEPS: usize = 2_000_000;

/// The kinds of vector instructions that this processor has, the best last.
pub fn instructions() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = pulp::x86::V3::try_new().map(|_| "avx2");
        let avx512 = pulp::x86::V4::try_new().map(|_| "avx512");
        let found: Vec<_> = avx2.into_iter().chain(avx512).collect();
        if !found.is_empty() {
            return found;
        }
    }
    vec!["vectors"]
}

/// GFLOP/s of these instructions on all threads of the pool, once.
pub fn measure(instructions: &str, pool: &ThreadPool) -> f64 {
    pool.broadcast(|_| run(instructions, STEPS / 20)); // wakes the threads and the vector units
    let start = Instant::now();
    let numbers: usize = pool.broadcast(|_| run(instructions, STEPS)).iter().sum();
    (2 * CHAINS * STEPS * numbers) as f64 / start.elapsed().as_secs_f64() / 1e9
}

/// Runs the chains, and says how many numbers a vector has.
fn run(instructions: &str, steps: usize) -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        if let (Some(simd), "avx512") = (pulp::x86::V4::try_new(), instructions) {
            return Simd::vectorize(simd, Chains { steps });
        }
        if let (Some(simd), "avx2") = (pulp::x86::V3::try_new(), instructions) {
            return Simd::vectorize(simd, Chains { steps });
        }
    }
    let _ = instructions;
    pulp::Arch::new().dispatch(Chains { steps })
}

struct Chains {
    steps: usize,
}

impl WithSimd for Chains {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        // Numbers that the compiler can't know, and that stay near 1.
        let (factor, term) = (simd.splat_f32s(black_box(0.999)), simd.splat_f32s(black_box(0.001)));
        let mut chains = [simd.splat_f32s(1.); CHAINS];
        for _ in 0..self.steps {
            for chain in &mut chains {
                *chain = simd.mul_add_e_f32s(*chain, factor, term);
            }
        }
        let sum =
            chains.into_iter().fold(simd.splat_f32s(0.), |sum, chain| simd.add_f32s(sum, chain));
        black_box(simd.reduce_sum_f32s(sum));
        S::F32_LANES
    }
}
