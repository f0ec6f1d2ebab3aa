//! The tiles at the shape of other processors' vectors, in plain arrays: they must give the bits of the portable path, which
//! the tests compare with attention in candle operations. So the code around the intrinsics is tested for instructions
//! that this processor lacks.

use super::backward::{self, problem::Backward};
use super::data::rows::Heads;
use super::data::spans::Hiding;
use super::forward;
use super::instructions::arrays::{Arrays, F32};
use super::instructions::lanes::Lanes;
use super::tile::edits::{Edits, Mask};
use super::work::problem::Problem;
use crate::options::{Causal, SdpaOptions};
use crate::shapes::Sizes;
use candle_core::{CpuStorage, Device, Layout, Result, Storage, Tensor, bail};

/// Inputs, the gradient of the output, and what is asked.
struct Case {
    inputs: [Tensor; 3],
    grad: Tensor,
    options: SdpaOptions,
}

/// Output, log-sum-exp, gradients of q, k and v.
type Results = [Vec<f32>; 5];

impl Case {
    /// Two query heads that share a key-value head.
    fn new([seq_q, seq_k, dim, dim_v]: [usize; 4], options: SdpaOptions) -> Result<Self> {
        let q = seeded::normal(1, (1, 2, seq_q, dim))?;
        let k = seeded::normal(2, (1, 1, seq_k, dim))?;
        let v = seeded::normal(3, (1, 1, seq_k, dim_v))?;
        let grad = seeded::normal(4, (1, 2, seq_q, dim_v))?;
        Ok(Self { inputs: [q, k, v], grad, options })
    }

    /// What the kernel gives with these instructions.
    fn run(&self, lanes: impl Lanes<Number = f32>) -> Result<Results> {
        let [q, k, v] = self.inputs.each_ref();
        let (sizes, options) = (Sizes::of(q, k, v, &self.options)?, &self.options);
        let mask = options.mask.as_ref().map(|mask| mask.tensor().broadcast_as(&sizes.scores()));
        let mask = mask.transpose()?;
        let [q, k, v, grad] = [q, k, v, &self.grad].map(Tensor::storage_and_layout);
        let mask = mask.as_ref().map(Tensor::storage_and_layout);
        let mask = match &mask {
            Some((storage, layout)) => Some(Mask::Keep(Heads::dense(cpu(storage)?, layout)?)),
            None => None,
        };
        let scale = sizes.scale(options);
        let problem = Problem {
            sizes,
            ragged: None,
            q: heads((&q.0, q.1))?,
            k: heads((&k.0, k.1))?,
            v: heads((&v.0, v.1))?,
            factor: Edits::<f32>::factor(scale, options.softcap),
            edits: Edits::new(options.softcap, mask),
            hiding: Hiding::of(options),
        };
        let (out, lse) = forward::attend(lanes, &problem);
        let kept = Tensor::from_slice(&out, &sizes.out(), &Device::Cpu)?;
        let kept = kept.storage_and_layout();
        let backward = Backward {
            problem: &problem,
            out: heads((&kept.0, kept.1))?,
            grad: heads((&grad.0, grad.1))?,
            lse: &lse,
            scale: scale as f32,
        };
        let gradients = backward::gradients(lanes, &backward);
        Ok([out, lse, gradients.q, gradients.k, gradients.v])
    }
}

fn cpu(storage: &Storage) -> Result<&CpuStorage> {
    match storage {
        Storage::Cpu(storage) => Ok(storage),
        _ => bail!("expected a tensor on the CPU"),
    }
}

fn heads<'a>((storage, layout): (&'a Storage, &Layout)) -> Result<Heads<'a, f32>> {
    Heads::dense(cpu(storage)?, layout)
}

/// Options that leave tiles as they are, cut them, and change all their scores.
fn options(seq_q: usize, seq_k: usize) -> Result<Vec<SdpaOptions>> {
    let plain = SdpaOptions::default();
    let keep = seeded::uniform(5, (1, 2, seq_q, seq_k))?.ge(0.4)?;
    Ok(vec![
        plain.clone(),
        plain.clone().causal(Causal::BottomRight),
        plain.clone().keep(keep),
        SdpaOptions { softcap: Some(2.), ..plain.clone() },
        SdpaOptions { scale: Some(8.), ..plain }, // maxima grow by more than is let pass
    ])
}

/// Sizes around those of a tile, of vectors and of blocks.
const SIZES: [[usize; 4]; 9] = [
    [1, 1, 1, 1],
    [5, 15, 3, 17],
    [6, 16, 16, 16],
    [7, 17, 8, 15],
    [13, 48, 20, 33],
    [6, 64, 64, 64],
    [97, 65, 31, 65],
    [40, 100, 65, 80],
    [130, 200, 64, 128],
];

fn equal_portable(lanes: impl Lanes<Number = f32>) -> Result<()> {
    for sizes in SIZES {
        for (number, options) in options(sizes[0], sizes[1])?.into_iter().enumerate() {
            let case = Case::new(sizes, options)?;
            let (got, expected) = (case.run(lanes)?, case.run(F32)?);
            let bits = |results: &Results| results.each_ref().map(|x| bits(x));
            assert!(bits(&got) == bits(&expected), "{sizes:?}, options {number}");
        }
    }
    Ok(())
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn vectors_of_sixteen_four_a_row() -> Result<()> {
    equal_portable(Arrays::<f32, 16, 4>::new()) // AVX-512
}

#[test]
fn vectors_of_eight_two_a_row() -> Result<()> {
    equal_portable(Arrays::<f32, 8, 2>::new()) // AVX2
}

#[test]
fn vectors_of_four_four_a_row() -> Result<()> {
    equal_portable(Arrays::<f32, 4, 4>::new()) // NEON
}
