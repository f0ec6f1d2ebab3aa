//! `cargo study check`: what the checks say about the learner's code.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use workbook::{Chapter, Exercise};

use super::exit;
use crate::blame::{Blame, blame};
use crate::checks::{self, Errors, Outcome, Report};
use crate::context::Context;
use crate::limit::Limit;
use crate::memory::Memory;
use crate::names::{self, Target};
use crate::report::{Law, Line, State, Who};
use crate::reward;
use crate::ui::{Stream, bad, good, heading, open};

/// Check your code: what passes, what is pending, and what is wrong
#[derive(Args)]
#[command(
    after_help = "Examples: cargo study check scaling\n          cargo study check scaling::softmax\n\nWithout a name, it checks chapter by chapter and stops at the first with something left to do.\n✓ the idea works · ✓✓ the edges hold too · ○ not written yet · ✗ does not work yet. A week is done when every exercise has a ✓.
The exit code is 1 when an exercise fails or the code does not compile; a pending exercise or an open edge does not count as a failure."
)]
pub struct Check {
    /// A chapter (`scaling`, `2`) or an exercise (`scaling::softmax`)
    name: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

impl Check {
    /// Runs the checks and prints what they say.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        self.limit.set(context);
        let chapters = context.chapters()?;
        match self.name.as_deref().map(|name| names::target(&chapters, name)).transpose()? {
            Some(Target::Chapter(chapter)) => {
                Ok(exit(check(context, &chapter, Scope::Chapter)? == Standing::Failed))
            }
            Some(Target::Exercise(chapter, exercise)) => {
                let scope = Scope::Exercise(&exercise.name);
                Ok(exit(check(context, &chapter, scope)? == Standing::Failed))
            }
            None => up_to_the_first_open(context, &chapters),
        }
    }
}

fn up_to_the_first_open(context: &Context, chapters: &[Chapter]) -> Result<ExitCode> {
    for chapter in chapters {
        let standing = check(context, chapter, Scope::Passing)?;
        if standing != Standing::Done {
            println!(
                "\nLater chapters were not checked: `cargo study progress` shows all of them."
            );
            return Ok(exit(standing == Standing::Failed));
        }
    }
    println!("\nEvery exercise in the course works.");
    Ok(ExitCode::SUCCESS)
}

/// How much of a chapter is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// All of it.
    Chapter,
    /// As much as matters on the way to the first chapter that is not done.
    Passing,
    /// One exercise.
    Exercise(&'a str),
}

/// Where a chapter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Every exercise works.
    Done,
    /// Something is pending, nothing fails.
    Open,
    /// Something fails or does not compile.
    Failed,
}

/// Checks `chapter` and prints what is found, and what to type next.
pub fn check(context: &Context, chapter: &Chapter, scope: Scope) -> Result<Standing> {
    let before = Memory::read(context.home()).recall(context, chapter)?;
    match checks::run(context, chapter, Errors::Show)? {
        Outcome::Unbuilt(fault) => {
            let advice = fault.advice(context, chapter, &context.chapters()?);
            eprintln!("\n{} {advice}", bad("✗", Stream::Err));
            Ok(Standing::Failed)
        }
        Outcome::Ran(report) => {
            let just_done = !before.is_some_and(|before| before.done());
            tell(context, chapter, &report, scope, just_done)
        }
    }
}

