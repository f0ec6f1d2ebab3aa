//! The notebooks' only dependency: candle, the figures, the checks and all chapters, behind one dylib.
//!
//! evcxr links each cell on its own. Were candle linked into every cell, each would count tensor ids from 1 and
//! `backward()` would mix up tensors of different cells, silently. This crate is a dylib, so there is one candle.

pub use candle_core;
pub use candle_nn;
pub use compare;
pub use figures;
pub use seeded;

pub use dot_products;
pub use flash;
pub use gpu;
pub use inside_heads;
pub use masking;
pub use multi_head;
pub use scaling;
pub use transformer;
pub use varlen;

/// What the first cell of every notebook brings into scope.
pub mod prelude {
    pub use crate::{candle_core, candle_nn, check, figures, seeded};
    pub use candle_core::{D, DType, Device, IndexOp, Module, Result, Tensor, Var, bail};
}

/// The shared checks, one function an exercise: hand in your function, get a verdict.
pub mod check {
    // Weeks 4 and 6 both have a `head_diversity`: that of week 6 goes by `inside_heads::head_diversity`.
    pub use checks::inside_heads::{
        self, ablate_head, attention_entropy, induction_score, previous_token_score, rollout,
    };
    pub use checks::{
        dot_products::*, flash::*, gpu::*, masking::*, multi_head::*, scaling::*, transformer::*,
        varlen::*,
    };
}
