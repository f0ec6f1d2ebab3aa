//! Replacing a file that a learner wrote, with a copy kept beside it.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Copies `file` beside itself as `NAME.backup-NUMBER.EXTENSION`, from 1 on, and returns the copy's path.
///
/// An existing backup is never overwritten: the next free number is taken. The copy is on the disk when this
/// returns.
pub fn keep(file: &Path) -> Result<PathBuf> {
    let content = fs::read(file).with_context(|| format!("can't read `{}`", file.display()))?;
    let mut count = 0;
    loop {
        count += 1;
        let backup = name(file, count);
        match OpenOptions::new().write(true).create_new(true).open(&backup) {
            Ok(mut copy) => {
                copy.write_all(&content)
                    .and_then(|()| copy.sync_all())
                    .with_context(|| format!("can't write the backup `{}`", backup.display()))?;
                return Ok(backup);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| {
                    format!("can't make the backup `{}`: nothing was changed", backup.display())
                });
            }
        }
    }
}

/// Writes `content` to `file` in one step: whoever reads it sees the old or the new text, never half of it.
pub fn replace(file: &Path, content: &str) -> Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut new = tempfile::Builder::new().prefix(".study-").tempfile_in(folder)?;
        new.write_all(content.as_bytes())?;
        if let Ok(old) = File::open(file) {
            // A temporary file is private to its owner; the file that it replaces need not be.
            new.as_file().set_permissions(old.metadata()?.permissions())?;
        }
        new.as_file().sync_all()?;
        new.persist(file)?;
        Ok(())
    };
    write().with_context(|| {
        format!("can't write `{}`: is the disk full, or the folder read-only?", file.display())
    })
}

fn name(file: &Path, count: u32) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = file.extension().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!("{stem}.backup-{count}.{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_never_replaces_another() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("exercise.rs");
        let mut kept = Vec::new();
        for text in ["one", "two", "three"] {
            fs::write(&file, text).unwrap();
            kept.push(keep(&file).unwrap());
        }
        let names: Vec<_> =
            kept.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["exercise.backup-1.rs", "exercise.backup-2.rs", "exercise.backup-3.rs"]);
        let texts: Vec<_> = kept.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        assert_eq!(texts, ["one", "two", "three"]);
    }

    #[test]
    fn replacing_leaves_only_the_new_text() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep").join("exercise.rs");
        replace(&file, "old").unwrap();
        replace(&file, "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    }
}
