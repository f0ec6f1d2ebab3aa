//! The kernel, on every path that this processor has, against PyTorch's values: tests/fixtures/flash_sdpa.py made them.

mod backward;
mod cases;
mod forward;
