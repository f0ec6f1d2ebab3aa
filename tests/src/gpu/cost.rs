//! What the counts of a roofline must hold.

use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Implementation},
        Outcome,
        show::{numbers_apart, remember},
        why,
    },
    wrong,
};
use candle_core::DType;

/// `forward_flops`.
pub type ForwardFlops = dyn Fn(usize, usize, usize, usize, usize, bool) -> f64;
/// `least_bytes`.
pub type LeastBytes = dyn Fn(usize, usize, usize, usize, usize, usize, DType) -> f64;
/// `attainable`.
pub type Attainable = dyn Fn(f64, f64, f64) -> f64;

/// Why counts are f64.
const LARGE: &str = "contexts of a million tokens are in use: their pairs fit no 32-bit integer, and the operations of a batch not even 64 bits.";

pub(super) fn zoo() -> Vec<Proof> {
    [forward_flops_laws().proofs(), least_bytes_laws().proofs(), attainable_laws().proofs()]
        .into_iter()
        .flatten()
        .collect()
}

/// The law that a number is `expected`, up to a few roundings of f64.
fn is(given: &str, got: f64, expected: f64) -> Outcome {
    if (got - expected).abs() <= 8. * f64::EPSILON * expected.abs() {
        return Ok(());
    }
    let [expected, got] = numbers_apart(expected, got);
    Err(Breach::text(given, &expected, &got))
}

/// Checks the operations of the forward pass.
pub fn forward_flops(
    answer: impl Fn(usize, usize, usize, usize, usize, bool) -> f64 + 'static,
) -> Verdict {
    forward_flops_laws().judge(&answer)
}

/// Sizes of an attention: batch, heads_q, seq_q, seq_k, head_dim.
type Sizes = (usize, usize, usize, usize, usize);

fn flops_law(
    f: &ForwardFlops,
    (batch, heads_q, seq_q, seq_k, head_dim): Sizes,
    causal: bool,
    expected: f64,
) -> Outcome {
    let given = remember(format!(
        "batch: {batch}, heads_q: {heads_q}\nseq_q: {seq_q}, seq_k: {seq_k}\nhead_dim: {head_dim}\ncausal: {causal}"
    ));
    is(&given, f(batch, heads_q, seq_q, seq_k, head_dim, causal), expected)
}

/// The law with `causal`, where so many pairs are seen.
fn seen(f: &ForwardFlops, seq_q: usize, seq_k: usize, pairs: usize) -> Outcome {
    flops_law(f, (1, 1, seq_q, seq_k, 2), true, (8 * pairs) as f64)
}

fn forward_flops_laws() -> Check<ForwardFlops> {
    Check::new("gpu::forward_flops", wrong::gpu::forward_flops())
        .law(
            Implementation,
            "one query, one key, one number per head: two operations for the score, two for the output",
            |f| flops_law(f, (1, 1, 1, 1, 1), false, 4.),
        )
        .law(Implementation, "two operations per number of a head, in both products", |f| {
            flops_law(f, (1, 1, 1, 1, 8), false, 32.)
        })
        .law(Implementation, "2 queries and 3 keys are 6 pairs", |f| {
            flops_law(f, (1, 1, 2, 3, 4), false, 96.)
        })
        .law(Implementation, "each head of each sequence computes its own: 5 sequences, 7 heads", |f| {
            flops_law(f, (5, 1, 2, 3, 4), false, 5. * 96.)?;
            flops_law(f, (1, 7, 2, 3, 4), false, 7. * 96.)?;
            flops_law(f, (5, 7, 2, 3, 4), false, 35. * 96.)
        })
        .law(Implementation, "causal, 4 queries and 4 keys: 1 + 2 + 3 + 4 = 10 pairs are seen", |f| {
            seen(f, 4, 4, 10)
        })
        .law(Implementation, "causal, the last query sees all keys: 2 queries, 5 keys, 4 + 5 pairs", |f| {
            seen(f, 2, 5, 9)
        })
        .law(Implementation, "causal, a new token sees all of its cache: 1 query, 6 keys, 6 pairs", |f| {
            seen(f, 1, 6, 6)
        })
        .law(
            Implementation,
            "causal, the first of more queries than keys see nothing: 5 queries, 2 keys, 0 + 0 + 0 + 1 + 2 pairs",
            |f| seen(f, 5, 2, 3),
        )
        .property(
            Implementation,
            "4 · batch · heads_q · head_dim for each pair that is seen, for any sizes",
            ((1..4usize, 1..5usize, 0..9usize, 0..9usize, 1..9usize), proptest::bool::ANY),
            |f, (sizes, causal)| {
                let (batch, heads_q, seq_q, seq_k, head_dim) = sizes;
                let sees = |query: usize, key: usize| !causal || key + seq_q <= query + seq_k;
                let pairs = (0..seq_q).map(|i| (0..seq_k).filter(|&j| sees(i, j)).count());
                let pairs: usize = pairs.sum();
                flops_law(f, sizes, causal, (4 * batch * heads_q * head_dim * pairs) as f64)
            },
        )
        .law(Edges(why::EMPTY), "without sequences, queries, keys or numbers there are no operations", |f| {
            for sizes in [(0, 2, 3, 3, 4), (2, 2, 0, 3, 4), (2, 2, 3, 0, 4), (2, 2, 3, 3, 0)] {
                flops_law(f, sizes, false, 0.)?;
                flops_law(f, sizes, true, 0.)?;
            }
            flops_law(f, (1, 1, 0, 0, 4), true, 0.)
        })
        .law(Edges(LARGE), "a million tokens and one: more pairs than 2³², more digits than f32 has", |f| {
            let n = 1_000_001;
            flops_law(f, (1, 1, n, n, 1), false, 4. * 1_000_002_000_001.)?;
            flops_law(f, (1, 1, n, n, 1), true, 4. * 500_001_500_001.)
        })
        .law(Edges(LARGE), "more operations than 2⁶⁴ are counted as well", |f| {
            flops_law(f, (1 << 10, 1 << 7, 1 << 20, 1 << 20, 1 << 8), false, 2f64.powi(67))
        })
}

