//! Takes apart what comes from a process: what an answer printed, and the marks between.

use super::{line::Line, trace::Mark};

/// A part of the stream.
#[derive(Debug)]
pub(super) enum Piece {
    Text(Vec<u8>),
    Mark(Mark<Line>),
}

/// Splits a stream that comes in pieces of any size.
pub(super) struct Splitter {
    /// Stands before each mark.
    start: Vec<u8>,
    held: Vec<u8>,
}

impl Splitter {
    pub fn new(start: &str) -> Self {
        Self { start: start.into(), held: Vec::new() }
    }

    /// The pieces that are complete with these bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.held.extend(bytes);
        let mut pieces = Vec::new();
        loop {
            let at = self.held.windows(self.start.len()).position(|part| part == self.start);
            // Without a mark, what looks like the beginning of one waits for the rest.
            self.text(at.unwrap_or_else(|| self.held.len() - self.beginning()), &mut pieces);
            let end = at.and_then(|_| self.held.iter().position(|byte| *byte == b'\n'));
            let Some(end) = end else { return pieces };
            let mark: Vec<u8> = self.held.drain(..=end).collect();
            match serde_json::from_slice(&mark[self.start.len()..]) {
                Ok(mark) => pieces.push(Piece::Mark(mark)),
                Err(_) => pieces.push(Piece::Text(mark)),
            }
        }
    }

    /// How much of a mark's start the held bytes end with.
    fn beginning(&self) -> usize {
        let ends = |length: &usize| self.held.ends_with(&self.start[..*length]);
        (1..self.start.len()).rev().find(ends).unwrap_or(0)
    }

    fn text(&mut self, length: usize, pieces: &mut Vec<Piece>) {
        if length > 0 {
            pieces.push(Piece::Text(self.held.drain(..length).collect()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_however_the_stream_is_cut() {
        let stream =
            "a\u{1}b\n\u{1}42 {\"Law\":\"one\\ntwo\"}\nc\u{1}42 \"Tried\"\n\u{1}42 ?\n\u{1}4";
        for size in 1..stream.len() {
            let mut splitter = Splitter::new("\u{1}42 ");
            let (mut text, mut marks) = (Vec::new(), Vec::new());
            for piece in stream.as_bytes().chunks(size).flat_map(|bytes| splitter.push(bytes)) {
                match piece {
                    Piece::Text(bytes) => text.extend(bytes),
                    Piece::Mark(mark) => marks.push((text.len(), format!("{mark:?}"))),
                }
            }
            let expected = [(4, r#"Law("one\ntwo")"#), (5, "Tried")];
            assert_eq!(marks, expected.map(|(at, mark)| (at, mark.to_owned())), "{size}");
            assert_eq!(text, "a\u{1}b\nc\u{1}42 ?\n".as_bytes(), "{size}");
        }
    }
}
