//! Random inputs, dense and packed, and their attention in f64.

use candle_core::{DType, Device, Result, Tensor};
use flash::{Causal, SdpaOptions, naive};

/// Query heads and key-value heads.
pub type Heads = [usize; 2];

/// `x` in this type, on this device. A tensor without numbers becomes a view: a GPU may refuse to reserve nothing.
fn placed(x: &Tensor, dtype: DType, device: &Device) -> Result<Tensor> {
    let x = x.to_dtype(dtype)?;
    if x.elem_count() > 0 {
        return x.to_device(device);
    }
    let some: Vec<usize> = x.dims().iter().map(|size| (*size).max(1)).collect();
    let some = Tensor::zeros(some, DType::F32, device)?.to_dtype(dtype)?;
    let cut = |some: Tensor, (axis, size): (usize, &usize)| some.narrow(axis, 0, *size);
    x.dims().iter().enumerate().try_fold(some, cut)
}

/// Random q `(batch, heads_q, seq_q, head_dim)`, k and v `(batch, heads_kv, seq_k, head_dim)`.
pub fn dense(
    seed: u64,
    batch: usize,
    [heads_q, heads_kv]: Heads,
    (seq_q, seq_k): (usize, usize),
    head_dim: usize,
    (dtype, device): (DType, &Device),
) -> Result<[Tensor; 3]> {
    let draw = |at, heads, seq| {
        placed(&seeded::normal(3 * seed + at, (batch, heads, seq, head_dim))?, dtype, device)
    };
    Ok([draw(0, heads_q, seq_q)?, draw(1, heads_kv, seq_k)?, draw(2, heads_kv, seq_k)?])
}

/// Their attention in f64, on the CPU, from the numbers that they have in their type.
pub fn reference([q, k, v]: &[Tensor; 3], scale: f32, causal: bool) -> Result<Tensor> {
    let wide = |x: &Tensor| x.to_device(&Device::Cpu)?.to_dtype(DType::F64);
    let plain = SdpaOptions::default().scale(scale.into());
    let options = if causal { plain.causal(Causal::BottomRight) } else { plain };
    naive::attention(&wide(q)?, &wide(k)?, &wide(v)?, &options)
}

/// Sequences of a packed batch: how many queries and keys each has, and what they share.
#[derive(Clone, Debug)]
pub struct Packed {
    pub lengths: Vec<(usize, usize)>,
    pub heads: Heads,
    pub head_dim: usize,
}

impl Packed {
    pub fn new(lengths: &[(usize, usize)], heads: Heads, head_dim: usize) -> Self {
        Self { lengths: lengths.to_vec(), heads, head_dim }
    }

    /// Random q `(total_q, heads_q, head_dim)`, k and v `(total_k, heads_kv, head_dim)`.
    pub fn inputs(&self, seed: u64, dtype: DType, device: &Device) -> Result<[Tensor; 3]> {
        let ([heads_q, heads_kv], (total_q, total_k)) =
            (self.heads, self.start(self.lengths.len()));
        let draw = |at, total, heads| {
            placed(&seeded::normal(3 * seed + at, (total, heads, self.head_dim))?, dtype, device)
        };
        Ok([draw(0, total_q, heads_q)?, draw(1, total_k, heads_kv)?, draw(2, total_k, heads_kv)?])
    }

    /// Where the queries and the keys of a sequence begin.
    pub fn start(&self, sequence: usize) -> (usize, usize) {
        self.lengths[..sequence].iter().fold((0, 0), |(a, b), (q, k)| (a + q, b + k))
    }

    /// `cu_seqlens_q` and `cu_seqlens_k`.
    pub fn cu_seqlens(&self, device: &Device) -> Result<[Tensor; 2]> {
        let starts: Vec<_> = (0..=self.lengths.len()).map(|at| self.start(at)).collect();
        let of = |one: fn(&(usize, usize)) -> u32| {
            Tensor::new(starts.iter().map(one).collect::<Vec<u32>>(), device)
        };
        Ok([of(|start| start.0 as u32)?, of(|start| start.1 as u32)?])
    }

    /// The longest lengths.
    pub fn longest(&self) -> [usize; 2] {
        let longest = |of: fn(&(usize, usize)) -> usize| self.lengths.iter().map(of).max();
        [longest(|lengths| lengths.0).unwrap_or(0), longest(|lengths| lengths.1).unwrap_or(0)]
    }

    /// One sequence as a dense batch of one.
    pub fn one(&self, [q, k, v]: &[Tensor; 3], sequence: usize) -> Result<[Tensor; 3]> {
        let ((at_q, at_k), (seq_q, seq_k)) = (self.start(sequence), self.lengths[sequence]);
        let part = |x: &Tensor, at, seq| x.narrow(0, at, seq)?.transpose(0, 1)?.unsqueeze(0);
        Ok([part(q, at_q, seq_q)?, part(k, at_k, seq_k)?, part(v, at_k, seq_k)?])
    }

    /// The attention of each sequence in f64, packed, on the CPU.
    pub fn reference(&self, inputs: &[Tensor; 3], scale: f32, causal: bool) -> Result<Tensor> {
        let sequences = (0..self.lengths.len()).filter(|at| self.lengths[*at].0 > 0);
        let [q, k, v] = inputs.each_ref().map(|x| x.to_device(&Device::Cpu));
        let inputs = [q?, k?, v?]; // once, not for each sequence
        let one =
            |at| reference(&self.one(&inputs, at)?, scale, causal)?.squeeze(0)?.transpose(0, 1);
        let outs = sequences.map(one).collect::<Result<Vec<_>>>()?;
        match outs.is_empty() {
            true => Tensor::zeros((0, self.heads[0], self.head_dim), DType::F64, &Device::Cpu),
            false => Tensor::cat(&outs, 0),
        }
    }
}
