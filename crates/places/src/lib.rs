//! Where the course is, and where trainings, models and tools are kept: one answer for all programs that `cargo study`
//! starts, so that one finds what another wrote.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The course's folder: two above the package that cargo names to a program that it runs; elsewhere, in a notebook for
/// example, two above where this package was built.
pub fn root() -> PathBuf {
    let named = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let named = named.as_deref().and_then(course_of);
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    named.map_or_else(built, Path::to_owned)
}

/// The course that `package` is a chapter or a crate of.
fn course_of(package: &Path) -> Option<&Path> {
    let folder = package.parent()?;
    let holds_packages = ["chapters", "crates"].iter().any(|name| folder.ends_with(name));
    folder.parent().filter(|_| holds_packages)
}

/// The folder of tools, models and trainings: `$STUDY_HOME`, or `.study` in the course's folder.
pub fn home() -> PathBuf {
    let home = env::var_os("STUDY_HOME").filter(|home| !home.is_empty());
    home.map_or_else(|| root().join(".study"), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_leads_to_the_course() {
        for package in ["/a/b/chapters/05-transformer", "/a/b/crates/bench"] {
            assert_eq!(course_of(Path::new(package)), Some(Path::new("/a/b")));
        }
        assert_eq!(course_of(Path::new("/tmp/evcxr/ctx")), None);
        assert!(root().join("chapters").is_dir());
    }
}
