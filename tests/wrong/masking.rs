//! Week 3's wrong answers.
