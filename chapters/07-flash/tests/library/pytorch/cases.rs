//! The cases of tests/fixtures/flash_sdpa.py, made by the same rules.

use candle_core::{DType, Device, Result, Tensor};
use flash::{Causal, SdpaOptions};
use std::collections::HashMap;

const FILE: &[u8] = include_bytes!("../../../../../tests/fixtures/flash_sdpa.safetensors");
const TYPES: [DType; 4] = [DType::F32, DType::F64, DType::F16, DType::BF16];
const SCALES: [Option<f64>; 4] = [None, Some(0.25), Some(1.), Some(-0.0625)];
const WINDOW: (usize, usize) = (20, 3);

/// The tensors of one part of the file, and how far they have been read.
pub struct Stored {
    tensors: HashMap<String, Tensor>,
    part: &'static str,
    taken: HashMap<&'static str, usize>,
}

impl Stored {
    pub fn open(part: &'static str) -> Result<Self> {
        let tensors = candle_core::safetensors::load_buffer(FILE, &Device::Cpu)?;
        Ok(Self { tensors, part, taken: HashMap::new() })
    }

    /// All cases of this part.
    pub fn cases(&self) -> Result<Vec<Case>> {
        let cases = self.tensors[&format!("{}.cases", self.part)].to_vec2::<i64>()?;
        let (seed, count) = if self.part == "forward" { (7, 10) } else { (8, 6) };
        let case = |(at, row): (usize, &Vec<i64>)| Case::new((1000 * seed + 10 * at, count), row);
        Ok(cases.iter().enumerate().map(case).collect())
    }

    /// The next numbers of this name.
    pub fn take(&mut self, name: &'static str, count: usize) -> Result<Vec<f64>> {
        let from = self.taken.entry(name).or_default();
        let part = self.tensors[&format!("{}.{name}", self.part)].narrow(0, *from, count)?;
        *from += count;
        part.to_dtype(DType::F64)?.to_vec1()
    }

    /// Panics unless all numbers have been taken.
    pub fn all_taken(&self) {
        for (name, taken) in &self.taken {
            assert_eq!(self.tensors[&format!("{}.{name}", self.part)].elem_count(), *taken);
        }
    }
}

/// An attention.
#[derive(Debug)]
pub struct Case {
    /// Where its random numbers start.
    stream: u32,
    /// How many rows and columns the file has at most.
    count: usize,
    mask: usize,
    pub dtype: DType,
    pub batch: usize,
    pub heads: usize,
    pub heads_kv: usize,
    pub seq_q: usize,
    pub seq_k: usize,
    pub dim: usize,
    pub dim_v: usize,
    pub scale: Option<f64>,
}

impl Case {
    fn new((stream, count): (usize, usize), row: &[i64]) -> Self {
        let row: Vec<usize> = row.iter().map(|x| usize::try_from(*x).unwrap()).collect();
        let [mask, dtype, batch, heads, heads_kv, seq_q, seq_k, dim, dim_v, scale] = row[..] else {
            panic!("ten numbers a case")
        };
        let (stream, dtype, scale) = (stream as u32, TYPES[dtype], SCALES[scale]);
        Self { stream, count, mask, dtype, batch, heads, heads_kv, seq_q, seq_k, dim, dim_v, scale }
    }

    /// q, k and v.
    pub fn inputs(&self) -> Result<[Tensor; 3]> {
        one_thread::candle();
        let Self { batch, heads, heads_kv, seq_q, seq_k, dim, dim_v, .. } = *self;
        Ok([
            self.numbers(0, &[batch, heads, seq_q, dim])?,
            self.numbers(1, &[batch, heads_kv, seq_k, dim])?,
            self.numbers(2, &[batch, heads_kv, seq_k, dim_v])?,
        ])
    }

