//! How lines end. An editor, or git on Windows, may turn every line feed of a learner's file into two characters: to the
//! learner that is the same file, and a file that is written again keeps its own.

use std::borrow::Cow;

const UNIX: &str = "\n";
const WINDOWS: &str = "\r\n";

/// `text` with line feeds only, and without the mark that some editors put at the beginning of a file: what is compared.
pub fn plain(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.contains(WINDOWS) {
        true => text.replace(WINDOWS, UNIX).into(),
        false => text.into(),
    }
}

/// `text` with the line ends of `file`: those of most of its lines.
pub fn like(file: &str, text: &str) -> String {
    let windows = file.matches(WINDOWS).count();
    let unix = file.matches(UNIX).count() - windows;
    let text = text.replace(WINDOWS, UNIX);
    if windows > unix { text.replace(UNIX, WINDOWS) } else { text }
}

/// Whether two texts are the same but for their line ends.
pub fn same(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

/// The bytes of a file, to be compared: [`plain`] where they are text.
pub fn plain_bytes(bytes: Vec<u8>) -> Vec<u8> {
    match std::str::from_utf8(&bytes).map(plain) {
        Ok(Cow::Owned(text)) => text.into_bytes(),
        Ok(Cow::Borrowed(text)) if text.len() < bytes.len() => text.as_bytes().to_vec(),
        _ => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_takes_the_line_ends_of_most_lines() {
        assert_eq!(like("a\r\nb\r\nc\n", "x\ny\r\n"), "x\r\ny\r\n");
        assert_eq!(like("a\nb\n", "x\r\ny\n"), "x\ny\n");
        assert_eq!(like("", "x\ny"), "x\ny");
    }

    #[test]
    fn line_ends_make_no_difference_and_all_else_does() {
        assert!(same("a\r\nb\n", "\u{feff}a\nb\r\n"));
        for other in ["a\nb", "a\n\nb\n", "a\rb\n", "a b\n"] {
            assert!(!same("a\nb\n", other), "{other:?}");
        }
        let bytes = [&b"\xff\r\n"[..], b"a\r\nb", "\u{feff}a".as_bytes(), b"a\r"];
        let plain = bytes.map(|bytes| plain_bytes(bytes.to_vec()));
        assert_eq!(plain, [&b"\xff\r\n"[..], b"a\nb", b"a", b"a\r"]);
    }
}
