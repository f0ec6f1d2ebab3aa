//! Runs the program on the book in `tests/tiny`: from page to notebook and back to the page.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mdbook_preprocessor::PreprocessorContext;
use mdbook_preprocessor::book::{Book, BookItem};
use serde_json::{Value, json};

/// A copy of the tiny book, free to be written to.
struct Tiny(tempfile::TempDir);

impl Tiny {
    fn new() -> Self {
        let copy = tempfile::tempdir().expect("a temporary folder");
        let tiny =
            Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tests").join("tiny");
        copy_folder(&tiny, copy.path());
        Self(copy)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mdbook-cells"));
        command.args(arguments).current_dir(self.0.path()).output().expect("the program starts")
    }

    fn ok(&self, arguments: &[&str]) {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn json(&self, path: &str) -> Value {
        let text = std::fs::read_to_string(self.path(path)).expect("a file");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Writes `run.ipynb`: the draft, as Jupyter would have left it after a run.
    fn execute(&self, printed: &str) {
        self.ok(&["notebook", "01-one", "--out", "draft.ipynb"]);
        let mut notebook = self.json("draft.ipynb");
        notebook["metadata"]["language_info"]["version"] = "machine".into();
        let outputs = [
            json!([{"output_type": "stream", "name": "stderr", "text": "   Compiling course v0.1.0\n"}]),
            json!([]),
            json!([{"output_type": "stream", "name": "stdout", "text": [printed]}]),
            json!([{"output_type": "display_data", "metadata": {"x": 1},
                    "data": {"image/svg+xml": "<svg viewBox=\"0 0 9 9\">\n\n<rect fill=\"#ffffff\"/></svg>\n"}}]),
            json!([{"output_type": "execute_result", "execution_count": 9, "metadata": {}, "data": {"text/plain": "5 ms"}}]),
            json!([]),
            json!([{"output_type": "execute_result", "execution_count": 7, "metadata": {}, "data": {"text/plain": "PENDING"}}]),
        ];
        let cells = notebook["cells"].as_array_mut().expect("cells");
        let code = cells.iter_mut().filter(|cell| cell["cell_type"] == "code");
        let mut count = 0;
        for (cell, outputs) in code.zip(outputs) {
            cell["outputs"] = outputs;
            cell["metadata"]["execution"] = json!({"iopub.status.busy": "2026-01-01"});
            count += 1;
        }
        assert_eq!(count, 7);
        std::fs::write(self.path("run.ipynb"), notebook.to_string()).expect("written");
    }

    /// The page as mdBook gets it from the preprocessor.
    fn page(&self, stem: &str) -> Result<String, String> {
        let driver = mdbook_driver::MDBook::load(self.0.path()).expect("the book loads");
        let context =
            PreprocessorContext::new(self.0.path().to_owned(), driver.config, "html".to_owned());
        let links = mdbook_driver::builtin_preprocessors::LinkPreprocessor::new();
        let book = mdbook_preprocessor::Preprocessor::run(&links, &context, driver.book);
        let input = serde_json::to_vec(&(context, book.expect("includes"))).expect("JSON");
        std::fs::write(self.path("input.json"), input).expect("written");
        let input = std::fs::File::open(self.path("input.json")).expect("readable");
        let mut command = Command::new(env!("CARGO_BIN_EXE_mdbook-cells"));
        let output = command.stdin(input).output().expect("the program starts");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let book: Book = serde_json::from_slice(&output.stdout).expect("a book");
        let page = book.items.into_iter().find_map(|item| match item {
            BookItem::Chapter(page) if page.path == Some(format!("{stem}.md").into()) => Some(page),
            _ => None,
        });
        Ok(page.expect("the page").content)
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry").path();
        let target = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy_folder(&entry, &target);
        } else {
            std::fs::copy(&entry, &target).expect("copied");
        }
    }
}

fn sources(notebook: &Value) -> Vec<String> {
    let cells = notebook["cells"].as_array().expect("cells").iter();
    let text = |lines: &Value| -> String {
        lines.as_array().expect("lines").iter().filter_map(Value::as_str).collect()
    };
    cells.map(|cell| text(&cell["source"])).collect()
}

#[test]
fn the_notebook_of_a_page() {
    let tiny = Tiny::new();
    tiny.ok(&["notebook", "01-one", "--out", "a.ipynb"]);
    tiny.ok(&["notebook", "01-one", "--out", "b.ipynb"]);
    let notebook = tiny.json("a.ipynb");
    assert_eq!(notebook, tiny.json("b.ipynb"), "the same page, the same notebook");
    let sources = sources(&notebook);
    assert!(
        sources[0].starts_with("# One\n\nYou add $x_1 + x_2$, see [the notes](../book/notes.md)")
    );
    assert!(sources[0].contains("[below](01-one.ipynb#two)") && sources[0].contains("> **Tip.**"));
    assert!(sources[1].contains("use course::prelude::*;\nuse course::one::solution;\n"));
    assert_eq!(sources[2], "let width = 4;");
    assert!(sources[3].starts_with("## Two\n\n> **Predict first.** Is $\\exp(1)$"));
    assert!(
        sources[4].starts_with("fn helper(x: f32) -> f32 {") && sources[4].contains("println!")
    );
    assert_eq!(sources[8], "/// Twice `x`.\npub fn double(x: f32) -> f32 {\n    todo!()\n}");
    assert_eq!(sources[9], "check::double(|x| double(x))");
    assert!(sources[10].contains("<summary>Hint 3</summary>") && !sources[10].contains("Solution"));
    assert!(
        sources[10].contains("<details class=\"answer right\"><summary>To have $2x$.</summary>")
    );
    assert_eq!(notebook["cells"][5]["metadata"]["tags"], json!(["figure"]));
    assert_eq!(notebook["cells"][5]["metadata"]["jupyter"]["source_hidden"], true);
    assert_eq!(notebook["cells"][6]["metadata"]["tags"], json!(["timing"]));
    assert_eq!(notebook["cells"][8]["metadata"]["tags"], json!(["exercise"]));
}

#[test]
fn outputs_come_onto_the_page() {
    let tiny = Tiny::new();
    assert!(tiny.page("01-one").expect("a page").contains("has not been run yet"));
    tiny.execute("1.5\n");
    tiny.ok(&["accept", "01-one", "--executed", "run.ipynb"]);
    tiny.ok(&["fresh"]);
    let committed = tiny.json("notebooks/01-one.ipynb");
    let text = committed.to_string();
    assert!(!text.contains("iopub") && !text.contains("Compiling") && !text.contains("machine"));

    let page = tiny.page("01-one").expect("a page");
    assert!(!page.contains("stale"));
    assert!(page.contains("```\n\n<pre class=\"cell-output\">1.5</pre>\n"));
    assert!(page.contains("<figure class=\"cell-output\"><svg viewBox=\"0 0 9 9\"> <rect"));
    assert!(page.contains(
        "</svg></figure>\n\n\n<details class=\"drawing\"><summary>The code of this figure</summary>\n\n```rust\nfigure(width)\n"
    ));
    assert!(page.contains("<pre class=\"cell-output\">5 ms</pre>") && !page.contains("PENDING"));
    assert!(page.contains(
        "<details class=\"setup\"><summary>Set-up</summary>\n\n```rust\nlet width = 4;\n```"
    ));
    assert!(
        page.contains("In `chapters/01-one/src/exercise.rs`:")
            && page.contains("cargo study check one")
    );
    assert!(page.contains(
        "<details class=\"solution\"><summary>Solution</summary>\n\n```rust\n/// Twice `x`."
    ));
    assert!(page.contains("<div class=\"math\"><math display=\"block\"") && !page.contains('$'));
    assert!(tiny.page("notes").expect("a page").contains("<math"));
    // On paper, the answers stand behind everything else.
    assert!(page.contains("<p class=\"on-paper\">Question 1. Its answer stands at the end"));
    let (before, answers) = page.split_once("<div class=\"on-paper answers\">").expect("answers");
    assert!(before.contains("| a | b |") && before.contains("cargo study solution one::double"));
    assert!(
        answers.contains("**1.** (b). It is <span") && answers.contains("**2.** <em>To have <math")
    );
    assert!(!tiny.page("notes").expect("a page").contains("on-paper"));
}

#[test]
fn a_changed_page_says_that_its_outputs_are_old() {
    let tiny = Tiny::new();
    tiny.execute("1.5\n");
    tiny.ok(&["accept", "01-one", "--executed", "run.ipynb"]);
    let page = std::fs::read_to_string(tiny.path("book/01-one.md")).expect("the page");
    std::fs::write(tiny.path("book/01-one.md"), page.replace("figure(width)", "figure(5)"))
        .expect("written");
    let page = tiny.page("01-one").expect("a page");
    assert!(
        page.starts_with("<div class=\"stale\">The outputs on this page are older than its code.")
    );
    assert!(page.contains("1.5</pre>") && !page.contains("<figure"));
    let output = tiny.run(&["fresh", "01-one"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("01-one: cells differ"));
    assert_eq!(tiny.run(&["accept", "01-one", "--executed", "run.ipynb"]).status.code(), Some(1));
}

#[test]
fn a_second_run_is_compared() {
    let tiny = Tiny::new();
    tiny.execute("1.5\n");
    tiny.ok(&["accept", "01-one", "--executed", "run.ipynb"]);
    let before = tiny.json("notebooks/01-one.ipynb");
    tiny.ok(&["accept", "01-one", "--executed", "run.ipynb", "--check"]);
    tiny.execute("2.5\n");
    let output = tiny.run(&["accept", "01-one", "--executed", "run.ipynb", "--check"]);
    assert_eq!(output.status.code(), Some(1));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("  expected: 1.5\n  got:      2.5\n"), "{printed}");
    assert_eq!(tiny.json("notebooks/01-one.ipynb"), before);
}

#[test]
fn edited_prose_needs_no_run() {
    let tiny = Tiny::new();
    tiny.execute("1.5\n");
    tiny.ok(&["accept", "01-one", "--executed", "run.ipynb"]);
    let page = std::fs::read_to_string(tiny.path("book/01-one.md")).expect("the page");
    std::fs::write(tiny.path("book/01-one.md"), page.replace("You add", "You sum"))
        .expect("written");
    tiny.ok(&["fresh"]);
    let arguments = ["notebook", "01-one", "--with-outputs", "--out", "notebooks/01-one.ipynb"];
    tiny.ok(&arguments);
    let notebook = tiny.json("notebooks/01-one.ipynb");
    assert!(sources(&notebook)[0].contains("You sum"));
    assert_eq!(notebook["cells"][4]["outputs"][0]["text"], json!(["1.5\n"]));
}

#[test]
fn faults_are_said() {
    let tiny = Tiny::new();
    let said =
        |arguments: &[&str]| String::from_utf8_lossy(&tiny.run(arguments).stderr).into_owned();
    assert!(
        said(&["notebook", "1", "--out", "x"])
            .contains("no page `1` in the book; pages with a notebook: 01-one")
    );
    assert!(
        said(&["accept", "01-one", "--executed", "none.ipynb"])
            .contains("can't read the notebook `none.ipynb`")
    );
    assert_eq!(tiny.run(&["supports", "html"]).status.code(), Some(0));
    assert_eq!(tiny.run(&["supports", "markdown"]).status.code(), Some(1));
    std::fs::write(tiny.path("book/notes.md"), "# N\n\n$\\nocommand$\n").expect("written");
    let error = tiny.page("01-one").expect_err("the build must fail");
    assert!(error.contains("page `notes.md`: the formula `\\nocommand`"), "{error}");
}
