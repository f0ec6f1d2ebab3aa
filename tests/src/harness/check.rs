//! A check: the laws of one exercise, and the wrong answers that are known for it.

use super::{
    compare::{Breach, Outcome},
    quiet, show, trace,
    verdict::{Cause, Group, LawResult, State, Verdict, failures},
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
    /// What it would name as the cause if this wrong answer were not in the zoo: a mistake of another's.
    pub stranger: Option<Cause>,
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
        let laws = self.try_laws(answer);
        trace::tried();
        self.verdict(laws)
    }

    /// Judges every wrong answer of this exercise.
    pub fn proofs(&self) -> Vec<Proof> {
        let prove = |known: &Known<F>| {
            let laws = self.results_of(known);
            let others = self.wrong.iter().filter(|other| other.wrong.name != known.wrong.name);
            Proof {
                name: format!("{}: {}", self.exercise, known.wrong.name),
                diagnosis: known.wrong.diagnosis,
                verdict: self.verdict(laws.to_vec()),
                stranger: self.cause_among(others, laws),
            }
        };
        self.wrong.iter().map(prove).collect()
    }

    fn verdict(&self, laws: Vec<LawResult>) -> Verdict {
        let mut verdict = Verdict { exercise: self.exercise, laws, cause: None, edges: Vec::new() };
        if matches!(verdict.state(), State::Works | State::Failed) {
            verdict.cause = self.cause_among(self.wrong.iter(), &verdict.laws);
            verdict.edges = self.causes_of_edges(&verdict);
        }
        verdict
    }

    /// Of each open edge but the one that is told first: a mistake that breaks it with the same values, and nothing else.
    /// What the cause of the whole explains needs no other.
    fn causes_of_edges(&self, verdict: &Verdict) -> Vec<(&'static str, Cause)> {
        let known = self.wrong.iter().find(|known| {
            verdict.cause.is_some_and(|cause| cause.diagnosis == known.wrong.diagnosis)
        });
        let mut causes = Vec::new();
        for law in verdict.failures().skip(1).filter(|law| law.is_edge()) {
            if known.is_some_and(|known| self.results_of(known).contains(law)) {
                continue;
            }
            let alone = |other: &LawResult| match other.state {
                State::Failed if other != law => {
                    LawResult { state: State::Passed, breach: None, ..other.clone() }
                }
                _ => other.clone(),
            };
            let laws: Vec<LawResult> = verdict.laws.iter().map(alone).collect();
            let cause = self.cause_among(self.wrong.iter(), &laws).filter(|cause| cause.same);
            causes.extend(cause.map(|cause| (law.says, cause)));
        }
        causes
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
            let (state, breach) =
                if pending { (State::Pending, None) } else { try_law(says, || holds(answer)) };
            pending = state == State::Pending;
            results.push(LawResult { group: *group, says, state, breach });
        }
        results
    }

    /// The wrong answer of `zoo` that breaks the same laws with the same values or, failing that, the most alike of those
    /// whose first breach is alike and that break no law which the answer keeps. The laws themselves are the fingerprint,
    /// so a wrong answer needs no description of its symptoms. Where several are equally alike, there is no telling.
    fn cause_among<'a>(
        &self,
        zoo: impl Iterator<Item = &'a Known<F>>,
        laws: &[LawResult],
    ) -> Option<Cause>
    where
        F: 'a,
    {
        let mut best: Option<(Likeness, Cause)> = None;
        let mut undecided = false;
        for known in zoo {
            let (theirs, diagnosis) = (self.results_of(known), known.wrong.diagnosis);
            if theirs == laws {
                return Some(Cause { diagnosis, same: true });
            }
            let Some(likeness) = Likeness::of(theirs, laws) else { continue };
            let cause = Cause { diagnosis, same: likeness.explains(laws) };
            match &best {
                Some((most, _)) if likeness.rank() < most.rank() => {}
                Some((most, other)) if likeness.rank() == most.rank() => {
                    undecided |= other.diagnosis != diagnosis;
                }
                _ => (best, undecided) = (Some((likeness, cause)), false),
            }
        }
        best.map(|(_, cause)| cause).filter(|_| !undecided)
    }
}

/// How one law comes out.
fn try_law(says: &str, holds: impl FnOnce() -> Outcome) -> (State, Option<Breach>) {
    trace::law(says);
    match quiet::catch(holds) {
        Ok(Ok(())) => (State::Passed, None),
        Ok(Err(breach)) if breach.skip => (State::Skipped, Some(breach)),
        Ok(Err(breach)) => (State::Failed, Some(breach)),
        Err(panic) => match panic.pending() {
            Some(note) if note.is_empty() => (State::Pending, None),
            Some(note) => (State::Pending, Some(Breach::text("", "", &note))),
            None => (State::Failed, Some(Breach::panicked(&panic.text))),
        },
    }
}

/// How much of a wrong answer's breaches another answer shares.
struct Likeness {
    /// Broken laws with the same values.
    equal: usize,
    /// How many of these are no edges.
    ideas: usize,
    /// Broken laws where both got an error for a value, in other words, or another value for an error.
    alike: usize,
    /// Broken laws where something else came.
    other: usize,
}

impl Likeness {
    /// None when the first breach is another, when most are, or when the wrong answer breaks a law which the answer keeps.
    fn of(theirs: &[LawResult], ours: &[LawResult]) -> Option<Self> {
        let first = |laws| failures(laws).next();
        if !first(theirs)?.alike(first(ours)?) {
            return None;
        }
        let mut likeness = Self { equal: 0, ideas: 0, alike: 0, other: 0 };
        for (theirs, ours) in theirs.iter().zip(ours) {
            match (theirs.state, ours.state) {
                (State::Failed, State::Failed) if theirs == ours => {
                    likeness.equal += 1;
                    likeness.ideas += usize::from(!ours.is_edge());
                }
                (State::Failed, State::Failed) if theirs.alike(ours) => likeness.alike += 1,
                (State::Failed, State::Failed) => likeness.other += 1,
                (State::Failed, _) => return None,
                _ => {}
            }
        }
        (likeness.equal + likeness.alike >= likeness.other).then_some(likeness)
    }

    fn rank(&self) -> (usize, usize) {
        (self.equal, self.alike)
    }

    /// Whether all breaches of the wrong answer are here, and all that is wrong with the idea here is among them: an answer
    /// that breaks more has a fault which this is not, or not alone. Of edges alone, half will do: they are forgotten one
    /// by one.
    fn explains(&self, ours: &[LawResult]) -> bool {
        let ideas = failures(ours).filter(|law| !law.is_edge()).count();
        let edges = ideas > 0 || 2 * self.equal >= failures(ours).count();
        self.alike + self.other == 0 && self.ideas == ideas && edges
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
            Err(Breach::text("", "the same answer each time for the same input", reason.message()))
        }),
        Err(TestError::Abort(reason)) => Err(Breach::text("", "", reason.message())),
    }
}
