//! Every wrong answer of the zoo must fail, and the learner must be told what is wrong with it.

use checks::State;
use libtest_mimic::{Arguments, Trial};
use std::{
    env,
    process::{Command, ExitCode},
};

/// The variable that says how many threads candle computes on.
const THREADS: &str = "RAYON_NUM_THREADS";

/// The variable that, set to anything, asks for what each wrong answer would be told if the zoo did not know it: a cause
/// that is another's, where the examples are too small to tell the two apart.
const STRANGERS: &str = "ZOO_STRANGERS";

fn main() -> ExitCode {
    // On matrices this small two threads only wait for each other: it takes three times as long. candle reads the
    // variable, so this program starts itself once more with it.
    if env::var_os(THREADS).is_none() {
        let again = env::current_exe().and_then(|program| {
            Command::new(program).args(env::args_os().skip(1)).env(THREADS, "1").status()
        });
        return match again {
            Ok(status) if status.success() => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        };
    }
    let proofs = checks::zoo();
    if env::var_os(STRANGERS).is_some() {
        for proof in &proofs {
            if let Some(cause) = &proof.stranger {
                println!("{}\n  {cause}", proof.name);
            }
        }
    }
    let trials = proofs.into_iter().map(|proof| {
        Trial::test(proof.name, move || match (proof.verdict.state(), proof.verdict.cause) {
            (State::Works | State::Failed, Some(cause)) if cause.diagnosis == proof.diagnosis => {
                Ok(())
            }
            (State::Works | State::Failed, cause) => Err(format!(
                "fails, but is diagnosed as {cause:?} instead of {:?}\n{}",
                proof.diagnosis, proof.verdict
            )
            .into()),
            (state, _) => Err(format!("is {state:?}: no law notices it").into()),
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
