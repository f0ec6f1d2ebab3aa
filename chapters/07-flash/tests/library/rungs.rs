//! Each rung equals attention with all its scores in memory.

use candle_core::{DType, Result, Tensor};
use compare::largest_error;
use flash::{Causal, SdpaOptions, naive, rungs};

/// How far apart two results may be: a few roundings of numbers around 1, more for longer sums.
const TOLERANCE: f64 = 2e-6;

fn equal_naive(sizes: [usize; 7]) -> Result<()> {
    let [batch, heads_q, heads_kv, seq_q, seq_k, d, d_v] = sizes;
    let q = seeded::normal(1, (batch, heads_q, seq_q, d))?;
    let k = seeded::normal(2, (batch, heads_kv, seq_k, d))?;
    let v = seeded::normal(3, (batch, heads_kv, seq_k, d_v))?;
    for causal in [false, true] {
        let mut options = SdpaOptions::default();
        options.causal = causal.then_some(Causal::TopLeft);
        let expected = naive::attention(&q, &k, &v, &options)?;
        for (name, rung) in rungs::ALL {
            let got = rung(&q, &k, &v, causal)?;
            let off = largest_error(&got, &expected)?;
            assert!(off < TOLERANCE, "{name}, {sizes:?}, causal {causal}: off by {off}");
        }
    }
    Ok(())
}

#[test]
fn odd_lengths() -> Result<()> {
    for seq_q in [1, 2, 5, 6, 7, 63, 64, 65, 97, 200] {
        for seq_k in [1, 3, 16, 63, 64, 65, 129, 200] {
            equal_naive([1, 2, 2, seq_q, seq_k, 16, 16])?;
        }
    }
    Ok(())
}

#[test]
fn head_dims_that_differ_and_are_no_multiple_of_anything() -> Result<()> {
    for (d, d_v) in [(1, 1), (3, 5), (8, 17), (33, 31), (64, 80), (128, 128)] {
        equal_naive([1, 1, 1, 70, 75, d, d_v])?;
    }
    Ok(())
}

#[test]
fn batches_and_shared_key_value_heads() -> Result<()> {
    for (batch, heads_q, heads_kv) in [(2, 4, 4), (2, 4, 2), (3, 6, 1)] {
        equal_naive([batch, heads_q, heads_kv, 33, 50, 8, 8])?;
    }
    Ok(())
}

#[test]
fn nothing_at_all_gives_zeros() -> Result<()> {
    // No batch, no query heads, no heads, no queries, no keys, no columns of values.
    for zeros in [&[0][..], &[1], &[1, 2], &[3], &[4], &[6]] {
        let mut sizes = [1, 2, 2, 3, 4, 5, 6];
        zeros.iter().for_each(|at: &usize| sizes[*at] = 0);
        equal_naive(sizes)?;
    }
    Ok(())
}

#[test]
fn any_strides() -> Result<()> {
    let x = seeded::normal(4, (2, 20, 3, 8))?;
    let (moved, packed) = (x.transpose(1, 2)?, x.transpose(1, 2)?.contiguous()?);
    for (name, rung) in rungs::ALL {
        let (got, expected) =
            (rung(&moved, &moved, &moved, true)?, rung(&packed, &packed, &packed, true)?);
        assert_eq!(largest_error(&got, &expected)?, 0., "{name}");
    }
    Ok(())
}

#[test]
fn large_scores_do_not_overflow() -> Result<()> {
    let q = (seeded::normal(5, (1, 1, 40, 16))? * 100.)?;
    let v = seeded::normal(6, (1, 1, 40, 16))?;
    let expected = naive::attention(&q, &q, &v, &SdpaOptions::default())?;
    for (name, rung) in rungs::ALL {
        let off = largest_error(&rung(&q, &q, &v, false)?, &expected)?;
        // Scores of several thousand have errors of their own: their weights, and they, differ by up to 1e-3.
        assert!(off < 1e-2, "{name}: off by {off}");
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_named() -> Result<()> {
    let x = seeded::normal(7, (1, 4, 10, 8))?;
    let three = seeded::normal(8, (1, 3, 10, 8))?;
    let wider = seeded::normal(9, (1, 4, 10, 9))?;
    let empty = seeded::normal(10, (1, 4, 10, 0))?;
    let f64 = x.to_dtype(DType::F64)?;
    let cases: [(&str, [&Tensor; 3]); 4] = [
        ("q: expected heads_q to be a multiple of heads_kv", [&x, &three, &three]),
        ("k: expected (batch, heads_kv, seq_k, d)", [&x, &wider, &x]),
        ("v: expected (batch, heads_kv, seq_k, d_v)", [&x, &x, &three]),
        ("v: expected F32", [&x, &x, &f64]),
    ];
    for (name, rung) in rungs::ALL {
        for (says, [q, k, v]) in cases {
            let error = rung(q, k, v, false).unwrap_err().to_string();
            assert!(error.starts_with(says), "{name}: {error}");
        }
        if name != "kernel" {
            let error = rung(&f64, &f64, &f64, false).unwrap_err().to_string();
            assert!(error.starts_with("q: expected f32"), "{name}: {error}");
            let error = rung(&empty, &empty, &x, false).unwrap_err().to_string();
            assert!(error.contains("with d above 0"), "{name}: {error}");
        }
    }
    Ok(())
}