/// Checks the bytes that must cross the memory bus.
pub fn least_bytes(
    answer: impl Fn(usize, usize, usize, usize, usize, usize, DType) -> f64 + 'static,
) -> Verdict {
    least_bytes_laws().judge(&answer)
}

/// Sizes of an attention: batch, (heads_q, heads_kv), (seq_q, seq_k), head_dim.
type Shapes = (usize, (usize, usize), (usize, usize), usize);

fn bytes_law(f: &LeastBytes, shapes: Shapes, dtype: DType, expected: f64) -> Outcome {
    let (batch, (heads_q, heads_kv), (seq_q, seq_k), head_dim) = shapes;
    let dtype_name = dtype.as_str();
    let given = remember(format!(
        "batch: {batch}, heads_q: {heads_q}, heads_kv: {heads_kv}\nseq_q: {seq_q}, seq_k: {seq_k}\nhead_dim: {head_dim}\ndtype: {dtype_name}"
    ));
    is(&given, f(batch, heads_q, heads_kv, seq_q, seq_k, head_dim, dtype), expected)
}

fn least_bytes_laws() -> Check<LeastBytes> {
    use DType::{BF16, F16, F32, F64};
    Check::new("gpu::least_bytes", wrong::gpu::least_bytes())
        .law(
            Implementation,
            "one number each: q, k and v are read, the output is written, 4 numbers of 2 bytes in f16",
            |f| bytes_law(f, (1, (1, 1), (1, 1), 1), F16, 8.),
        )
        .law(Implementation, "f32 has 4 bytes per number, f64 has 8, bf16 has 2", |f| {
            for (dtype, bytes) in [(F32, 16.), (F64, 32.), (BF16, 8.)] {
                bytes_law(f, (1, (1, 1), (1, 1), 1), dtype, bytes)?;
            }
            Ok(())
        })
        .law(
            Implementation,
            "2 queries, 5 keys: q and the output have 2 tokens, k and v have 5, 14 in all",
            |f| bytes_law(f, (1, (1, 1), (2, 5), 1), F16, 28.),
        )
        .law(Implementation, "as many numbers per token as head_dim says", |f| {
            bytes_law(f, (1, (1, 1), (2, 5), 8), F16, 8. * 28.)
        })
        .law(
            Implementation,
            "8 query heads, 2 key-value heads: q and the output have 8, k and v have 2, 20 in all",
            |f| bytes_law(f, (1, (8, 2), (1, 1), 1), F16, 40.),
        )
        .law(Implementation, "each sequence of the batch has its own", |f| {
            bytes_law(f, (3, (1, 1), (2, 5), 8), F16, 3. * 8. * 28.)
        })
        .property(
            Implementation,
            "the numbers of q, k, v and the output, times the bytes of the type, for any sizes",
            (1..4usize, (1..4usize, 1..4usize), (0..9usize, 0..9usize), 1..9usize, 0..4usize),
            |f, (batch, (heads_kv, group), (seq_q, seq_k), head_dim, dtype)| {
                let (dtype, size) = [(F16, 2), (BF16, 2), (F32, 4), (F64, 8)][dtype];
                let heads_q = heads_kv * group;
                let [q, k] = [heads_q * seq_q, heads_kv * seq_k].map(|n| batch * n * head_dim);
                let (v, out) = (k, q);
                let shapes = (batch, (heads_q, heads_kv), (seq_q, seq_k), head_dim);
                bytes_law(f, shapes, dtype, (size * (q + k + v + out)) as f64)
            },
        )
        .law(Edges(why::EMPTY), "without keys, q and the output remain; without queries, k and v; else nothing", |f| {
            bytes_law(f, (1, (1, 1), (3, 0), 4), F16, 48.)?;
            bytes_law(f, (1, (1, 1), (0, 3), 4), F16, 48.)?;
            bytes_law(f, (0, (2, 1), (3, 3), 4), F16, 0.)?;
            bytes_law(f, (2, (2, 1), (3, 3), 0), F16, 0.)
        })
        .law(Edges(LARGE), "more than 2³² bytes are counted as well", |f| {
            let shapes = (1 << 6, (1 << 6, 1 << 6), (1 << 16, 1 << 16), 1 << 7);
            bytes_law(f, shapes, F16, 2f64.powi(38))
        })
}

