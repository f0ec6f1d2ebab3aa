//! A check: the laws of one exercise, and the wrong answers that are known for it.

use super::{
    compare::{Breach, Outcome},
    quiet, show,
    verdict::{Cause, Group, LawResult, State, Verdict},
};
use crate::wrong::Wrong;
use proptest::{
    strategy::Strategy,
    test_runner::{Config, TestCaseError, TestError, TestRunner},
};
use std::cell::OnceCell;

type LawFn<F> = Box<dyn Fn(&F) -> Outcome>;

struct Law<F: ?Sized> {
    group: Group,
    says: &'static str,
    holds: LawFn<F>,
}

/// The laws of one exercise whose answers have the type `F`, from the smallest example to the hardest.
pub struct Check<F: ?Sized> {
    exercise: &'static str,
    laws: Vec<Law<F>>,
    wrong: Vec<Known<F>>,
}

/// A wrong answer, and how it comes out, found when it is first asked for.
struct Known<F: ?Sized> {
    wrong: Wrong<F>,
    results: OnceCell<Vec<LawResult>>,
}

/// A wrong answer of the zoo, judged: it must have failed with its own diagnosis as the cause.
pub struct Proof {
    /// `scaling::softmax: no maximum subtracted`.
    pub name: String,
    /// What the verdict must name as the cause.
    pub diagnosis: &'static str,
    /// What the check said.
    pub verdict: Verdict,
}

impl<F: ?Sized> Check<F> {
    /// An exercise such as `scaling::softmax`, with its part of the zoo.
    pub fn new(exercise: &'static str, wrong: Vec<Wrong<F>>) -> Self {
        let known = |wrong| Known { wrong, results: OnceCell::new() };
        Self { exercise, laws: Vec::new(), wrong: wrong.into_iter().map(known).collect() }
    }

    /// Adds what must hold: one sentence for the learner, and the code that finds a breach of it.
    pub fn law(
        mut self,
        group: Group,
        says: &'static str,
        holds: impl Fn(&F) -> Outcome + 'static,
    ) -> Self {
        self.laws.push(Law { group, says, holds: Box::new(holds) });
        self
    }

    /// Adds what must hold for every case that `cases` can draw; a failure is shrunk to the smallest case.
    pub fn property<S>(
        self,
        group: Group,
        says: &'static str,
        cases: S,
        holds: impl Fn(&F, S::Value) -> Outcome + 'static,
    ) -> Self
    where
        S: Strategy + 'static,
        S::Value: Clone,
    {
        self.law(group, says, move |answer| for_all(&cases, |case| holds(answer, case)))
    }

    /// Tries every law on `answer`, and looks for a cause in the zoo when one is broken.
    pub fn judge(&self, answer: &F) -> Verdict {
        self.verdict(self.try_laws(answer))
    }

    /// Judges every wrong answer of this exercise.
    pub fn proofs(&self) -> Vec<Proof> {
        let prove = |known: &Known<F>| Proof {
            name: format!("{}: {}", self.exercise, known.wrong.name),
            diagnosis: known.wrong.diagnosis,
            verdict: self.verdict(self.results_of(known).to_vec()),
        };
        self.wrong.iter().map(prove).collect()
    }

    fn verdict(&self, laws: Vec<LawResult>) -> Verdict {
        let mut verdict = Verdict { exercise: self.exercise, laws, cause: None };
        if matches!(verdict.state(), State::Works | State::Failed) {
            verdict.cause = self.cause_of(&verdict.laws);
        }
        verdict
    }

    fn results_of<'a>(&self, known: &'a Known<F>) -> &'a [LawResult] {
        known.results.get_or_init(|| self.try_laws(&known.wrong.answer))
    }

    fn try_laws(&self, answer: &F) -> Vec<LawResult> {
        let mut results = Vec::with_capacity(self.laws.len());
        let mut pending = false;
        for Law { group, says, holds } in &self.laws {
            show::forget_inputs();
            // A stub is a stub: once it is met, the other laws are not tried.
            let outcome = if pending {
                Err("not yet implemented".into())
            } else {
                quiet::catch(|| holds(answer))
            };
            let (state, breach) = match outcome {
                Ok(Ok(())) => (State::Passed, None),
                Ok(Err(breach)) if breach.skip => (State::Skipped, Some(breach)),
                Ok(Err(breach)) => (State::Failed, Some(breach)),
                Err(panic) if quiet::is_todo(&panic) => (State::Pending, None),
                Err(panic) => (State::Failed, Some(Breach::panicked(&panic))),
            };
            pending = state == State::Pending;
            results.push(LawResult { group: *group, says, state, breach });
        }
        results
    }

    /// The wrong answer that breaks the same laws with the same values or, failing that, the most alike of those whose
    /// first breach is the same and that break no law which the answer keeps. The laws themselves are the fingerprint,
    /// so a wrong answer needs no description of its symptoms. It is the cause for sure enough when all its breaches
    /// are among the answer's, which may have others of its own.
    fn cause_of(&self, laws: &[LawResult]) -> Option<Cause> {
        let first =
            |laws: &[LawResult]| laws.iter().find(|law| law.state == State::Failed).cloned();
        let (mut alike, mut most) = (None, 0);
        for known in &self.wrong {
            let theirs = self.results_of(known);
            if theirs == laws {
                return Some(Cause { diagnosis: known.wrong.diagnosis, same: true });
            }
            let breaks_more = theirs
                .iter()
                .zip(laws)
                .any(|(theirs, ours)| theirs.state == State::Failed && ours.state != State::Failed);
            let shared = theirs.iter().zip(laws).filter(|(theirs, ours)| theirs == ours).count();
            if shared > most && !breaks_more && first(theirs) == first(laws) {
                let same = theirs
                    .iter()
                    .zip(laws)
                    .all(|(theirs, ours)| theirs.state != State::Failed || theirs == ours);
                let cause = Cause { diagnosis: known.wrong.diagnosis, same };
                (alike, most) = (Some(cause), shared);
            }
        }
        alike.or_else(|| self.refusal_like(laws))
    }

    /// The wrong answer that comes out the same everywhere but for the words of its errors: one that refuses what it
    /// should take, as this one does.
    fn refusal_like(&self, laws: &[LawResult]) -> Option<Cause> {
        let alike = |known: &&Known<F>| {
            self.results_of(known).iter().zip(laws).all(|(theirs, ours)| theirs.alike(ours))
        };
        let known = self.wrong.iter().find(alike)?;
        Some(Cause { diagnosis: known.wrong.diagnosis, same: false })
    }
}

/// Tries `holds` on drawn cases, the same ones in every run, and returns the breach of the smallest case that fails.
fn for_all<S: Strategy<Value: Clone>>(cases: &S, holds: impl Fn(S::Value) -> Outcome) -> Outcome {
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(
        config.clone(),
        proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm),
    );
    let result = runner
        .run(cases, |case| holds(case).map_err(|breach| TestCaseError::fail(breach.to_string())));
    match result {
        Ok(()) => Ok(()),
        // The smallest case once more, now for its breach; if it panics, the caller catches it.
        Err(TestError::Fail(reason, smallest)) => holds(smallest).and_then(|()| {
            Err(Breach::text("", "the same answer to the same input each time", reason.message()))
        }),
        Err(TestError::Abort(reason)) => Err(Breach::text("", "", reason.message())),
    }
}
