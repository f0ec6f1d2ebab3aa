//! Wrong wirings of a sublayer, of an encoder's and of a decoder's layer.

use crate::{
    transformer::{
        Cross, DecoderLayer, EncoderLayer,
        NormOrder::{self, Post, Pre},
        Residual, Step,
    },
    wrong::{Wrong, wrong},
};
use candle_core::{Result, Tensor};

/// The right sublayer.
fn right(x: &Tensor, order: NormOrder, norm: &Step, sublayer: &Step) -> Result<Tensor> {
    match order {
        Pre => x + sublayer(&norm(x)?)?,
        Post => norm(&(x + sublayer(x)?)?),
    }
}

fn other(order: NormOrder) -> NormOrder {
    match order {
        Pre => Post,
        Post => Pre,
    }
}

pub fn residual() -> Vec<Wrong<Residual>> {
    vec![
        wrong!(
            "always post",
            "pre-norm is wired as post-norm: for `Pre` the norm stands before the sublayer, and the shortcut runs past both.",
            |x, _, norm, sublayer| right(x, Post, norm, sublayer)
        ),
        wrong!(
            "always pre",
            "post-norm is wired as pre-norm: for `Post`, the paper's order, the norm comes last, over the sum.",
            |x, _, norm, sublayer| right(x, Pre, norm, sublayer)
        ),
        wrong!(
            "pre and post exchanged",
            "the two orders have changed places: `Pre` is x + sublayer(norm(x)), `Post` is norm(x + sublayer(x)).",
            |x, order, norm, sublayer| right(x, other(order), norm, sublayer)
        ),
        wrong!(
            "shortcut forgotten",
            "the shortcut is missing: x itself is to be added to what the sublayer gives. Without it deep stacks hardly learn.",
            |x, order, norm, sublayer| match order {
                Pre => same_shape(x, sublayer(&norm(x)?)?),
                Post => norm(&same_shape(x, sublayer(x)?)?),
            }
        ),
        wrong!(
            "shortcut forgotten in pre-norm",
            "in pre-norm the shortcut is missing: add x to what the sublayer gives.",
            |x, order, norm, sublayer| match order {
                Pre => same_shape(x, sublayer(&norm(x)?)?),
                Post => right(x, Post, norm, sublayer),
            }
        ),
        wrong!(
            "shortcut forgotten in post-norm",
            "in post-norm the shortcut is missing: the norm goes over x + sublayer(x).",
            |x, order, norm, sublayer| match order {
                Pre => right(x, Pre, norm, sublayer),
                Post => norm(&same_shape(x, sublayer(x)?)?),
            }
        ),
        wrong!(
            "normed shortcut",
            "in pre-norm the shortcut starts after the norm: it is x as it came that is added. What makes pre-norm train well is a way from the last layer to the first without any norm.",
            |x, order, norm, sublayer| match order {
                Pre => {
                    let normed = norm(x)?;
                    &normed + sublayer(&normed)?
                }
                Post => right(x, Post, norm, sublayer),
            }
        ),
        wrong!(
            "norm over the sublayer alone",
            "in post-norm the norm goes over the sublayer's result alone: it goes over the sum.",
            |x, order, norm, sublayer| match order {
                Pre => right(x, Pre, norm, sublayer),
                Post => x + norm(&sublayer(x)?)?,
            }
        ),
        wrong!(
            "normed before and after",
            "in post-norm the input of the sublayer is normed as well: the norm stands after the sum, and nowhere else.",
            |x, order, norm, sublayer| match order {
                Pre => right(x, Pre, norm, sublayer),
                Post => norm(&(x + sublayer(&norm(x)?)?)?),
            }
        ),
        wrong!(
            "a norm over the sum in pre-norm, too",
            "in pre-norm the sum is normed as well: the norm stands before the sublayer, and nowhere else.",
            |x, order, norm, sublayer| match order {
                Pre => norm(&(x + sublayer(&norm(x)?)?)?),
                Post => right(x, Post, norm, sublayer),
            }
        ),
        wrong!("norm forgotten", "the norm is never called.", |x, _, _, sublayer| x + sublayer(x)?),
        wrong!(
            "shortcut detached",
            "the values are right, but the gradient does not take the shortcut: x is to be added as it is, without `detach`.",
            |x, order, norm, sublayer| match order {
                Pre => x.detach() + sublayer(&norm(x)?)?,
                Post => norm(&(x.detach() + sublayer(x)?)?),
            }
        ),
        wrong!(
            "stretched to the shape of x",
            "a sublayer's result of another shape was stretched by broadcasting, silently: a plain `+` asks for equal shapes.",
            |x, order, norm, sublayer| match order {
                Pre => x.broadcast_add(&sublayer(&norm(x)?)?),
                Post => norm(&x.broadcast_add(&sublayer(x)?)?),
            }
        ),
    ]
}

