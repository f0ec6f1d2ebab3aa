//! Work for the threads of the process.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The threads of the pool that we are in: `RAYON_NUM_THREADS`, or one a core.
pub(crate) fn threads() -> usize {
    rayon::current_num_threads()
}

/// Does the items `0..items`, each once, lowest first, on as many threads: whoever is free takes the next.
/// Each thread works with its own `scratch`.
pub(crate) fn share<S>(
    items: usize,
    threads: usize,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) + Sync,
) {
    let next = AtomicUsize::new(0);
    let run = || {
        // Taken before the scratch is made: a thread that comes late makes none.
        let mut item = next.fetch_add(1, Ordering::Relaxed);
        if item >= items {
            return;
        }
        let mut scratch = scratch();
        while item < items {
            work(&mut scratch, item);
            item = next.fetch_add(1, Ordering::Relaxed);
        }
    };
    match threads.min(items) {
        0 | 1 => run(),
        // The caller works too, and does most of it when the pool is busy.
        threads => rayon::in_place_scope(|scope| {
            (1..threads).for_each(|_| scope.spawn(|_| run()));
            run();
        }),
    }
}
