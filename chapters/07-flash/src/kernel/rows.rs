//! Tensors of four dimensions as they lie in memory.

use candle_core::{CpuStorage, Layout, Result, WithDType};

/// A tensor `(batch, heads, rows, columns)` with its strides.
#[derive(Clone, Copy)]
pub(crate) struct Rows4<'a, T> {
    numbers: &'a [T],
    strides: [usize; 4],
}

/// A matrix in it.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, T> {
    /// From the first number on.
    pub(super) numbers: &'a [T],
    /// From a row to the next.
    pub(super) stride: usize,
    /// From a column to the next: 0 or 1.
    column: usize,
}

impl<'a, T: WithDType> Rows4<'a, T> {
    /// A tensor of four dimensions whose columns are next to each other, or all the same number. Errors when it is of another type.
    pub(crate) fn of(storage: &'a CpuStorage, layout: &Layout) -> Result<Self> {
        let numbers = T::cpu_storage_as_slice(storage)?.get(layout.start_offset()..).unwrap_or(&[]);
        let mut strides = [0; 4];
        strides.iter_mut().zip(layout.stride()).for_each(|(to, from)| *to = *from);
        if layout.dims().last() == Some(&1) {
            strides[3] = 1; // the stride of a dimension of 1 may be anything
        }
        Ok(Self { numbers, strides })
    }
}

impl<'a, T: Copy> Rows4<'a, T> {
    /// The matrix of a head.
    pub(super) fn head(&self, batch: usize, head: usize) -> Rows<'a, T> {
        let [batches, heads, stride, column] = self.strides;
        let from = (batch * batches + head * heads).min(self.numbers.len());
        Rows { numbers: &self.numbers[from..], stride, column }
    }
}

impl<'a, T: Copy> Rows<'a, T> {
    /// The rows from this one on.
    pub(super) fn from(&self, row: usize) -> Self {
        Self { numbers: self.numbers.get(row * self.stride..).unwrap_or(&[]), ..*self }
    }

    /// Numbers `from .. from + len` of a row; a single one when all columns are the same.
    #[inline(always)]
    pub(super) fn row(&self, row: usize, from: usize, len: usize) -> &'a [T] {
        if len == 0 {
            return &[]; // an empty tensor may have any strides
        }
        let start = row * self.stride + from * self.column;
        &self.numbers[start..][..if self.column == 0 { 1 } else { len }]
    }
}
