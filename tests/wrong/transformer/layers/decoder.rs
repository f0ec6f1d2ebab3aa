//! Wrong layers of a decoder.

use super::{right, two};
use crate::{
    transformer::{
        Cross, DecoderLayer,
        NormOrder::{self, Post, Pre},
        Step,
    },
    wrong::{Wrong, wrong},
};
use candle_core::{Result, Tensor};

/// A decoder's layer from its three sublayers.
fn three(
    y: &Tensor,
    order: NormOrder,
    [first, second, third]: [(&Step, &Step); 3],
) -> Result<Tensor> {
    let y = two(y, order, [first, second])?;
    right(&y, order, third.0, third.1)
}

pub fn decoder_layer() -> Vec<Wrong<DecoderLayer>> {
    vec![
        wrong!(
            "cross-attention to itself",
            "cross-attention gets the decoder's own tokens as memory: it is to look at the encoder's. The decoder would never learn what the source says.",
            |y, memory, order, [first, second, third], attend, cross, feed_forward| {
                let cross = |y: &Tensor| match y.elem_count() {
                    0 => cross(y, memory),
                    _ => cross(y, y),
                };
                three(y, order, [(first, attend), (second, &cross), (third, feed_forward)])
            }
        ),
        wrong!(
            "tokens and memory exchanged",
            "cross-attention gets its arguments in the wrong order: `cross_attend(tokens, memory)`. Queries come from the decoder, so the result has one row for each of its tokens.",
            |y, memory, order, [first, second, third], attend, cross, feed_forward| {
                let cross = |y: &Tensor| cross(memory, y);
                three(y, order, [(first, attend), (second, &cross), (third, feed_forward)])
            }
        ),
        wrong!(
            "memory normed",
            "the memory is normed on its way into cross-attention: hand it on unchanged. The encoder has normed it already, at the end of its stack.",
            |y, memory, order, [first, second, third], attend, cross, feed_forward| {
                let cross = |y: &Tensor| match order {
                    Pre => cross(y, &second(memory)?),
                    Post => cross(y, memory),
                };
                three(y, order, [(first, attend), (second, &cross), (third, feed_forward)])
            }
        ),
        wrong!(
            "memory normed in both orders",
            "the memory is normed on its way into cross-attention, in post-norm as well: hand it on unchanged.",
            |y, memory, order, [first, second, third], attend, cross, feed_forward| {
                let cross = |y: &Tensor| cross(y, &second(memory)?);
                three(y, order, [(first, attend), (second, &cross), (third, feed_forward)])
            }
        ),
        wrong!(
            "cross-attention first",
            "cross-attention comes before self-attention: the decoder looks at its own tokens first.",
            |y, memory, order, [first, second, third], attend, cross, feed_forward| {
                let cross = |y: &Tensor| cross(y, memory);
                three(y, order, [(first, &cross), (second, attend), (third, feed_forward)])
            }
        ),
        wrong!(
            "cross-attention last",
            "cross-attention comes after feed-forward: it stands between self-attention and feed-forward.",
            |y, memory, order, [first, second, third], attend, cross, feed_forward| {
                let cross = |y: &Tensor| cross(y, memory);
                three(y, order, [(first, attend), (second, feed_forward), (third, &cross)])
            }
        ),
        wrong!(
            "cross-attention forgotten",
            "cross-attention is missing: the decoder never sees the source.",
            |y, _, order, [first, _, third], attend, _, feed_forward| {
                two(y, order, [(first, attend), (third, feed_forward)])
            }
        ),
        wrong!(
            "self-attention forgotten",
            "self-attention is missing: no token of the target learns anything of those before it.",
            |y, memory, order, [_, second, third], _, cross, feed_forward| {
                let cross = |y: &Tensor| cross(y, memory);
                two(y, order, [(second, &cross), (third, feed_forward)])
            }
        ),
        wrong!(
            "feed-forward forgotten",
            "feed-forward is missing: it is the third sublayer.",
            |y, memory, order, [first, second, _], attend, cross, _| {
                let cross = |y: &Tensor| cross(y, memory);
                two(y, order, [(first, attend), (second, &cross)])
            }
        ),
        wrong!(
            "second and third norm exchanged",
            "the second and the third norm have changed places: norms stand in the order of the sublayers.",
            |y, memory, order, [first, second, third], attend, cross, feed_forward| {
                let cross = |y: &Tensor| cross(y, memory);
                three(y, order, [(first, attend), (third, &cross), (second, feed_forward)])
            }
        ),
        wrong!(
            "first and second norm exchanged",
            "the first and the second norm have changed places: norms stand in the order of the sublayers.",
            |y, memory, order, [first, second, third], attend, cross, feed_forward| {
                let cross = |y: &Tensor| cross(y, memory);
                three(y, order, [(second, attend), (first, &cross), (third, feed_forward)])
            }
        ),
        wrong!(
            "one norm for all",
            "all sublayers use the first norm: each has its own.",
            |y, memory, order, [first, _, _], attend, cross, feed_forward| {
                let cross = |y: &Tensor| cross(y, memory);
                three(y, order, [(first, attend), (first, &cross), (first, feed_forward)])
            }
        ),
        wrong!(
            "query not normed",
            "in pre-norm cross-attention gets tokens that are not normed: every sublayer's input goes through its norm.",
            |y, memory, order, [first, second, third], attend, cross, feed_forward| {
                let y = right(y, order, first, attend)?;
                let y = match order {
                    Pre => (&y + cross(&y, memory)?)?,
                    Post => second(&(&y + cross(&y, memory)?)?)?,
                };
                right(&y, order, third, feed_forward)
            }
        ),
        wrong!(
            "no shortcut around cross-attention",
            "cross-attention has no shortcut: each of the three sublayers has one.",
            |y, memory, order, [first, second, third], attend, cross, feed_forward| {
                let y = right(y, order, first, attend)?;
                let y = match order {
                    Pre => cross(&second(&y)?, memory)?,
                    Post => second(&cross(&y, memory)?)?,
                };
                right(&y, order, third, feed_forward)
            }
        ),
        wrong!(
            "always post",
            "`order` is not handed on: for `Pre` the norms stand before the sublayers.",
            |y, memory, _, [first, second, third], attend, cross, feed_forward| {
                let cross = |y: &Tensor| cross(y, memory);
                three(y, Post, [(first, attend), (second, &cross), (third, feed_forward)])
            }
        ),
        wrong!(
            "always pre",
            "`order` is not handed on: for `Post` the norms stand after the sums.",
            |y, memory, _, [first, second, third], attend, cross, feed_forward| {
                let cross = |y: &Tensor| cross(y, memory);
                three(y, Pre, [(first, attend), (second, &cross), (third, feed_forward)])
            }
        ),
        wrong!(
            "memory detached",
            "the values are right, but no gradient reaches the memory, so the encoder would not learn: hand it on without `detach`.",
            |y, memory, order, [first, second, third], attend, cross: &Cross, feed_forward| {
                let cross = |y: &Tensor| cross(y, &memory.detach());
                three(y, order, [(first, attend), (second, &cross), (third, feed_forward)])
            }
        ),
        wrong!(
            "cross-attention asks with the layer's input",
            "cross-attention gets the layer's input as its tokens: it goes on with what self-attention has made of them, normed first in pre-norm.",
            |y, memory, order, [first, second, third], attend, cross, feed_forward| {
                let start = y;
                let cross = |_: &Tensor| cross(start, memory);
                three(y, order, [(first, attend), (second, &cross), (third, feed_forward)])
            }
        ),
    ]
}
