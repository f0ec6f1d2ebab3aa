//! The sizes of a multi-head attention, and whether its inputs fit them.

use candle_core::{Result, Tensor, bail};

// ANCHOR: config
/// The sizes of a multi-head attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MultiHeadConfig {
    /// The dimension of a token's vector, shared out among the heads: a multiple
    /// of `num_heads`.
    pub embed_dim: usize,
    /// How many attentions run side by side, each on `embed_dim / num_heads` numbers
    /// per token.
    pub num_heads: usize,
    /// How many heads have keys and values of their own: a divisor of `num_heads`.
    /// With fewer than `num_heads`, groups of query heads share them; 1 is
    /// multi-query attention.
    pub num_kv_heads: usize,
    /// The probability that a weight is dropped in training, in [0, 1).
    pub dropout: f64,
    /// Whether the four projections add a bias.
    pub bias: bool,
}
// ANCHOR_END: config

impl MultiHeadConfig {
    /// Each head with its own keys and values, biases, no dropout: what PyTorch does by default.
    pub fn new(embed_dim: usize, num_heads: usize) -> Self {
        Self { embed_dim, num_heads, num_kv_heads: num_heads, dropout: 0., bias: true }
    }

    /// The dimension of one head's queries, keys and values.
    pub fn head_dim(&self) -> usize {
        self.embed_dim / self.num_heads.max(1)
    }

    /// How many numbers a token's key has over all heads, and its value as well: `num_kv_heads · head_dim`.
    pub fn kv_dim(&self) -> usize {
        self.num_kv_heads * self.head_dim()
    }

    /// An error unless the heads divide `embed_dim`, the key-value heads divide the heads, and `dropout` is in [0, 1).
    pub fn validate(&self) -> Result<()> {
        let Self { embed_dim, num_heads, num_kv_heads, dropout, .. } = *self;
        if num_heads == 0 || embed_dim == 0 || embed_dim % num_heads != 0 {
            bail!(
                "num_heads: expected a divisor of embed_dim = {embed_dim}; got {num_heads}"
            );
        }
        if num_kv_heads == 0 || num_heads % num_kv_heads != 0 {
            bail!(
                "num_kv_heads: expected a divisor of num_heads = {num_heads}; got {num_kv_heads}"
            );
        }
        if !(0. ..1.).contains(&dropout) {
            bail!("dropout: expected a probability in [0, 1); got {dropout}");
        }
        Ok(())
    }

    /// An error unless the sizes are valid, `query` is `(batch, seq_q, embed_dim)`, `key` and `value` are
    /// `(batch, seq_k, embed_dim)`, and `attn_mask` broadcasts to `(batch, num_heads, seq_q, seq_k)`.
    pub fn inputs_fit(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        attn_mask: Option<&Tensor>,
    ) -> Result<()> {
        self.validate()?; // the fields are public: they may have changed since `new`
        let embed_dim = self.embed_dim;
        for (name, input) in [("query", query), ("key", key), ("value", value)] {
            match *input.dims() {
                [_, _, dim] if dim == embed_dim => {}
                ref got => {
                    bail!(
                        "{name}: expected (batch, seq, embed_dim = {embed_dim}); got {got:?}"
                    )
                }
            }
        }
        let ((batch, seq_q, _), (key_batch, seq_k, _)) = (query.dims3()?, key.dims3()?);
        if key_batch != batch {
            bail!("key: expected a batch of {batch}, as query has; got {key_batch}");
        }
        if value.dims() != key.dims() {
            let (expected, got) = (key.dims(), value.dims());
            bail!(
                "value: expected {expected:?}, as key, one value for each key; got {got:?}"
            );
        }
        let weights = [batch, self.num_heads, seq_q, seq_k];
        match attn_mask.map(Tensor::dims) {
            Some(mask) if !broadcasts(mask, &weights) => bail!(
                "attn_mask: expected a shape that broadcasts to (batch, heads, seq_q, seq_k) = {weights:?}; got {mask:?}"
            ),
            _ => Ok(()),
        }
    }
}

/// `embed_dim`, `num_heads`, `num_kv_heads`, `dropout`, `bias`: how the shared checks, which know no chapter, ask for one.
impl From<(usize, usize, usize, f64, bool)> for MultiHeadConfig {
    fn from(sizes: (usize, usize, usize, f64, bool)) -> Self {
        let (embed_dim, num_heads, num_kv_heads, dropout, bias) = sizes;
        Self { embed_dim, num_heads, num_kv_heads, dropout, bias }
    }
}

/// Whether a tensor of shape `from` broadcasts to `to`: aligned at the end, each dimension is equal or 1.
fn broadcasts(from: &[usize], to: &[usize]) -> bool {
    let fits = |(&from, &to): (&usize, &usize)| from == to || from == 1;
    from.len() <= to.len() && from.iter().rev().zip(to.iter().rev()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_line(result: Result<()>) -> String {
        let text = result.expect_err("must be refused").to_string();
        text.lines().next().unwrap_or_default().into()
    }

    #[test]
    fn errors_name_the_argument() {
        let config = MultiHeadConfig::new(6, 4);
        assert_eq!(
            first_line(config.validate()),
            "num_heads: expected a divisor of embed_dim = 6; got 4"
        );
        let config = MultiHeadConfig { num_kv_heads: 2, ..MultiHeadConfig::new(6, 3) };
        assert!(first_line(config.validate()).starts_with("num_kv_heads: "));
        for dropout in [1., -0.1, f64::NAN] {
            let config = MultiHeadConfig { dropout, ..MultiHeadConfig::new(6, 3) };
            assert!(first_line(config.validate()).starts_with("dropout: "));
        }
    }

    #[test]
    fn inputs_that_do_not_fit_are_named() -> Result<()> {
        let config = MultiHeadConfig::new(4, 2);
        let (query, memory) =
            (seeded::normal(1, (1, 2, 4))?, seeded::normal(2, (1, 3, 4))?);
        let (narrow, short) =
            (seeded::normal(3, (1, 3, 3))?, seeded::normal(3, (1, 2, 4))?);
        let mask = seeded::normal(4, (2, 2))?;
        let names =
            |error: String| error.split(':').next().unwrap_or_default().to_string();
        let fit = |key, value, mask| {
            names(first_line(config.inputs_fit(&query, key, value, mask)))
        };
        assert_eq!(fit(&narrow, &memory, None), "key");
        assert_eq!(fit(&memory, &short, None), "value");
        assert_eq!(fit(&memory, &memory, Some(&mask)), "attn_mask");
        config.inputs_fit(
            &query,
            &memory,
            &memory,
            Some(&seeded::normal(4, (1, 1, 2, 3))?),
        )
    }
}
