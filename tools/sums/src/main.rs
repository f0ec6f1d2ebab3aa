//! `sums FILE…` prints the SHA-256 of each file's bytes, one a line, in lower-case hexadecimal digits.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

fn main() -> ExitCode {
    match std::env::args_os().skip(1).try_for_each(|file| tell(&file)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn tell(file: &OsStr) -> Result<()> {
    let path = Path::new(file);
    println!("{}", sum(path).with_context(|| format!("can't read `{}`", path.display()))?);
    Ok(())
}

fn sum(path: &Path) -> io::Result<String> {
    let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
    let mut part = vec![0; 1 << 20];
    loop {
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

    #[test]
    fn the_sum_is_the_standards() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("abc.txt");
        std::fs::write(&file, "abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sum(&file).unwrap(), abc);
        assert!(sum(&folder.path().join("none.txt")).is_err());
    }
}
