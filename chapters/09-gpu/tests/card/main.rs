//! `cargo test -p gpu --features cuda`: candle-flash-attn behind our interface, on the card. Without a card nothing of
//! this runs, and it says so.

#[path = "../common/mod.rs"]
mod common;

use candle_core::Device;
use common::{Case, Twin, cases, cases::HEAD_DIMS};
use device::{Kind, look};
use gpu::{Cuda, Picked};
use libtest_mimic::{Arguments, Completion, Trial};
use std::{env, process::ExitCode, sync::Arc};

/// Restricts the cases to these head dims, as `64,128`: a build may hold only their kernels.
const DIMS: &str = "GPU_HEAD_DIMS";

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One after the other: they share the card.
    arguments.test_threads = arguments.test_threads.or(Some(1));
    match trials(arguments.list) {
        Err(why) => {
            eprintln!("gpu: {why}");
            ExitCode::FAILURE
        }
        Ok((trials, missing)) => {
            let conclusion = libtest_mimic::run(&arguments, trials);
            if let (Some(why), false) = (missing, arguments.list) {
                println!(
                    "gpu: candle-flash-attn's kernels did not run: {why}. That is fine: `--test library` runs the same \
                     cases on the CPU, with a stand-in for the kernels. On a machine with CUDA and a card from Ampere on, type: \
                     cargo test --release -p gpu --features cuda\n"
                );
            }
            conclusion.exit_code()
        }
    }
}

/// The trials, and why none of them runs if so. Errors when there is a card that should do and does not.
fn trials(list: bool) -> Result<(Vec<Trial>, Option<String>), String> {
    let built = built()?;
    let one = built.as_ref().and_then(|dims| dims.first()).copied().unwrap_or(64);
    let card = if list { Err("they are listed".to_owned()) } else { look().usable(Kind::Cuda) };
    let (twin, missing) = match card {
        Ok(name) => {
            println!("On {name}.");
            (Some(Arc::new(open().map_err(|error| first_line(&error))?)), None)
        }
        Err(why) => (None, Some(why)),
    };
    let trial = |case| trial(case, twin.clone(), built.as_deref());
    Ok((cases(&HEAD_DIMS, one).into_iter().map(trial).collect(), missing))
}

fn trial(case: Case, twin: Option<Arc<Twin>>, built: Option<&[usize]>) -> Trial {
    let absent =
        case.kernels.iter().find(|kernel| built.is_some_and(|built| !built.contains(kernel)));
    let absent = absent.map(|kernel| format!("{DIMS} leaves out the kernels of {kernel}"));
    Trial::ignorable_test(case.name, move || match (&twin, &absent) {
        (None, _) => Ok(Completion::ignored_with("no card")),
        (_, Some(why)) => Ok(Completion::ignored_with(why)),
        (Some(twin), None) => match (case.run)(twin) {
            Ok(()) => Ok(Completion::Completed),
            Err(error) => Err(error.to_string().into()),
        },
    })
}

fn open() -> candle_core::Result<Twin> {
    let device = Device::new_cuda(0)?;
    Ok(Twin { cuda: Cuda::new(&device)?, picked: Picked::on(&device)?, device })
}

/// The head dims whose kernels are there, if not all are.
fn built() -> Result<Option<Vec<usize>>, String> {
    let Ok(dims) = env::var(DIMS) else { return Ok(None) };
    let numbers = dims.split(',').map(|dim| dim.trim().parse::<usize>());
    match numbers.collect::<Result<Vec<_>, _>>() {
        Ok(dims) => Ok(Some(dims)),
        Err(_) => Err(format!("{DIMS}: expected head dims as 64,128; got {dims:?}")),
    }
}

fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
