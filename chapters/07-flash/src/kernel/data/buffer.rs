//! Memory for the kernel's own use.

use super::real::Real;

/// Zeros that start at a cache line: vectors then lie in one line each, not across two.
pub(crate) struct Buffer<T> {
    numbers: Vec<T>,
    from: usize,
    len: usize,
}

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;

impl<T: Real> Buffer<T> {
    pub(crate) fn new(len: usize) -> Self {
        let room = if len == 0 { 0 } else { LINE / size_of::<T>() };
        let numbers = vec![T::ZERO; len + room];
        let from = numbers.as_ptr().align_offset(LINE).min(numbers.len() - len);
        Self { numbers, from, len }
    }

    pub(crate) fn get(&self) -> &[T] {
        &self.numbers[self.from..][..self.len]
    }

    pub(crate) fn get_mut(&mut self) -> &mut [T] {
        &mut self.numbers[self.from..][..self.len]
    }
}
