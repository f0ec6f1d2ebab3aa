//! Given: what some GPUs can do, as NVIDIA's data sheets and white papers say.

// ANCHOR: card
/// A GPU on paper.
#[derive(Clone, Copy, Debug)]
pub struct Card {
    /// Its name.
    pub name: &'static str,
    /// Compute capability.
    pub capability: (usize, usize),
    /// Operations a second of its tensor cores: f16 or bf16 in, sums in f32, no sparsity.
    pub flops: f64,
    /// Bytes a second from its memory.
    pub bandwidth: f64,
    /// Bytes of its memory.
    pub memory: f64,
    /// Bytes of L2 cache, shared by all multiprocessors.
    pub l2: f64,
    /// Streaming multiprocessors.
    pub multiprocessors: usize,
    /// Bytes of shared memory and L1 in each.
    pub shared: f64,
}
// ANCHOR_END: card

const TERA: f64 = 1e12;
const GB: f64 = 1e9;
const MIB: f64 = 1_048_576.;
const KIB: f64 = 1024.;

/// Four cards: two that stand in desktops, two that stand in data centres.
///
/// Sources: NVIDIA's white papers on the Ampere GA102, the Ada and the Hopper architecture, and the data sheets of the A100 and
/// the H100. Memory is in powers of ten, caches are in powers of two, as there.
pub const CARDS: [Card; 4] = [
    Card {
        name: "RTX 3090",
        capability: (8, 6),
        flops: 71. * TERA,
        bandwidth: 936. * GB,
        memory: 24. * GB,
        l2: 6. * MIB,
        multiprocessors: 82,
        shared: 128. * KIB,
    },
    Card {
        name: "RTX 4090",
        capability: (8, 9),
        flops: 165.2 * TERA,
        bandwidth: 1_008. * GB,
        memory: 24. * GB,
        l2: 72. * MIB,
        multiprocessors: 128,
        shared: 128. * KIB,
    },
    Card {
        name: "A100 80 GB SXM",
        capability: (8, 0),
        flops: 312. * TERA,
        bandwidth: 2_039. * GB,
        memory: 80. * GB,
        l2: 40. * MIB,
        multiprocessors: 108,
        shared: 192. * KIB,
    },
    Card {
        name: "H100 SXM",
        capability: (9, 0),
        flops: 989.4 * TERA,
        bandwidth: 3_350. * GB,
        memory: 80. * GB,
        l2: 50. * MIB,
        multiprocessors: 132,
        shared: 256. * KIB,
    },
];

impl Card {
    /// Operations for each byte from memory, above which the memory is not what limits.
    pub fn ridge(&self) -> f64 {
        self.flops / self.bandwidth
    }
}