/// `y`, when it has the shape of `x`: what the sum would have asked for.
fn same_shape(x: &Tensor, y: Tensor) -> Result<Tensor> {
    x.zeros_like()? + y
}

/// An encoder's layer from its two sublayers.
fn two(x: &Tensor, order: NormOrder, [first, second]: [(&Step, &Step); 2]) -> Result<Tensor> {
    let x = right(x, order, first.0, first.1)?;
    right(&x, order, second.0, second.1)
}

pub fn encoder_layer() -> Vec<Wrong<EncoderLayer>> {
    vec![
        wrong!(
            "norms exchanged",
            "the norms have changed places: the first belongs to attention, the second to feed-forward.",
            |x, order, [first, second], attend, feed_forward| {
                two(x, order, [(second, attend), (first, feed_forward)])
            }
        ),
        wrong!(
            "sublayers exchanged",
            "feed-forward comes before attention: attention is first, with the first norm.",
            |x, order, [first, second], attend, feed_forward| {
                two(x, order, [(first, feed_forward), (second, attend)])
            }
        ),
        wrong!(
            "sublayers exchanged with their norms",
            "feed-forward comes before attention, each with its right norm: attention is first.",
            |x, order, [first, second], attend, feed_forward| {
                two(x, order, [(second, feed_forward), (first, attend)])
            }
        ),
        wrong!(
            "one norm for both",
            "both sublayers use the first norm: each has its own.",
            |x, order, [first, _], attend, feed_forward| {
                two(x, order, [(first, attend), (first, feed_forward)])
            }
        ),
        wrong!(
            "feed-forward forgotten",
            "feed-forward is missing: attention only mixes tokens, feed-forward works on each of them.",
            |x, order, [first, _], attend, _| right(x, order, first, attend)
        ),
        wrong!(
            "attention forgotten",
            "attention is missing: no token learns anything of the others.",
            |x, order, [_, second], _, feed_forward| right(x, order, second, feed_forward)
        ),
        wrong!(
            "attention twice",
            "the second sublayer is attention once more: it is feed-forward.",
            |x, order, [first, second], attend, _| two(
                x,
                order,
                [(first, attend), (second, attend)]
            )
        ),
        wrong!(
            "feed-forward from the layer's input",
            "feed-forward gets the layer's input, and what attention gave is lost: it goes on with the first sublayer's result.",
            |x, order, [first, second], attend, feed_forward| {
                right(x, order, first, attend)?;
                right(x, order, second, feed_forward)
            }
        ),
        wrong!(
            "sublayers side by side",
            "attention and feed-forward work side by side on the same input, and both are added: some models do that, the paper's has one after the other.",
            |x, order, [first, second], attend, feed_forward| match order {
                Pre => (x + attend(&first(x)?)?)? + feed_forward(&second(x)?)?,
                Post => two(x, Post, [(first, attend), (second, feed_forward)]),
            }
        ),
        wrong!(
            "one shortcut around both",
            "there is one shortcut around both sublayers: each has its own.",
            |x, order, [first, second], attend, feed_forward| match order {
                Pre => x + feed_forward(&second(&attend(&first(x)?)?)?)?,
                Post => second(&(x + feed_forward(&first(&attend(x)?)?)?)?),
            }
        ),
        wrong!(
            "always post",
            "`order` is not handed on: for `Pre` the norms stand before the sublayers.",
            |x, _, [first, second], attend, feed_forward| {
                two(x, Post, [(first, attend), (second, feed_forward)])
            }
        ),
        wrong!(
            "always pre",
            "`order` is not handed on: for `Post` the norms stand after the sums.",
            |x, _, [first, second], attend, feed_forward| {
                two(x, Pre, [(first, attend), (second, feed_forward)])
            }
        ),
        wrong!(
            "token by token",
            "attention is called for one token at a time, and sees no other: hand it all tokens at once.",
            |x, order, [first, second], attend, feed_forward| {
                let tokens = (0..x.dim(1)?).map(|at| x.narrow(1, at, 1));
                let tokens = tokens.map(|token| right(&token?, order, first, attend));
                match tokens.collect::<Result<Vec<_>>>()? {
                    tokens if tokens.len() > 1 => {
                        right(&Tensor::cat(&tokens, 1)?, order, second, feed_forward)
                    }
                    _ => two(x, order, [(first, attend), (second, feed_forward)]),
                }
            }
        ),
    ]
}

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
            "the memory is normed on its way into cross-attention: it is handed on as it is. The encoder has normed it already, at the end of its stack.",
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
            "the memory is normed on its way into cross-attention, in post-norm as well: it is handed on as it is.",
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
    ]
}
