//! Week 1's wrong answers.
