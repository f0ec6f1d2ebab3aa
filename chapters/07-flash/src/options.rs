//! What an attention may hide, add and scale.

use candle_core::{DType, Result, Tensor, bail};

/// A mask, broadcastable to the scores `(batch, heads_q, seq_q, seq_k)`.
#[derive(Clone, Debug)]
pub enum Mask {
    /// u8: not 0 = the query may attend to the key, 0 = it may not.
    Keep(Tensor),
    /// A float, added to the scores after scale and softcap; −∞ hides a key.
    ///
    /// So does, in f32, f16 and bf16, what becomes −∞ times log₂ e (1.44), such as the smallest f32: a row of it gives
    /// zeros, where [`crate::naive::attention`] gives the mean of the values.
    Bias(Tensor),
}

impl Mask {
    pub(crate) fn tensor(&self) -> &Tensor {
        match self {
            Self::Keep(tensor) | Self::Bias(tensor) => tensor,
        }
    }
}

/// Which keys the future is: the two readings of a triangle that is no square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Causal {
    /// Query i sees the keys 0 ..= i.
    TopLeft,
    /// The last query sees all keys: query i sees the keys up to `i + seq_k − seq_q`. The first `seq_q − seq_k` queries see nothing when there are more queries than keys.
    BottomRight,
}

/// The options of an attention; `SdpaOptions::default()` hides nothing and scales by 1/√d.
///
/// All may be given together: a key is seen when mask, causal and window all let it through.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SdpaOptions {
    /// Hides keys from queries, or adds to their scores.
    pub mask: Option<Mask>,
    /// Hides the future.
    pub causal: Option<Causal>,
    /// What the scores are multiplied by: 1/√d when `None`.
    pub scale: Option<f64>,
    /// `c · tanh(score / c)` after the scale and before the mask, as in Gemma 2; c above 0.
    pub softcap: Option<f64>,
    /// How many keys to the left and to the right of its own position a query sees, `None` for all. Bottom-right
    /// aligned: query i stands at key `i + seq_k − seq_q`.
    pub window: Option<(Option<usize>, Option<usize>)>,
}

impl SdpaOptions {
    /// With this mask.
    pub fn mask(self, mask: Mask) -> Self {
        Self { mask: Some(mask), ..self }
    }

    /// With this keep-mask: u8, not 0 = may attend, broadcastable to `(batch, heads_q, seq_q, seq_k)`.
    pub fn keep(self, keep: Tensor) -> Self {
        self.mask(Mask::Keep(keep))
    }

    /// With this added to the scores: a float, broadcastable to `(batch, heads_q, seq_q, seq_k)`.
    pub fn bias(self, bias: Tensor) -> Self {
        self.mask(Mask::Bias(bias))
    }

    /// With the future hidden.
    pub fn causal(self, causal: Causal) -> Self {
        Self { causal: Some(causal), ..self }
    }

    /// With the scores multiplied by `scale` in place of 1/√d.
    pub fn scale(self, scale: f64) -> Self {
        Self { scale: Some(scale), ..self }
    }

    /// With the scores capped to ±`softcap`.
    pub fn softcap(self, softcap: f64) -> Self {
        Self { softcap: Some(softcap), ..self }
    }

    /// With a window of `left` keys before and `right` keys after a query's position, `None` for all.
    pub fn window(self, left: impl Into<Option<usize>>, right: impl Into<Option<usize>>) -> Self {
        Self { window: Some((left.into(), right.into())), ..self }
    }

    /// Whether these options make sense with scores `(batch, heads_q, seq_q, seq_k)`.
    pub(crate) fn fit(&self, scores: [usize; 4]) -> Result<()> {
        if let Some(scale) = self.scale.filter(|scale| !scale.is_finite()) {
            bail!("scale: expected a finite number; got {scale}. Leave it out for 1/√d");
        }
        if let Some(cap) = self.softcap.filter(|cap| !(cap.is_finite() && *cap > 0.)) {
            bail!(
                "softcap: expected a finite number above 0; got {cap}. Leave it out for no softcap"
            );
        }
        self.mask.as_ref().map_or(Ok(()), |mask| mask_fits(mask, scores))
    }
}

fn mask_fits(mask: &Mask, scores: [usize; 4]) -> Result<()> {
    let tensor = mask.tensor();
    let (name, dtype) = match mask {
        Mask::Keep(keep) => ("keep", keep.dtype() == DType::U8),
        Mask::Bias(bias) => ("bias", bias.dtype().is_float()),
    };
    if !dtype {
        let (expected, other) = match mask {
            Mask::Keep(_) => ("u8 (not 0 = may attend)", "Mask::Bias adds a float mask"),
            Mask::Bias(_) => ("a float type", "Mask::Keep takes a u8 mask"),
        };
        bail!("{name}: expected {expected}; got {:?}. {other}", tensor.dtype());
    }
    let dims = tensor.dims();
    let fits =
        dims.iter().rev().zip(scores.iter().rev()).all(|(&dim, &size)| dim == 1 || dim == size);
    if dims.len() > 4 || !fits {
        bail!(
            "{name}: expected a shape that broadcasts to (batch, heads_q, seq_q, seq_k) = {scores:?}; got {dims:?}. Use `unsqueeze` to put a 1 where a dimension is missing"
        );
    }
    if tensor.track_op() {
        bail!(
            "{name}: expected a tensor without a gradient; got one that is part of a graph. Call `detach` on it, or use `flash::naive::attention`, which has this gradient"
        );
    }
    Ok(())
}
