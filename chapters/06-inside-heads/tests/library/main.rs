//! The library of week 6: the pretrained encoder and the induction lab.

mod induction;
mod minilm;

/// Trainings throw large tensors away in each step; the system's allocator gives their memory back, and asks for it again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
