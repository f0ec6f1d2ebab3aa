//! Week 4, solved: multi-head attention.
