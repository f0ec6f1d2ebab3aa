//! The two types that the kernel computes in.

use candle_core::WithDType;
use std::f64::consts::LN_2;

/// f32 or f64.
pub(crate) trait Real: WithDType {
    const ZERO: Self;
    const NEG_INFINITY: Self;

    /// 2ˣ for x up to 127, exactly 0 for −∞, 0 or subnormal for what lies below all normal ones, NaN of NaN.
    fn exp2(self) -> Self;

    /// tanh(x / (2 · log2 e)): of scores that are folded for [`exp2`](Real::exp2).
    fn tanh_folded(self) -> Self;
}

// ANCHOR: coefficients
/// 2ʳ ≈ 1 + r·(c₀ + c₁r + … + c₄r⁴) for |r| ≤ ½, fitted so that the largest relative
/// error is least: 9.5e-8 with these f32, and with the roundings of each step 1.8e-7,
/// or 1.6e-7 in fused multiply-adds.
pub(crate) const EXP2: [f32; 5] = [
    0.69314694, // near ln 2
    0.24022244,
    0.055507544,
    0.009671539,
    0.0013264361,
];
// ANCHOR_END: coefficients

/// Adding it to a small number rounds that to a whole one: 1.5 · 2²³.
const ROUND: f32 = 12_582_912.;

/// x = n + r with a whole n and |r| ≤ ½, for |x| < 2²²: r and 2ⁿ, which is 0 for n = −127.
#[inline(always)]
fn split(x: f32) -> (f32, f32) {
    let shifted = x + ROUND;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    (x - (shifted - ROUND), f32::from_bits(exponent))
}

impl Real for f32 {
    const ZERO: Self = 0.;
    const NEG_INFINITY: Self = f32::NEG_INFINITY;

    #[inline(always)]
    fn exp2(self) -> Self {
        let (r, power) = split(if self < -127. { -127. } else { self });
        let [c0, c1, c2, c3, c4] = EXP2;
        (1. + r * (c0 + r * (c1 + r * (c2 + r * (c3 + r * c4))))) * power
    }

    /// By 2ˣ − 1, which loses no digits near 0.
    #[inline(always)]
    fn tanh_folded(self) -> Self {
        const TAYLOR: [f32; 7] = {
            let (mut series, mut term, mut k) = ([0.; 7], 1., 0);
            while k < 7 {
                term *= LN_2 / (k + 1) as f64;
                series[k] = term as f32;
                k += 1;
            }
            series
        };
        // Beyond ±30, tanh is ±1 to rounding.
        let x = if self > 30. { 30. } else { self };
        let (r, power) = split(if x < -30. { -30. } else { x });
        let less_one = r * TAYLOR.iter().rev().fold(0., |sum, factor| sum * r + factor); // 2ʳ − 1
        let less_one = power * less_one + (power - 1.); // 2ˣ − 1
        less_one / (less_one + 2.)
    }
}

impl Real for f64 {
    const ZERO: Self = 0.;
    const NEG_INFINITY: Self = f64::NEG_INFINITY;

    #[inline(always)]
    fn exp2(self) -> Self {
        f64::exp2(self)
    }

    #[inline(always)]
    fn tanh_folded(self) -> Self {
        (self * (0.5 * LN_2)).tanh()
    }
}

#[cfg(test)]
mod tests {
    use super::Real;

    #[test]
    fn powers_of_two_are_within_two_epsilons() {
        for at in -126_000..=9_000 {
            let x = at as f32 / 1000.;
            let (got, expected) = (f64::from(Real::exp2(x)), f64::from(x).exp2());
            assert!((got / expected - 1.).abs() < 2. * f64::from(f32::EPSILON), "{x}: {got}");
        }
        assert_eq!(
            [0., 1., 8., -127., -1e30, f32::NEG_INFINITY].map(Real::exp2),
            [1., 2., 256., 0., 0., 0.]
        );
        assert!(Real::exp2(f32::NAN).is_nan());
    }

    #[test]
    fn tanh_is_within_four_epsilons() {
        for at in -40_000..=40_000 {
            let x = at as f32 / 1000.;
            let (got, expected) = (f64::from(x.tanh_folded()), f64::from(x).tanh_folded());
            let error = (got - expected).abs();
            assert!(
                error <= 4. * f64::from(f32::EPSILON) * expected.abs(),
                "{x}: {got} {expected}"
            );
        }
        assert_eq!([f32::INFINITY, f32::NEG_INFINITY].map(f32::tanh_folded), [1., -1.]);
        assert!(f32::NAN.tanh_folded().is_nan());
    }
}
