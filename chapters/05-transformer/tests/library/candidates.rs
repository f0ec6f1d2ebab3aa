//! The parts that the tests build models from. Another set is one line more.

use transformer::Parts;

/// Parts, and what can be asked of them.
pub struct Candidate {
    /// For messages.
    pub name: &'static str,
    /// The parts.
    pub parts: Parts,
    /// Whether they compute in f64 when the weights are f64.
    pub in_f64: bool,
}

/// All parts of the course.
pub fn candidates() -> Vec<Candidate> {
    one_thread::candle();
    vec![
        Candidate { name: "readable", parts: Parts::readable(), in_f64: true },
        Candidate { name: "fast", parts: Parts::fast(), in_f64: true },
    ]
}
