//! The numbers of a tensor as a slice, without a copy.

use candle_core::{CpuStorage, DType, Layout, Result, Storage, Tensor, bail};
use std::ops::{Deref, Range};

/// Whether the fast path takes all of `tensors`: f32, on the CPU.
pub(super) fn all_fast(tensors: &[&Tensor]) -> bool {
    tensors
        .iter()
        .all(|tensor| tensor.dtype() == DType::F32 && tensor.device().is_cpu())
}

/// A tensor's storage while it is read.
pub(super) type Guard<'a> = Box<dyn Deref<Target = Storage> + 'a>;

/// The numbers of a contiguous f32 tensor on the CPU, in order.
pub(super) struct Numbers<'a> {
    storage: Guard<'a>,
    range: Range<usize>,
}

impl<'a> Numbers<'a> {
    pub(super) fn of(tensor: &'a Tensor) -> Result<Self> {
        let (storage, layout) = tensor.storage_and_layout();
        let range = range(layout)?;
        match &*storage {
            Storage::Cpu(CpuStorage::F32(_)) => {
                Ok(Self { storage: Box::new(storage), range })
            }
            _ => {
                bail!(
                    "expected f32 on the CPU; got {:?} on {:?}",
                    tensor.dtype(),
                    tensor.device()
                )
            }
        }
    }
}

impl Deref for Numbers<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &**self.storage {
            Storage::Cpu(CpuStorage::F32(values)) => &values[self.range.clone()],
            _ => &[], // `of` has seen to it
        }
    }
}

/// As [`Numbers`], of what an operation gets.
pub(super) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    Ok(&storage.as_slice::<f32>()?[range(layout)?])
}

/// The gradient `numbers` of `input`, for the operation that it went into; nothing when nobody asks for it.
pub(super) fn gradient_of(input: &Tensor, numbers: Vec<f32>) -> Result<Option<Tensor>> {
    let gradient = || Tensor::from_vec(numbers, input.shape(), input.device());
    input.track_op().then(gradient).transpose()
}

fn range(layout: &Layout) -> Result<Range<usize>> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(from..to),
        None => {
            bail!("expected a contiguous tensor; got strides {:?}", layout.stride())
        }
    }
}
