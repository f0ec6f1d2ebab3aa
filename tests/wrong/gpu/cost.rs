//! Wrong counts: of operations, of bytes, of what a machine can do with both.

use super::{Wrong, wrong};
use crate::gpu::{Attainable, ForwardFlops, LeastBytes};

/// Sizes of an attention.
#[derive(Clone, Copy)]
struct Sizes {
    batch: f64,
    heads: f64,
    seq_q: usize,
    seq_k: usize,
    head_dim: f64,
}

impl Sizes {
    /// All pairs of a query and a key.
    fn all(&self) -> f64 {
        self.seq_q as f64 * self.seq_k as f64
    }

    /// Those that are seen when query i sees as many keys as `keys` says, at most all.
    fn seen(&self, keys: impl Fn(usize) -> usize) -> f64 {
        (0..self.seq_q).map(|query| keys(query).min(self.seq_k) as f64).sum()
    }

    /// Those that are seen, aligned bottom-right.
    fn bottom_right(&self) -> f64 {
        self.seen(|query| (query + 1 + self.seq_k).saturating_sub(self.seq_q))
    }

    fn pairs(&self, causal: bool) -> f64 {
        if causal { self.bottom_right() } else { self.all() }
    }

    /// What one pair of each head needs, for all of them.
    fn flops(&self, pairs: f64) -> f64 {
        4. * self.batch * self.heads * self.head_dim * pairs
    }
}

/// An answer that looks at sizes and `causal`.
fn flops(count: impl Fn(Sizes, bool) -> f64 + 'static) -> Box<ForwardFlops> {
    Box::new(move |batch, heads, seq_q, seq_k, head_dim, causal| {
        let [batch, heads, head_dim] = [batch, heads, head_dim].map(|n| n as f64);
        count(Sizes { batch, heads, seq_q, seq_k, head_dim }, causal)
    })
}

/// Right but for the pairs that are seen with `causal`.
fn causal(seen: impl Fn(Sizes) -> f64 + 'static) -> Box<ForwardFlops> {
    flops(move |s, causal| s.flops(if causal { seen(s) } else { s.all() }))
}

