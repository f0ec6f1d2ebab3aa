//! An answer that ends its program, or never ends, fails alone; what an answer prints is told.
//!
//! This program is also the test program of a chapter whose exercises do such things: it starts itself with [`CHAPTER`].

use candle_core::{D, DType, Result, Tensor};
use checks::{Entry, scaling::softmax};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use std::{
    env, fs,
    hint::black_box,
    process::{self, Command, ExitCode},
    sync::LazyLock,
    thread,
    time::Duration,
};

/// The variable that makes this program the chapter's.
const CHAPTER: &str = "CRASHES_CHAPTER";

/// What a learner wrote.
type Answer = fn(&Tensor) -> Result<Tensor>;

/// A test of this program.
type Test = fn() -> std::result::Result<(), Failed>;

/// Like the learners' own, in a folder of its own name.
fn answers() -> Vec<(&'static str, Answer)> {
    vec![
        ("right", right),
        ("recursion", |logits| {
            println!("rank {}", logits.rank());
            if logits.rank() == 1 { right(logits) } else { right(&(logits + deep(1.))?) }
        }),
        ("abort", |_| process::abort()),
        ("exit", |logits| {
            eprint!("goodbye");
            process::exit(i32::from(logits.rank() != 1))
        }),
        ("allocation", |logits| right(&(logits + vec![1u8; isize::MAX as usize].len() as f64)?)),
        ("twice", |_| {
            let _bomb = Bomb;
            panic!("once")
        }),
        ("endless", |_| {
            loop {
                thread::sleep(Duration::from_millis(1));
            }
        }),
        ("prints", |logits| {
            println!("looking at {:?}", logits.dims());
            dbg!(logits.elem_count());
            if logits.dims() == [1, 3] { logits * 2. } else { right(logits) }
        }),
        ("chatty", |logits| {
            println!("shape {:?}", logits.dims());
            right(logits)
        }),
        ("loud", |logits| {
            for line in 0..1000 {
                println!("line {line}");
            }
            logits * 2.
        }),
        ("later", |_| todo!("later")),
        ("unimplemented", |logits| match logits.rank() {
            1 => right(logits),
            _ => unimplemented!(),
        }),
        ("candle", |logits| logits.to_dtype(DType::U8)?.log()),
        ("last", right),
    ]
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("and again")
    }
}

#[allow(unconditional_recursion, reason = "a learner forgot the end")]
fn deep(x: f64) -> f64 {
    black_box(deep(black_box(x + 1.)) + 1.)
}

fn right(logits: &Tensor) -> Result<Tensor> {
    if logits.dim(D::Minus1)? == 0 {
        candle_core::bail!("no logits");
    }
    if logits.elem_count() == 0 {
        return Ok(logits.clone());
    }
    let exp = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
}

