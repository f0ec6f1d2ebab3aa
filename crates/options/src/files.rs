//! Files and folders that are typed, looked at before anything is compiled.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::Path;

/// An error unless results can be written to `file`, which `option` names. What is there is left as it is; unless it is
/// JSON, as earlier results are, it is no file to write over.
pub fn results(option: &str, file: &Path) -> Result<(), String> {
    let named = format!("{option} {}", file.display());
    if file.is_dir() {
        return Err(format!("{named}: that is a folder; name a file in it"));
    }
    let new = !file.exists();
    if !new && !file.is_file() {
        // Results take the place of what is there, which must not be a device.
        return Err(format!("{named}: expected a plain file there, or none"));
    }
    if file.is_file() && !begins_as_json(file, true) {
        return Err(format!(
            "{named}: a file of another kind is there, and is left as it is; name another file"
        ));
    }
    // Opened as it will be.
    let opened = OpenOptions::new().append(true).create(true).open(file);
    opened.map_err(|error| format!("{named}: can't be written: {error}; name another file"))?;
    if new {
        // What is measured may be interrupted: no empty file is left then.
        fs::remove_file(file).map_err(|error| format!("{named}: can't be written: {error}"))?;
    }
    Ok(())
}

/// An error unless `file`, which `option` names, is there and holds JSON.
pub fn json(option: &str, file: &Path) -> Result<(), String> {
    let named = format!("{option} {}", file.display());
    match fs::metadata(file) {
        Err(error) => Err(format!("{named}: {error}")),
        Ok(found) if found.is_dir() => Err(format!("{named}: that is a folder; name a file in it")),
        Ok(_) if !begins_as_json(file, false) => {
            Err(format!("{named}: expected a file that `--json` wrote; got one of another kind"))
        }
        Ok(_) => Ok(()),
    }
}

/// An error when no file can be made at the path `file`, since a file stands where a folder must be, or the other way
/// round.
pub fn place(option: &str, file: &Path) -> Result<(), String> {
    let named = format!("{option} {}", file.display());
    if file.is_dir() {
        return Err(format!(
            "{named}: that is a folder; name a file in it, such as `{}`",
            file.join("mine.safetensors").display()
        ));
    }
    if file.exists() && !file.is_file() {
        return Err(format!("{named}: expected a plain file there, or none"));
    }
    folder(&named, file.parent().unwrap_or(Path::new("")))
}

/// An error when `folder` can't be one, since a file stands in its way; `named` is what was typed.
pub fn folder(named: &str, folder: &Path) -> Result<(), String> {
    let there = folder.ancestors().find(|above| above.symlink_metadata().is_ok());
    match there {
        Some(file) if !file.is_dir() => {
            Err(format!("{named}: `{}` is a file, and no folder", file.display()))
        }
        _ => Ok(()),
    }
}

/// Whether the first sign in `file` opens an object; `empty` is the answer for a file without any.
fn begins_as_json(file: &Path, empty: bool) -> bool {
    let mut start = Vec::new();
    let read = File::open(file).and_then(|file| file.take(64).read_to_end(&mut start));
    let first = start.iter().find(|byte| !byte.is_ascii_whitespace());
    // One that can't be read may still be written, or not: that is told by trying.
    read.is_err() || first.map_or(empty, |first| *first == b'{')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_go_where_nothing_is_lost() {
        let folder = std::env::temp_dir().join(format!("options-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let [new, old, notes] = ["new.json", "old.json", "notes.md"].map(|name| folder.join(name));
        fs::write(&old, "\n {\"steps\": 2}").unwrap();
        fs::write(&notes, "# Notes").unwrap();
        assert_eq!(results("--json", &new), Ok(()));
        assert!(!new.exists(), "looking leaves nothing behind");
        assert_eq!(results("--json", &old), Ok(()));
        assert_eq!(fs::read_to_string(&old).unwrap(), "\n {\"steps\": 2}");
        for (file, says) in [
            (&notes, "a file of another kind is there"),
            (&folder, "that is a folder"),
            (&folder.join("none/run.json"), "can't be written"),
            (&notes.join("run.json"), "can't be written"),
        ] {
            let error = results("--json", file).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        assert_eq!(json("--page", &old), Ok(()));
        for (file, says) in
            [(&notes, "expected a file that `--json` wrote"), (&folder, "folder"), (&new, "")]
        {
            assert!(json("--page", file).unwrap_err().contains(says));
        }
        assert_eq!(place("--checkpoint", &folder.join("a/b/c")), Ok(()));
        assert!(place("--checkpoint", &folder).unwrap_err().contains("that is a folder"));
        let error = place("--checkpoint", &notes.join("deep/c")).unwrap_err();
        assert!(error.contains("notes.md` is a file, and no folder"), "{error}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
