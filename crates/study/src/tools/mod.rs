//! The programs that the course needs besides cargo: pinned, and installed into the course's own folder.

pub mod binary;
pub mod jupyter;
pub mod kernel;
pub mod model;
pub mod program;
pub mod python;
pub mod scratch;

/// The first version number in `text`: `0.5.4` of `mdbook v0.5.4`, `1.95.0` of `rustc 1.95.0 (…)`.
pub fn version_in(text: &str) -> Option<&str> {
    text.split_whitespace()
        .map(|word| word.trim_start_matches('v'))
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()) && word.contains('.'))
}

/// Whether version `have` is `least` or later; both are numbers with points between.
pub fn at_least(have: &str, least: &str) -> bool {
    let numbers = |version: &str| -> Vec<u64> {
        let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>();
        version.split('.').map_while(|part| digits(part).parse().ok()).collect()
    };
    numbers(have) >= numbers(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found() {
        assert_eq!(version_in("mdbook v0.5.4"), Some("0.5.4"));
        assert_eq!(version_in("rustc 1.95.0 (59807616e 2026-04-14)"), Some("1.95.0"));
        assert_eq!(version_in("Python 3.11.7"), Some("3.11.7"));
        assert_eq!(version_in("no number"), None);
    }

    #[test]
    fn versions_are_compared_by_number() {
        assert!(at_least("1.95.0", "1.95"));
        assert!(at_least("1.100.0-nightly", "1.95"));
        assert!(!at_least("1.9.0", "1.95"));
        assert!(at_least("3.10", "3.10"));
        assert!(!at_least("", "3.10"));
    }
}
