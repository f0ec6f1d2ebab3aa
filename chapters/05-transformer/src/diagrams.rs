//! The page's diagram: the whole model, and which mask goes where.

use candle_core::{Error, Result};
use figures::{Cell, Diagram, Figure, Node, Role};

/// Encoder and decoder from the tokens at the bottom to the logits at the top, with their two masks.
pub fn encoder_decoder() -> Result<Figure> {
    let (left, right) = (0.25, 0.74);
    let part = |id: &str, name: &str, middle: f64| Node::step(name).id(id).at(middle);
    Diagram::new("Encoder and decoder, read from the bottom up")
        .row([Node::tensor(Role::Output, "logits").shape("(batch, tgt, vocab)").at(right)])
        .row([part("linear", "linear", right)])
        .row([
            Node::note("Around each part in a frame:\na residual and a norm.").at(left),
            part("decoder mlp", "feed-forward", right),
        ])
        .row([
            Node::tensor(Role::Plain, "memory").shape("(batch, src, dim)").at(left),
            part("cross", "cross-attention", right).shape("mask A"),
        ])
        .row([
            part("encoder mlp", "feed-forward", left),
            part("decoder self", "self-attention", right).shape("mask B"),
        ])
        .row([
            part("encoder self", "self-attention", left).shape("mask A"),
            part("target embedding", "embed", right).shape("and add positions"),
        ])
        .row([
            part("source embedding", "embed", left).shape("and add positions"),
            Node::tensor(Role::Plain, "target").shape("shifted right (batch, tgt)").at(right),
        ])
        .row([Node::tensor(Role::Plain, "source").shape("(batch, src)").at(left)])
        .row([
            mask("A: no padding", &[[1, 1, 1, 0]]).shape("of the source").id("A").at(left),
            mask("B: no future", &FUTURE).shape("of the target").id("B").at(right),
        ])
        .group("× N", ["encoder self", "encoder mlp"])
        .group("× N", ["decoder self", "cross", "decoder mlp"])
        .arrow("source", "source embedding")
        .arrow("source embedding", "encoder self")
        .arrow("encoder self", "encoder mlp")
        .arrow("encoder mlp", "memory")
        .arrow_with("memory", "cross", "K, V")
        .arrow("target", "target embedding")
        .arrow("target embedding", "decoder self")
        .arrow_with("decoder self", "cross", "Q")
        .arrow("cross", "decoder mlp")
        .arrow("decoder mlp", "linear")
        .arrow("linear", "logits")
        .alt(
            "Encoder and decoder, read from the bottom up. Left: the source, (batch, src), is embedded, positions are added, and N \
             layers of self-attention under mask A and feed-forward make the memory, (batch, src, dim). Right: the target, shifted \
             right, (batch, tgt), is embedded, positions are added, and N layers follow, each of self-attention under mask B, \
             cross-attention under mask A, and feed-forward; a linear layer makes logits, (batch, tgt, vocab). Around each \
             attention and each feed-forward: a residual and a norm. In cross-attention the query comes from the decoder, key and \
             value from the memory. Mask A hides the source's padding, here the last of four keys. Mask B hides the future: a lower \
             triangle.",
        )
        .draw()
        .map_err(Error::wrap)
}

const FUTURE: [[u8; 4]; 4] = [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]];

fn mask<const ROWS: usize>(name: &str, keep: &[[u8; 4]; ROWS]) -> Node {
    let cell = |keep: u8| match keep {
        1 => Cell::new(Role::Mask, "1").strength(0.7),
        _ => Cell::empty("0"),
    };
    Node::grid(Role::Mask, name, keep.iter().map(|row| row.map(cell)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_triangle_is_the_causal_mask() -> Result<()> {
        let device = candle_core::Device::Cpu;
        let causal =
            masking::solution::causal_mask(4, 4, masking::Align::TopLeft, &device)?;
        assert_eq!(causal.flatten_all()?.to_vec1::<u8>()?, FUTURE.concat());
        assert!(encoder_decoder()?.alt().contains("mask A"));
        Ok(())
    }
}
