//! What is known of an answer while it is tried in another process.

use super::{ending, printed::Printed, trace::Mark};
use std::time::Instant;

/// How much of the end of the output is kept.
const END: usize = 2048;

/// What has come so far.
#[derive(Default)]
pub(super) struct Seen {
    /// The laws that were tried, with what their last example printed.
    laws: Vec<(String, Printed)>,
    /// The inputs of the example that is being tried, where they are told.
    pub given: String,
    /// When the first law was tried.
    began: Option<Instant>,
    /// Whether all laws have been tried.
    pub tried: bool,
    current: Printed,
    first: Printed,
    end: Vec<u8>,
}

impl Seen {
    /// Something was printed.
    pub fn text(&mut self, bytes: &[u8]) {
        if !self.tried {
            self.current.push(bytes);
        }
        self.end.extend(&bytes[bytes.len().saturating_sub(END)..]);
        self.end.drain(..self.end.len().saturating_sub(END));
    }

    /// A mark came.
    pub fn mark<L>(&mut self, mark: Mark<L>) {
        self.end_example();
        match mark {
            Mark::Law(law) => {
                self.began.get_or_insert_with(Instant::now);
                self.given.clear();
                self.laws.push((law, Printed::default()));
            }
            Mark::Example(given) => self.given = given.unwrap_or_default(),
            Mark::Tried | Mark::Verdict(_) => self.tried = true,
        }
    }

    fn end_example(&mut self) {
        let printed = std::mem::take(&mut self.current);
        if self.first.is_blank() {
            self.first = printed.clone();
        }
        if let Some((_, last)) = self.laws.last_mut().filter(|_| !self.tried) {
            *last = printed;
        }
    }

    /// Since when the answer's own code runs; nothing before and after.
    pub fn runs_since(&self) -> Option<Instant> {
        self.began.filter(|_| !self.tried)
    }

    /// The law that is being tried, or was tried last.
    pub fn law(&self) -> &str {
        self.laws.last().map_or("", |(law, _)| law)
    }

    /// What the last example of the law in this place printed; without a place, what the first one did that printed
    /// anything.
    pub fn printed(&self, law: Option<usize>) -> String {
        let printed = match law {
            Some(at) => self.laws.get(at).map(|(_, printed)| printed),
            None => Some(&self.first),
        };
        printed.map(|printed| printed.shown(|_| true)).unwrap_or_default()
    }

    /// What the example printed that was being tried when the process ended.
    pub fn printed_last(&self) -> String {
        self.current.shown(|line| !ending::is_of_the_library(line))
    }

    /// The end of all that was printed.
    pub fn end(&self) -> String {
        String::from_utf8_lossy(&self.end).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_example_of_a_law_is_what_it_printed() {
        let mut seen = Seen::default();
        let mark = |seen: &mut Seen, mark| seen.mark::<()>(mark);
        mark(&mut seen, Mark::Law("one".into()));
        mark(&mut seen, Mark::Example(None));
        mark(&mut seen, Mark::Example(Some("x: 1".into())));
        seen.text(b"first\n");
        mark(&mut seen, Mark::Law("two".into()));
        assert_eq!((seen.law(), seen.given.as_str()), ("two", ""));
        mark(&mut seen, Mark::Example(Some("x: 2".into())));
        seen.text(b"second\n");
        mark(&mut seen, Mark::Example(Some("x: 3".into())));
        seen.text(b"third\nthread 'x' has overflowed its stack\n");
        assert_eq!((seen.given.as_str(), seen.printed_last().as_str()), ("x: 3", "third"));
        assert!(seen.end().contains("overflowed"));
        assert!(seen.runs_since().is_some());
        mark(&mut seen, Mark::Tried);
        seen.text(b"not mine");
        assert!(seen.runs_since().is_none());
        assert_eq!(seen.printed(Some(0)), "first");
        assert!(seen.printed(Some(1)).starts_with("third\n"));
        assert_eq!(seen.printed(None), "first");
    }
}