pub fn forward_flops() -> Vec<Wrong<ForwardFlops>> {
    let wrong = |name, diagnosis, answer| Wrong { name, diagnosis, answer };
    vec![
        wrong(
            "the triangle alone",
            "only a triangle of pairs is counted, with as many rows as the shorter side: with more keys than queries, every query also sees all the keys before it.",
            causal(|s| {
                let n = s.seq_q.min(s.seq_k) as f64;
                n * (n + 1.) / 2.
            }),
        ),
        wrong(
            "half as many",
            "this is half as many: either one of the two products is left out, or a multiplication and its addition are counted as one. Both products, two operations each, make 4.",
            flops(|s, causal| s.flops(s.pairs(causal)) / 2.),
        ),
        wrong(
            "multiplications of one product",
            "only the multiplications of one product are counted: there are two products, and each multiplication has its addition.",
            flops(|s, causal| s.flops(s.pairs(causal)) / 4.),
        ),
        wrong(
            "the softmax counted",
            "the softmax is counted as well, with some operations per pair. Count only the two products, as papers do.",
            flops(|s, causal| {
                let pairs = s.pairs(causal);
                s.flops(pairs) + 5. * s.batch * s.heads * pairs
            }),
        ),
        wrong(
            "the backward counted",
            "the backward pass is counted as well, which has 2.5 times as many operations. Count only the forward pass.",
            flops(|s, causal| 3.5 * s.flops(s.pairs(causal))),
        ),
        wrong(
            "sums one addition short",
            "a sum of n products is counted with n − 1 additions. By convention each multiplication has its addition, because they are one instruction.",
            flops(|s, causal| {
                let short = s.batch * s.heads * s.pairs(causal);
                s.flops(s.pairs(causal)) - short * if s.head_dim > 1. { 1. } else { 0. }
            }),
        ),
        wrong(
            "batch left out",
            "the batch is left out: each of its sequences has an attention of its own.",
            flops(|s, causal| Sizes { batch: s.batch.min(1.), ..s }.flops(s.pairs(causal))),
        ),
        wrong(
            "heads left out",
            "the heads are left out: each has scores of its own, of head_dim numbers.",
            flops(|s, causal| Sizes { heads: s.heads.min(1.), ..s }.flops(s.pairs(causal))),
        ),
        wrong(
            "head_dim left out",
            "head_dim is left out: a score is a sum of head_dim products.",
            flops(|s, causal| Sizes { head_dim: s.head_dim.min(1.), ..s }.flops(s.pairs(causal))),
        ),
        wrong(
            "head_dim squared",
            "head_dim is squared: that is the size of a projection's matrix. A pair of query and key needs head_dim multiplications in each product.",
            flops(|s, causal| s.head_dim * s.flops(s.pairs(causal))),
        ),
        wrong(
            "queries squared",
            "the queries are squared, but there may be more or fewer keys than queries. There are seq_q · seq_k pairs.",
            flops(|s, causal| {
                let square = Sizes { seq_k: s.seq_q.min(s.seq_k * s.seq_q), ..s };
                s.flops(square.pairs(causal))
            }),
        ),
        wrong(
            "keys squared",
            "the keys are squared, but there may be more or fewer keys than queries. There are seq_q · seq_k pairs.",
            flops(|s, causal| {
                let square = Sizes { seq_q: s.seq_k.min(s.seq_k * s.seq_q), ..s };
                s.flops(square.pairs(causal))
            }),
        ),
        wrong(
            "queries and keys added",
            "queries and keys are added. Each query meets each key, so multiply them.",
            flops(|s, causal| {
                let pairs = if s.all() > 0. { (s.seq_q + s.seq_k) as f64 } else { 0. };
                s.flops(if causal { s.bottom_right() } else { pairs })
            }),
        ),
        wrong(
            "causal not looked at",
            "with `causal`, all pairs are still counted. Hidden pairs need not be computed, and don't count.",
            causal(|s| s.all()),
        ),
        wrong(
            "causal halved",
            "causal is counted as exactly half. A query sees itself, so of n · n pairs, n · (n + 1) / 2 are seen; and with more keys than queries it is more than half.",
            causal(|s| s.all() / 2.),
        ),
        wrong(
            "the diagonal left out",
            "the pairs of a query with itself are left out. Causal hides what comes later, not the token itself.",
            causal(|s| s.seen(|query| (query + s.seq_k).saturating_sub(s.seq_q))),
        ),
        wrong(
            "aligned top-left",
            "causal is aligned top-left. Here it is bottom-right: the last query sees all keys, as it does with a cache, so with more keys than queries, every query sees more than its own number.",
            causal(|s| s.seen(|query| query + 1)),
        ),
        wrong(
            "as if square",
            "causal is counted as n · (n + 1) / 2 of the queries alone. That is right only for as many keys as queries: with more keys, each query sees those as well.",
            causal(|s| {
                let n = s.seq_q.min(s.seq_q * s.seq_k) as f64;
                n * (n + 1.) / 2.
            }),
        ),
        wrong(
            "the keys' triangle",
            "causal is counted as n · (n + 1) / 2 of the keys. With fewer queries than keys, there are fewer rows than that.",
            causal(|s| {
                let n = s.seq_k.min(s.seq_q * s.seq_k) as f64;
                n * (n + 1.) / 2.
            }),
        ),
        wrong(
            "queries that see less than nothing",
            "with more queries than keys, the first queries count as a negative number of pairs. They see no key: 0 pairs.",
            causal(|s| {
                let (seq_q, seq_k) = (s.seq_q as f64, s.seq_k as f64);
                let pairs = seq_q * seq_k - seq_q * (seq_q - 1.) / 2.;
                if s.all() == 0. { 0. } else { pairs }
            }),
        ),
        wrong(
            "a count below 0",
            "with more queries than keys, a usize goes below 0, which is a panic. Add before you subtract, and stop at 0.",
            causal(|s| {
                s.seen(|query| {
                    let more = usize::checked_sub(s.seq_k, s.seq_q);
                    query + 1 + more.expect("attempt to subtract with overflow")
                })
            }),
        ),
        wrong(
            "divided by no queries",
            "without queries, keys or numbers this is 0 / 0, which is NaN. There are 0 operations.",
            flops(|s, causal| match s.flops(s.pairs(causal)) {
                0. => f64::NAN,
                flops => flops,
            }),
        ),
        wrong(
            "32 bits",
            "the pairs are counted in 32 bits. 65,536 tokens have 2³² of them, where a u32 starts again at 0. Count in f64.",
            flops(|s, causal| s.flops(s.pairs(causal) % 2f64.powi(32))),
        ),
        wrong(
            "64 bits",
            "all factors are multiplied as usize, which overflows at 2⁶⁴. Convert the factors to f64 before you multiply.",
            flops(|s, causal| match s.flops(s.pairs(causal)) {
                flops if flops < 2f64.powi(64) => flops,
                _ => panic!("attempt to multiply with overflow"),
            }),
        ),
        wrong(
            "wraps at 64 bits",
            "all factors are multiplied as usize, and the product wraps at 2⁶⁴. Convert the factors to f64 before you multiply.",
            flops(|s, causal| match s.flops(s.pairs(causal)) {
                flops if flops < 2f64.powi(64) => flops,
                _ => 0.,
            }),
        ),
        wrong(
            "half as many, causal",
            "with `causal` this is half of what it should be: either a product is missing there, or the pairs that are seen are halved once more. Both products run over the pairs that are seen.",
            flops(|s, causal| s.flops(s.pairs(causal)) / if causal { 2. } else { 1. }),
        ),
        wrong(
            "f32",
            "this is counted in f32, which has 24 bits: millions of operations lose their last digits. Count in f64.",
            flops(|s, causal| f64::from(s.flops(s.pairs(causal)) as f32)),
        ),
    ]
}

