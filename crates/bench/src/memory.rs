//! How much memory a computation takes at its height.

#![allow(
    unsafe_code,
    reason = "an allocator's functions are unsafe; all work is the system allocator's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering::Relaxed};

/// The system's allocator, and on request a count of what it gives.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Only then are bytes counted: what is timed has no more to do than with the system's allocator.
static COUNTS: AtomicBool = AtomicBool::new(false);
static HELD: AtomicIsize = AtomicIsize::new(0);
static MOST: AtomicIsize = AtomicIsize::new(0);

fn count(bytes: usize, sign: isize) {
    if COUNTS.load(Relaxed) {
        let change = bytes as isize * sign;
        MOST.fetch_max(HELD.fetch_add(change, Relaxed) + change, Relaxed);
    }
}

// SAFETY: every function hands its arguments to the system's allocator as they are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, 1);
        count(layout.size(), -1);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// What `work` gives, and the most bytes that were held at once while it ran beyond those that were held before. One
/// call at a time.
pub fn most_held<R>(work: impl FnOnce() -> R) -> (R, usize) {
    HELD.store(0, Relaxed);
    MOST.store(0, Relaxed);
    COUNTS.store(true, Relaxed);
    let result = work();
    COUNTS.store(false, Relaxed);
    (result, MOST.load(Relaxed).max(0) as usize)
}

#[cfg(test)]
mod tests {
    use super::most_held;

    #[test]
    fn the_height_is_counted_not_the_sum() {
        let (last, most) = most_held(|| {
            for _ in 0..10 {
                std::hint::black_box(vec![1u8; 3_000_000]);
            }
            vec![0u8; 1_000_000]
        });
        assert_eq!(last.len(), 1_000_000);
        assert!((3_000_000..3_500_000).contains(&most), "{most}");
    }
}
