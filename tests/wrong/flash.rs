//! Week 7's wrong answers.