/// How many numbers q, k, v and the output have.
struct Numbers {
    q: f64,
    k: f64,
    v: f64,
    out: f64,
    /// The scores.
    scores: f64,
}

/// An answer that looks at the sizes and the bytes of a number.
type Count = fn(Shape, f64) -> f64;

/// Sizes of an attention whose queries and keys have heads of their own.
#[derive(Clone, Copy)]
struct Shape {
    batch: f64,
    heads_q: f64,
    heads_kv: f64,
    seq_q: f64,
    seq_k: f64,
    head_dim: f64,
}

impl Shape {
    fn numbers(self) -> Numbers {
        let each = self.batch * self.head_dim;
        let (q, k) = (each * self.heads_q * self.seq_q, each * self.heads_kv * self.seq_k);
        let scores = self.batch * self.heads_q * self.seq_q * self.seq_k;
        Numbers { q, k, v: k, out: q, scores }
    }

    /// The right count.
    fn bytes(self, size: f64) -> f64 {
        let n = self.numbers();
        size * (n.q + n.k + n.v + n.out)
    }
}

fn bytes(count: Count) -> Box<LeastBytes> {
    Box::new(move |batch, heads_q, heads_kv, seq_q, seq_k, head_dim, dtype| {
        let [batch, heads_q, heads_kv] = [batch, heads_q, heads_kv].map(|n| n as f64);
        let [seq_q, seq_k, head_dim] = [seq_q, seq_k, head_dim].map(|n| n as f64);
        let shape = Shape { batch, heads_q, heads_kv, seq_q, seq_k, head_dim };
        count(shape, dtype.size_in_bytes() as f64)
    })
}

