//! Week 8's wrong answers.