fn tell(
    context: &Context,
    chapter: &Chapter,
    report: &Report,
    scope: Scope,
    just_done: bool,
) -> Result<Standing> {
    println!("{}", heading(&format!("Week {} · {}", chapter.week, chapter.package)));
    let wanted = |name: &str| !matches!(scope, Scope::Exercise(only) if only != name);
    let shown: Vec<&Exercise> =
        report.exercises().iter().filter(|exercise| wanted(&exercise.name)).collect();
    let lines = report.of(Who::Exercise);
    for exercise in &shown {
        let (state, name) = (report.state(&exercise.name), &exercise.name);
        let optional = match state {
            State::Pending if exercise.is_optional() => " (optional)",
            _ => "",
        };
        let line = lines.iter().find(|line| line.exercise == *name);
        let note = line.and_then(|line| line.note()).map(|note| format!(" — {note}"));
        println!("  {} {name}{optional}{}", mark(state), note.unwrap_or_default());
    }
    if let Scope::Exercise(name) = scope {
        tell_printed(&lines, name);
    }
    let failed: Vec<&Line> = lines
        .iter()
        .filter(|line| line.state == State::Failed && wanted(&line.exercise))
        .copied()
        .collect();
    if !failed.is_empty() {
        tell_failures(context, chapter, report, &failed)?;
        println!("\nYour code is in {}.", context.shown(&chapter.exercise_path()));
        return Ok(Standing::Failed);
    }
    let right = |line: &Line| matches!(line.state, State::Passed | State::Skipped);
    if let Some(line) =
        report.of(Who::Solution).iter().find(|line| !right(line) && wanted(&line.exercise))
    {
        println!(
            "\nThe course's own solution fails here. Please report this:\n\n{}",
            line.message.trim()
        );
        return Ok(Standing::Failed);
    }
    // Whoever asks for an optional exercise wants to write it; nobody else has to.
    let due =
        |exercise: &&&Exercise| matches!(scope, Scope::Exercise(_)) || !exercise.is_optional();
    let pending: Vec<&String> = shown
        .iter()
        .filter(due)
        .map(|exercise| &exercise.name)
        .filter(|name| report.state(name) == State::Pending)
        .collect();
    if !pending.is_empty() {
        tell_pending(context, chapter, report, &pending)?;
        return Ok(Standing::Open);
    }
    if let Some(note) = skipped(lines.iter().filter(|line| wanted(&line.exercise)).copied()) {
        println!("\n{note}");
    }
    let edges: Vec<&Line> = lines
        .iter()
        .filter(|line| line.state == State::Works && wanted(&line.exercise))
        .copied()
        .collect();
    let done = report.states().iter().all(|(_, state)| state.is_done());
    if done && (scope == Scope::Chapter || just_done) {
        reward::give(context, chapter, just_done)?;
    }
    match scope {
        Scope::Exercise(name) => {
            if let [line] = edges[..] {
                match blame(context, chapter, report, name)? {
                    // What is open here, if anything, shows when the other is mended.
                    Some(blame) if blame.hides(line) => {
                        let callee = match blame.callees[0].as_str() {
                            other if other.contains("::") => other.to_owned(),
                            own => names::path(chapter, own),
                        };
                        println!("\n{blame}\n\nNext: cargo study check {callee}");
                    }
                    blame => println!("\n{}", doubted(line, blame.as_ref())),
                }
            } else {
                let path = names::path(chapter, name);
                println!("\nNext: compare with `cargo study solution {path}`.");
            }
        }
        Scope::Passing if !edges.is_empty() => println!(
            "  edges are still open in {}: `cargo study check {}` says which, and why they matter",
            exercises(edges.len()),
            chapter.package
        ),
        Scope::Passing => {}
        Scope::Chapter => {
            tell_edges(context, chapter, report, &edges)?;
            println!("\n{}", after(context, chapter, edges.is_empty())?);
        }
    }
    Ok(Standing::Done)
}

/// Shows what an exercise printed that does not fail; what fails is told with it.
fn tell_printed(lines: &[&Line], name: &str) {
    let quiet = |line: &&&Line| line.exercise == name && line.message.is_empty();
    if let Some(line) = lines.iter().find(quiet).filter(|line| !line.printed.is_empty()) {
        println!("\nIt printed, in its first example:\n{}", indented("  ", &line.printed));
    }
}

fn indented(by: &str, text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("{by}{line}")).collect();
    lines.join("\n")
}

/// Explains the first failure whose fault is its own in full, and each other one briefly.
fn tell_failures(
    context: &Context,
    chapter: &Chapter,
    report: &Report,
    failed: &[&Line],
) -> Result<()> {
    let blames: Vec<Option<Blame>> = failed
        .iter()
        .map(|line| blame(context, chapter, report, &line.exercise))
        .collect::<Result<_>>()?;
    // Of one that fails through another, nothing is to be learnt before that other is mended.
    let through = |at: usize| blames[at].as_ref().filter(|blame| blame.hides(failed[at]));
    let own = (0..failed.len()).find(|&at| through(at).is_none()).unwrap_or(0);
    match through(own) {
        Some(blame) => {
            // What the message takes for the cause is a guess, and this is known.
            let cause = format!("{}\n\n", failed[own].cause);
            let message = failed[own].message.trim();
            println!("\n{blame}\n\n{}", message.replacen(cause.trim_start(), "", 1));
        }
        None => println!("\n{}", doubted(failed[own], blames[own].as_ref())),
    }
    if failed.len() > 1 {
        println!("\nAlso not working yet:");
    }
    for (at, line) in failed.iter().enumerate().filter(|(at, _)| *at != own) {
        println!("\n  {} {}", mark(line.state), line.exercise);
        if let Some(blame) = through(at) {
            println!("    {blame}");
            continue;
        }
        print!("{}", briefly(line));
        if let Some(doubt) = blames[at].as_ref().and_then(|blame| blame.doubt(line)) {
            println!("    {doubt}");
        }
    }
    if failed.len() > 1 {
        println!(
            "\nTo read one of them in full: `cargo study check {}`, for example.",
            names::path(chapter, &failed[usize::from(own == 0)].exercise)
        );
    }
    Ok(())
}

