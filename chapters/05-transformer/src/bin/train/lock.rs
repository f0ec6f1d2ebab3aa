//! One training at a time writes a checkpoint.

use crate::{places::shown, typed};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    process,
    time::Duration,
};

/// As long as this value lives, no other training writes the checkpoint; a process that is killed gives it back, too.
///
/// Two files stand beside the checkpoint: `.NAME.lock` stays, for a file that others may be opening can't be removed
/// without a race, and `.NAME.running` says who holds it. One would not do: Windows lets nobody read what is locked.
pub struct Lock {
    _file: File,
    note: PathBuf,
}

impl Lock {
    /// Takes the checkpoint `path`, whose folder is there. Errors when another training has it: with its process, since
    /// when, and what to type.
    pub fn take(path: &Path) -> Result<Self, String> {
        let (lock, note) = (beside(path, "lock"), beside(path, "running"));
        let fail = |error: &dyn std::fmt::Display| {
            format!(
                "can't lock the checkpoint, `{}`: {error}. Name another file with --checkpoint",
                shown(&lock)
            )
        };
        // Not emptied: a system may refuse that while another program holds the lock.
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).open(&lock);
        let file = file.map_err(|error| fail(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(path, &note)),
            Err(TryLockError::Error(error)) => return Err(fail(&error)),
        }
        // Without it, another training is told less.
        let _ = fs::write(&note, process::id().to_string());
        Ok(Self { _file: file, note })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A note that stays is written over by the next holder of the lock.
        let _ = fs::remove_file(&self.note);
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{ending}"))
}

fn taken(path: &Path, note: &Path) -> String {
    let process = fs::read_to_string(note).ok().filter(|process| !process.is_empty());
    let since = fs::metadata(note).and_then(|note| note.modified());
    let since = since.ok().and_then(|since| since.elapsed().ok());
    let who = match (process, since) {
        (Some(process), Some(since)) => {
            format!("process {process}, for {}", words(since))
        }
        (Some(process), None) => format!("process {process}"),
        _ => "another process".to_owned(),
    };
    format!(
        "`{}` belongs to a training that is running: {who}. Wait until it has finished, end it with Ctrl-C in its terminal, or train into another file:\n  {}",
        shown(path),
        typed::into_another_file(path)
    )
}

fn words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_taken_once_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy.safetensors");
        let lock = Lock::take(&path).unwrap();
        let told = Lock::take(&path).err().unwrap();
        let who = format!("process {}, for ", process::id());
        assert!(told.contains(&who) && told.contains("copy-2.safetensors"), "{told}");
        assert!(Lock::take(&folder.path().join("sort.safetensors")).is_ok());
        drop(lock);
        assert!(Lock::take(&path).is_ok());
        let shown = fs::read_dir(folder.path()).unwrap().flatten();
        assert!(
            shown
                .map(|entry| entry.file_name())
                .all(|name| { name.to_string_lossy().starts_with('.') })
        );
    }

    #[test]
    fn times_are_told_roughly() {
        let told = [59, 60, 7199, 7200].map(Duration::from_secs).map(words);
        assert_eq!(told, ["59 s", "1 min", "119 min", "2 h"]);
    }
}
