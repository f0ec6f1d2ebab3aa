//! Any lengths, heads, head dims, types and options; and by hand those at which something changes.

use crate::agree::agrees;
use crate::batch::{Batch, bits, cumulative, numbers};
use candle_core::{DType, Device, Result, Tensor};
use flash::{Causal, SdpaOptions, flash_attention, ragged};
use proptest::prelude::*;
use varlen::{
    flash_attention_varlen, flash_attention_varlen_windowed,
    flash_attention_varlen_windowed_softcap, flash_attention_varlen_with_lse,
};

const TYPES: [DType; 4] = [DType::F32, DType::F64, DType::F16, DType::BF16];

/// Lengths at which tiles are full, nearly full, just begun or empty.
const EDGES: [usize; 14] = [0, 1, 2, 5, 6, 7, 12, 13, 63, 64, 65, 96, 97, 130];

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![2 => 0..20usize, 1 => 0..200usize, 1 => prop::sample::select(&EDGES[..])]
}

fn batch() -> impl Strategy<Value = Batch> {
    let same = length().prop_map(|len| (len, len));
    let lens = prop::collection::vec(prop_oneof![same, (length(), length())], 0..7);
    let dim = || prop_oneof![1..=40usize, prop::sample::select(vec![64usize, 80, 128])];
    (lens, 1..=3usize, 1..=3usize, dim(), dim(), prop::sample::select(&TYPES[..])).prop_map(
        |(lens, heads_kv, group, dim, dim_v, dtype)| Batch {
            lens,
            heads_q: heads_kv * group,
            heads_kv,
            dim,
            dim_v,
            dtype,
        },
    )
}

