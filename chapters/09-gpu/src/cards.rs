//! Given: what some GPUs can do, as NVIDIA's data sheets and white papers say.

/// A GPU on paper.
#[derive(Clone, Copy, Debug)]
pub struct Card {
    /// Its name.
    pub name: &'static str,
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
    /// Bytes of shared memory and L1, which share one piece of it, in each.
    pub shared: f64,
    /// Cycles a second, the boost clock at which `flops` is counted.
    pub clock: f64,
}

const TERA: f64 = 1e12;
const GB: f64 = 1e9;
const MIB: f64 = 1_048_576.;
const KIB: f64 = 1024.;
const GHZ: f64 = 1e9;

/// Four cards: two that stand in desktops, two that stand in data centres.
///
/// Sources, all NVIDIA's: the white papers on the GA102, Ada, A100 and H100 architectures, and the data sheets of the A100 and the
/// H100. Memory is in powers of ten, caches are in powers of two, as there. `flops` is a product, which a test does again:
/// multiprocessors, clock, and what the four tensor cores of each do in a cycle.
pub const CARDS: [Card; 4] = [
    Card {
        name: "RTX 3090",
        flops: 71. * TERA,
        bandwidth: 936. * GB,
        memory: 24. * GB,
        l2: 6. * MIB,
        multiprocessors: 82,
        shared: 128. * KIB,
        clock: 1.695 * GHZ,
    },
    Card {
        name: "RTX 4090",
        flops: 165.2 * TERA,
        bandwidth: 1_008. * GB,
        memory: 24. * GB,
        l2: 72. * MIB,
        multiprocessors: 128,
        shared: 128. * KIB,
        clock: 2.52 * GHZ,
    },
    Card {
        name: "A100 80 GB SXM",
        flops: 312. * TERA,
        bandwidth: 2_039. * GB,
        memory: 80. * GB,
        l2: 40. * MIB,
        multiprocessors: 108,
        shared: 192. * KIB,
        clock: 1.41 * GHZ,
    },
    Card {
        name: "H100 SXM",
        flops: 989.4 * TERA,
        bandwidth: 3_350. * GB,
        memory: 80. * GB,
        l2: 50. * MIB,
        multiprocessors: 132,
        shared: 256. * KIB,
        clock: 1.83 * GHZ,
    },
];

impl Card {
    /// Bytes of registers in a multiprocessor: 65,536 of 4 bytes, from compute capability 8.0 to 9.0.
    pub const REGISTERS: f64 = 256. * KIB;
    /// Bytes that a multiprocessor reads from its shared memory in a cycle: 32 banks of 4 bytes.
    const BANKS: f64 = 128.;

    /// Bytes a second from shared memory, all multiprocessors together.
    pub fn shared_bandwidth(&self) -> f64 {
        self.multiprocessors as f64 * Self::BANKS * self.clock
    }

    /// Operations per byte from memory, above which the memory is not what limits.
    pub fn ridge(&self) -> f64 {
        self.flops / self.bandwidth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Operations that a multiprocessor's tensor cores do in a cycle, sums in f32.
    #[test]
    fn peaks_are_what_the_tensor_cores_do_in_all_cycles() {
        for (card, a_cycle) in CARDS.iter().zip([512., 512., 2048., 4096.]) {
            let product = card.multiprocessors as f64 * card.clock * a_cycle;
            assert!((card.flops / product - 1.).abs() < 0.005, "{}: {product:e}", card.name);
        }
    }
}