/// Checks the roofline.
pub fn attainable(answer: impl Fn(f64, f64, f64) -> f64 + 'static) -> Verdict {
    attainable_laws().judge(&answer)
}

fn roof_law(f: &Attainable, [peak, bandwidth]: [f64; 2], intensity: f64, expected: f64) -> Outcome {
    let given =
        remember(format!("peak: {peak:?}, bandwidth: {bandwidth:?}\nintensity: {intensity:?}"));
    is(&given, f(peak, bandwidth, intensity), expected)
}

/// At most 100 operations and 10 bytes a second: the roof bends at 10 operations per byte.
const MACHINE: [f64; 2] = [100., 10.];

fn attainable_laws() -> Check<Attainable> {
    Check::new("gpu::attainable", wrong::gpu::attainable())
        .law(
            Implementation,
            "2 operations per byte, 10 bytes a second: memory allows 20 operations a second, of 100",
            |f| roof_law(f, MACHINE, 2., 20.),
        )
        .law(
            Implementation,
            "50 operations per byte: memory would allow 500 operations a second, but the peak is 100",
            |f| roof_law(f, MACHINE, 50., 100.),
        )
        .law(Implementation, "10 operations per byte: both allow 100, where the roof bends", |f| {
            roof_law(f, MACHINE, 10., 100.)
        })
        .law(Implementation, "half an operation per byte: memory allows 5 a second", |f| {
            roof_law(f, MACHINE, 0.5, 5.)
        })
        .property(
            Implementation,
            "the smaller of the peak and of bandwidth · intensity, for any machine and any work",
            (1u32..1000, 1u32..100, 1u32..1000),
            |f, (peak, bandwidth, intensity)| {
                let [peak, bandwidth, intensity] =
                    [peak, bandwidth, intensity].map(f64::from).map(|x| x / 4.);
                let memory = bandwidth * intensity;
                let expected = if memory < peak { memory } else { peak };
                roof_law(f, [peak, bandwidth], intensity, expected)
            },
        )
        .law(
            Implementation,
            "a machine of 10¹⁴ operations and 10¹² bytes a second bends at 100 per byte",
            |f| {
                roof_law(f, [1e14, 1e12], 40., 4e13)?;
                roof_law(f, [1e14, 1e12], 4000., 1e14)
            },
        )
        .law(
            Edges("some work needs nothing from memory, and some loads without computing: both ends of the figure's axis."),
            "an infinite intensity, work that needs no memory, reaches the peak; one of 0 gets 0",
            |f| {
                roof_law(f, MACHINE, f64::INFINITY, 100.)?;
                roof_law(f, MACHINE, 0., 0.)
            },
        )
}