    pub fn options(&self) -> Result<SdpaOptions> {
        let Self { batch, heads, seq_q, seq_k, .. } = *self;
        let mut plain = SdpaOptions::default();
        plain.scale = self.scale;
        let (top_left, bottom_right) = (Causal::TopLeft, Causal::BottomRight);
        Ok(match self.mask {
            0 => plain,
            1 => plain.keep(self.keep(&[batch, heads, seq_q, seq_k])?),
            2 => plain.keep(self.keep(&[seq_q, seq_k])?),
            3 => plain.keep(self.keep(&[batch, 1, 1, seq_k])?),
            4 => plain.keep(self.keep(&[heads, seq_q, 1])?),
            5 => plain.bias(self.bias(&[batch, heads, seq_q, seq_k])?),
            6 => plain.bias(self.bias(&[heads, 1, seq_k])?),
            7 => plain.bias(self.bias(&[seq_k])?),
            8 => plain.causal(top_left),
            9 => plain.causal(bottom_right),
            10 => plain.keep(self.keep(&[1, heads, seq_q, seq_k])?).causal(top_left),
            11 => plain.bias(self.bias(&[seq_q, seq_k])?).causal(bottom_right),
            12 => plain.window(WINDOW.0, WINDOW.1),
            mask => panic!("mask {mask}"),
        })
    }

    /// The epsilon of the type computed in.
    pub fn epsilon(&self) -> f64 {
        if self.dtype == DType::F64 { f64::EPSILON } else { f32::EPSILON.into() }
    }

    /// How far off rounding to the type of the result may be, where that is not the type computed in: half of the last digit.
    pub fn rounding(&self, x: f64) -> f64 {
        match self.dtype {
            DType::F16 => (x.abs() * 2f64.powi(-11)).max(2f64.powi(-25)), // below 2⁻¹⁴ it has fewer digits
            DType::BF16 => x.abs() * 2f64.powi(-8),
            _ => 0.,
        }
    }

    /// Which of so many rows and columns the file has. Rows: of `(batch, heads, seq)` taken together.
    pub fn sample(&self, rows: usize, columns: usize) -> [Vec<usize>; 2] {
        let count = self.count;
        let sample = |stream, total| match total <= count {
            true => (0..total).collect(),
            false => {
                let between = hashed(stream, count - 2).map(|hash| hash as usize % total);
                [0, total - 1].into_iter().chain(between).collect()
            }
        };
        [sample(self.stream + 6, rows), sample(self.stream + 7, columns)]
    }

    /// These rows and columns of a tensor `(batch, heads, seq, columns)`.
    pub fn picked(&self, x: &Tensor, rows: &[usize], columns: &[usize]) -> Result<Vec<f64>> {
        let x = x.to_dtype(DType::F64)?.flatten(0, 2)?.to_vec2::<f64>()?;
        Ok(rows.iter().flat_map(|row| columns.iter().map(|column| x[*row][*column])).collect())
    }

    fn keep(&self, shape: &[usize]) -> Result<Tensor> {
        let keep = self.hidden(shape).map(|hidden| u8::from(!hidden)).collect();
        Tensor::from_vec(keep, shape, &Device::Cpu)
    }

    fn bias(&self, shape: &[usize]) -> Result<Tensor> {
        let numbers = self.hashes(4, shape).map(number).zip(self.hidden(shape));
        let bias = numbers.map(|(x, hidden)| if hidden { f32::NEG_INFINITY } else { x }).collect();
        Tensor::from_vec(bias, shape, &Device::Cpu)?.to_dtype(self.dtype)
    }

    pub fn numbers(&self, stream: u32, shape: &[usize]) -> Result<Tensor> {
        let numbers = self.hashes(stream, shape).map(number).collect();
        Tensor::from_vec(numbers, shape, &Device::Cpu)?.to_dtype(self.dtype)
    }

    fn hidden(&self, shape: &[usize]) -> impl Iterator<Item = bool> {
        self.hashes(3, shape).map(|hash| hash % 8 < 3)
    }

    fn hashes(&self, stream: u32, shape: &[usize]) -> impl Iterator<Item = u32> + use<> {
        hashed(self.stream + stream, shape.iter().product())
    }
}

/// A multiple of 1/64 in [−2, 2): exact in all types.
fn number(hash: u32) -> f32 {
    ((hash >> 24) as f32 - 128.) / 64.
}

fn hashed(stream: u32, count: usize) -> impl Iterator<Item = u32> {
    let from = mix(stream + 1);
    (0..count as u32).map(move |at| mix(at.wrapping_add(from)))
}

/// The hash `lowbias32` by Chris Wellons.
fn mix(x: u32) -> u32 {
    let x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D);
    let x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}
