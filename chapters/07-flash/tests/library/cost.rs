//! What the rungs cost: what is counted is what their loops do.

use flash::{Path, rungs::costs};

/// Keys of the kernel's panels, and queries of its tiles.
const PANEL: usize = 64;
const GROUP: usize = 6;

/// What a rung in tiles does, step by step as it does it.
fn walked(
    seq: usize,
    dim: usize,
    [queries, keys]: [usize; 2],
    padded: usize,
    rescale: bool,
) -> [usize; 3] {
    let (mut multiply_adds, mut exponentials, mut moved) = (0, 0, 0);
    for first in (0..seq).step_by(queries) {
        for start in (0..seq).step_by(keys) {
            let tile = keys.min(seq - start);
            moved += 2 * tile * dim; // once for the whole block
            for _query in first..(first + queries).min(seq) {
                exponentials += tile.next_multiple_of(padded) + usize::from(rescale);
                for _key in 0..tile {
                    multiply_adds += dim; // Q·Kᵀ
                    multiply_adds += dim; // P·V
                }
            }
        }
    }
    [multiply_adds, exponentials, moved]
}

#[test]
fn counts_are_those_of_the_loops() {
    for (seq, dim) in [(1, 1), (63, 4), (64, 5), (97, 8), (200, 16), (256, 64)] {
        let [_, rowwise, tiled, vectorised, kernel] = costs(seq, dim, Path::Avx2);
        for (cost, blocks, padded, rescale) in [
            (rowwise, [1, 1], 1, false),
            (tiled, [64, 64], 1, true),
            (vectorised, [96, 64], 64, true),
            (kernel, [96, 64], 16, false),
        ] {
            let got = [cost.multiply_adds, cost.exponentials, cost.keys_moved.unwrap()];
            assert_eq!(got, walked(seq, dim, blocks, padded, rescale), "{seq}, {dim}, {blocks:?}");
        }
    }
}

/// The loads of a tile of 6 by 16, one after the other.
#[test]
fn a_register_tile_loads_a_number_for_many_multiply_adds() {
    let (dim, mut loads) = (64, 0);
    let [.., kernel] = costs(1, dim, Path::Avx2);
    for _column in (0..PANEL).step_by(16) {
        for _ in 0..dim {
            loads += 16 + GROUP; // keys, and a number of each query
        }
        loads += 16 * GROUP; // scores stored
    }
    for _column in (0..dim).step_by(16) {
        loads += 2 * 16 * GROUP; // outputs loaded, and stored
        for _key in 0..PANEL {
            loads += 16 + GROUP; // a value, and a weight of each query
        }
    }
    let multiply_adds = 2 * GROUP * PANEL * dim;
    let loads = f64::from(loads as u32) / multiply_adds as f64;
    assert!((loads - kernel.loads.unwrap()).abs() < 1e-12, "{loads}");
}
