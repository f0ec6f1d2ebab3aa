//! One head's numbers, laid out for the loops of [`lanes`](super::lanes).

use super::lanes::{LANES, Lane, lanes};
use super::numbers::Guard;
use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// One head's rows in lanes; what is over at the end of a row is 0.
pub(super) struct Packed {
    rows: usize,
    columns: usize,
    /// `lanes(columns)` of them for each row.
    pub(super) lanes: Vec<Lane>,
}

impl Packed {
    pub(super) fn new(rows: usize, columns: usize) -> Self {
        Self { rows, columns, lanes: vec![[0.; LANES]; rows * lanes(columns)] }
    }

    /// Takes row r from `numbers[from + r · stride..]`.
    #[inline(always)]
    pub(super) fn fill(&mut self, numbers: &[f32], from: usize, stride: usize) {
        let width = lanes(self.columns);
        for row in 0..self.rows {
            let numbers = &numbers[from + row * stride..][..self.columns];
            let packed = &mut self.lanes[row * width..][..width];
            for (lane, numbers) in packed.iter_mut().zip(numbers.chunks(LANES)) {
                match Lane::try_from(numbers) {
                    Ok(whole) => *lane = whole,
                    Err(_) => lane[..numbers.len()].copy_from_slice(numbers),
                }
            }
        }
    }

    /// Takes column c from `numbers[from + c · stride..]`.
    #[inline(always)]
    pub(super) fn fill_transposed(&mut self, numbers: &[f32], from: usize, stride: usize) {
        let width = lanes(self.columns);
        for column in 0..self.columns {
            let numbers = &numbers[from + column * stride..][..self.rows];
            for (row, number) in numbers.iter().enumerate() {
                self.lanes[row * width + column / LANES][column % LANES] = *number;
            }
        }
    }
}

/// Puts a lane's numbers to those of `to`, which may be fewer, as `put` says.
#[inline(always)]
pub(super) fn write(to: &mut [f32], lane: &Lane, put: impl Fn(&mut f32, f32)) {
    match <&mut Lane>::try_from(&mut *to) {
        Ok(whole) => whole.iter_mut().zip(lane).for_each(|(to, number)| put(to, *number)),
        Err(_) => to.iter_mut().zip(lane).for_each(|(to, number)| put(to, *number)),
    }
}

/// What is added to the scores of a head: the mask, and −∞ where a row is over.
pub(super) struct Bias<'a> {
    mask: Option<(Guard<'a>, &'a Layout)>,
    seq_k: usize,
    /// Where the mask of the head in `lanes` begins: heads that share it don't make it again.
    made: Option<usize>,
    lanes: Vec<Lane>,
}

impl<'a> Bias<'a> {
    /// `mask` u8 (1 = may attend) or f32 (added), a view `(batch, heads, seq_q, seq_k)`.
    pub(super) fn new(mask: Option<&'a Tensor>, [seq_q, seq_k]: [usize; 2]) -> Result<Self> {
        let mask = mask.map(|mask| {
            let (storage, layout) = mask.storage_and_layout();
            (Box::new(storage) as Guard, layout)
        });
        if let Some((storage, layout)) = &mask {
            let taken = matches!(&***storage, Storage::Cpu(CpuStorage::U8(_) | CpuStorage::F32(_)));
            if !taken || layout.dims().len() != 4 {
                bail!("mask: expected four dimensions of u8 or f32 on the CPU; got {layout:?}");
            }
        }
        let mut bias =
            Self { mask, seq_k, made: None, lanes: vec![[0.; LANES]; seq_q * lanes(seq_k)] };
        bias.fill(|_, _| 0.);
        Ok(bias)
    }

    /// For each query `lanes(seq_k)` lanes.
    #[inline(always)]
    pub(super) fn of(&mut self, batch: usize, head: usize) -> &[Lane] {
        if let Some((storage, layout)) = self.mask.take() {
            let &[batches, heads, rows, columns] = layout.stride() else { unreachable!() };
            let from = layout.start_offset() + batch * batches + head * heads;
            if self.made != Some(from) {
                let place = |row: usize, column: usize| from + row * rows + column * columns;
                match &**storage {
                    Storage::Cpu(CpuStorage::U8(keep)) => self.fill(|row, column| {
                        if keep[place(row, column)] != 0 { 0. } else { f32::NEG_INFINITY }
                    }),
                    Storage::Cpu(CpuStorage::F32(added)) => {
                        self.fill(|row, column| added[place(row, column)]);
                    }
                    _ => {} // `new` has seen to it
                }
                self.made = Some(from);
            }
            self.mask = Some((storage, layout));
        }
        &self.lanes
    }

    #[inline(always)]
    fn fill(&mut self, number: impl Fn(usize, usize) -> f32) {
        let width = lanes(self.seq_k).max(1);
        for (row, lanes) in self.lanes.chunks_exact_mut(width).enumerate() {
            for (column, to) in lanes.as_flattened_mut().iter_mut().enumerate() {
                *to = if column < self.seq_k { number(row, column) } else { f32::NEG_INFINITY };
            }
        }
    }
}
