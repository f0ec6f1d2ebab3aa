//! The lengths of packed sequences.

use candle_core::{DType, Result, Tensor, bail};

/// Where the sequences of a packed batch begin and end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ragged {
    /// Cumulative lengths: the first is 0, none is below the one before, there is one more than there are sequences.
    q: Vec<usize>,
    k: Vec<usize>,
}

impl Ragged {
    /// From cumulative lengths as flash-attn has them: lengths 2, 3, 4 are `[0, 2, 5, 9]`.
    ///
    /// Both are u32, on the CPU, `(batch + 1)`: of the queries, and of the keys and values. Errors, naming the tensor
    /// and the entry, when they are of another type, shape or device, do not begin at 0, decrease, or hold different
    /// numbers of sequences.
    pub fn new(cu_seqlens_q: &Tensor, cu_seqlens_k: &Tensor) -> Result<Self> {
        let q = cumulative("cu_seqlens_q", cu_seqlens_q)?;
        let k = cumulative("cu_seqlens_k", cu_seqlens_k)?;
        if q.len() != k.len() {
            bail!(
                "cu_seqlens_k: expected {} entries, as cu_seqlens_q has, one more than there are sequences; got {}. A sequence without keys has its entry twice",
                q.len(),
                k.len()
            );
        }
        Ok(Self { q, k })
    }

    /// The number of sequences.
    pub fn batch(&self) -> usize {
        self.q.len() - 1
    }

    /// For each sequence, how many queries and how many keys it has.
    pub fn lengths(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.batch()).map(|sequence| self.lens(sequence))
    }

    /// The most queries and the most keys that a sequence has; 0 without sequences.
    pub fn longest(&self) -> (usize, usize) {
        self.lengths().fold((0, 0), |(a, b), (q, k)| (a.max(q), b.max(k)))
    }

    pub(crate) fn lens(&self, sequence: usize) -> (usize, usize) {
        let len = |ends: &[usize]| ends[sequence + 1] - ends[sequence];
        (len(&self.q), len(&self.k))
    }

    /// The rows at which sequences begin.
    pub(crate) fn starts(&self) -> (&[usize], &[usize]) {
        (&self.q, &self.k)
    }

    /// The queries and the keys of all sequences.
    pub(crate) fn totals(&self) -> (usize, usize) {
        (self.q[self.batch()], self.k[self.batch()])
    }

    /// Whether these are the sequences of `total_q` queries and `total_k` keys.
    pub(crate) fn fit(&self, (total_q, total_k): (usize, usize)) -> Result<()> {
        let (q, k) = self.totals();
        for (name, end, of, total) in
            [("cu_seqlens_q", q, "q", total_q), ("cu_seqlens_k", k, "k", total_k)]
        {
            if end != total {
                bail!(
                    "{name}: expected its last entry (number {}) to be {total}, the rows of {of}; got {end}",
                    self.batch()
                );
            }
        }
        Ok(())
    }
}

/// The entries of a tensor of cumulative lengths.
fn cumulative(name: &str, x: &Tensor) -> Result<Vec<usize>> {
    if x.rank() != 1 || x.dtype() != DType::U32 || !x.device().is_cpu() {
        bail!(
            "{name}: expected u32, (batch + 1), on the CPU; got {:?}, {:?}, on {:?}",
            x.dtype(),
            x.dims(),
            x.device().location()
        );
    }
    let entries: Vec<usize> = x.to_vec1::<u32>()?.into_iter().map(|entry| entry as usize).collect();
    match entries.first() {
        Some(0) => {}
        Some(first) => bail!(
            "{name}: expected entry 0 to be 0, where the first sequence begins; got {first}. Lengths 2, 3, 4 are [0, 2, 5, 9]"
        ),
        None => bail!("{name}: expected at least one entry, 0; got none. No sequences are [0]"),
    }
    for (at, pair) in entries.windows(2).enumerate() {
        if pair[1] < pair[0] {
            bail!(
                "{name}: expected entry {} to be at least {}, as the one before; got {}. The entries are sums of lengths: 2, 3, 4 are [0, 2, 5, 9]",
                at + 1,
                pair[0],
                pair[1]
            );
        }
    }
    Ok(entries)
}
