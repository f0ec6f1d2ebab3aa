//! What a masked softmax and masked attention must hold.

mod attention;
mod masks;
mod softmax;

pub use attention::{MaskedAttention, masked_attention};
pub use softmax::{MaskedSoftmax, masked_softmax};

use crate::Proof;

pub(super) fn zoo() -> Vec<Proof> {
    [softmax::zoo(), attention::zoo()].into_iter().flatten().collect()
}