fn main() -> ExitCode {
    if env::var_os(CHAPTER).is_some() {
        let entry = |(name, answer)| Entry::new(name, || softmax(right), move || softmax(answer));
        return checks::run("scaling", answers().into_iter().map(entry).collect());
    }
    let trials: [(&str, Test); _] = [
        ("what_ends_the_program_is_named_with_what_happened", what_ends_is_named),
        ("all_others_keep_their_verdicts", others_keep_their_verdicts),
        ("what_the_failing_example_prints_is_told", prints_are_told),
        ("what_is_still_to_be_written_is_pending", todos_are_pending),
        ("the_test_programs_arguments_work", arguments_work),
    ];
    let trials = trials.map(|(name, test)| Trial::test(name, test));
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// What the chapter's program says: its output and its report.
struct Said {
    output: String,
    code: Option<i32>,
    report: Vec<Value>,
}

fn say(arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let name = format!("crashes-{}-{}.jsonl", process::id(), arguments.concat().replace(':', ""));
    let report = env::temp_dir().join(name);
    let mut program = Command::new(env::current_exe().unwrap());
    program.args(arguments).env(CHAPTER, "1").env("CHECKS_REPORT", &report);
    let output = program.envs(variables.iter().copied()).output().unwrap();
    let lines = fs::read_to_string(&report).unwrap_or_default();
    // There is none where nothing was tried.
    let _ = fs::remove_file(report);
    Said {
        output: [output.stdout, output.stderr]
            .map(|text| String::from_utf8(text).unwrap())
            .concat(),
        code: output.status.code(),
        report: lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
    }
}

/// All answers, tried once.
static ALL: LazyLock<Said> = LazyLock::new(|| say(&[], &[("CHECKS_LIMIT", "2")]));

/// What the report says of the learner's `exercise`.
fn line(exercise: &str) -> &'static Value {
    let is = |line: &&Value| line["exercise"] == exercise && line["who"] == "exercise";
    let mut lines = ALL.report.iter().filter(is);
    let line = lines.next().unwrap_or_else(|| panic!("nothing on {exercise} in {}", ALL.output));
    assert!(lines.next().is_none(), "{exercise} is told twice");
    line
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[track_caller]
fn has(text: &str, part: &str) {
    assert!(text.contains(part), "`{part}` is not in:\n{text}");
}

fn what_ends_is_named() -> std::result::Result<(), Failed> {
    let memory = format!("asked for more memory than there is: {} bytes at once.", isize::MAX);
    for (exercise, ended) in [
        ("recursion", "overflowed the stack: a recursion that does not end?"),
        ("abort", "called abort()."),
        ("exit", "called exit(0)."),
        ("allocation", memory.as_str()),
        ("twice", "panicked while another panic was on its way, which ends the program."),
        ("endless", "did not end within 2 s: a loop that does not end?"),
    ] {
        let line = line(exercise);
        assert_eq!(line["state"], "failed", "{line}");
        has(text(&line["ended"]), ended);
        let message = text(&line["message"]);
        has(message, &format!("✗ scaling::{exercise} failed.\n\nYour code {ended}"));
        has(message, &format!("\n\nNext: cargo study hint scaling::{exercise}\n"));
        has(text(&line["laws"][0]["brief"]), ended);
        has(&ALL.output, &format!("Your code {ended}"));
    }
    let recursion = text(&line("recursion")["message"]);
    has(recursion, "It happened while this was tried: each row is normalised on its own");
    has(recursion, "\n  given    logits: [2, 3] f32\n");
    has(recursion, "\n\nIt printed:\n  rank 2\n\nNext: ");
    has(text(&line("exit")["message"]), "It printed:\n  goodbye\n");
    Ok(())
}

fn others_keep_their_verdicts() -> std::result::Result<(), Failed> {
    for exercise in ["right", "chatty", "last"] {
        assert_eq!(line(exercise)["state"], "passed", "{}", line(exercise));
    }
    let solutions = ALL.report.iter().filter(|line| line["who"] == "solution");
    assert!(solutions.clone().all(|line| line["state"] == "passed"), "{}", ALL.output);
    assert_eq!(solutions.count(), answers().len());
    has(&ALL.output, "scaling: exercises: 3 passed (✓✓), 9 failed, 2 pending.");
    assert_eq!(ALL.code, Some(101));
    Ok(())
}

fn prints_are_told() -> std::result::Result<(), Failed> {
    // Hundreds of examples print; the smallest that fails is told.
    let prints = line("prints");
    assert_eq!(prints["state"], "failed");
    let printed = text(&prints["printed"]);
    has(printed, "looking at [1, 3]\n[");
    has(printed, "logits.elem_count() = 3");
    assert_eq!(printed.lines().count(), 2, "{printed}");
    has(text(&prints["message"]), "\nIt printed:\n  looking at [1, 3]\n  [");
    has(&ALL.output, "\nIt printed:\n  looking at [1, 3]\n  [");
    // Of one that passes, the first.
    assert_eq!(line("chatty")["printed"], "shape [3]");
    assert!(!ALL.output.contains("shape [3]"));
    has(&say(&["--nocapture", "chatty"], &[]).output, "shape [3]");
    let loud = text(&line("loud")["printed"]);
    assert!(
        loud.starts_with("line 0\n") && loud.ends_with("line 19\n… and 980 more lines"),
        "{loud}"
    );
    Ok(())
}

fn todos_are_pending() -> std::result::Result<(), Failed> {
    for (exercise, note) in [("later", "todo: later"), ("unimplemented", "")] {
        let line = line(exercise);
        assert_eq!(line["state"], "pending", "{line}");
        let laws = line["laws"].as_array().unwrap();
        let pending = laws.iter().find(|law| law["state"] == "pending").unwrap();
        assert_eq!(pending["why"], note);
    }
    has(&ALL.output, "pending: todo: later");
    assert_eq!(line("candle")["state"], "failed");
    has(text(&line("candle")["message"]), "a panic: not yet implemented: ");
    Ok(())
}

fn arguments_work() -> std::result::Result<(), Failed> {
    let list = say(&["--list"], &[]);
    has(&list.output, "solution::right: test\nexercise::right: test\n");
    assert!(list.report.is_empty());
    let exact = say(&["--exact", "exercise::exit", "--test-threads", "1"], &[]);
    assert_eq!((exact.report.len(), exact.code), (1, Some(101)), "{}", exact.output);
    let skip = say(&["ight", "--skip", "solution"], &[("CHECKS_LIMIT", "0")]);
    assert_eq!((skip.report.len(), skip.code), (1, Some(0)), "{}", skip.output);
    let refused = say(&["right"], &[("CHECKS_LIMIT", "soon")]);
    has(&refused.output, "CHECKS_LIMIT=soon: expected whole seconds");
    assert!(refused.report.is_empty() && refused.code == Some(1));
    Ok(())
}
