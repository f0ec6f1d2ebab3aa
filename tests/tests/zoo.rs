//! Every wrong answer of the zoo must fail, and the learner must be told what is wrong with it.

use checks::State;
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    let trials = checks::zoo().into_iter().map(|proof| {
        Trial::test(proof.name, move || match (proof.verdict.state(), proof.verdict.cause) {
            (State::Failed, Some(cause)) if cause.diagnosis == proof.diagnosis => Ok(()),
            (State::Failed, cause) => Err(format!(
                "fails, but is diagnosed as {cause:?} instead of {:?}\n{}",
                proof.diagnosis, proof.verdict
            )
            .into()),
            (state, _) => Err(format!("is {state:?}: no law notices it").into()),
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
