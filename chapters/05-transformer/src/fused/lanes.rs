//! Loops in steps of 16 numbers, which the compiler turns into vector instructions.

use pulp::Arch;

/// The numbers that a loop takes at once: one AVX-512 register, or two of AVX2.
pub(super) const LANES: usize = 16;

/// Sixteen numbers.
pub(super) type Lane = [f32; LANES];

/// Runs `work` compiled for the widest vectors that this processor has. What it calls is compiled so where it is
/// `#[inline(always)]`.
#[inline(always)]
pub(super) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(work)
}

/// How many lanes hold `len` numbers.
pub(super) fn lanes(len: usize) -> usize {
    len.div_ceil(LANES)
}

/// Σᵢ `term(aᵢ, bᵢ)`, in 16 sums side by side.
#[inline(always)]
pub(super) fn sum(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += term(*a, *b);
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(a, b)| term(*a, *b)).sum();
    total(&sums) + rest
}

/// The sum of the 16 numbers.
#[inline(always)]
pub(super) fn total(lane: &Lane) -> f32 {
    halve(lane, |a, b| a + b)
}

/// The largest of the 16 numbers.
#[inline(always)]
pub(super) fn largest(lane: &Lane) -> f32 {
    halve(lane, f32::max)
}

#[inline(always)]
fn halve(lane: &Lane, join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lane = *lane;
    for half in [8, 4, 2, 1] {
        for at in 0..half {
            lane[at] = join(lane[at], lane[at + half]);
        }
    }
    lane[0]
}

/// eˣ for x ≤ 0 to two roundings; 0 below −87, NaN of NaN.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.; // 1.5 · 2²³: adding it rounds to a whole number
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = (x - whole * 0.693_359_4) + whole * 2.121_944_4e-4; // ln 2 in two parts
    let series = [1. / 5040., 1. / 720., 1. / 120., 1. / 24., 1. / 6., 0.5, 1., 1.];
    let power = series.into_iter().fold(0., |sum, factor| sum * rest + factor);
    let exponent =
        shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    if x < -87. { 0. } else { power * f32::from_bits(exponent) }
}

/// A matrix product with few rows: row r, lane c of the result is Σᵢ `a(r, i)` · `b[i · width + c]` and goes to
/// `write(r, c, …)`. `b` holds `inner` rows of `width` lanes.
#[inline(always)]
pub(super) fn product(
    [rows, inner, width]: [usize; 3],
    a: impl Fn(usize, usize) -> f32,
    b: &[Lane],
    mut write: impl FnMut(usize, usize, &Lane),
) {
    const BLOCK: usize = 4; // as many sums do not wait for each other
    for column in 0..width {
        for row in (0..rows).step_by(BLOCK) {
            let mut sums = [[0.; LANES]; BLOCK];
            let places: [usize; BLOCK] =
                std::array::from_fn(|at| (row + at).min(rows - 1));
            for at in 0..inner {
                let lane = b[at * width + column];
                for (sums, place) in sums.iter_mut().zip(places) {
                    let factor = a(place, at);
                    for (sum, number) in sums.iter_mut().zip(lane) {
                        *sum += factor * number;
                    }
                }
            }
            for (at, sums) in sums.iter().enumerate().take(rows - row) {
                write(row + at, column, sums);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_rounding() {
        for at in 0..8700 {
            let x = -(at as f32) / 100.;
            let (got, expected) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((got / expected - 1.).abs() < 2.5e-7, "{x}: {got} {expected}");
        }
        assert_eq!([exp(0.), exp(-88.), exp(f32::NEG_INFINITY)], [1., 0., 0.]);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn products_of_odd_sizes_are_the_sums() {
        for [rows, inner, width] in
            [[0, 2, 1], [1, 1, 1], [5, 3, 2], [7, 0, 1], [8, 16, 1]]
        {
            let a = |row: usize, at: usize| (row * 3 + at) as f32;
            let b: Vec<Lane> = (0..inner * width)
                .map(|at| std::array::from_fn(|lane| (at * 5 + lane) as f32))
                .collect();
            let mut out = vec![[f32::NAN; LANES]; rows * width];
            vectorised(
                #[inline(always)]
                || {
                    product([rows, inner, width], a, &b, |r, c, lane| {
                        out[r * width + c] = *lane
                    })
                },
            );
            for (at, lane) in out.iter().enumerate() {
                let (row, column) = (at / width, at % width);
                let expected = |l: usize| {
                    (0..inner)
                        .map(|i| a(row, i) * b[i * width + column][l])
                        .sum::<f32>()
                };
                assert_eq!(*lane, std::array::from_fn(expected));
            }
        }
    }

    #[test]
    fn sums_take_every_number() {
        for len in [0, 1, 15, 16, 17, 50] {
            let numbers: Vec<f32> = (0..len).map(|at| at as f32).collect();
            let twice = sum(&numbers, &numbers, |a, b| a + b);
            assert_eq!(twice, 2. * (0..len).sum::<usize>() as f32);
        }
        let lane = std::array::from_fn(|at| at as f32);
        assert_eq!((total(&lane), largest(&lane)), (120., 15.));
    }
}