pub fn least_bytes() -> Vec<Wrong<LeastBytes>> {
    let wrong = |name, diagnosis, answer: Box<LeastBytes>| Wrong { name, diagnosis, answer };
    vec![
        wrong(
            "output forgotten",
            "the output is missing, or q. One is written and one is read, and both have the same size.",
            bytes(|s, size| s.bytes(size) - size * s.numbers().out),
        ),
        wrong(
            "half as many",
            "this is half as much: v and the output are missing, which have the same sizes as k and q.",
            bytes(|s, size| s.bytes(size) / 2.),
        ),
        wrong(
            "values forgotten",
            "k and v are counted as one. Both are read, and they have the same size.",
            bytes(|s, size| s.bytes(size) - size * s.numbers().v),
        ),
        wrong(
            "output counted twice",
            "the output is counted twice. At the least, it is written once and never read back.",
            bytes(|s, size| s.bytes(size) + size * s.numbers().out),
        ),
        wrong(
            "an output as long as the keys",
            "the output is counted with one row per key. It has one per query.",
            bytes(|s, size| {
                let out = s.batch * s.heads_q * s.seq_k * s.head_dim;
                s.bytes(size) + size * (out - s.numbers().out)
            }),
        ),
        wrong(
            "all with the queries' heads",
            "keys and values are counted with heads_q heads. They have heads_kv, and query heads share them: that is what grouped-query attention saves.",
            bytes(|s, size| Shape { heads_kv: s.heads_q, ..s }.bytes(size)),
        ),
        wrong(
            "all with the keys' heads",
            "queries and outputs are counted with heads_kv heads. They have heads_q.",
            bytes(|s, size| Shape { heads_q: s.heads_kv, ..s }.bytes(size)),
        ),
        wrong(
            "all with the queries' length",
            "keys and values are counted with seq_q tokens. They have seq_k.",
            bytes(|s, size| Shape { seq_k: s.seq_q, ..s }.bytes(size)),
        ),
        wrong(
            "all with the keys' length",
            "queries and outputs are counted with seq_k tokens. They have seq_q.",
            bytes(|s, size| Shape { seq_q: s.seq_k, ..s }.bytes(size)),
        ),
        wrong(
            "heads and lengths crossed",
            "heads and lengths are crossed: heads_q goes with seq_q, for q and the output, and heads_kv with seq_k, for k and v.",
            bytes(|s, size| Shape { seq_q: s.seq_k, seq_k: s.seq_q, ..s }.bytes(size)),
        ),
        wrong(
            "batch left out",
            "the batch is left out: each of its sequences has its own queries, keys and values.",
            bytes(|s, size| Shape { batch: s.batch.min(1.), ..s }.bytes(size)),
        ),
        wrong(
            "heads left out",
            "the heads are left out: each token has head_dim numbers for each of its heads.",
            bytes(|s, size| {
                let one = |heads: f64| heads.min(1.);
                Shape { heads_q: one(s.heads_q), heads_kv: one(s.heads_kv), ..s }.bytes(size)
            }),
        ),
        wrong(
            "head_dim left out",
            "head_dim is left out: each head of a token has that many numbers.",
            bytes(|s, size| Shape { head_dim: s.head_dim.min(1.), ..s }.bytes(size)),
        ),
        wrong(
            "numbers, not bytes",
            "these are the numbers, not their bytes: multiply by `dtype.size_in_bytes()`.",
            bytes(|s, _| s.bytes(1.)),
        ),
        wrong(
            "bits",
            "these are bits, eight times as many as bytes.",
            bytes(|s, size| s.bytes(8. * size)),
        ),
        wrong(
            "always 2 bytes",
            "each number is counted as 2 bytes, which is right only for f16 and bf16. `dtype.size_in_bytes()` knows them all.",
            bytes(|s, _| s.bytes(2.)),
        ),
        wrong(
            "always 4 bytes",
            "each number is counted as 4 bytes, which is right only for f32. `dtype.size_in_bytes()` knows them all.",
            bytes(|s, _| s.bytes(4.)),
        ),
        wrong(
            "an output in f32",
            "the output is counted as 4 bytes per number. Sums are kept in f32 on the chip, but what is written has the type of q.",
            bytes(|s, size| s.bytes(size) + (4f64.max(size) - size) * s.numbers().out),
        ),
        wrong(
            "scores written and read",
            "the scores are counted. Naive attention writes and reads them, but at the least, they never leave the chip.",
            bytes(|s, size| s.bytes(size) + 2. * size * s.numbers().scores),
        ),
        wrong(
            "four trips of scores",
            "scores and weights are counted, each written and read. Naive attention does that, but at the least, they never leave the chip.",
            bytes(|s, size| s.bytes(size) + 4. * size * s.numbers().scores),
        ),
        wrong(
            "scores counted once",
            "the scores are counted. Naive attention writes them to memory, but at the least, they never leave the chip.",
            bytes(|s, size| s.bytes(size) + size * s.numbers().scores),
        ),
        wrong(
            "keys read for each query",
            "keys and values are read again for each query. At the least, they are read once and stay on the chip.",
            bytes(|s, size| {
                let n = s.numbers();
                s.bytes(size) + size * (n.k + n.v) * (s.seq_q.max(1.) - 1.)
            }),
        ),
        wrong(
            "32 bits",
            "the bytes are counted in 32 bits, which end at 4 GiB: count in usize or f64.",
            bytes(|s, size| s.bytes(size) % 2f64.powi(32)),
        ),
        wrong(
            "kilobytes",
            "these are kilobytes instead of bytes.",
            bytes(|s, size| s.bytes(size) / 1024.),
        ),
    ]
}

