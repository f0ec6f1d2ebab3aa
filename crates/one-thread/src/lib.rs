//! Tests of small tensors: candle computes on the thread that calls it.

#![allow(unsafe_code, reason = "candle takes its number of threads from the environment only")]

use std::env;
use std::sync::Once;

/// Where candle looks for its number of threads.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// From here on candle computes on the calling thread alone, in the whole process; rayon's pool keeps its threads.
///
/// Without the variable, candle asks Linux for the number of cores before each product of matrices, and reads a file of
/// some thousand characters for the answer: more work than a small product. And two tests that run at once wait for
/// candle's other threads, which there is one set of. Does nothing when the variable is set already.
pub fn candle() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if env::var_os(VARIABLE).is_none() {
            rayon::current_num_threads(); // starts the pool, which would read the variable too
            // SAFETY: other threads of a test read the environment by std alone, which has a lock for it.
            unsafe { env::set_var(VARIABLE, "1") };
        }
    });
}
