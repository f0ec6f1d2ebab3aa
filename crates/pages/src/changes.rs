//! Noticing that a source of the pages was saved.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::Result;

/// How often the files are looked at. Asking for them works on every system, in containers and over a network too, where
/// a system's own notices differ or don't come.
const PAUSE: Duration = Duration::from_millis(500);

/// What the pages are made of.
const SOURCES: [&str; 4] = ["book.toml", "book", "notebooks", "chapters"];

/// When each file was written, and how long it is.
type Seen = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// Calls `changed` whenever a source below `root` was written, added or removed; never returns.
pub fn follow(root: &Path, mut changed: impl FnMut()) -> Result<()> {
    let mut seen = look(root);
    loop {
        thread::sleep(PAUSE);
        let now = look(root);
        // Writing several files takes a moment: when one look is like the one before, all are there.
        if now != seen {
            thread::sleep(PAUSE);
            let settled = look(root);
            if settled == now {
                changed();
                seen = settled;
            }
        }
    }
}

fn look(root: &Path) -> Seen {
    let mut seen = Seen::new();
    for source in SOURCES {
        visit(&root.join(source), &mut seen);
    }
    seen
}

fn visit(path: &Path, seen: &mut Seen) {
    // A file may vanish between two looks.
    let Ok(about) = fs::metadata(path) else { return };
    if about.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            visit(&entry.path(), seen);
        }
    } else {
        seen.insert(path.to_owned(), (about.modified().ok(), about.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_added_or_removed_is_seen() {
        let root = tempfile::tempdir().unwrap();
        let page = root.path().join("book/01.md");
        fs::create_dir(root.path().join("book")).unwrap();
        fs::write(root.path().join("README.md"), "not a source").unwrap();
        let none = look(root.path());
        assert!(none.is_empty());
        fs::write(&page, "one").unwrap();
        let one = look(root.path());
        assert_eq!(one.len(), 1);
        fs::write(&page, "three").unwrap();
        let three = look(root.path());
        assert_ne!(one, three);
        assert_eq!(look(root.path()), three);
        fs::remove_file(&page).unwrap();
        assert_eq!(look(root.path()), none);
    }
}
