//! `hub MODEL REVISION FOLDER FILE…` downloads files of a model from the model hub into a folder.
//!
//! A program of its own, so that nothing else of the course is compiled with a network client. It prints a line
//! `done total file`, in bytes, for about each percent. Its caller checks what came.

use anyhow::{Context, Result, bail};
use hf_hub::{Repo, RepoType, api::Progress, api::sync::ApiBuilder};
use std::{fs, path::Path, process::ExitCode};

fn main() -> ExitCode {
    match fetch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn fetch() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, revision, folder, files @ ..] = &arguments[..] else {
        bail!("expected MODEL REVISION FOLDER FILE…");
    };
    let folder = Path::new(folder);
    let cache = folder.join("hub");
    // The environment may name a mirror, by HF_ENDPOINT.
    let api = ApiBuilder::from_env().with_cache_dir(cache.clone()).with_retries(2).build()?;
    let repo = api.repo(Repo::with_revision(model.clone(), RepoType::Model, revision.clone()));
    for file in files {
        let got = repo
            .download_with_progress(file, Lines::default())
            .with_context(|| format!("{file} of {model}"))?;
        fs::rename(fs::canonicalize(got)?, folder.join(file))?;
    }
    fs::remove_dir_all(cache)?;
    Ok(())
}

/// Prints how far a download is.
#[derive(Default)]
struct Lines {
    file: String,
    total: usize,
    done: usize,
    told: usize,
}

impl Progress for Lines {
    fn init(&mut self, size: usize, file: &str) {
        (self.file, self.total) = (file.to_owned(), size);
    }

    fn update(&mut self, size: usize) {
        self.done += size;
        if (self.done - self.told) * 100 >= self.total {
            self.told = self.done;
            println!("{} {} {}", self.done, self.total, self.file);
        }
    }

    fn finish(&mut self) {}
}