/// The full text of a failure or of open edges; that something else may be the reason comes after the cause.
fn doubted(line: &Line, blame: Option<&Blame>) -> String {
    let message = line.message.trim();
    let Some(doubt) = blame.and_then(|blame| blame.doubt(line)) else { return message.to_owned() };
    let after = match message.find(&line.cause) {
        Some(at) if !line.cause.is_empty() => Some(at + line.cause.len()),
        _ => ["\n\nIt also breaks:", "\n\nNext: "].iter().find_map(|next| message.find(next)),
    };
    let (before, rest) = message.split_at(after.unwrap_or(message.len()));
    format!("{before}\n\n{doubt}{rest}")
}

/// How many lines are shown of what a failing exercise printed that is told briefly.
const PRINTED: usize = 5;

/// What an exercise breaks first, and the likely cause.
fn briefly(line: &Line) -> String {
    let first = |edge: bool| {
        let breaks = |law: &&Law| law.state == State::Failed && law.is_open_edge() == edge;
        line.laws.iter().find(breaks)
    };
    let mut text = String::new();
    if !line.ended.is_empty() {
        text += &format!("    your code {}\n", line.ended);
    } else if let Some(law) = first(false).or_else(|| first(true)) {
        text += &format!("    must hold: {}\n", law.says);
        if !law.brief.is_empty() {
            text += &format!("    {}\n", law.brief);
        }
    }
    if !line.cause.is_empty() {
        text += &format!("    {}\n", line.cause);
    }
    if !line.printed.is_empty() {
        let few: Vec<&str> = line.printed.lines().take(PRINTED).collect();
        let more = if few.len() < line.printed.lines().count() { "\n      …" } else { "" };
        text += &format!("    it printed:\n{}{more}\n", indented("      ", &few.join("\n")));
    }
    text
}

/// Says what to write next: what is written and waits for another exercise is not it.
fn tell_pending(
    context: &Context,
    chapter: &Chapter,
    report: &Report,
    pending: &[&String],
) -> Result<()> {
    let mut next = None;
    for name in pending {
        match blame(context, chapter, report, name)? {
            Some(blame) if blame.state == State::Pending => println!("\n{blame}"),
            _ => next = next.or(Some(name)),
        }
    }
    let Some(name) = next.or(pending.first()) else { return Ok(()) };
    let path = names::path(chapter, name);
    println!(
        "\nNext: write `{name}` in {}, then type `cargo study check {path}`.\n      Stuck? `cargo study hint {path}`",
        context.shown(&chapter.exercise_path())
    );
    Ok(())
}

/// The round behind the ideas: each open edge, what breaks it, and why it matters.
fn tell_edges(
    context: &Context,
    chapter: &Chapter,
    report: &Report,
    lines: &[&Line],
) -> Result<()> {
    let Some(first) = lines.first() else { return Ok(()) };
    println!(
        "\n{}\nThe ideas work. What remains are the cases that come up in practice; {} still {} some open.",
        heading("Edges"),
        exercises(lines.len()),
        if lines.len() == 1 { "leaves" } else { "leave" }
    );
    for line in lines {
        println!("\n  {}", line.exercise);
        let blame = blame(context, chapter, report, &line.exercise)?;
        if let Some(blame) = blame.as_ref().filter(|blame| blame.hides(line)) {
            println!("    {blame}");
        }
        let mut told = "";
        for law in line.laws.iter().filter(|law| law.is_open_edge()) {
            println!("    - {}\n      {}", law.says, law.brief);
            if law.matters != told {
                println!("      Why it matters: {}", law.matters);
                told = &law.matters;
            }
            if !law.cause.is_empty() {
                println!("      {}", law.cause);
            }
        }
        if !line.cause.is_empty() {
            println!("    {}", line.cause);
        }
        let seen = blame.as_ref().filter(|blame| !blame.hides(line));
        if let Some(doubt) = seen.and_then(|blame| blame.doubt(line)) {
            println!("    {doubt}");
        }
    }
    println!(
        "\nTo read one in full: `cargo study check {}`.",
        names::path(chapter, &first.exercise)
    );
    Ok(())
}