pub fn attainable() -> Vec<Wrong<Attainable>> {
    vec![
        wrong!(
            "the larger one",
            "the larger of the two limits is taken. Both hold at once, so the smaller one decides.",
            |peak, bandwidth, intensity| match bandwidth * intensity {
                f64::INFINITY => peak,
                memory => peak.max(memory),
            }
        ),
        wrong!(
            "the peak always",
            "this is the peak whatever the work is. With few operations per byte, memory is too slow for that.",
            |peak, _, intensity| if intensity == 0. { 0. } else { peak }
        ),
        wrong!(
            "only the memory",
            "only memory's limit is checked. With many operations per byte it lies above the peak, which no work exceeds.",
            |peak, bandwidth, intensity| match bandwidth * intensity {
                f64::INFINITY => peak,
                memory => memory,
            }
        ),
        wrong!(
            "bytes per operation",
            "the intensity is read as bytes per operation, but it is operations per byte: bytes a second *times* the intensity are operations a second.",
            |peak, bandwidth, intensity| match intensity {
                f64::INFINITY => peak,
                0. => 0.,
                _ => peak.min(bandwidth / intensity),
            }
        ),
        wrong!(
            "the intensity",
            "the intensity itself is compared with the peak. One is operations per byte, the other operations a second: the bandwidth is missing.",
            |peak, _, intensity| peak.min(intensity)
        ),
        wrong!(
            "peak and bandwidth confused",
            "peak and bandwidth are swapped: operations a second are the roof, bytes a second its slope.",
            |peak, bandwidth, intensity| match intensity {
                f64::INFINITY => peak,
                _ => bandwidth.min(peak * intensity),
            }
        ),
        wrong!(
            "one after the other",
            "the time to compute and the time to load are added up. A processor does both at once, so the longer of the two decides.",
            |peak, bandwidth, intensity| match intensity {
                0. => 0.,
                _ => 1. / (1. / peak + 1. / (bandwidth * intensity)),
            }
        ),
        wrong!(
            "a share of the peak",
            "this is a share of the peak, from 0 to 1. The answer should be operations a second.",
            |peak, bandwidth, intensity| peak.min(bandwidth * intensity) / peak
        ),
        wrong!(
            "compared with the wrong corner",
            "work counts as limited by memory when it has less than 1 operation per byte. The bend is at peak / bandwidth operations per byte, a property of the machine.",
            |peak, bandwidth, intensity| match intensity {
                x if x < 1. => bandwidth * x,
                _ => peak,
            }
        ),
        wrong!(
            "no memory, 0",
            "work that needs no memory gets 0. Nothing holds it back, so it reaches the peak.",
            |peak, bandwidth, intensity| match intensity {
                f64::INFINITY => 0.,
                _ => peak.min(bandwidth * intensity),
            }
        ),
        wrong!(
            "no memory, infinity",
            "work that needs no memory is infinitely fast here. The peak holds for it as well.",
            |peak, bandwidth, intensity| match intensity {
                f64::INFINITY => intensity,
                _ => peak.min(bandwidth * intensity),
            }
        ),
        wrong!(
            "no operation, the peak",
            "an intensity of 0 gets the peak: where bytes are loaded and nothing is computed, 0 operations a second are done.",
            |peak, bandwidth, intensity| match intensity {
                0. => peak,
                _ => peak.min(bandwidth * intensity),
            }
        ),
        wrong!(
            "whole numbers",
            "the intensity is rounded to a whole number: half an operation per byte becomes 0.",
            |peak, bandwidth, intensity| peak.min(bandwidth * intensity.floor())
        ),
        wrong!(
            "tera",
            "this is in units of 10¹² operations a second. The answer should be operations a second.",
            |peak, bandwidth, intensity| peak.min(bandwidth * intensity) / 1e12
        ),
    ]
}
