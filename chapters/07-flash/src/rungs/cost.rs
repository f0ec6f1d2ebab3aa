//! What each rung has to do, counted: the operations are the same on all of them, the traffic is not.

use super::{tiled, vectorised};
use crate::Path;

/// Keys of the kernel's panels, and queries of its blocks and of its tiles.
const PANEL: usize = 64;
const BLOCK: usize = 96;
const GROUP: usize = 6;

/// The work of one head without a mask: `seq` queries and as many keys, `dim` numbers in each query, key and value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Multiply-adds of Q·Kᵀ and P·V together.
    pub multiply_adds: usize,
    /// Exponentials of scores and, where each tile takes one, of rescales. Those of the rescales that depend on the
    /// numbers come on top.
    pub exponentials: usize,
    /// Numbers written to the matrices of scores and weights, or read from them: 0 where there is no such matrix.
    pub scores_moved: usize,
    /// Numbers of keys and values that the blocks of queries ask for, all together. `None`: a library's matrix product
    /// decides.
    pub keys_moved: Option<usize>,
    /// Numbers loaded or stored for each multiply-add of the two products. `None`: as above.
    pub loads: Option<f64>,
}

/// The cost of every rung, in the order of [`super::ALL`]; the kernel's for the vectors of `path`.
pub fn costs(seq: usize, dim: usize, path: Path) -> [Cost; 5] {
    let multiply_adds = 2 * seq * seq * dim;
    let in_tiles = |queries: usize, loads| Cost {
        multiply_adds,
        exponentials: seq * seq,
        scores_moved: 0,
        keys_moved: Some(seq.div_ceil(queries) * 2 * seq * dim),
        loads: Some(loads),
    };
    let naive = Cost {
        multiply_adds,
        exponentials: seq * seq,
        // Written by Q·Kᵀ; read and written by the scale, and by the softmax; read by P·V.
        scores_moved: 6 * seq * seq,
        keys_moved: None,
        loads: None,
    };
    // Q·Kᵀ loads a number of the query and one of the key, P·V one of the value and one of the output, which it stores.
    let one_by_one = (2. + 3.) / 2.;
    // A tile has exponentials for all its keys, also for those that are missing in the last one, and one for its rescale.
    let padded = |keys: usize| seq * seq.div_ceil(keys) * keys;
    let tiles = |keys: usize| seq * seq.div_ceil(keys);
    // Four rows of numbers are loaded for a multiply-add each, and their sum is loaded and stored once.
    let four_rows = (4. + 2.) / 4.;
    [
        naive,
        in_tiles(1, one_by_one),
        Cost { exponentials: seq * seq + tiles(tiled::B_C), ..in_tiles(tiled::B_R, one_by_one) },
        Cost {
            exponentials: padded(vectorised::B_C) + tiles(vectorised::B_C),
            ..in_tiles(vectorised::B_R, four_rows)
        },
        Cost { exponentials: padded(16), ..in_tiles(BLOCK, in_registers(dim, path)) },
    ]
}

/// Of the kernel: a tile of [`GROUP`] queries and `keys` keys loads one number of each for every multiply-add of each
/// pair, Q·Kᵀ stores its scores once, and P·V loads and stores its outputs once a panel.
fn in_registers(dim: usize, path: Path) -> f64 {
    let wide = if path == Path::Avx512 { 64 } else { 16 };
    let pairs = (GROUP * wide) as f64;
    let each = (GROUP + wide) as f64 / pairs;
    let scores = 1. / dim.max(1) as f64;
    let outputs = 2. / PANEL as f64;
    each + (scores + outputs) / 2.
}
