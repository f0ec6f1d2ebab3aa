//! What happens to the scores of a query, row by row.

use super::lanes::{LANES, Lane, exp, lanes, largest, total};

/// The softmax of a row of scores, in place; −∞ gets 0, and a row of −∞ alone gets zeros.
#[inline(always)]
pub(super) fn softmax(row: &mut [Lane]) {
    let mut most = [f32::NEG_INFINITY; LANES];
    for lane in &*row {
        for (most, score) in most.iter_mut().zip(lane) {
            *most = most.max(*score);
        }
    }
    let most = match largest(&most) {
        f32::NEG_INFINITY => 0., // every score becomes e^−∞ = 0
        most => most,
    };
    let mut sums = [0.; LANES];
    for lane in &mut *row {
        for (score, sum) in lane.iter_mut().zip(&mut sums) {
            *score = exp(*score - most);
            *sum += *score;
        }
    }
    let sum = total(&sums);
    let share = if sum == 0. { 0. } else { 1. / sum };
    row.as_flattened_mut().iter_mut().for_each(|weight| *weight *= share);
}

/// Turns the gradients with respect to the weights, in `row`, into those with respect to the scores before their `scale`: w ∘ (g − Σⱼ wⱼ gⱼ) · scale.
#[inline(always)]
pub(super) fn softmax_backward(row: &mut [Lane], weights: &[Lane], scale: f32) {
    let mut sums = [0.; LANES];
    for (grads, weights) in row.iter().zip(weights) {
        for ((sum, grad), weight) in sums.iter_mut().zip(grads).zip(weights) {
            *sum += grad * weight;
        }
    }
    let mean = total(&sums);
    for (grads, weights) in row.iter_mut().zip(weights) {
        for (grad, weight) in grads.iter_mut().zip(weights) {
            *grad = weight * (*grad - mean) * scale;
        }
    }
}

/// Multiplies the rows of a head by those of `factors`, in which a head has `seq_q · seq_k` numbers.
#[inline(always)]
pub(super) fn multiply(
    head: &mut [Lane],
    factors: &[f32],
    [index, seq_q, seq_k]: [usize; 3],
) {
    let factors = factors[index * seq_q * seq_k..].chunks_exact(seq_k.max(1));
    for (row, factors) in head.chunks_exact_mut(lanes(seq_k).max(1)).zip(factors) {
        for (number, factor) in row.as_flattened_mut().iter_mut().zip(factors) {
            *number *= factor;
        }
    }
}
