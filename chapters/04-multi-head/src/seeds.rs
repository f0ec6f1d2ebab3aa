//! Where dropout's random numbers come from.

use std::sync::atomic::{AtomicU64, Ordering};

// ANCHOR: seeds
/// Seeds for dropout: a new one for each call, the same ones in each run.
///
/// Each layer owns a stream. It starts at a number made from the layer's name, so
/// that the layers of a model drop different weights. To repeat a run, or to go
/// on where one stopped, [`restart`](SeedStream::restart) it.
#[derive(Debug)]
pub struct SeedStream(AtomicU64);

impl SeedStream {
    /// The seeds `first`, `first + 1`, …
    pub fn new(first: u64) -> Self {
        Self(AtomicU64::new(first))
    }

    /// A stream that starts at the FNV-1a hash of `name`, for example
    /// `encoder.0.attention`.
    pub fn named(name: &str) -> Self {
        const PRIME: u64 = 0x100_0000_01b3;
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        Self::new(name.bytes().fold(0xcbf2_9ce4_8422_2325, mix))
    }

    /// From now on, the seeds are `first`, `first + 1`, …
    pub fn restart(&self, first: u64) {
        self.0.store(first, Ordering::Relaxed);
    }

    /// The next seed. Threads never get the same one.
    pub fn next_seed(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}
// ANCHOR_END: seeds

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_gives_one_stream() {
        let [first, second, other] = ["a.0", "a.0", "a.1"].map(SeedStream::named);
        assert_eq!(first.next_seed(), second.next_seed());
        assert_ne!(first.next_seed(), other.next_seed());
    }

    #[test]
    fn a_restarted_stream_begins_anew() {
        let seeds = SeedStream::named("a.0");
        seeds.next_seed();
        seeds.restart(7);
        assert_eq!([seeds.next_seed(), seeds.next_seed()], [7, 8]);
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        // From the test vectors of the hash's authors.
        assert_eq!(SeedStream::named("").next_seed(), 0xcbf2_9ce4_8422_2325);
        assert_eq!(SeedStream::named("a").next_seed(), 0xaf63_dc4c_8601_ec8c);
    }
}
