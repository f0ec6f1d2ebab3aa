//! One head's numbers, laid out for the loops of [`lanes`](super::lanes).

use super::lanes::{LANES, Lane, lanes};
use super::numbers::Guard;
use candle_core::{CpuStorage, Result, Storage, Tensor, bail};

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
    pub(super) fn fill_transposed(
        &mut self,
        numbers: &[f32],
        from: usize,
        stride: usize,
    ) {
        let width = lanes(self.columns);
        for column in 0..self.columns {
            let numbers = &numbers[from + column * stride..][..self.rows];
            for (row, number) in numbers.iter().enumerate() {
                self.lanes[row * width + column / LANES][column % LANES] = *number;
            }
        }
    }
}

/// One head's rows in a tensor that holds all heads side by side.
pub(super) struct Rows<'a> {
    pub(super) numbers: &'a mut [f32],
    /// Where the first row begins.
    pub(super) from: usize,
    /// From a row's beginning to the next one's.
    pub(super) stride: usize,
    /// How many numbers of each row are the head's.
    pub(super) columns: usize,
}

impl Rows<'_> {
    /// Adds the numbers of `lane`, the `at`-th of a row.
    #[inline(always)]
    pub(super) fn add(&mut self, row: usize, at: usize, lane: &Lane) {
        let width = LANES.min(self.columns - at * LANES);
        let to =
            &mut self.numbers[self.from + row * self.stride + at * LANES..][..width];
        match <&mut Lane>::try_from(&mut *to) {
            Ok(whole) => {
                whole.iter_mut().zip(lane).for_each(|(to, number)| *to += number)
            }
            Err(_) => to.iter_mut().zip(lane).for_each(|(to, number)| *to += number),
        }
    }
}

/// What is added to the scores of a head: the mask, and −∞ where a row is over.
pub(super) struct Bias<'a> {
    mask: Option<Mask<'a>>,
    seq_k: usize,
    /// Where the mask of the head in `lanes` begins: heads that share it don't make it again.
    made: Option<usize>,
    lanes: Vec<Lane>,
}

/// A mask's storage, its first place, and the strides of batch, head, query and key.
struct Mask<'a> {
    storage: Guard<'a>,
    first: usize,
    strides: [usize; 4],
}

impl<'a> Bias<'a> {
    /// `mask` u8 (1 = may attend) or f32 (added), a view `(batch, heads, seq_q, seq_k)`.
    pub(super) fn new(
        mask: Option<&'a Tensor>,
        [seq_q, seq_k]: [usize; 2],
    ) -> Result<Self> {
        let mut lanes = vec![[0.; LANES]; seq_q * lanes(seq_k)];
        fill(&mut lanes, seq_k, |_, _| 0.);
        let mask = mask.map(Mask::new).transpose()?;
        Ok(Self { mask, seq_k, made: None, lanes })
    }

    /// For each query `lanes(seq_k)` lanes.
    #[inline(always)]
    pub(super) fn of(&mut self, batch: usize, head: usize) -> &[Lane] {
        let Some(Mask { storage, first, strides: [batches, heads, queries, keys] }) =
            &self.mask
        else {
            return &self.lanes;
        };
        let from = first + batch * batches + head * heads;
        if self.made != Some(from) {
            let place = |query: usize, key: usize| from + query * queries + key * keys;
            let (lanes, seq_k) = (&mut self.lanes, self.seq_k);
            match &***storage {
                Storage::Cpu(CpuStorage::U8(keep)) => {
                    fill(lanes, seq_k, |query, key| {
                        if keep[place(query, key)] != 0 {
                            0.
                        } else {
                            f32::NEG_INFINITY
                        }
                    })
                }
                Storage::Cpu(CpuStorage::F32(added)) => {
                    fill(lanes, seq_k, |query, key| added[place(query, key)]);
                }
                _ => {} // `Mask::new` has seen to it
            }
            self.made = Some(from);
        }
        &self.lanes
    }
}

impl<'a> Mask<'a> {
    fn new(mask: &'a Tensor) -> Result<Self> {
        let (storage, layout) = mask.storage_and_layout();
        let taken =
            matches!(&*storage, Storage::Cpu(CpuStorage::U8(_) | CpuStorage::F32(_)));
        match *layout.stride() {
            [batch, head, query, key] if taken => Ok(Self {
                storage: Box::new(storage),
                first: layout.start_offset(),
                strides: [batch, head, query, key],
            }),
            _ => bail!(
                "mask: expected four dimensions of u8 or f32 on the CPU; got {mask:?}"
            ),
        }
    }
}

/// Each row gets its numbers, and −∞ where they are over.
#[inline(always)]
fn fill(rows: &mut [Lane], seq_k: usize, number: impl Fn(usize, usize) -> f32) {
    for (query, row) in rows.chunks_exact_mut(lanes(seq_k).max(1)).enumerate() {
        for (key, to) in row.as_flattened_mut().iter_mut().enumerate() {
            *to = if key < seq_k { number(query, key) } else { f32::NEG_INFINITY };
        }
    }
}
