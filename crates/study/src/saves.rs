//! Which of some files were saved, by what is in them.
//!
//! The files are read again and again: that works on every system, in containers and over networks, where events of the
//! file system get lost, come twice, or tell of a compiler that only reads.

use std::fs;
use std::path::PathBuf;

/// Files that are looked at in turn.
pub struct Saves {
    files: Vec<Watched>,
}

struct Watched {
    path: PathBuf,
    /// What was in it when it was last told of.
    told: Option<Vec<u8>>,
    /// What was in it at the last look.
    seen: Option<Vec<u8>>,
}

impl Saves {
    /// Whatever is in the files now counts as told.
    pub fn of(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let watched = |path: PathBuf| {
            let content = fs::read(&path).ok();
            Watched { path, told: content.clone(), seen: content }
        };
        Self { files: paths.into_iter().map(watched).collect() }
    }

    /// The places of those with something new in them, each told once.
    ///
    /// What changed since the last look is still being written, perhaps: it is told when it stays for one more look. A file
    /// that is gone is being replaced: nothing is told before it is back.
    pub fn look(&mut self) -> Vec<usize> {
        let mut saved = Vec::new();
        for (at, file) in self.files.iter_mut().enumerate() {
            let now = fs::read(&file.path).ok();
            if now.is_some() && now == file.seen && now != file.told {
                file.told.clone_from(&now);
                saved.push(at);
            }
            file.seen = now;
        }
        saved
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    struct Folder {
        folder: tempfile::TempDir,
        saves: Saves,
    }

    impl Folder {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let paths = ["one", "two"].map(|name| {
                fs::create_dir(folder.path().join(name)).unwrap();
                folder.path().join(name).join("exercise.rs")
            });
            for path in &paths {
                fs::write(path, "todo!()\n").unwrap();
            }
            let saves = Saves::of(paths);
            Self { folder, saves }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.path(name), text).unwrap();
        }

        /// What a few looks tell.
        fn looks(&mut self) -> Vec<usize> {
            (0..5).flat_map(|_| self.saves.look()).collect()
        }
    }

    #[test]
    fn a_save_is_told_once() {
        let mut folder = Folder::new();
        assert!(folder.looks().is_empty());
        folder.write("two/exercise.rs", "1\n");
        assert_eq!(folder.looks(), [1]);
        // A line ending is a change, and so is going back to what was there before.
        folder.write("two/exercise.rs", "1\r\n");
        assert_eq!(folder.looks(), [1]);
        folder.write("two/exercise.rs", "1\n");
        folder.write("one/exercise.rs", "1\n");
        assert_eq!(folder.looks(), [0, 1]);
    }

    #[test]
    fn without_a_change_nothing_is_told() {
        let mut folder = Folder::new();
        let file = folder.path("one/exercise.rs");
        for _ in 0..3 {
            fs::read(&file).unwrap();
            folder.write("one/exercise.rs", "todo!()\n");
            let opened = fs::OpenOptions::new().append(true).open(&file).unwrap();
            opened.set_modified(std::time::SystemTime::now()).unwrap();
            assert!(folder.looks().is_empty());
        }
    }

    #[test]
    fn an_edit_of_the_same_length_and_time_is_seen() {
        let mut folder = Folder::new();
        let file = folder.path("one/exercise.rs");
        let before = fs::metadata(&file).unwrap().modified().unwrap();
        folder.write("one/exercise.rs", "todo?()\n");
        let opened = fs::OpenOptions::new().append(true).open(&file).unwrap();
        opened.set_modified(before).unwrap();
        assert_eq!(folder.looks(), [0]);
    }

    #[test]
    fn two_quick_saves_are_told_once() {
        let mut folder = Folder::new();
        folder.write("one/exercise.rs", "1");
        assert!(folder.saves.look().is_empty());
        folder.write("one/exercise.rs", "12");
        assert_eq!(folder.looks(), [0]);
    }

    #[test]
    fn what_is_half_written_waits() {
        let mut folder = Folder::new();
        for text in ["", "let", "let x"] {
            folder.write("one/exercise.rs", text);
            assert!(folder.saves.look().is_empty());
        }
        assert_eq!(folder.saves.look(), [0]);
    }

    #[test]
    fn a_file_that_is_replaced_is_told_once() {
        let mut folder = Folder::new();
        // As editors do: the old file goes, the new one comes under another name.
        folder.write("one/.exercise.rs.new", "1");
        fs::remove_file(folder.path("one/exercise.rs")).unwrap();
        assert!(folder.looks().is_empty());
        let rename = |folder: &Folder, from: &str| {
            fs::rename(folder.path(from), folder.path("one/exercise.rs")).unwrap();
        };
        rename(&folder, "one/.exercise.rs.new");
        assert_eq!(folder.looks(), [0]);
        // In one step; and back, with the same content.
        for (text, told) in [("2", vec![0]), ("2", vec![])] {
            folder.write("one/4913", text);
            rename(&folder, "one/4913");
            assert_eq!(folder.looks(), told);
        }
        // Gone and back as it was.
        let away = |folder: &Folder| {
            fs::rename(folder.path("one/exercise.rs"), folder.path("one/exercise.rs~")).unwrap();
        };
        away(&folder);
        assert!(folder.looks().is_empty());
        rename(&folder, "one/exercise.rs~");
        assert!(folder.looks().is_empty());
    }

    #[test]
    fn what_editors_put_beside_it_is_not_told() {
        let mut folder = Folder::new();
        for name in [".exercise.rs.swp", "4913", "exercise.rs~", ".#exercise.rs", "#exercise.rs#"] {
            folder.write(&Path::new("one").join(name).to_string_lossy(), "1");
        }
        folder.write("one/exercise.backup-20261201-025700.rs", "1");
        assert!(folder.looks().is_empty());
    }

    #[test]
    fn what_is_saved_during_a_check_is_told_after_it() {
        let mut folder = Folder::new();
        folder.write("one/exercise.rs", "1");
        assert_eq!(folder.looks(), [0]);
        // Nobody looks meanwhile.
        folder.write("one/exercise.rs", "2");
        folder.write("one/exercise.rs", "3");
        assert_eq!(folder.looks(), [0]);
    }
}
