//! Laws that need a card: they are skipped where none is, with the reason.

use crate::harness::Outcome;
use candle_core::Device;

/// What must hold on a card: `law` gets it. Without one the law is skipped, and says why.
#[cfg(not(feature = "cuda"))]
pub fn on_card(_law: impl Fn(&Device) -> Outcome) -> Outcome {
    use crate::harness::Breach;
    Err(Breach::skipped(
        "this build has no CUDA, and needs none; with a card: cargo test -p gpu --features cuda",
    ))
}

/// What must hold on a card: `law` gets it. Without one the law is skipped, and says why.
#[cfg(feature = "cuda")]
pub fn on_card(law: impl Fn(&Device) -> Outcome) -> Outcome {
    use crate::harness::Breach;
    match Device::new_cuda(0) {
        Ok(card) => law(&card),
        Err(error) => {
            let text = error.to_string();
            let why = text.lines().next().unwrap_or_default();
            Err(Breach::skipped(&format!("no CUDA card answers: {why}")))
        }
    }
}
