//! Who is at fault when cargo does not build a chapter's checks: the learner's file, or something that is none of it.

use std::path::Path;

use workbook::Chapter;

use crate::context::Context;
use crate::line_ends;

/// Why cargo did not build what it should.
#[derive(Debug, PartialEq)]
pub enum Fault {
    /// The learner's file of this package does not compile.
    Exercise(String),
    /// What uses the learner's file of this package does not compile: a name is missing there, or is another thing.
    Misfit(String),
    /// Anything else, in cargo's own words.
    Other(String),
}

/// What cargo says of things that a learner can do something about, and what that is. The first that fits counts.
const ADVICE: [(&[&str], &str); 8] = [
    (
        &["No space left on device", "not enough space on the disk", "os error 112"],
        "free some space on the disk (`cargo clean` removes what was compiled), then type the command again.",
    ),
    (
        &["lock file version", "failed to parse lock file"],
        "the file `Cargo.lock` is not the course's: `git checkout -- Cargo.lock` brings it back. If it is, type `rustup update`.",
    ),
    (
        &[
            "failed to parse manifest",
            "failed to load manifest",
            "TOML parse error",
            "error inheriting",
        ],
        "a `Cargo.toml` is not as the course has it: `git status` lists what has changed, and `git checkout -- FILE` brings a file back.",
    ),
    (
        &["requires rustc", "is not installed", "toolchain"],
        "update Rust: type `rustup update`, then the command again.",
    ),
    (
        &[
            "Could not resolve",
            "failed to download",
            "download of",
            "Unable to update",
            "network failure",
            "spurious network",
            "--offline",
            "failed to get `",
        ],
        "cargo has to fetch packages once. Check the network (and a proxy, if there is one), then type the command again.",
    ),
    (
        &["linker `", "linking with", "link.exe"],
        "Rust's linker is missing or does not work: `cargo study doctor` says what to install.",
    ),
    (
        &["signal: 9", "SIGKILL", "memory allocation of", "out of memory"],
        "the memory was full: close other programs, or set CARGO_BUILD_JOBS=1, then type the command again.",
    ),
    (
        &["Permission denied", "Access is denied", "Read-only file system"],
        "cargo may not write where it has to: do the course's files belong to another user?",
    ),
];

/// How many of cargo's lines are shown at most.
const LINES: usize = 60;

impl Fault {
    /// Reads what cargo wrote to standard error when it failed.
    pub fn of(chapters: &[Chapter], stderr: &str) -> Self {
        let blocks = errors(stderr);
        let at = |error: &Error, file: &str| {
            let here = |chapter: &&Chapter| {
                error.path.is_some_and(|path| path.ends_with(Path::new(&chapter.stem).join(file)))
            };
            chapters.iter().find(here).map(|chapter| chapter.package.clone())
        };
        if let Some(package) = blocks.iter().find_map(|error| at(error, "src/exercise.rs")) {
            return Self::Exercise(package);
        }
        for error in &blocks {
            let uses = |chapter: &&Chapter| {
                let file = error.path.is_some_and(|path| {
                    path.ends_with(Path::new(&chapter.stem).join("tests/checks.rs"))
                        || (error.text.contains("exercise") && is_in(path, &chapter.stem))
                });
                file && !is_stub(chapter)
            };
            if let Some(chapter) = chapters.iter().find(uses) {
                return Self::Misfit(chapter.package.clone());
            }
        }
        Self::Other(words(stderr))
    }

    /// The package whose learner's file it is.
    pub fn package(&self) -> Option<&str> {
        match self {
            Self::Exercise(package) | Self::Misfit(package) => Some(package),
            Self::Other(_) => None,
        }
    }

    /// What it is about, in a few words.
    pub fn brief(&self) -> String {
        match self {
            Self::Exercise(package) | Self::Misfit(package) => {
                format!("`{package}` does not compile")
            }
            Self::Other(words) => {
                let first = words.lines().find(|line| line.starts_with("error"));
                format!("cargo fails: {}", first.or(words.lines().next()).unwrap_or_default())
            }
        }
    }

    /// What it means for `chapter`, which was to be checked, and what to do.
    pub fn advice(&self, context: &Context, chapter: &Chapter, chapters: &[Chapter]) -> String {
        let wanted = &chapter.package;
        let (package, why) = match self {
            Self::Exercise(package) => (package, "fix the errors above in"),
            Self::Misfit(package) => (
                package,
                "the errors above are in what uses your code. Is a function missing there, or has it other arguments than its stub? See",
            ),
            Self::Other(words) => {
                return format!(
                    "cargo could not build `{wanted}`. That is no fault of your code.\nNext: {}",
                    remedy(words)
                );
            }
        };
        let also =
            if package == wanted { String::new() } else { format!(", which `{wanted}` uses") };
        let at_fault = chapters.iter().find(|other| other.package == *package).unwrap_or(chapter);
        format!(
            "`{package}`{also} does not compile, so nothing could be checked.\nNext: {why} {}, then type `cargo study check {package}`.\n      To start over: `cargo study reset {package}` (your file is kept as a backup).",
            context.shown(&at_fault.exercise_path())
        )
    }
}

/// What to do about a fault that is none of the learner's.
pub fn remedy(words: &str) -> String {
    let known = ADVICE.iter().find(|(signs, _)| signs.iter().any(|sign| words.contains(sign)));
    if let Some((_, advice)) = known {
        return (*advice).to_owned();
    }
    match broken_package(words) {
        Some(package) => format!(
            "`{package}` has no exercise of yours. `git status` lists what has changed in the course, and `git checkout -- FILE` brings a file back;\n      if nothing has changed, please report what cargo says."
        ),
        None => "`cargo study doctor` looks at what is installed. If all is well there, please report what cargo says.".to_owned(),
    }
}

