//! The cases that run on a card hold for the stand-in, and fail for a kernel that is wrong.

use crate::{
    common::{Case, Twin, cases, cases::HEAD_DIMS},
    strict::{api, fault},
};
use candle_core::Device;
use gpu::{Cuda, Picked, api::Api};

fn twin(api: Api) -> Twin {
    one_thread::candle();
    let cuda = Cuda::with(&Device::Cpu, api);
    let picked = Picked::with((9, 0), cuda.clone());
    Twin { device: Device::Cpu, cuda, picked }
}

/// Panics unless these cases hold: in a test for each part of them, so that the parts run at the same time.
#[track_caller]
fn hold(which: impl Fn(&Case) -> bool) {
    let twin = twin(api::<{ fault::NONE }>());
    for Case { name, run, .. } in cases(&GRID, 64).into_iter().filter(which) {
        if let Err(error) = run(&twin) {
            panic!("{name}: {error}");
        }
    }
}

/// Head dims that are padded to those of a kernel.
const GRID: [usize; 2] = [20, 72];

fn in_the_grid(case: &Case, head_dim: usize) -> bool {
    case.name.contains(&format!(", head dim {head_dim}, "))
}

#[test]
fn the_grid_holds_at_the_first_head_dim() {
    hold(|case| in_the_grid(case, GRID[0]));
}

#[test]
fn the_grid_holds_at_the_second_head_dim() {
    hold(|case| in_the_grid(case, GRID[1]));
}

#[test]
fn all_other_cases_hold() {
    hold(|case| GRID.iter().all(|head_dim| !in_the_grid(case, *head_dim)));
}

#[test]
fn every_kernel_has_its_cases() {
    let needed: Vec<_> = cases(&HEAD_DIMS, 64).into_iter().flat_map(|case| case.kernels).collect();
    for kernel in [32, 64, 96, 128, 160, 192, 224, 256, 512] {
        assert!(needed.contains(&kernel), "no case needs the kernels of {kernel}");
    }
}

/// Panics unless one of the cases whose names begin so fails, for each of these beginnings.
#[track_caller]
fn caught(api: Api, by: &[&str]) {
    let twin = twin(api);
    for by in by {
        let mut cases = cases(&[32], 32).into_iter().filter(|case| case.name.starts_with(by));
        assert!(cases.any(|case| (case.run)(&twin).is_err()), "not caught by {by:?}");
    }
}

#[test]
fn wrong_masks_are_caught() {
    caught(api::<{ fault::TOP_LEFT }>(), &["dense", "packed: "]);
    caught(api::<{ fault::LAST_KEY }>(), &["dense", "packed: ", "a token alone"]);
    caught(api::<{ fault::SEES_ALL }>(), &["dense", "packed: "]);
}

#[test]
fn wrong_heads_and_scales_are_caught() {
    caught(api::<{ fault::HEADS }>(), &["dense", "packed: ", "every sharing"]);
    caught(api::<{ fault::NO_SCALE }>(), &["dense", "packed: "]);
}

#[test]
fn wrong_sequences_are_caught() {
    caught(api::<{ fault::NEIGHBOUR }>(), &["packed: ", "packed equals"]);
    caught(api::<{ fault::LEAK }>(), &["packed: ", "packed equals"]);
    caught(api::<{ fault::ONE_BLOCK }>(), &["packed: ", "packed equals"]);
}

#[test]
fn wrong_numbers_are_caught() {
    caught(api::<{ fault::COARSE }>(), &["dense: f16", "packed: f16"]);
    caught(api::<{ fault::NO_MAX }>(), &["any scale"]);
    caught(api::<{ fault::UNSTEADY }>(), &["two runs"]);
}

#[test]
fn a_kernel_that_does_not_run_is_caught() {
    caught(api::<{ fault::IDLE }>(), &["the kernels run", "dense", "packed: "]);
}
