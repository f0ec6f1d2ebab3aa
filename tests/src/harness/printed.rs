//! What an answer printed, cut where it is long.

/// More lines than this are not shown.
const LINES: usize = 20;
/// Nor are more characters.
const CHARACTERS: usize = 2000;

/// The beginning of a text that may never end, and the size of the rest.
#[derive(Clone, Debug, Default)]
pub(super) struct Printed {
    kept: Vec<u8>,
    /// How many line feeds have come, those that are not kept included.
    feeds: usize,
    /// Whether all is kept.
    cut: bool,
    /// Whether it ends within a line.
    open: bool,
}

impl Printed {
    /// Adds what came next.
    pub fn push(&mut self, bytes: &[u8]) {
        // A character has four bytes at most.
        let room = (4 * CHARACTERS).saturating_sub(self.kept.len()).min(bytes.len());
        self.kept.extend(&bytes[..room]);
        self.cut |= room < bytes.len();
        self.feeds += bytes.iter().filter(|byte| **byte == b'\n').count();
        self.open = bytes.last().map_or(self.open, |last| *last != b'\n');
    }

    /// Whether there is nothing to see.
    pub fn is_blank(&self) -> bool {
        self.kept.iter().all(u8::is_ascii_whitespace)
    }

    /// The text without the lines that are not the answer's own: its beginning where it is long, and how much more came.
    pub fn shown(&self, own: impl Fn(&str) -> bool) -> String {
        if self.is_blank() {
            return String::new();
        }
        let text = String::from_utf8_lossy(&self.kept).replace("\r\n", "\n");
        let (mut shown, mut left) = (Vec::new(), CHARACTERS);
        let (mut seen, mut broken) = (0, false);
        for line in text.lines().take(LINES) {
            let length = line.chars().count();
            broken = length > left;
            shown.push(line.chars().take(left).collect::<String>());
            left = left.saturating_sub(length);
            seen += 1;
            if broken || left == 0 {
                break;
            }
        }
        let all = self.feeds + usize::from(self.open);
        let lines = shown.iter().map(String::as_str).filter(|line| own(line));
        let mut said = lines.collect::<Vec<_>>().join("\n").trim_end().to_owned();
        match all.saturating_sub(seen) {
            0 if broken || self.cut => said += " …",
            0 => {}
            1 => said += "\n… and 1 more line",
            more => said += &format!("\n… and {more} more lines"),
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut printed = Printed::default();
        // In pieces, as it comes through a pipe.
        text.as_bytes().chunks(7).for_each(|piece| printed.push(piece));
        printed.shown(|line| line != "theirs")
    }

    #[test]
    fn what_is_short_is_shown_whole() {
        assert_eq!(shown(""), "");
        assert_eq!(shown("\n \n"), "");
        assert_eq!(shown("x = 1\r\n  y = √2"), "x = 1\n  y = √2");
        assert_eq!(shown("mine\n\ntheirs\n"), "mine");
    }

    #[test]
    fn what_is_long_is_cut_and_the_rest_is_counted() {
        let lines = |count: usize| "a line\n".repeat(count);
        assert_eq!(shown(&lines(20)), lines(20).trim_end());
        assert_eq!(shown(&lines(21)), lines(20) + "… and 1 more line");
        assert_eq!(shown(&lines(100_000)), lines(20) + "… and 99980 more lines");
        assert_eq!(shown(&"é".repeat(2001)), "é".repeat(2000) + " …");
        let two = "é".repeat(1500) + "\n";
        assert_eq!(shown(&two.repeat(5)), format!("{two}{}\n… and 3 more lines", "é".repeat(500)));
    }
}
