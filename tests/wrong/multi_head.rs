//! Week 4's wrong answers.
