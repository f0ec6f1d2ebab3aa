//! Packed batches and their parts.

use candle_core::{D, DType, Device, Result, Tensor};
use flash::ragged::Ragged;

/// Sequences and the sizes that they share.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Queries and keys of each.
    pub lens: Vec<(usize, usize)>,
    pub heads_q: usize,
    pub heads_kv: usize,
    pub dim: usize,
    pub dim_v: usize,
    pub dtype: DType,
}

impl Batch {
    pub fn new(lens: &[(usize, usize)], heads: [usize; 2], dims: [usize; 2]) -> Self {
        let ([heads_q, heads_kv], [dim, dim_v]) = (heads, dims);
        Self { lens: lens.to_vec(), heads_q, heads_kv, dim, dim_v, dtype: DType::F32 }
    }

    pub fn dtype(self, dtype: DType) -> Self {
        Self { dtype, ..self }
    }

    /// Random q, k and v, packed.
    pub fn inputs(&self, seed: u64) -> Result<[Tensor; 3]> {
        one_thread::candle();
        let (total_q, total_k) = self.totals();
        let draw = |seed, shape| seeded::normal(seed, shape)?.to_dtype(self.dtype);
        Ok([
            draw(3 * seed, (total_q, self.heads_q, self.dim))?,
            draw(3 * seed + 1, (total_k, self.heads_kv, self.dim))?,
            draw(3 * seed + 2, (total_k, self.heads_kv, self.dim_v))?,
        ])
    }

    pub fn totals(&self) -> (usize, usize) {
        self.lens.iter().fold((0, 0), |(a, b), (q, k)| (a + q, b + k))
    }

    /// `cu_seqlens_q` and `cu_seqlens_k`.
    pub fn cumulative(&self) -> Result<[Tensor; 2]> {
        let ends = |of: fn(&(usize, usize)) -> usize| {
            let ends = self.lens.iter().scan(0, |end, lens| {
                *end += of(lens) as u32;
                Some(*end)
            });
            cumulative(&std::iter::once(0).chain(ends).collect::<Vec<u32>>())
        };
        Ok([ends(|lens| lens.0)?, ends(|lens| lens.1)?])
    }

    /// The longest lengths.
    pub fn longest(&self) -> [usize; 2] {
        let longest = |of: fn(&(usize, usize)) -> usize| self.lens.iter().map(of).max();
        [longest(|lens| lens.0).unwrap_or(0), longest(|lens| lens.1).unwrap_or(0)]
    }

    pub fn ragged(&self) -> Result<Ragged> {
        let [q, k] = self.cumulative()?;
        Ragged::new(&q, &k)
    }

    /// Where the queries and the keys of a sequence begin.
    pub fn starts(&self, sequence: usize) -> (usize, usize) {
        self.lens[..sequence].iter().fold((0, 0), |(a, b), (q, k)| (a + q, b + k))
    }

    /// One sequence as a dense batch of one: q, k and v `(1, heads, seq, d)`.
    pub fn one(&self, [q, k, v]: &[Tensor; 3], sequence: usize) -> Result<[Tensor; 3]> {
        let ((start_q, start_k), (seq_q, seq_k)) = (self.starts(sequence), self.lens[sequence]);
        let part = |x: &Tensor, start, len| x.narrow(0, start, len)?.transpose(0, 1)?.unsqueeze(0);
        Ok([part(q, start_q, seq_q)?, part(k, start_k, seq_k)?, part(v, start_k, seq_k)?])
    }

    /// What is packed of a sequence in `(total_q, heads, d_v)`, as `(1, heads, seq_q, d_v)`.
    pub fn out(&self, out: &Tensor, sequence: usize) -> Result<Tensor> {
        let (start, len) = (self.starts(sequence).0, self.lens[sequence].0);
        out.narrow(0, start, len)?.transpose(0, 1)?.unsqueeze(0)
    }

    /// What is packed of a sequence in `(heads, total_q)`, as `(1, heads, seq_q)`.
    pub fn lse(&self, lse: &Tensor, sequence: usize) -> Result<Tensor> {
        lse.narrow(1, self.starts(sequence).0, self.lens[sequence].0)?.unsqueeze(0)
    }
}

/// A tensor of cumulative lengths.
pub fn cumulative(ends: &[u32]) -> Result<Tensor> {
    Tensor::from_slice(ends, ends.len(), &Device::Cpu)
}

/// All numbers of a tensor as f64.
pub fn numbers(x: &Tensor) -> Result<Vec<f64>> {
    x.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

/// The bits of all numbers: NaN equals NaN, 0 is not −0.
pub fn bits(x: &Tensor) -> Result<Vec<u64>> {
    Ok(numbers(x)?.into_iter().map(f64::to_bits).collect())
}

/// The largest Euclidean norm of a row.
pub fn norm(x: &Tensor) -> Result<f64> {
    let squares = numbers(&x.to_dtype(DType::F64)?.sqr()?.sum(D::Minus1)?)?;
    Ok(squares.into_iter().fold(0., compare::larger).sqrt())
}
