//! From a path to the code that is compiled for its instructions.

use super::backward;
use super::backward::problem::{Backward, Gradients};
use super::data::real::Real;
use super::forward;
use super::instructions::arrays;
#[cfg(target_arch = "x86_64")]
use super::instructions::{avx2::Avx2, avx512::Avx512};
use super::path::Path;
use super::work::problem::Problem;

/// A type that the kernel is compiled for: f32 with each set of instructions, f64 in plain Rust.
pub(crate) trait Dispatch: Real {
    /// The output `(batch, heads_q, seq_q, dim_v)` and each row's log-sum-exp `(batch, heads_q, seq_q)`; when sequences
    /// are packed, `(total_q, heads_q, dim_v)` and `(total_q, heads_q)`.
    fn attend(path: Path, problem: &Problem<Self>) -> (Vec<Self>, Vec<Self>);

    /// The gradients of q, k and v.
    fn gradients(path: Path, backward: &Backward<Self>) -> Gradients<Self>;
}

/// `$work` with the instructions of a path.
macro_rules! with_lanes {
    ($path:expr, $lanes:ident => $work:expr) => {
        match $path {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 if let Some($lanes) = Avx512::new() => $work,
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 if let Some($lanes) = Avx2::new() => $work,
            _ => {
                let $lanes = arrays::F32;
                $work
            }
        }
    };
}

impl Dispatch for f32 {
    fn attend(path: Path, problem: &Problem<Self>) -> (Vec<Self>, Vec<Self>) {
        with_lanes!(path, lanes => forward::attend(lanes, problem))
    }

    fn gradients(path: Path, backward: &Backward<Self>) -> Gradients<Self> {
        with_lanes!(path, lanes => backward::gradients(lanes, backward))
    }
}

impl Dispatch for f64 {
    fn attend(_path: Path, problem: &Problem<Self>) -> (Vec<Self>, Vec<Self>) {
        forward::attend(arrays::F64, problem)
    }

    fn gradients(_path: Path, backward: &Backward<Self>) -> Gradients<Self> {
        backward::gradients(arrays::F64, backward)
    }
}