/// So many exercises, in words.
pub fn exercises(count: usize) -> String {
    if count == 1 { "1 exercise".to_owned() } else { format!("{count} exercises") }
}

/// What comes after a week that is done.
fn after(context: &Context, chapter: &Chapter, edges_too: bool) -> Result<String> {
    let edges = if edges_too {
        ""
    } else {
        "\n      The edges can wait: close them now or later, as you like."
    };
    let chapters = context.chapters()?;
    Ok(match chapters.iter().find(|other| other.week > chapter.week) {
        Some(next) => format!(
            "Next: read book/{}.md (`cargo study serve`), then type `cargo study check {}`.{edges}\n      To compare with the course's code: `cargo study solution {}::…`.",
            next.stem, next.package, chapter.crate_name
        ),
        None => format!("That was the last week: `cargo study progress` shows all of them.{edges}"),
    })
}

/// What is told of laws that could not be tried here, and why.
fn skipped<'a>(lines: impl Iterator<Item = &'a Line>) -> Option<String> {
    let laws: Vec<&Law> =
        lines.flat_map(|line| &line.laws).filter(|law| law.state == State::Skipped).collect();
    let why = &laws.first()?.why;
    let named: String = laws.iter().map(|law| format!("\n    - {}", law.says)).collect();
    Some(format!("– Not tried here:{named}\n  {why}"))
}

/// The ticks, circle or cross of a state.
pub fn mark(state: State) -> console::StyledObject<&'static str> {
    match state {
        State::Passed => good("✓✓", Stream::Out),
        State::Works => good("✓", Stream::Out),
        State::Skipped => open("–", Stream::Out),
        State::Pending | State::Optional => open("○", Stream::Out),
        State::Unknown => open("?", Stream::Out),
        State::Failed => bad("✗", Stream::Out),
        State::Broken => bad("!", Stream::Out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_laws_are_told_with_the_reason() {
        let law = |state, why: &str| Law {
            group: "Gpu".to_owned(),
            says: "it computes there".to_owned(),
            state,
            why: why.to_owned(),
            brief: String::new(),
            matters: String::new(),
            cause: String::new(),
        };
        let line = |laws| Line {
            exercise: "flash_layout".to_owned(),
            who: Who::Exercise,
            state: State::Passed,
            message: String::new(),
            cause: String::new(),
            printed: String::new(),
            ended: String::new(),
            laws,
        };
        let passed = line(vec![law(State::Passed, "")]);
        assert_eq!(skipped([&passed].into_iter()), None);
        let lines = [passed, line(vec![law(State::Passed, ""), law(State::Skipped, "no card.")])];
        let told = skipped(lines.iter()).unwrap();
        assert_eq!(told, "– Not tried here:\n    - it computes there\n  no card.");
    }

    #[test]
    fn a_brief_failure_has_the_idea_first_and_the_cause() {
        let law = |says: &str, brief: &str, matters: &str| Law {
            group: String::new(),
            says: says.to_owned(),
            state: State::Failed,
            why: String::new(),
            brief: brief.to_owned(),
            matters: matters.to_owned(),
            cause: String::new(),
        };
        let line = Line {
            exercise: "softmax".to_owned(),
            who: Who::Exercise,
            state: State::Failed,
            message: String::new(),
            cause: "Likely cause: no maximum subtracted".to_owned(),
            printed: "1\n2\n3\n4\n5\n6".to_owned(),
            ended: String::new(),
            laws: vec![
                law("empty rows are fine", "got an error", "they happen."),
                law("rows sum to 1", "differs at [0]: expected 1, got 2", ""),
            ],
        };
        let said = "    must hold: rows sum to 1\n    differs at [0]: expected 1, got 2\n    Likely cause: no maximum subtracted\n    it printed:\n      1\n      2\n      3\n      4\n      5\n      …\n";
        assert_eq!(briefly(&line), said);
        let ended = "overflowed the stack.".to_owned();
        let line = Line { ended, printed: String::new(), cause: String::new(), ..line };
        assert_eq!(briefly(&line), "    your code overflowed the stack.\n");
    }
}