fn options() -> impl Strategy<Value = SdpaOptions> {
    let causal = prop::sample::select(vec![None, Some(Causal::TopLeft), Some(Causal::BottomRight)]);
    let reach = || prop::option::of(0..90usize);
    let window = prop::option::weighted(0.3, (reach(), reach()));
    let number = |from, to| prop::option::weighted(0.3, from..to);
    (causal, window, number(0.5, 30.), number(-1., 1.)).prop_map(
        |(causal, window, softcap, scale)| {
            let mut options = SdpaOptions::default();
            (options.causal, options.window) = (causal, window);
            (options.softcap, options.scale) = (softcap, scale);
            options
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    #[test]
    fn packed_equals_one_by_one(batch in batch(), options in options(), seed in 0..1000u64) {
        let inputs = batch.inputs(seed).expect("inputs");
        agrees(&format!("{batch:?}, {options:?}"), &batch, &inputs, &options).expect("attention");
    }
}

#[test]
fn every_length_beside_every_other() -> Result<()> {
    let pairs: Vec<_> = EDGES.iter().flat_map(|q| EDGES.map(|k| (*q, k))).collect();
    for (at, lens) in pairs.chunks(7).enumerate() {
        let batch = Batch::new(lens, [[2, 2], [4, 1], [2, 1]][at % 3], [16, [16, 8, 33][at % 3]]);
        let inputs = batch.inputs(at as u64)?;
        let plain = SdpaOptions::default;
        for options in [
            plain(),
            plain().causal(Causal::BottomRight),
            plain().window(9, 3),
            plain().softcap(2.).window(70, None),
        ] {
            agrees(&format!("{lens:?}, {options:?}"), &batch, &inputs, &options)?;
        }
    }
    Ok(())
}

#[test]
fn long_sequences_among_short_ones() -> Result<()> {
    let lens = [(3, 3), (700, 700), (1, 900), (0, 5), (90, 90), (400, 20), (5, 0), (97, 193)];
    let all = [
        SdpaOptions::default(),
        SdpaOptions::default().causal(Causal::BottomRight),
        SdpaOptions::default().window(100, 0).softcap(20.),
    ];
    // What is long does not depend on the type: f32 meets all options, each other type one of them.
    for (at, dtype) in TYPES.into_iter().enumerate() {
        let batch = Batch::new(&lens, [4, 2], [64, 64]).dtype(dtype);
        let inputs = batch.inputs(1)?;
        for options in if at == 0 { &all[..] } else { &all[at - 1..at] } {
            agrees(&format!("{dtype:?}, {options:?}"), &batch, &inputs, options)?;
        }
    }
    Ok(())
}

/// More keys than are packed at once: the sequences are gone through in several waves.
#[test]
fn many_keys_go_in_waves() -> Result<()> {
    let lens = [(210, 5000), (0, 100), (300, 300), (7, 900), (220, 6000), (200, 4500), (1, 1)];
    let batch = Batch::new(&lens, [2, 2], [64, 64]);
    let inputs = batch.inputs(7)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    for options in [SdpaOptions::default(), SdpaOptions::default().causal(Causal::BottomRight)] {
        pool.install(|| agrees(&format!("{options:?}"), &batch, &inputs, &options))?;
    }
    Ok(())
}

#[test]
fn threads_change_nothing() -> Result<()> {
    let batch =
        Batch::new(&[(300, 300), (1, 700), (50, 50), (17, 0), (120, 400)], [4, 2], [32, 48]);
    let ([q, k, v], sequences) = (batch.inputs(2)?, batch.ragged()?);
    for options in [SdpaOptions::default(), SdpaOptions::default().causal(Causal::BottomRight)] {
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let run = || ragged::attention(&q, &k, &v, &sequences, &options);
            bits(&pool.expect("threads").install(run)?.0)
        };
        let (one, four) = (on(1)?, on(4)?);
        assert_eq!(one, four, "{options:?}");
    }
    Ok(())
}

/// Each function means the options that it is documented to mean.
#[test]
fn the_arguments_mean_these_options() -> Result<()> {
    let batch = Batch::new(&[(5, 9), (0, 3), (8, 4), (70, 70)], [4, 2], [16, 24]);
    let ([q, k, v], [cu_q, cu_k], [max_q, max_k]) =
        (batch.inputs(3)?, batch.cumulative()?, batch.longest());
    let scaled = || SdpaOptions::default().scale(f64::from(0.3f32));
    let same = |got: &Tensor, options: SdpaOptions| -> Result<()> {
        let (want, _) = ragged::attention(&q, &k, &v, &batch.ragged()?, &options)?;
        assert_eq!(bits(got)?, bits(&want)?, "{options:?}");
        Ok(())
    };
    for causal in [false, true] {
        let options = if causal { scaled().causal(Causal::BottomRight) } else { scaled() };
        // Longer than the longest is fine.
        for more in [0, 1, 1000] {
            let (max_q, max_k) = (max_q + more, max_k + more);
            let out = flash_attention_varlen(&q, &k, &v, &cu_q, &cu_k, max_q, max_k, 0.3, causal)?;
            same(&out, options.clone())?;
        }
        let (out, lse) =
            flash_attention_varlen_with_lse(&q, &k, &v, &cu_q, &cu_k, max_q, max_k, 0.3, causal)?;
        same(&out, options.clone())?;
        let (_, want) = ragged::attention(&q, &k, &v, &batch.ragged()?, &options)?;
        assert_eq!(bits(&lse)?, bits(&want)?);
    }
    for (left, right) in [(None, None), (Some(2), None), (None, Some(0)), (Some(3), Some(1))] {
        let windowed = flash_attention_varlen_windowed(
            &q, &k, &v, &cu_q, &cu_k, max_q, max_k, 0.3, left, right,
        )?;
        same(&windowed, scaled().window(left, right))?;
        for softcap in [0., 0.5, 30.] {
            let capped = flash_attention_varlen_windowed_softcap(
                &q, &k, &v, &cu_q, &cu_k, max_q, max_k, 0.3, left, right, softcap,
            )?;
            let options = scaled().window(left, right);
            same(&capped, if softcap == 0. { options } else { options.softcap(softcap.into()) })?;
        }
    }
    Ok(())
}

/// By hand: a lone token gets its value; under a bottom-right triangle the first queries of too many see nothing.
#[test]
fn small_batches_by_hand() -> Result<()> {
    let x = Tensor::new(&[[[1f32, 2.]], [[3., 4.]], [[5., 6.]]], &Device::Cpu)?;
    let (ones, keys) = (cumulative(&[0, 1, 2, 3])?, cumulative(&[0, 0, 2, 3])?);
    let alone = flash_attention_varlen(&x, &x, &x, &ones, &ones, 1, 1, 1., true)?;
    assert_eq!(numbers(&alone)?, [1., 2., 3., 4., 5., 6.]);
    let zeros = x.zeros_like()?;
    let means = flash_attention_varlen(&zeros, &zeros, &x, &ones, &keys, 1, 2, 1., false)?;
    assert_eq!(numbers(&means)?, [0., 0., 2., 3., 5., 6.]); // no keys, the mean of two, one
    let three = cumulative(&[0, 3])?;
    let (two, one) = (x.narrow(0, 0, 2)?, cumulative(&[0, 2])?);
    let late = flash_attention_varlen(&zeros, &two, &two, &three, &one, 3, 2, 1., true)?;
    assert_eq!(numbers(&late)?, [0., 0., 1., 2., 2., 3.]);
    Ok(())
}

#[test]
fn nothing_at_all() -> Result<()> {
    for (lens, heads, dims) in [
        (vec![], [2, 2], [4, 6]),
        (vec![(0, 0)], [2, 1], [4, 6]),
        (vec![(0, 0), (0, 3), (2, 0)], [2, 2], [4, 6]),
        (vec![(2, 3)], [0, 0], [4, 6]),
        (vec![(2, 3)], [2, 2], [4, 0]),
        (vec![(2, 3), (1, 1)], [2, 2], [0, 3]),
    ] {
        let batch = Batch::new(&lens, heads, dims);
        let ([q, k, v], [cu_q, cu_k]) = (batch.inputs(1)?, batch.cumulative()?);
        let [max_q, max_k] = batch.longest();
        for causal in [false, true] {
            let (out, lse) = flash_attention_varlen_with_lse(
                &q, &k, &v, &cu_q, &cu_k, max_q, max_k, 1., causal,
            )?;
            assert_eq!(out.dims(), [batch.totals().0, heads[0], dims[1]], "{lens:?}");
            assert_eq!(lse.dims(), [heads[0], batch.totals().0], "{lens:?}");
            if lens.iter().all(|(_, keys)| *keys == 0) || lens.len() == 3 {
                assert!(numbers(&out)?.iter().all(|x| *x == 0.));
                assert!(numbers(&lse)?.iter().all(|x| *x == f64::NEG_INFINITY));
            }
        }
    }
    Ok(())
}

/// A batch of equal lengths is the dense batch.
#[test]
fn equal_lengths_are_the_dense_batch() -> Result<()> {
    let batch = Batch::new(&[(40, 70); 5], [4, 2], [32, 16]);
    let inputs = batch.inputs(4)?;
    let [q, k, v] = &inputs;
    let dense = |x: &Tensor, len| -> Result<Tensor> {
        x.reshape((5, len, x.dim(1)?, x.dim(2)?))?.transpose(1, 2)
    };
    let options = SdpaOptions::default().causal(Causal::BottomRight);
    let (out, _) = ragged::attention(q, k, v, &batch.ragged()?, &options)?;
    let want = flash_attention(&dense(q, 40)?, &dense(k, 70)?, &dense(v, 70)?, &options)?;
    assert_eq!(bits(&dense(&out, 40)?)?, bits(&want)?);
    Ok(())
}
