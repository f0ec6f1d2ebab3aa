//! Where the course is, and where trainings and models are kept.

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

/// The course that `package` is a chapter of.
fn course_of(package: &Path) -> Option<&Path> {
    let chapters = package.parent()?;
    if chapters.file_name()? == "chapters" { chapters.parent() } else { None }
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
    fn a_chapters_package_leads_to_the_course() {
        assert_eq!(
            course_of(Path::new("/a/b/chapters/05-transformer")),
            Some(Path::new("/a/b"))
        );
        assert_eq!(course_of(Path::new("/tmp/evcxr/ctx")), None);
        assert!(root().join("chapters").is_dir());
    }
}