/// The package that cargo could not compile, as far as it says so.
fn broken_package(words: &str) -> Option<&str> {
    let (_, rest) = words.split_once("could not compile `")?;
    rest.split_once('`').map(|(package, _)| package)
}

/// Whether the learner has written nothing yet.
fn is_stub(chapter: &Chapter) -> bool {
    let mine = std::fs::read_to_string(chapter.exercise_path());
    mine.is_ok_and(|mine| chapter.stub_file().is_ok_and(|stub| line_ends::same(&stub, &mine)))
}

/// Whether a path leads through the folder `stem`.
fn is_in(path: &Path, stem: &str) -> bool {
    path.components().any(|part| part.as_os_str() == stem)
}

/// An error of the compiler's.
struct Error<'a> {
    text: String,
    /// The file in which it is.
    path: Option<&'a Path>,
}

/// The errors that the compiler tells, without warnings.
fn errors(stderr: &str) -> Vec<Error<'_>> {
    let mut errors: Vec<Error> = Vec::new();
    let mut in_error = false;
    for line in lines(stderr) {
        if line.starts_with("error") {
            in_error = true;
            errors.push(Error { text: String::new(), path: None });
        } else if line.starts_with("warning") || line.trim().is_empty() {
            in_error = false;
        }
        let Some(error) = errors.last_mut().filter(|_| in_error) else { continue };
        error.text += line;
        if let Some(place) = line.trim_start().strip_prefix("--> ") {
            // `file:line:column`, and a drive's colon on Windows.
            let file = place.trim().rsplitn(3, ':').last();
            error.path = error.path.or(file.map(Path::new));
        }
    }
    errors
}

/// The lines of cargo's output without its progress.
fn lines(stderr: &str) -> impl Iterator<Item = &str> {
    const PROGRESS: [&str; 10] = [
        "Building ",
        "Compiling ",
        "Checking ",
        "Downloading ",
        "Downloaded ",
        "Updating ",
        "Locking ",
        "Adding ",
        "Blocking ",
        "Fresh ",
    ];
    stderr
        .split(['\r', '\n'])
        .map(|line| line.trim_start_matches("\u{1b}[K").trim_end())
        .filter(|line| !PROGRESS.iter().any(|word| line.trim_start().starts_with(word)))
}

/// What cargo says of its failure, in its own words.
fn words(stderr: &str) -> String {
    let all: Vec<&str> = lines(stderr).collect();
    let first = all.iter().position(|line| line.starts_with("error")).unwrap_or(0);
    let told = all[first..].iter().copied().skip_while(|line| line.is_empty());
    let mut told: Vec<&str> = told.collect();
    let more = told.len().saturating_sub(LINES);
    told.truncate(LINES);
    let mut words = told.join("\n").trim().to_owned();
    if more > 0 {
        words += &format!("\n… and {more} more lines");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chapter(stem: &str, package: &str) -> Chapter {
        Chapter {
            stem: stem.to_owned(),
            week: 2,
            package: package.to_owned(),
            crate_name: package.to_owned(),
            dir: Path::new("nowhere").join(stem),
            able: String::new(),
        }
    }

    fn fault(stderr: &str) -> Fault {
        Fault::of(&[chapter("01-dots", "dots"), chapter("02-scaling", "scaling")], stderr)
    }

    #[test]
    fn only_errors_in_an_exercise_are_the_learners() {
        let place = |file: &str| format!("  --> {file}:3:5\n   |\n3 | x\n\n");
        let end = "error: could not compile `scaling` (lib) due to 1 previous error\n";
        let error = "error[E0308]: mismatched types\n";
        let mine = place("chapters/02-scaling/src/exercise.rs");
        assert_eq!(fault(&format!("{error}{mine}{end}")), Fault::Exercise("scaling".into()));
        let warned =
            format!("warning: unused\n{mine}{error}{}{end}", place("crates/figures/src/lib.rs"));
        let Fault::Other(words) = fault(&warned) else { panic!("{warned}") };
        assert!(words.starts_with("error[E0308]") && words.contains("crates/figures"), "{words}");
        // The second place of an error is not where it is.
        let other = format!("{error}  --> crates/figures/src/lib.rs:1:1\n{mine}{end}");
        assert!(matches!(fault(&other), Fault::Other(_)));
    }

    #[test]
    fn what_uses_an_exercise_may_not_fit_it() {
        let checks = "error[E0425]: cannot find function `softmax` in module `exercise`\n --> chapters/02-scaling/tests/checks.rs:8:9\n";
        assert_eq!(fault(checks), Fault::Misfit("scaling".into()));
        let other =
            "error[E0425]: cannot find value `x`\n --> chapters/02-scaling/src/plots.rs:8:9\n";
        assert!(matches!(fault(other), Fault::Other(_)));
    }

    #[test]
    fn progress_is_none_of_cargos_words() {
        let stderr = "    Updating crates.io index\r    Building [=>  ] 1/2: x\r\u{1b}[Kerror: no space\n\nCaused by:\n  No space left on device (os error 28)\n";
        let fault = fault(stderr);
        assert_eq!(fault.brief(), "cargo fails: error: no space");
        let Fault::Other(words) = fault else { panic!() };
        assert_eq!(words, "error: no space\n\nCaused by:\n  No space left on device (os error 28)");
        assert!(remedy(&words).starts_with("free some space"));
        assert!(remedy("error: could not compile `figures` (lib)").starts_with("`figures` has no"));
        assert!(remedy("error: who knows").starts_with("`cargo study doctor`"));
    }
}
