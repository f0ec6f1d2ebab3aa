//! Writing a file so that nothing is lost, whatever happens meanwhile.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};
use tempfile::{Builder, NamedTempFile};

/// Puts `bytes` into the file `path`: until all of them are on disk, what is there stays.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    complete(path, bytes)?.persist(path)?;
    Ok(())
}

/// As [`replace`], and keeps what is there under the name that it returns.
pub fn replace_keeping(path: &Path, bytes: &[u8]) -> io::Result<Option<PathBuf>> {
    let file = complete(path, bytes)?;
    let kept = match path.symlink_metadata() {
        Ok(_) => Some(keep(path)?),
        Err(_) => None,
    };
    file.persist(path)?;
    Ok(kept)
}

/// An error when no file can be written at `path`; makes its folder.
pub fn probe(path: &Path) -> io::Result<()> {
    match path.is_dir() {
        true => Err(io::Error::from(ErrorKind::IsADirectory)),
        false => temporary(path).map(drop),
    }
}

/// The first bytes of the file `path`, at most `count`.
pub fn start(path: &Path, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(count as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn complete(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = temporary(path)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// A file that is deleted unless it takes the name `path`, in the same folder.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    Builder::new().prefix(".new-").tempfile_in(folder)
}

/// Gives the file `path` a second name, or makes a copy where a disk knows no second names.
fn keep(path: &Path) -> io::Result<PathBuf> {
    for number in 1.. {
        let kept = backup(path, number);
        match fs::hard_link(path, &kept) {
            Ok(()) => return Ok(kept),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            Err(_) => {}
        }
        match File::create_new(&kept) {
            Ok(mut copy) => {
                let copied = File::open(path).and_then(|mut file| {
                    io::copy(&mut file, &mut copy)?;
                    copy.sync_all()
                });
                return copied.map(|()| kept.clone()).inspect_err(|_| {
                    // Half a copy is of no use, and takes the room that is missing.
                    let _ = fs::remove_file(&kept);
                });
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::from(ErrorKind::AlreadyExists))
}

/// `NAME.backup-1.safetensors`.
fn backup(path: &Path, number: u64) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!(".backup-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_kept_under_a_free_name() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("copy.safetensors");
        assert_eq!(replace_keeping(&path, b"one")?, None);
        let kept = |number| backup(&path, number);
        assert_eq!(kept(2).file_name().unwrap(), "copy.backup-2.safetensors");
        fs::write(kept(1), "somebody's")?;
        assert_eq!(replace_keeping(&path, b"two")?, Some(kept(2)));
        assert_eq!(replace_keeping(&path, b"three")?, Some(kept(3)));
        replace(&path, b"four")?;
        let texts = [kept(1), kept(2), kept(3), path.clone()].map(fs::read_to_string);
        assert_eq!(texts.map(io::Result::unwrap), ["somebody's", "one", "two", "four"]);
        assert_eq!(fs::read_dir(folder.path())?.count(), 4, "and nothing else");
        Ok(())
    }
}
