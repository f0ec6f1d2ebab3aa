//! Temporary folders under `$STUDY_HOME/tmp`, and the lock that lets one installation run at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::interrupt;

/// A temporary folder that vanishes with this value, or, if the program is killed, when the next one is made.
pub struct Scratch {
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes a folder in `home`, and removes those that killed programs left there.
    pub fn new(home: &Path) -> Result<Self> {
        let all = home.join("tmp");
        let fail = || {
            format!(
                "can't make a folder in `{}`: is the disk full, or the folder read-only?",
                all.display()
            )
        };
        fs::create_dir_all(&all).with_context(fail)?;
        let turn = exclusive(&all.join("turn.lock"))?;
        sweep(&all);
        let folder = tempfile::Builder::new().prefix("run-").tempdir_in(&all).with_context(fail)?;
        let lock = File::create(lock_of(folder.path())).with_context(fail)?;
        lock.lock().with_context(fail)?;
        drop(turn);
        Ok(Self { folder, _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What can't be removed now is removed by a later sweep.
        let _ = fs::remove_file(lock_of(self.folder.path()));
    }
}

/// Waits until no other `cargo study` installs into `home`; the lock ends with the value.
pub fn installing(home: &Path) -> Result<File> {
    fs::create_dir_all(home)
        .with_context(|| format!("can't make the folder `{}`", home.display()))?;
    exclusive(&home.join("install.lock"))
}

fn exclusive(path: &Path) -> Result<File> {
    let fail = || format!("can't lock `{}`", path.display());
    // Not emptied: a system may refuse that while another program holds the lock.
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
    let file = file.with_context(fail)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            eprintln!("Waiting for another `cargo study` to finish installing …");
            // A lock that is waited for in one go is deaf to Ctrl-C.
            while matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
                interrupt::check()?;
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(fail),
    }
    Ok(file)
}

fn lock_of(folder: &Path) -> PathBuf {
    folder.with_extension("lock")
}

/// Removes the folders whose lock nobody holds.
fn sweep(all: &Path) {
    let Ok(entries) = fs::read_dir(all) else {
        return;
    };
    for folder in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        let lock = lock_of(&folder);
        let free = File::open(&lock).map_or(true, |file| file.try_lock().is_ok());
        if free {
            // A sweep is a courtesy; the next one tries again.
            let _ = fs::remove_dir_all(&folder);
            let _ = fs::remove_file(&lock);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_in_use_stay_and_abandoned_ones_go() {
        let home = tempfile::tempdir().unwrap();
        let used = Scratch::new(home.path()).unwrap();
        let abandoned = home.path().join("tmp").join("run-old");
        fs::create_dir(&abandoned).unwrap();
        fs::write(lock_of(&abandoned), "").unwrap();
        let second = Scratch::new(home.path()).unwrap();
        assert!(used.path().is_dir() && second.path().is_dir() && !abandoned.exists());
        let (path, lock) = (used.path().to_owned(), lock_of(used.path()));
        assert!(lock.is_file());
        drop(used);
        assert!(!path.exists() && !lock.exists());
    }
}
