//! Cargo takes build dependencies into account only beside a build script.

fn main() {}
