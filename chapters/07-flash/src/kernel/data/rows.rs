//! Tensors as they lie in memory.

use candle_core::{CpuStorage, Layout, Result, WithDType};

/// A matrix for each sequence and head, with the strides of the tensor that they lie in.
#[derive(Clone, Copy)]
pub(crate) struct Heads<'a, T> {
    numbers: &'a [T],
    sequence: Sequence<'a>,
    /// From a head to the next.
    head: usize,
    /// From a row to the next.
    row: usize,
    /// From a column to the next: 0 or 1.
    column: usize,
}

/// Where a sequence begins.
#[derive(Clone, Copy)]
enum Sequence<'a> {
    /// So many numbers after the one before.
    Stride(usize),
    /// At this row: one entry a sequence.
    Starts(&'a [usize]),
}

/// A matrix in it.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, T> {
    /// From the first number on.
    pub(crate) numbers: &'a [T],
    /// From a row to the next.
    pub(crate) stride: usize,
    /// From a column to the next: 0 or 1.
    column: usize,
}

impl<'a, T: WithDType> Heads<'a, T> {
    /// A tensor `(batch, heads, rows, columns)`; its columns are next to each other, or all the same number. Errors
    /// when it is of another type.
    pub(crate) fn dense(storage: &'a CpuStorage, layout: &Layout) -> Result<Self> {
        let [batch, head, row, column] = strides(layout);
        let (numbers, sequence) = (numbers(storage, layout)?, Sequence::Stride(batch));
        Ok(Self { numbers, sequence, head, row, column })
    }

    /// A tensor `(rows, heads, columns)` in which the sequences, all of one length or not, begin at these rows; columns
    /// and errors as [`dense`](Self::dense).
    pub(crate) fn packed(
        storage: &'a CpuStorage,
        layout: &Layout,
        starts: &'a [usize],
    ) -> Result<Self> {
        let [row, head, column] = strides(layout);
        let (numbers, sequence) = (numbers(storage, layout)?, Sequence::Starts(starts));
        Ok(Self { numbers, sequence, head, row, column })
    }
}

/// A tensor's strides; that of columns is 1 where there is only one, for then it may be anything.
fn strides<const N: usize>(layout: &Layout) -> [usize; N] {
    let mut strides = [0; N];
    strides.iter_mut().zip(layout.stride()).for_each(|(to, from)| *to = *from);
    if layout.dims().last() == Some(&1) {
        strides[N - 1] = 1;
    }
    strides
}

/// From a tensor's first number on.
fn numbers<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    Ok(T::cpu_storage_as_slice(storage)?.get(layout.start_offset()..).unwrap_or(&[]))
}

impl<'a, T: Copy> Heads<'a, T> {
    /// From a row to the next.
    pub(crate) fn row(&self) -> usize {
        self.row
    }

    /// The matrix of a head of a sequence, and the rows that follow it.
    pub(crate) fn head(&self, sequence: usize, head: usize) -> Rows<'a, T> {
        let start = match self.sequence {
            Sequence::Stride(stride) => sequence * stride,
            Sequence::Starts(starts) => starts[sequence] * self.row,
        };
        let from = (start + head * self.head).min(self.numbers.len());
        Rows { numbers: &self.numbers[from..], stride: self.row, column: self.column }
    }
}

impl<'a, T: Copy> Rows<'a, T> {
    /// Rows that begin `stride` numbers after each other.
    pub(crate) fn new(numbers: &'a [T], stride: usize) -> Self {
        Self { numbers, stride, column: 1 }
    }

    /// The rows from this one on.
    pub(crate) fn from(&self, row: usize) -> Self {
        Self { numbers: self.numbers.get(row * self.stride..).unwrap_or(&[]), ..*self }
    }

    /// Whether the matrix has so many rows and columns, the columns next to each other.
    pub(crate) fn has(&self, rows: usize, columns: usize) -> bool {
        let last = rows.saturating_sub(1) * self.stride;
        rows * columns == 0 || (self.column == 1 && self.numbers.len() >= last + columns)
    }

    /// Numbers `from .. from + len` of a row; a single one when all columns are the same.
    #[inline(always)]
    pub(crate) fn row(&self, row: usize, from: usize, len: usize) -> &'a [T] {
        if len == 0 {
            return &[]; // an empty tensor may have any strides
        }
        let start = row * self.stride + from * self.column;
        &self.numbers[start..][..if self.column == 0 { 1 } else { len }]
    }
}
