//! What the numbers of a mask mean, and to which corner a causal mask is aligned.

use std::str::FromStr;

// ANCHOR: align
/// The corner of the scores from which a causal mask counts. With as many queries
/// as keys, both are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// The first query is at the first key: query i sees key j when j ≤ i.
    /// PyTorch's `is_causal`.
    TopLeft,
    /// The last query is at the last key: query i sees key j when
    /// j ≤ i + seq_k − seq_q. flash-attn since 2.1.
    BottomRight,
}
// ANCHOR_END: align

// ANCHOR: convention
/// What the numbers of a mask mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// 1 or true = may attend: this course, PyTorch's
    /// `scaled_dot_product_attention`, Keras, and 0/1 triangles.
    OneAttends,
    /// 1 or true = hidden: `attn_mask` and `key_padding_mask` of PyTorch's
    /// `MultiheadAttention` and `Transformer`.
    OneHides,
    /// Added to the scores: 0 = may attend, −∞ or a large negative number =
    /// hidden. PyTorch's float masks.
    Additive,
}

/// A conversion takes a key for hidden where an additive mask is at most this:
/// e^−1000 is 0 in every float type.
pub const HIDES: f64 = -1000.;
// ANCHOR_END: convention

impl FromStr for Align {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "top-left" => Ok(Self::TopLeft),
            "bottom-right" => Ok(Self::BottomRight),
            _ => Err(format!("align: expected top-left or bottom-right; got {text}")),
        }
    }
}

impl FromStr for Convention {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "one-attends" => Ok(Self::OneAttends),
            "one-hides" => Ok(Self::OneHides),
            "additive" => Ok(Self::Additive),
            _ => Err(format!(
                "convention: expected one-attends, one-hides or additive; got {text}"
            )),
        }
    }
}
